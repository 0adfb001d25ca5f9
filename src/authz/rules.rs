//! Rules: the roles, permissions, action sets and grants of one policy version, checked whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Action, Pattern};

/// Whether a permission allows or denies; deny wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Grants the action.
    Allow,
    /// Takes it away, whatever else grants it.
    Deny,
}

/// Which actions a permission is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actions {
    /// All of them, written `*`.
    Any,
    /// One action.
    One(Action),
    /// An action set, by its name without `set:`.
    Set(String),
}

/// What a role holds: actions on resources, allowed or denied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permission {
    /// The actions.
    pub actions: Actions,
    /// The resources.
    pub resource: Pattern,
    /// Allow or deny.
    pub effect: Effect,
}

/// Who can be granted a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// `user:alice`, the canonical name.
    User(String),
    /// `group:developers`, as the directory names it.
    Group(String),
    /// `anonymous`: whoever showed no identity.
    Anonymous,
    /// `everyone`, identified or not.
    Everyone,
}

/// A principal holds a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Who.
    pub principal: Principal,
    /// The role's name without `role:`.
    pub role: String,
    /// When it ends, in seconds since 1970, UTC; `None` is never. The index itself reads no clock.
    pub until: Option<i64>,
    /// Why it was given; may be empty.
    pub reason: String,
}

/// The roles, permissions, action sets and grants of one policy version, in the order of their source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Role and permission.
    pub permissions: Vec<(String, Permission)>,
    /// A role inherits the permissions of another: (heir, inherited).
    pub inherits: Vec<(String, String)>,
    /// Who holds what.
    pub grants: Vec<Grant>,
    /// Members of action sets: an action or another set, and the set it belongs to.
    pub members: Vec<(Actions, String)>,
}

/// Why rules are not accepted; the names are those of the policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A role that nothing defines is granted or inherited.
    #[error("role `{0}` is granted or inherited, but holds no permission and inherits nothing{1}")]
    UnknownRole(String, String),
    /// A permission or a set names a set without members.
    #[error("action set `{0}` has no members{1}")]
    UnknownSet(String, String),
    /// Roles that inherit each other.
    #[error("roles inherit each other in a circle: {0}")]
    RoleCycle(String),
    /// Sets that contain each other.
    #[error("action sets contain each other in a circle: {0}")]
    SetCycle(String),
    /// More levels of inheritance than Casbin follows.
    #[error(
        "role `{0}` inherits over more than {MAX_DEPTH} levels: some tools of Casbin's do not follow it that far"
    )]
    TooDeep(String),
    /// `*` as a member of a set.
    #[error("action set `{0}` cannot contain `*`: write `*` in the permission instead")]
    AnyInSet(String),
}

/// Levels of inheritance between roles.
///
/// Casbin's role managers stop without a word after ten steps, of which a user, its groups and the grant take some:
/// within this, every tool of Casbin's sees what the index sees.
pub const MAX_DEPTH: usize = 7;

impl Grant {
    /// A grant without an end.
    pub fn new(principal: Principal, role: impl Into<String>) -> Self {
        Self { principal, role: role.into(), until: None, reason: String::new() }
    }

    /// Whether it holds at a moment, in seconds since 1970.
    pub fn holds_at(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Rules {
    /// Checks that every name is defined and nothing is circular.
    pub fn check(&self) -> Result<(), RulesError> {
        let roles = self.roles();
        let named = self.grants.iter().map(|grant| &grant.role).chain(self.inherits.iter().map(|(_, to)| to));
        for role in named {
            if !roles.contains(role.as_str()) {
                return Err(RulesError::UnknownRole(role.clone(), did_you_mean(role, &roles)));
            }
        }
        let sets = self.set_names();
        let used = self.permissions.iter().map(|(_, permission)| &permission.actions);
        for actions in used.chain(self.members.iter().map(|(member, _)| member)) {
            if let Actions::Set(set) = actions
                && !sets.contains(set.as_str())
            {
                return Err(RulesError::UnknownSet(set.clone(), did_you_mean(set, &sets)));
            }
        }
        if let Some((_, set)) = self.members.iter().find(|(member, _)| *member == Actions::Any) {
            return Err(RulesError::AnyInSet(set.clone()));
        }
        let inherits = edges(self.inherits.iter().map(|(heir, role)| (heir.as_str(), role.as_str())));
        let depth = longest(&inherits).map_err(RulesError::RoleCycle)?;
        if let Some((role, _)) = depth.iter().find(|(_, depth)| **depth > MAX_DEPTH) {
            return Err(RulesError::TooDeep((*role).to_owned()));
        }
        let nested = edges(self.members.iter().filter_map(|(member, set)| match member {
            Actions::Set(inner) => Some((set.as_str(), inner.as_str())),
            Actions::One(_) | Actions::Any => None,
        }));
        longest(&nested).map_err(RulesError::SetCycle)?;
        Ok(())
    }

    /// The roles that hold a permission or inherit a role.
    pub fn roles(&self) -> BTreeSet<&str> {
        let heirs = self.inherits.iter().map(|(heir, _)| heir.as_str());
        self.permissions.iter().map(|(role, _)| role.as_str()).chain(heirs).collect()
    }

    /// The action sets that have members.
    pub fn set_names(&self) -> BTreeSet<&str> {
        self.members.iter().map(|(_, set)| set.as_str()).collect()
    }

    /// The actions of each set, sets within sets resolved.
    ///
    /// Only for rules that [`Rules::check`] accepts; a circle would be cut where it closes.
    pub fn sets(&self) -> BTreeMap<&str, BTreeSet<Action>> {
        self.set_names().into_iter().map(|set| (set, self.actions_of(set, &mut BTreeSet::new()))).collect()
    }

    fn actions_of<'a>(&'a self, set: &'a str, seen: &mut BTreeSet<&'a str>) -> BTreeSet<Action> {
        let mut found = BTreeSet::new();
        if !seen.insert(set) {
            return found;
        }
        for (member, _) in self.members.iter().filter(|(_, of)| of == set) {
            match member {
                Actions::One(action) => drop(found.insert(*action)),
                Actions::Set(inner) => found.extend(self.actions_of(inner, seen)),
                Actions::Any => {}
            }
        }
        found
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(action) => f.write_str(action.name()),
            Self::Set(set) => write!(f, "set:{set}"),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.effect, self.actions, self.resource)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

fn edges<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in pairs {
        edges.entry(from).or_default().push(to);
    }
    edges
}

/// The number of steps down from each node, or the names of a circle.
///
/// Walks with a stack of its own, so that a long chain in a policy cannot overflow ours.
fn longest<'a>(edges: &BTreeMap<&'a str, Vec<&'a str>>) -> Result<BTreeMap<&'a str, usize>, String> {
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    for start in edges.keys() {
        let mut path: Vec<(&str, usize)> = vec![(*start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let children = edges.get(node).map_or(&[][..], Vec::as_slice);
            let Some(child) = children.get(*next) else {
                let deepest = children.iter().filter_map(|child| depth.get(child)).max().map_or(0, |d| d + 1);
                depth.insert(*node, if children.is_empty() { 0 } else { deepest });
                path.pop();
                continue;
            };
            *next += 1;
            if path.iter().any(|(seen, _)| seen == child) {
                let circle = path.iter().map(|(name, _)| *name).skip_while(|name| name != child);
                return Err(circle.chain([*child]).collect::<Vec<_>>().join(" > "));
            }
            if !depth.contains_key(child) {
                path.push((*child, 0));
            }
        }
    }
    Ok(depth)
}

fn did_you_mean(name: &str, known: &BTreeSet<&str>) -> String {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or_else(String::new, |(_, candidate)| format!("; did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::{Actions, Effect, Grant, Permission, Principal, Rules, RulesError};
    use crate::authz::{Action, Pattern};

    fn holds(role: &str, actions: Actions) -> (String, Permission) {
        let resource = Pattern::parse("*").unwrap();
        (role.to_owned(), Permission { actions, resource, effect: Effect::Allow })
    }

    fn inherits(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(heir, role)| ((*heir).to_owned(), (*role).to_owned())).collect()
    }

    #[test]
    fn roles_that_inherit_each_other_are_refused_with_the_circle() {
        let rules = Rules {
            permissions: vec![holds("a", Actions::Any)],
            inherits: inherits(&[("a", "b"), ("b", "c"), ("c", "b")]),
            ..Rules::default()
        };
        assert_eq!(rules.check(), Err(RulesError::RoleCycle("b > c > b".to_owned())));
    }

    #[test]
    fn a_role_that_nothing_defines_is_refused_with_the_nearest_one() {
        let grant = Grant::new(Principal::User("alice".to_owned()), "develper");
        let rules = Rules {
            permissions: vec![holds("developer", Actions::Any)],
            grants: vec![grant],
            ..Rules::default()
        };
        assert_eq!(
            rules.check().unwrap_err().to_string(),
            "role `develper` is granted or inherited, but holds no permission and inherits nothing; \
             did you mean `developer`?"
        );
    }

    #[test]
    fn inheritance_deeper_than_casbin_follows_is_refused_and_a_long_chain_does_no_harm() {
        let chain = |length: usize| Rules {
            permissions: vec![holds("r0", Actions::Any)],
            inherits: (1..=length).map(|n| (format!("r{n}"), format!("r{}", n - 1))).collect(),
            ..Rules::default()
        };
        assert_eq!(chain(7).check(), Ok(()));
        assert_eq!(chain(8).check(), Err(RulesError::TooDeep("r8".to_owned())));
        assert!(matches!(chain(20_000).check(), Err(RulesError::TooDeep(_))));
    }

    #[test]
    fn sets_within_sets_are_resolved_and_circles_refused() {
        let set = |name: &str| Actions::Set(name.to_owned());
        let mut rules = Rules {
            members: vec![
                (Actions::One(Action::ContainerCreate), "create".to_owned()),
                (set("create"), "run".to_owned()),
                (Actions::One(Action::ContainerStart), "run".to_owned()),
            ],
            ..Rules::default()
        };
        assert_eq!(rules.check(), Ok(()));
        assert_eq!(
            rules.sets()["run"].iter().copied().collect::<Vec<_>>(),
            [Action::ContainerCreate, Action::ContainerStart]
        );
        rules.members.push((set("run"), "create".to_owned()));
        assert_eq!(rules.check(), Err(RulesError::SetCycle("create > run > create".to_owned())));
        rules.members.push((set("nothing"), "run".to_owned()));
        assert_eq!(rules.check(), Err(RulesError::UnknownSet("nothing".to_owned(), String::new())));
    }
}
