//! The compiled policy: roles of a subject, permissions of an action, and the one `decide`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::decision::{DecidedBy, Decision, Finding, Mode};
use super::denial::denial;
use super::{
    Action, Actions, Awaited, Effect, Permission, Principal, Requirement, Requirements, Rules, RulesError,
    Sight, Subject, awaited,
};

/// What says how denials are dealt with.
const MODES: [Action; 2] = [Action::ModeObserve, Action::ModeWarn];

/// One policy version, compiled for deciding; immutable.
#[derive(Debug)]
pub struct Index {
    roles: Arc<Vec<Role>>,
    grants: HashMap<Principal, Vec<(usize, Option<i64>)>>,
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
    /// Whether its permissions to allow count, or only those to deny.
    allows: bool,
}

impl<'a> Held<'a> {
    /// What the role says about an action, as far as it counts; denials first.
    fn permissions(&self, action: Action) -> impl Iterator<Item = &'a Permission> + use<'a> {
        let allows = self.allows;
        let all = self.role.permissions.get(&action).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |permission| allows || permission.effect == Effect::Deny)
    }
}

/// The chain from a principal to a role.
#[derive(Clone, Copy)]
enum Path<'a> {
    Granted(&'a Principal),
    /// Named by the subject itself, as a token's roles are.
    Named,
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
                // How denials are dealt with is no power, and has to be named.
                Actions::Any => Action::ALL.iter().copied().filter(|action| !action.is_mode()).collect(),
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
        let mut grants: HashMap<Principal, Vec<(usize, Option<i64>)>> = HashMap::new();
        for grant in &rules.grants {
            let held = role(&grant.role).map(|role| (role, grant.until));
            grants.entry(grant.principal.clone()).or_default().extend(held);
        }
        Ok(Self { roles: Arc::new(roles), grants })
    }

    /// The same without the grants that have ended by `now`, in seconds since 1970.
    #[must_use]
    pub fn at(&self, now: i64) -> Self {
        let mut grants = self.grants.clone();
        for held in grants.values_mut() {
            held.retain(|(_, until)| until.is_none_or(|until| now < until));
        }
        Self { roles: Arc::clone(&self.roles), grants }
    }

    /// Decides a call: permitted if every requirement is granted and none is denied.
    ///
    /// `verb` is the docker command line that people know the call by; it only appears in the message.
    pub fn decide(&self, subject: &Subject, verb: &str, requirements: &Requirements) -> Decision {
        let principals = subject.principals();
        let held = self.held(subject, &principals);
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
        let mode = mode(&held, subject, &findings);
        let denial = denial(subject, verb, findings);
        match mode {
            Some(mode) => Decision::Observe(mode, denial),
            None => Decision::Deny(denial),
        }
    }

    /// Decides a call whose answer is filtered before anybody sees it: a list needs no more than some of its kind.
    ///
    /// Only for whoever then shows nothing but what [`Index::sight`] lets the subject see.
    pub fn decide_in_part(&self, subject: &Subject, verb: &str, requirements: &Requirements) -> Decision {
        let mut denial = match self.decide(subject, verb, requirements) {
            Decision::Deny(denial) | Decision::Observe(_, denial) => denial,
            permit @ (Decision::Permit(_) | Decision::PermitInPart(_)) => return permit,
        };
        let principals = subject.principals();
        let held = self.held(subject, &principals);
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
        let held = self.held(subject, &principals);
        Sight::new(subject, |action| {
            held.iter()
                .flat_map(|holder| holder.permissions(action))
                .map(|permission| (permission.effect, permission.resource.clone()))
                .collect()
        })
    }

    /// What should be found out about the resources of a call before it is decided.
    ///
    /// Whoever looks things up can leave all others alone: for a subject that is granted everything of a kind, or
    /// holds no scope and no name, this is empty.
    pub fn awaits<'r>(&self, subject: &Subject, requirements: &'r Requirements) -> Vec<Awaited<'r>> {
        let principals = subject.principals();
        let held = self.held(subject, &principals);
        // Nothing yet named means nothing that could be looked up.
        let named = |requirement: &&Requirement| requirement.resource.name != super::Resource::ANY;
        let awaited = requirements.iter().filter(named).filter_map(|requirement| {
            let of = |action| held.iter().flat_map(move |held| held.permissions(action));
            // How a denial is dealt with goes by creator and name as well.
            let modes = MODES.into_iter().flat_map(of).filter(|permission| !permission.resource.is_any());
            let permissions = of(requirement.action).chain(modes);
            awaited::of(subject, requirement, permissions)
        });
        awaited.collect()
    }

    /// Whether one requirement is granted, as far as its resource is known.
    pub fn grants(&self, subject: &Subject, requirement: &Requirement) -> bool {
        let principals = subject.principals();
        find(&self.held(subject, &principals), subject, requirement)
            .is_some_and(|by| by.effect == Effect::Allow)
    }

    /// Whether one requirement alone would let a call through: granted, or let through although it is denied.
    pub fn lets_through(&self, subject: &Subject, requirement: &Requirement) -> bool {
        let alone = Requirements::new(requirement.clone());
        match self.decide(subject, "", &alone) {
            Decision::Permit(_) | Decision::PermitInPart(_) | Decision::Observe(..) => true,
            Decision::Deny(_) => false,
        }
    }

    /// Whether the action is granted on everything of its kind and denied on nothing.
    ///
    /// Whatever else is found out about a resource then changes no decision.
    pub fn grants_everything(&self, subject: &Subject, action: Action) -> bool {
        let principals = subject.principals();
        let held = self.held(subject, &principals);
        let permissions = || held.iter().flat_map(|held| held.permissions(action));
        let all =
            |p: &Permission| p.resource.is_any() && p.resource.kind().is_none_or(|k| k == action.kind());
        permissions().any(|p| p.effect == Effect::Allow && all(p))
            && permissions().all(|p| p.effect == Effect::Allow)
    }

    /// The names of all roles that the subject holds, inherited ones included, nearest first.
    pub fn roles_of(&self, subject: &Subject) -> Vec<String> {
        let principals = subject.principals();
        let held = self.held(subject, &principals);
        held.into_iter().filter(|held| held.allows).map(|held| held.role.name.clone()).collect()
    }

    fn held<'a>(&'a self, subject: &'a Subject, principals: &'a [Principal]) -> Vec<Held<'a>> {
        let granted = |principal: &'a Principal| {
            let roles = self.grants.get(principal).map_or(&[][..], Vec::as_slice);
            roles.iter().map(move |(role, _)| (*role, Path::Granted(principal)))
        };
        let (mut held, mut seen) = (Vec::new(), vec![false; self.roles.len()]);
        let Some(names) = &subject.roles else {
            self.walk(principals.iter().flat_map(granted).collect(), true, &mut held, &mut seen);
            return held;
        };
        // A role that the policy does not have any more allows nothing.
        let named = names.iter().filter_map(|name| self.roles.iter().position(|role| role.name == *name));
        let everyone = principals.iter().filter(|principal| **principal == Principal::Everyone);
        let allowing = named.map(|role| (role, Path::Named)).chain(everyone.flat_map(granted));
        self.walk(allowing.collect(), true, &mut held, &mut seen);
        self.walk(principals.iter().flat_map(granted).collect(), false, &mut held, &mut seen);
        held
    }

    /// Breadth first, so that the recorded path is a shortest one.
    fn walk<'a>(
        &'a self,
        mut queue: VecDeque<(usize, Path<'a>)>,
        allows: bool,
        held: &mut Vec<Held<'a>>,
        seen: &mut [bool],
    ) {
        while let Some((number, path)) = queue.pop_front() {
            let (Some(role), Some(seen)) = (self.roles.get(number), seen.get_mut(number)) else { continue };
            if !std::mem::replace(seen, true) {
                let at = held.len();
                held.push(Held { role, path, allows });
                queue.extend(role.inherits.iter().map(|inherited| (*inherited, Path::Inherited(at))));
            }
        }
    }
}

/// The permission that decides: the first denial, else the first allow, else nothing.
fn find(held: &[Held<'_>], subject: &Subject, requirement: &Requirement) -> Option<DecidedBy> {
    let resource = &requirement.resource;
    let relation = subject.relation(resource.owner.as_deref());
    let mut allowed = None;
    for (at, holder) in held.iter().enumerate() {
        for permission in holder.permissions(requirement.action) {
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
        for permission in holder.permissions(requirement.action) {
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

/// How the denial is dealt with, if a permission to `mode.…` covers everything that is not granted.
fn mode(held: &[Held<'_>], subject: &Subject, findings: &[Finding]) -> Option<Mode> {
    let mut mode = Mode::Observe;
    for finding in findings.iter().filter(|finding| !finding.is_granted()) {
        let covered = |action| {
            let requirement = Requirement { action, resource: finding.requirement.resource.clone() };
            find(held, subject, &requirement).is_some_and(|by| by.effect == Effect::Allow)
        };
        match (covered(Action::ModeObserve), covered(Action::ModeWarn)) {
            (_, true) => mode = Mode::Warn,
            (true, false) => {}
            // One thing that is not covered is enough for a denial.
            (false, false) => return None,
        }
    }
    Some(mode)
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
            Path::Named => {
                chain.push("token".to_owned());
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Index;
    use crate::authz::{
        Action, Actions, Cause, Decision, Effect, Grant, Mode, Owner, Pattern, Permission, Principal,
        Requirement, Requirements, Rules, Subject,
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
            grants: grants.into_iter().map(|(principal, role)| Grant::new(principal, role)).collect(),
            members: Vec::new(),
        })
        .unwrap()
    }

    fn alice(groups: &[&str]) -> Subject {
        Subject {
            user: Some("alice".to_owned()),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            roles: None,
        }
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
    fn what_a_mode_covers_is_let_through_as_a_denial_that_would_be_due() {
        let everyone = |permissions: Vec<(&'static str, &str)>| {
            let permissions = permissions.into_iter().map(|(action, pattern)| {
                ("r", permission(Effect::Allow, Action::parse(action).unwrap(), pattern))
            });
            index(permissions.collect(), &[], vec![(Principal::Everyone, "r")])
        };
        let mode = |index: &Index| match index.decide(&alice(&[]), "docker start", &start("web")) {
            Decision::Permit(_) | Decision::PermitInPart(_) => panic!("permitted"),
            Decision::Deny(_) => None,
            Decision::Observe(mode, denial) => {
                assert_eq!(denial.cause, Cause::NotGranted);
                Some(mode)
            }
        };
        assert_eq!(mode(&everyone(vec![("mode.observe", "container:*")])), Some(Mode::Observe));
        assert_eq!(mode(&everyone(vec![("mode.observe", "*"), ("mode.warn", "*")])), Some(Mode::Warn));
        assert_eq!(mode(&everyone(vec![("mode.observe", "image:*")])), None);
        let all = Permission {
            actions: Actions::Any,
            resource: Pattern::parse("*").unwrap(),
            effect: Effect::Allow,
        };
        let deny = permission(Effect::Deny, Action::ContainerStart, "*");
        let admin = index(vec![("r", all), ("r", deny)], &[], vec![(Principal::Everyone, "r")]);
        assert_eq!(mode(&admin), None, "`*` is not to contain modes");
    }

    #[test]
    fn a_grant_ends_by_its_time() {
        let mut grant = Grant::new(Principal::Everyone, "a");
        grant.until = Some(100);
        let rules = Rules {
            permissions: vec![("a".to_owned(), permission(Effect::Allow, Action::ContainerStart, "*"))],
            grants: vec![grant],
            ..Rules::default()
        };
        let index = Index::new(&rules).unwrap();
        assert_eq!(index.at(99).roles_of(&alice(&[])), ["a"]);
        assert_eq!(index.at(100).roles_of(&alice(&[])), Vec::<String>::new());
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
    fn a_subject_with_roles_of_its_own_holds_these_and_nothing_else_but_every_denial() {
        let allow = |name: &str| permission(Effect::Allow, Action::ContainerStart, name);
        let index = index(
            vec![
                ("web", allow("container:web-*")),
                ("base", allow("container:base")),
                ("all", allow("*")),
                ("public", allow("container:public")),
                ("not", permission(Effect::Deny, Action::ContainerStart, "container:web-secret")),
            ],
            &[("web", "base")],
            vec![
                (Principal::User("alice".to_owned()), "all"),
                (Principal::Group("devs".to_owned()), "all"),
                (Principal::User("alice".to_owned()), "not"),
                (Principal::Everyone, "public"),
            ],
        );
        let as_token = |roles: &[&str]| Subject {
            roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
            ..alice(&["devs"])
        };
        let may = |subject: &Subject, name: &str| {
            matches!(index.decide(subject, "docker start", &start(name)), Decision::Permit(_))
        };
        let token = as_token(&["web"]);
        assert_eq!(index.roles_of(&token), ["web", "public", "base"]);
        for (name, alone, with_token) in [
            ("web-1", true, true),
            ("base", true, true),
            ("public", true, true),
            ("db", true, false),
            ("web-secret", false, false),
        ] {
            assert_eq!((may(&alice(&["devs"]), name), may(&token, name)), (alone, with_token), "{name}");
        }
        for nothing in [as_token(&[]), as_token(&["gone"]), as_token(&["not"])] {
            assert!(may(&nothing, "public") && !may(&nothing, "web-1"));
        }
        // What it is granted besides is not asked for either: no scope of the user's own can decide.
        let Decision::Permit(findings) = index.decide(&token, "docker start", &start("base")) else {
            panic!("denied");
        };
        assert_eq!(findings[0].decided_by.clone().unwrap().path, "token > web > base");
    }
}
