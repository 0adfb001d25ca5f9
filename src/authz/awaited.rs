//! What has to be found out before a requirement can be decided: its creator, or what its name stands for.

use super::{Effect, Kind, Permission, Relation, Requirement, Subject};

/// What should be found out about the resource of one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited<'r> {
    /// The requirement.
    pub requirement: &'r Requirement,
    /// Whether it matters who created the resource.
    pub owner: Need,
    /// Whether it matters what the name stands for.
    pub meaning: Need,
}

/// When something has to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Never: it decides nothing.
    Never,
    /// Unless the text can be nothing but a name: an ID or its beginning could be anything.
    UnlessPlainName,
    /// In any case.
    Always,
}

/// What is awaited for a requirement, of all permissions that its subject holds for the action.
pub(super) fn of<'r, 'p>(
    subject: &Subject,
    requirement: &'r Requirement,
    permissions: impl Iterator<Item = &'p Permission>,
) -> Option<Awaited<'r>> {
    let resource = &requirement.resource;
    let mut seen = Seen::default();
    for permission in permissions {
        let pattern = &permission.resource;
        if pattern.kind().is_some_and(|kind| kind != resource.kind) {
            continue;
        }
        match (permission.effect, pattern.is_any(), pattern.is_scope()) {
            // Denied whatever it is.
            (Effect::Deny, true, _) => return None,
            (Effect::Allow, true, _) => seen.allowed = true,
            (Effect::Deny, _, true) => seen.scope_denies = true,
            (Effect::Allow, _, true) => seen.scope_allows = true,
            (Effect::Deny, _, false) => seen.name_denies = true,
            (Effect::Allow, _, false) => {
                seen.name_allows = true;
                seen.written |= pattern.covers(resource, Relation::Other);
            }
        }
        seen.id |= pattern.is_id();
    }
    let awaited = Awaited { requirement, owner: seen.owner(subject), meaning: seen.meaning(resource.kind) };
    (awaited.owner.max(awaited.meaning) > Need::Never).then_some(awaited)
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a set of permissions")]
struct Seen {
    /// Everything of the kind is allowed.
    allowed: bool,
    scope_allows: bool,
    scope_denies: bool,
    name_allows: bool,
    name_denies: bool,
    /// A name that is allowed covers the text as it stands.
    written: bool,
    /// A pattern is an ID.
    id: bool,
}

impl Seen {
    fn owner(&self, subject: &Subject) -> Need {
        let decides = self.scope_denies || (self.scope_allows && !self.allowed);
        // Nobody known relates to no creator.
        if subject.user.is_none() || !decides {
            return Need::Never;
        }
        if self.written && !self.scope_denies { Need::UnlessPlainName } else { Need::Always }
    }

    fn meaning(&self, kind: Kind) -> Need {
        if !self.name_denies && (self.allowed || !self.name_allows) {
            return Need::Never;
        }
        // An image has names beside the one that is written, and each can be denied.
        if self.id || (self.name_denies && kind == Kind::Image) {
            return Need::Always;
        }
        Need::UnlessPlainName
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::{Action, Actions, Grant, Index, Pattern, Principal, Requirements, Rules};

    const ALLOW: Effect = Effect::Allow;
    const DENY: Effect = Effect::Deny;

    fn alice() -> Subject {
        Subject { user: Some("alice".to_owned()), ..Subject::default() }
    }

    /// What is awaited of a container `name`, of whom everybody holds these permissions: creator and meaning.
    fn awaits(permissions: &[(Effect, &str)], subject: &Subject, name: &str) -> (Need, Need) {
        let permission = |(effect, pattern): &(Effect, &str)| Permission {
            actions: Actions::One(Action::ContainerStart),
            resource: Pattern::parse(pattern).unwrap(),
            effect: *effect,
        };
        let permissions = permissions.iter().map(|p| ("r".to_owned(), permission(p))).collect();
        let grants = vec![Grant::new(Principal::Everyone, "r")];
        let index = Index::new(&Rules { permissions, grants, ..Rules::default() }).unwrap();
        let requirements = Requirements::new(Requirement::new(Action::ContainerStart, name));
        index
            .awaits(subject, &requirements)
            .first()
            .map_or((Need::Never, Need::Never), |awaited| (awaited.owner, awaited.meaning))
    }

    #[test]
    fn the_creator_is_awaited_only_where_a_scope_could_decide() {
        let owner = |permissions: &[(Effect, &str)], subject: &Subject, name: &str| {
            awaits(permissions, subject, name).0
        };
        let own = (ALLOW, "container:@own");
        assert_eq!(owner(&[own], &alice(), "web"), Need::Always);
        assert_eq!(
            owner(&[(ALLOW, "container:@group"), (ALLOW, "container:db")], &alice(), "web"),
            Need::Always
        );
        assert_eq!(owner(&[(ALLOW, "*"), (DENY, "container:@own")], &alice(), "web"), Need::Always);
        assert_eq!(owner(&[own, (ALLOW, "container:web")], &alice(), "web"), Need::UnlessPlainName);
        assert_eq!(owner(&[own], &Subject::anonymous(), "web"), Need::Never);
        assert_eq!(owner(&[own], &alice(), "*"), Need::Never);
        assert_eq!(owner(&[(ALLOW, "image:@own")], &alice(), "web"), Need::Never);
        assert_eq!(owner(&[(ALLOW, "*")], &alice(), "web"), Need::Never);
    }

    #[test]
    fn what_a_name_stands_for_is_awaited_only_where_a_name_could_decide() {
        let meaning = |permissions: &[(Effect, &str)]| awaits(permissions, &alice(), "web").1;
        let id = format!("container:{}", "ab".repeat(32));
        assert_eq!(meaning(&[(ALLOW, "*")]), Need::Never);
        assert_eq!(meaning(&[(ALLOW, "container:*"), (ALLOW, "container:web")]), Need::Never);
        assert_eq!(meaning(&[(ALLOW, "container:@own")]), Need::Never);
        assert_eq!(meaning(&[(ALLOW, "image:web")]), Need::Never);
        assert_eq!(meaning(&[(DENY, "container:*"), (ALLOW, "container:web")]), Need::Never);
        assert_eq!(meaning(&[(ALLOW, "container:web-*")]), Need::UnlessPlainName);
        assert_eq!(meaning(&[(ALLOW, "*"), (DENY, "container:db")]), Need::UnlessPlainName);
        assert_eq!(meaning(&[(ALLOW, "*"), (DENY, &id)]), Need::Always);
    }

    #[test]
    fn the_other_names_of_an_image_matter_where_one_is_denied() {
        let image = Requirements::new(Requirement::new(Action::ImageUse, "docker.io/library/nginx:1"));
        let awaited = |effect| {
            let resource = Pattern::parse("image:docker.io/evil/**").unwrap();
            let permission = Permission { actions: Actions::Any, resource, effect };
            of(&alice(), image.iter().next().unwrap(), [permission].iter()).unwrap().meaning
        };
        assert_eq!(awaited(DENY), Need::Always);
        assert_eq!(awaited(ALLOW), Need::UnlessPlainName);
    }
}
