//! Subjects: who asks, with the groups that the directory gives.

use std::fmt;

use super::{Owner, Principal, pattern::Relation};

/// Who asks for something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The canonical user name; `None` is `anonymous`.
    pub user: Option<String>,
    /// All groups, nested ones included.
    pub groups: Vec<String>,
    /// The only roles by which the subject is allowed anything, besides what everyone holds; `None` means the
    /// roles that user and groups are granted. What user and groups are denied stays denied either way.
    pub roles: Option<Vec<String>>,
}

impl Subject {
    /// Whoever showed no identity.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Everything that the subject can be granted a role as.
    pub fn principals(&self) -> Vec<Principal> {
        let mut principals = vec![Principal::Everyone];
        match &self.user {
            Some(user) => principals.push(Principal::User(user.clone())),
            None => principals.push(Principal::Anonymous),
        }
        principals.extend(self.groups.iter().cloned().map(Principal::Group));
        principals
    }

    /// How the subject relates to what somebody created.
    pub(super) fn relation(&self, owner: Option<&Owner>) -> Relation {
        match (owner, &self.user) {
            (Some(owner), Some(user)) if owner.user == *user => Relation::Own,
            (Some(owner), Some(_)) if owner.groups.iter().any(|group| self.groups.contains(group)) => {
                Relation::Group
            }
            // Nobody knows the creator, or nobody knows who asks: that is no relation.
            _ => Relation::Other,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user.as_deref().unwrap_or("anonymous"))
    }
}
