//! The compiled policy: roles of a subject, permissions of an action, and the one `decide`.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::decision::{Cause, DecidedBy, Decision, Denial, Finding};
use super::{
    Action, Actions, Effect, Permission, Principal, Relation, Requirement, Requirements, Rules, RulesError,
    Sight, Subject,
};

/// One policy version, compiled for deciding; immutable.
#[derive(Debug)]
pub struct Index {
    roles: Vec<Role>,
    grants: HashMap<Principal, Vec<usize>>,
}

#[derive(Debug, Default)]
struct Role {
    name: String,
    inherits: Vec<usize>,
    /// Permissions by action, denials first.
    permissions: HashMap<Action, Vec<Permission>>,
}

/// A role that the subject holds, and how it came to.
struct Held<'a> {
    role: &'a Role,
    path: Path<'a>,
}

/// The chain from a principal to a role.
#[derive(Clone, Copy)]
enum Path<'a> {
    Granted(&'a Principal),
    Inherited(usize),
}

impl Index {
    /// Compiles rules, which are checked whole first.
    pub fn new(rules: &Rules) -> Result<Self, RulesError> {
        rules.check()?;
        let names = rules.roles();
        let numbers: BTreeMap<&str, usize> =
            names.iter().enumerate().map(|(number, name)| (*name, number)).collect();
        let mut roles: Vec<Role> =
            names.iter().map(|name| Role { name: (*name).to_owned(), ..Role::default() }).collect();
        let role = |name: &str| numbers.get(name).copied();
        for (heir, inherited) in &rules.inherits {
            if let (Some(heir), Some(inherited)) =
                (role(heir).and_then(|n| roles.get_mut(n)), role(inherited))
            {
                heir.inherits.push(inherited);
            }
        }
        let sets = rules.sets();
        for (holder, permission) in &rules.permissions {
            let Some(holder) = role(holder).and_then(|n| roles.get_mut(n)) else { continue };
            let actions: Vec<Action> = match &permission.actions {
                Actions::Any => Action::ALL.to_vec(),
                Actions::One(action) => vec![*action],
                Actions::Set(set) => {
                    sets.get(set.as_str()).map(|set| set.iter().copied().collect()).unwrap_or_default()
                }
            };
            for action in actions {
                holder.permissions.entry(action).or_default().push(permission.clone());
            }
        }
        for permissions in roles.iter_mut().flat_map(|role| role.permissions.values_mut()) {
            permissions.sort_by_key(|permission| permission.effect != Effect::Deny);
        }
        let mut grants: HashMap<Principal, Vec<usize>> = HashMap::new();
        for grant in &rules.grants {
            grants.entry(grant.principal.clone()).or_default().extend(role(&grant.role));
        }
        Ok(Self { roles, grants })
    }

    /// Decides a call: permitted if every requirement is granted and none is denied.
    ///
    /// `verb` is the docker command line that people know the call by; it only appears in the message.
    pub fn decide(&self, subject: &Subject, verb: &str, requirements: &Requirements) -> Decision {
        let principals = subject.principals();
        let held = self.held(&principals);
        let findings: Vec<Finding> = requirements
            .iter()
            .map(|requirement| Finding {
                requirement: requirement.clone(),
                decided_by: find(&held, subject, requirement),
            })
            .collect();
        // Nothing granted means denied: an allow needs every single finding to be one.
        if findings.iter().all(Finding::is_granted) {
            return Decision::Permit(findings);
        }
        Decision::Deny(denial(subject, verb, findings))
    }

    /// Decides a call whose answer is filtered before anybody sees it: a list needs no more than some of its kind.
    ///
    /// Only for whoever then shows nothing but what [`Index::sight`] lets the subject see.
    pub fn decide_in_part(&self, subject: &Subject, verb: &str, requirements: &Requirements) -> Decision {
        let mut denial = match self.decide(subject, verb, requirements) {
            Decision::Deny(denial) => denial,
            permit @ (Decision::Permit(_) | Decision::PermitInPart(_)) => return permit,
        };
        let principals = subject.principals();
        let held = self.held(&principals);
        for finding in denial.findings.iter_mut().filter(|finding| !finding.is_granted()) {
            match find_in_part(&held, subject, &finding.requirement) {
                Some(by) => finding.decided_by = Some(by),
                None => return self.decide(subject, verb, requirements),
            }
        }
        Decision::PermitInPart(denial.findings)
    }

    /// What the subject may see, for filtering answers.
    pub fn sight(&self, subject: &Subject) -> Sight {
        let principals = subject.principals();
        let held = self.held(&principals);
        Sight::new(subject, |action| {
            held.iter()
                .filter_map(|holder| holder.role.permissions.get(&action))
                .flatten()
                .map(|permission| (permission.effect, permission.resource.clone()))
                .collect()
        })
    }

    /// The requirements whose decision depends on who created their resource.
    ///
    /// Whoever looks creators up can leave all others alone: for a subject without scopes, this is empty.
    pub fn awaits_owner<'r>(
        &self,
        subject: &Subject,
        requirements: &'r Requirements,
    ) -> Vec<&'r Requirement> {
        let principals = subject.principals();
        let held = self.held(&principals);
        let scoped = |requirement: &&Requirement| depends_on_owner(&held, requirement);
        // Nobody known, and nothing yet named, relates to no creator.
        let named = |requirement: &&Requirement| requirement.resource.name != super::Resource::ANY;
        requirements.iter().filter(|_| subject.user.is_some()).filter(named).filter(scoped).collect()
    }

    /// The names of all roles that the subject holds, inherited ones included, nearest first.
    pub fn roles_of(&self, subject: &Subject) -> Vec<String> {
        let principals = subject.principals();
        self.held(&principals).into_iter().map(|held| held.role.name.clone()).collect()
    }

    /// Breadth first, so that the recorded path is a shortest one.
    fn held<'a>(&'a self, principals: &'a [Principal]) -> Vec<Held<'a>> {
        let mut held: Vec<Held<'a>> = Vec::new();
        let mut seen = vec![false; self.roles.len()];
        let mut queue: VecDeque<(usize, Path<'a>)> = principals
            .iter()
            .flat_map(|principal| {
                let roles = self.grants.get(principal).map_or(&[][..], Vec::as_slice);
                roles.iter().map(move |role| (*role, Path::Granted(principal)))
            })
            .collect();
        while let Some((number, path)) = queue.pop_front() {
            let (Some(role), Some(seen)) = (self.roles.get(number), seen.get_mut(number)) else { continue };
            if !std::mem::replace(seen, true) {
                let at = held.len();
                held.push(Held { role, path });
                queue.extend(role.inherits.iter().map(|inherited| (*inherited, Path::Inherited(at))));
            }
        }
        held
    }
}

/// The permission that decides: the first denial, else the first allow, else nothing.
fn find(held: &[Held<'_>], subject: &Subject, requirement: &Requirement) -> Option<DecidedBy> {
    let resource = &requirement.resource;
    let relation = subject.relation(resource.owner.as_deref());
    let mut allowed = None;
    for (at, holder) in held.iter().enumerate() {
        let permissions = holder.role.permissions.get(&requirement.action).map_or(&[][..], Vec::as_slice);
        for permission in permissions {
            match permission.effect {
                Effect::Deny if permission.resource.concerns(resource, relation) => {
                    return Some(decided_by(held, at, permission));
                }
                Effect::Allow if allowed.is_none() && permission.resource.covers(resource, relation) => {
                    allowed = Some((at, permission));
                }
                Effect::Deny | Effect::Allow => {}
            }
        }
    }
    allowed.map(|(at, permission)| decided_by(held, at, permission))
}

/// The permission that grants a list for some things of its kind, unless all of them are denied.
fn find_in_part(held: &[Held<'_>], subject: &Subject, requirement: &Requirement) -> Option<DecidedBy> {
    let resource = &requirement.resource;
    if !Sight::is_list(requirement.action) || resource.name != super::Resource::ANY {
        return None;
    }
    let mut allowed = None;
    for (at, holder) in held.iter().enumerate() {
        let permissions = holder.role.permissions.get(&requirement.action).map_or(&[][..], Vec::as_slice);
        for permission in permissions {
            let pattern = &permission.resource;
            match permission.effect {
                Effect::Deny if pattern.is_all_of(resource.kind) => return None,
                // Nobody known has created nothing.
                Effect::Allow if pattern.is_scope() && subject.user.is_none() => {}
                Effect::Allow
                    if allowed.is_none() && pattern.kind().is_none_or(|kind| kind == resource.kind) =>
                {
                    allowed = Some((at, permission));
                }
                Effect::Deny | Effect::Allow => {}
            }
        }
    }
    allowed.map(|(at, permission)| decided_by(held, at, permission))
}

/// Whether a permission by scope could decide, or one that denies could outweigh the rest.
fn depends_on_owner(held: &[Held<'_>], requirement: &Requirement) -> bool {
    let resource = &requirement.resource;
    let (mut allowed, mut scoped) = (false, false);
    for holder in held {
        let permissions = holder.role.permissions.get(&requirement.action).map_or(&[][..], Vec::as_slice);
        for permission in
            permissions.iter().filter(|p| p.resource.kind().is_none_or(|kind| kind == resource.kind))
        {
            match permission.effect {
                Effect::Deny if permission.resource.is_scope() => return true,
                Effect::Allow if permission.resource.is_scope() => scoped = true,
                Effect::Allow => allowed |= permission.resource.covers(resource, Relation::Other),
                Effect::Deny => {}
            }
        }
    }
    scoped && !allowed
}

fn decided_by(held: &[Held<'_>], at: usize, permission: &Permission) -> DecidedBy {
    let mut chain = Vec::new();
    let mut next = held.get(at);
    while let Some(holder) = next {
        chain.push(holder.role.name.clone());
        next = match holder.path {
            Path::Granted(principal) => {
                chain.push(principal.to_string());
                None
            }
            Path::Inherited(by) => held.get(by),
        };
    }
    chain.reverse();
    DecidedBy {
        effect: permission.effect,
        permission: permission.to_string(),
        role: held.get(at).map(|holder| holder.role.name.clone()).unwrap_or_default(),
        path: chain.join(" > "),
    }
}

fn denial(subject: &Subject, verb: &str, findings: Vec<Finding>) -> Denial {
    let denied = findings.iter().find(|finding| finding.decided_by.is_some() && !finding.is_granted());
    let (cause, missing, reason) = if let Some(finding) = denied {
        let by = finding.decided_by.as_ref().map(|by| format!("role `{}` denies it", by.role));
        (Cause::Denied, describe(&finding.requirement), by.unwrap_or_default())
    } else {
        let missing: Vec<&Requirement> = findings
            .iter()
            .filter(|finding| !finding.is_granted())
            .map(|finding| &finding.requirement)
            .collect();
        let them = if missing.len() == 1 { "it" } else { "them" };
        (Cause::NotGranted, list(&missing), format!("no role that {subject} holds grants {them}"))
    };
    Denial { cause, message: format!("{subject} may not {missing} ({verb}): {reason}"), findings }
}

/// As many missing requirements as a terminal line bears.
const NAMED: usize = 4;

fn list(missing: &[&Requirement]) -> String {
    let mut names: Vec<String> =
        missing.iter().take(NAMED).map(|requirement| describe(requirement)).collect();
    if missing.len() > NAMED {
        names.push(format!("{} more", missing.len() - NAMED));
    }
    names.join(", ")
}

fn describe(requirement: &Requirement) -> String {
    if requirement.resource.name == super::Resource::ANY {
        requirement.action.to_string()
    } else {
        requirement.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Index;
    use crate::authz::{
        Action, Actions, Cause, Decision, Effect, Grant, Owner, Pattern, Permission, Principal, Requirement,
        Requirements, Rules, Subject,
    };

    fn permission(effect: Effect, action: Action, pattern: &str) -> Permission {
        Permission { actions: Actions::One(action), resource: Pattern::parse(pattern).unwrap(), effect }
    }

    fn index(
        permissions: Vec<(&str, Permission)>,
        inherits: &[(&str, &str)],
        grants: Vec<(Principal, &str)>,
    ) -> Index {
        Index::new(&Rules {
            permissions: permissions.into_iter().map(|(role, p)| (role.to_owned(), p)).collect(),
            inherits: inherits.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            grants: grants
                .into_iter()
                .map(|(principal, role)| Grant { principal, role: role.to_owned() })
                .collect(),
            members: Vec::new(),
        })
        .unwrap()
    }

    fn alice(groups: &[&str]) -> Subject {
        Subject { user: Some("alice".to_owned()), groups: groups.iter().map(|g| (*g).to_owned()).collect() }
    }

    fn start(name: &str) -> Requirements {
        Requirements::new(Requirement::new(Action::ContainerStart, name))
    }

    #[test]
    fn nothing_granted_means_denied_with_what_was_missing() {
        let index = index(vec![], &[], vec![]);
        let Decision::Deny(denial) = index.decide(&alice(&[]), "docker start", &start("web")) else {
            panic!("permitted");
        };
        assert_eq!(denial.cause, Cause::NotGranted);
        assert_eq!(
            denial.message,
            "alice may not container.start container:web (docker start): no role that alice holds grants it"
        );
    }

    #[test]
    fn a_group_reaches_a_permission_through_inherited_roles_and_the_path_says_so() {
        let index = index(
            vec![("base", permission(Effect::Allow, Action::ContainerStart, "container:*"))],
            &[("dev", "base")],
            vec![(Principal::Group("devs".to_owned()), "dev")],
        );
        let Decision::Permit(findings) = index.decide(&alice(&["devs"]), "docker start", &start("web"))
        else {
            panic!("denied");
        };
        let by = findings[0].decided_by.clone().unwrap();
        assert_eq!(by.path, "group:devs > dev > base");
        assert_eq!(by.permission, "allow container.start container:*");
        assert!(matches!(index.decide(&alice(&[]), "docker start", &start("web")), Decision::Deny(_)));
    }

    #[test]
    fn deny_wins_over_every_allow_wherever_it_is_held() {
        let index = index(
            vec![
                ("a", permission(Effect::Allow, Action::ContainerStart, "*")),
                ("b", permission(Effect::Deny, Action::ContainerStart, "container:prod-*")),
            ],
            &[],
            vec![(Principal::User("alice".to_owned()), "a"), (Principal::Everyone, "b")],
        );
        let Decision::Deny(denial) = index.decide(&alice(&[]), "docker start", &start("prod-1")) else {
            panic!("permitted");
        };
        assert_eq!(denial.cause, Cause::Denied);
        assert_eq!(
            denial.message,
            "alice may not container.start container:prod-1 (docker start): role `b` denies it"
        );
        assert!(matches!(index.decide(&alice(&[]), "docker start", &start("web")), Decision::Permit(_)));
    }

    #[test]
    fn every_requirement_must_be_granted_and_all_missing_ones_are_named() {
        let index = index(
            vec![("a", permission(Effect::Allow, Action::ContainerStart, "*"))],
            &[],
            vec![(Principal::Everyone, "a")],
        );
        let mut needed = start("web");
        needed.push(Requirement::any(Action::HostPrivileged));
        needed.push(Requirement::new(Action::HostMount, "/"));
        let Decision::Deny(denial) = index.decide(&alice(&[]), "docker run", &needed) else {
            panic!("permitted")
        };
        assert_eq!(
            denial.message,
            "alice may not host.privileged, host.mount path:/ (docker run): no role that alice holds grants them"
        );
    }

    #[test]
    fn anonymous_is_nobody_and_holds_what_everyone_and_anonymous_are_granted() {
        let index = index(
            vec![
                ("p", permission(Effect::Allow, Action::SystemPing, "*")),
                ("q", permission(Effect::Allow, Action::SystemVersion, "*")),
            ],
            &[],
            vec![(Principal::Everyone, "p"), (Principal::Anonymous, "q")],
        );
        assert_eq!(index.roles_of(&Subject::anonymous()), ["p", "q"]);
        assert_eq!(index.roles_of(&alice(&[])), ["p"]);
    }

    #[test]
    fn scopes_grant_what_the_subject_or_its_group_created_and_nothing_of_unknown_origin() {
        let index = index(
            vec![("own", permission(Effect::Allow, Action::ContainerStart, "container:@group"))],
            &[],
            vec![(Principal::Everyone, "own")],
        );
        let permitted = |subject: &Subject, owner: Option<(&str, &str)>| {
            let mut needed = start("web");
            let owner = owner.map(|(user, group)| {
                Arc::new(Owner { user: user.to_owned(), groups: vec![group.to_owned()] })
            });
            needed.assign_owners(|_| owner.clone());
            matches!(index.decide(subject, "docker start", &needed), Decision::Permit(_))
        };
        assert!(permitted(&alice(&[]), Some(("alice", "x"))));
        assert!(permitted(&alice(&["devs"]), Some(("bob", "devs"))));
        assert!(!permitted(&alice(&["devs"]), Some(("bob", "ops"))));
        assert!(!permitted(&alice(&["devs"]), None));
        assert!(!permitted(&Subject::anonymous(), Some(("alice", "x"))));
    }

    #[test]
    fn the_creator_is_awaited_only_where_a_scope_could_decide() {
        let awaits = |permissions: &[(Effect, &str)], subject: &Subject, name: &str| {
            let permissions =
                permissions.iter().map(|(effect, p)| ("r", permission(*effect, Action::ContainerStart, p)));
            let index = index(permissions.collect(), &[], vec![(Principal::Everyone, "r")]);
            !index.awaits_owner(subject, &start(name)).is_empty()
        };
        let own = (Effect::Allow, "container:@own");
        assert!(awaits(&[own], &alice(&[]), "web"));
        assert!(awaits(
            &[(Effect::Allow, "container:@group"), (Effect::Allow, "container:db")],
            &alice(&[]),
            "web"
        ));
        assert!(awaits(&[(Effect::Allow, "*"), (Effect::Deny, "container:@own")], &alice(&[]), "web"));
        assert!(!awaits(&[own], &Subject::anonymous(), "web"));
        assert!(!awaits(&[own], &alice(&[]), "*"));
        assert!(!awaits(&[own, (Effect::Allow, "container:web")], &alice(&[]), "web"));
        assert!(!awaits(&[(Effect::Allow, "image:@own")], &alice(&[]), "web"));
        assert!(!awaits(&[(Effect::Allow, "*")], &alice(&[]), "web"));
    }
}
