//! Requirements: the non-empty list of what a call needs, every one of which must be granted.

use std::fmt;
use std::sync::Arc;

use super::{Action, Kind, Meaning, Owner, Resource};

/// An action on a resource that a call needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// What is done.
    pub action: Action,
    /// What it is done to.
    pub resource: Resource,
}

impl Requirement {
    /// The action on the resource of the action's own kind with that name.
    pub fn new(action: Action, name: impl Into<String>) -> Self {
        Self { action, resource: Resource::new(action.kind(), name) }
    }

    /// The action on all resources of its kind.
    pub fn any(action: Action) -> Self {
        Self::new(action, Resource::ANY)
    }

    /// The action on a resource of another kind than its own, such as `network.use` on `container:x`.
    pub fn of_kind(action: Action, kind: Kind, name: impl Into<String>) -> Self {
        Self { action, resource: Resource::new(kind, name) }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.resource)
    }
}

/// What a call needs: at least the operation itself, without doubles, in the order found.
///
/// Non-empty by construction, so that a reader that forgets something cannot mean "nothing needed".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements(Vec<Requirement>);

impl Requirements {
    /// The requirement that every call has: its operation.
    pub fn new(first: Requirement) -> Self {
        Self(vec![first])
    }

    /// Adds one, unless it is there already.
    pub fn push(&mut self, requirement: Requirement) {
        if !self.0.contains(&requirement) {
            self.0.push(requirement);
        }
    }

    /// All of them; never empty.
    pub fn iter(&self) -> std::slice::Iter<'_, Requirement> {
        self.0.iter()
    }

    /// Fills in what the name of each resource stands for.
    pub fn assign_meanings(&mut self, meaning_of: impl Fn(&Requirement) -> Option<Meaning>) {
        for requirement in &mut self.0 {
            if let Some(meaning) = meaning_of(requirement) {
                requirement.resource.meaning = meaning;
            }
        }
    }

    /// Takes one out of which it turned out that nothing is meant by it; the last one always stays.
    pub fn drop_meaningless(&mut self, requirement: &Requirement) {
        if self.0.len() > 1 {
            self.0.retain(|other| other != requirement);
        }
    }

    /// Fills in who created each resource, as the inventory knows it.
    pub fn assign_owners(&mut self, owner_of: impl Fn(&Resource) -> Option<Arc<Owner>>) {
        for requirement in &mut self.0 {
            requirement.resource.owner = owner_of(&requirement.resource);
        }
    }
}

impl<'a> IntoIterator for &'a Requirements {
    type Item = &'a Requirement;
    type IntoIter = std::slice::Iter<'a, Requirement>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
