//! What is accepted as a policy and is hardly meant: rules that can never match, roles of nobody, nobody who can edit.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Loaded;
use crate::authz::{Action, Actions, Principal, Requirement, Requirements, Rules, Subject};

/// Something that is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flaw {
    /// Whether a change that brings it in is refused unless it is forced.
    pub refused: bool,
    /// What it is, in one sentence.
    pub message: String,
}

/// Everything in a policy that is hardly meant.
pub(super) fn flaws(loaded: &Loaded) -> BTreeSet<Flaw> {
    let rules = &loaded.rules;
    let refused = never_matching(rules).into_iter().chain(nobody_edits(loaded));
    let told = of_nobody(rules)
        .into_iter()
        .map(|role| format!("role `{role}` is held by nobody: no grant leads to it"));
    refused
        .map(|message| Flaw { refused: true, message })
        .chain(told.map(|message| Flaw { refused: false, message }))
        .collect()
}

/// Permissions whose resource is of a kind that none of their actions is about.
fn never_matching(rules: &Rules) -> Vec<String> {
    let sets = rules.sets();
    let none = BTreeSet::new();
    let mut found = Vec::new();
    for (role, permission) in &rules.permissions {
        let Some(kind) = permission.resource.kind() else { continue };
        let matches = match &permission.actions {
            Actions::Any => true,
            Actions::One(action) => action.can_be_about(kind),
            Actions::Set(set) => {
                sets.get(set.as_str()).unwrap_or(&none).iter().any(|action| action.can_be_about(kind))
            }
        };
        if !matches {
            let about = match &permission.actions {
                Actions::One(action) => format!("`{action}` is about `{}:…`", action.kind().name()),
                Actions::Set(_) | Actions::Any => "none of its actions is about that kind".to_owned(),
            };
            found.push(format!("`{permission}` of role `{role}` can never match: {about}"));
        }
    }
    found
}

/// Says so where no principal that is granted something for good may change the whole policy.
fn nobody_edits(loaded: &Loaded) -> Option<String> {
    // Only who holds a role that allows it somewhere has to be asked about.
    let sets = loaded.rules.sets();
    let editing: BTreeSet<&str> = reaching(&loaded.rules, |permission| match &permission.actions {
        Actions::Any => true,
        Actions::One(action) => *action == Action::PolicyWrite,
        Actions::Set(set) => sets.get(set.as_str()).is_some_and(|set| set.contains(&Action::PolicyWrite)),
    });
    let wanted = Requirements::new(Requirement::any(Action::PolicyWrite));
    let can = loaded
        .rules
        .grants
        .iter()
        .filter(|grant| grant.until.is_none() && editing.contains(grant.role.as_str()))
        .any(|grant| loaded.index.decide(&standing_for(&grant.principal), "", &wanted).is_permit());
    (!can).then(|| {
        "nobody but root on this host could change the policy: no grant for good leads to `policy.write` on everything"
            .to_owned()
    })
}

/// A subject that holds what a principal is granted.
pub(super) fn standing_for(principal: &Principal) -> Subject {
    match principal {
        Principal::User(name) => Subject { user: Some(name.clone()), groups: Vec::new(), roles: None },
        // Nobody has an empty name, so nothing but the group's grants counts.
        Principal::Group(name) => {
            Subject { user: Some(String::new()), groups: vec![name.clone()], roles: None }
        }
        Principal::Anonymous => Subject::anonymous(),
        Principal::Everyone => Subject { user: Some(String::new()), groups: Vec::new(), roles: None },
    }
}

/// Roles that hold a permission of that sort, or inherit one that does.
fn reaching(rules: &Rules, wanted: impl Fn(&crate::authz::Permission) -> bool) -> BTreeSet<&str> {
    let mut heirs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (heir, role) in &rules.inherits {
        heirs.entry(role).or_default().push(heir);
    }
    let start =
        rules.permissions.iter().filter(|(_, permission)| wanted(permission)).map(|(role, _)| role.as_str());
    closure(start.collect(), &heirs)
}

/// Roles that no grant leads to.
fn of_nobody(rules: &Rules) -> Vec<&str> {
    let mut inherited: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (heir, role) in &rules.inherits {
        inherited.entry(heir).or_default().push(role);
    }
    let held = closure(rules.grants.iter().map(|grant| grant.role.as_str()).collect(), &inherited);
    rules.roles().into_iter().filter(|role| !held.contains(role)).collect()
}

fn closure<'a>(start: Vec<&'a str>, edges: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut queue = start;
    while let Some(name) = queue.pop() {
        if found.insert(name) {
            queue.extend(edges.get(name).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::flaws;
    use crate::policy::{MODEL, POLICY, load};

    fn messages(text: &str) -> Vec<(bool, String)> {
        flaws(&load(MODEL, text).unwrap()).into_iter().map(|flaw| (flaw.refused, flaw.message)).collect()
    }

    const ADMIN: &str = "p, role:admin, *, *, allow\ng, group:admins, role:admin\n";

    #[test]
    fn the_shipped_policy_has_no_flaw() {
        assert_eq!(messages(POLICY), []);
    }

    #[test]
    fn what_can_never_match_is_found_and_what_can_is_not() {
        let policy =
            |line: &str| messages(&format!("{ADMIN}g2, container.list, set:ps\n{line}\ng, everyone, role:a"));
        assert_eq!(
            policy("p, role:a, container.start, image:nginx, allow"),
            [(true, "`allow container.start image:nginx` of role `a` can never match: `container.start` is about `container:…`".to_owned())]
        );
        assert_eq!(
            policy("p, role:a, set:ps, path:/x, deny"),
            [(
                true,
                "`deny set:ps path:/x` of role `a` can never match: none of its actions is about that kind"
                    .to_owned()
            )]
        );
        for line in [
            "p, role:a, network.connect, container:web, allow",
            "p, role:a, mode.observe, image:*, allow",
            "p, role:a, *, path:/x, deny",
        ] {
            assert_eq!(policy(line), [], "{line}");
        }
    }

    #[test]
    fn a_policy_that_nobody_could_change_is_found() {
        let nobody = (true, "nobody but root on this host could change the policy: no grant for good leads to `policy.write` on everything".to_owned());
        for (text, expected) in [
            (ADMIN.to_owned(), vec![]),
            (format!("{ADMIN}p, role:x, policy.write, *, deny\ng, everyone, role:x\n"), vec![nobody.clone()]),
            (ADMIN.replace("role:admin\n", "role:admin, 2030-01-01T00:00:00Z\n"), vec![nobody.clone()]),
            ("p, role:a, policy.write, policy:role/a, allow\ng, user:x, role:a".to_owned(), vec![nobody]),
            (
                "p, role:a, set:w, *, allow\ng2, policy.write, set:w\ng, role:b, role:a\ng, user:x, role:b"
                    .to_owned(),
                vec![],
            ),
        ] {
            assert_eq!(messages(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_role_that_no_grant_leads_to_is_told_and_not_refused() {
        let text = format!("{ADMIN}p, role:a, *, *, deny\ng, role:b, role:a");
        let told = |role: &str| (false, format!("role `{role}` is held by nobody: no grant leads to it"));
        assert_eq!(messages(&text), [told("a"), told("b")]);
    }
}
