//! Learning: the smallest role from what somebody really did, generalised with care, beside the roles that there are.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;

use super::Admin;
use super::answers::{Covering, Draft, Drafted, LearnAsked};
use super::caller::Caller;
use super::extract::Ask;
use super::gate::Wish;
use super::problem::Problem;
use super::replay;
use crate::audit::{self, DecisionEntry, Reader, Verdict};
use crate::authz::{Action, Grant, Index, Kind, Principal, Requirements, Rules, Subject};

/// Powers that give the host away: whoever needs them is given them by hand.
const BY_HAND: &[Action] = &[
    Action::HostPrivileged,
    Action::HostMountSensitive,
    Action::HostNamespace,
    Action::HostDevice,
    Action::HostDeviceRule,
    Action::HostSecurity,
    Action::HostUnmask,
    Action::PolicyWrite,
    Action::GrantWrite,
    Action::TokenIssue,
];

/// Names of one kind and place above which they are taken together.
const MANY: usize = 3;

/// What was used: action, name of the resource or scope, and how often.
type Used = BTreeMap<(Action, Kind), BTreeMap<String, u64>>;

pub(super) async fn learn(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<LearnAsked>,
) -> Result<Json<Draft>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::AuditRead, "*", "learn from the trail")).await?);
    drop(
        admin
            .permit(&caller, &Wish::read(Action::PolicyRead, "*", "compare with the roles that there are"))
            .await?,
    );
    if asked.user.is_none() && asked.group.is_none() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "of whom? ask with `user` or `group`"));
    }
    let (since, mut filter) = replay::since_filter(&admin, asked.since.as_deref())?;
    filter.user.clone_from(&asked.user);
    filter.decision = Some(Verdict::Permit);
    let policy = admin.policy.current();
    replay::blocking(move || {
        let (mut used, mut by_hand) = (Used::new(), BTreeSet::new());
        let mut decisions = 0;
        let reader = Reader::open(admin.database)?;
        let complete = audit::decisions(&reader, &filter, replay::MOST, |entry| {
            if asked.group.as_ref().is_none_or(|group| entry.actor.groups.contains(group)) {
                decisions += 1;
                take(&entry, &mut used, &mut by_hand);
            }
        })?;
        let permissions = draft(&used);
        let covering = covering(&policy.rules, &used, permissions.len());
        let left_out = by_hand.into_iter().collect();
        Ok(Draft { since: since.to_string(), decisions, complete, permissions, left_out, covering })
    })
    .await
    .map(Json)
}

/// Counts what a permitted call needed; a call that failed or was denied widens nothing.
fn take(entry: &DecisionEntry, used: &mut Used, by_hand: &mut BTreeSet<String>) {
    for finding in &entry.requirements {
        let (Some(action), Some((kind, name))) =
            (Action::parse(&finding.action), finding.resource.split_once(':'))
        else {
            continue;
        };
        let Some(kind) = Kind::parse(kind) else { continue };
        if BY_HAND.contains(&action) || (kind == Kind::Path && name == "/") {
            by_hand.insert(format!("{action} {}", finding.resource));
            continue;
        }
        let scope = finding.permission.as_deref().and_then(|permission| permission.rsplit_once('@'));
        let name = match scope {
            Some((_, scope @ ("own" | "group"))) => format!("@{scope}"),
            Some(_) | None => name.to_owned(),
        };
        *used.entry((action, kind)).or_default().entry(name).or_default() += 1;
    }
}

/// The permissions that cover what was used.
fn draft(used: &Used) -> Vec<Drafted> {
    let mut permissions = Vec::new();
    for ((action, kind), names) in used {
        for (pattern, count) in patterns(*kind, names) {
            permissions.push(Drafted {
                action: action.name().to_owned(),
                resource: format!("{}:{pattern}", kind.name()),
                count,
            });
        }
    }
    permissions
}

/// Names as few patterns: repositories without their tags, directories with many entries, names with many likes.
fn patterns(kind: Kind, names: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let all = names.keys().any(|name| name == "*");
    for (name, count) in names {
        let pattern = match kind {
            _ if all => "*".to_owned(),
            _ if name.starts_with('@') => name.clone(),
            Kind::Image => repository(name),
            // An id says nothing about the next one.
            Kind::Container | Kind::Exec | Kind::Network | Kind::Volume if is_id(name) => "*".to_owned(),
            _ => name.clone(),
        };
        *found.entry(pattern).or_default() += count;
    }
    if found.contains_key("*") {
        return BTreeMap::from([("*".to_owned(), found.values().sum())]);
    }
    match kind {
        Kind::Path => together(found, |name| {
            // The root's own entries are the host.
            name.rsplit_once('/')
                .filter(|(parent, _)| parent.matches('/').count() >= 1)
                .map(|(parent, _)| format!("{parent}/**"))
        }),
        Kind::Image => {
            together(found, |name| name.rsplit_once('/').map(|(parent, _)| format!("{parent}/**")))
        }
        Kind::Container | Kind::Volume | Kind::Network => together(found, |name| {
            name.rsplit_once(['-', '_'])
                .filter(|(front, _)| front.len() >= 2)
                .map(|(front, _)| format!("{front}-*"))
        }),
        _ => found,
    }
}

/// Takes those together that `shared` says the same of, where there are many.
fn together(found: BTreeMap<String, u64>, shared: impl Fn(&str) -> Option<String>) -> BTreeMap<String, u64> {
    let mut groups: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    let mut rest = BTreeMap::new();
    for (name, count) in found {
        match shared(&name).filter(|_| !name.starts_with('@')) {
            Some(group) => groups.entry(group).or_default().push((name, count)),
            None => {
                rest.insert(name, count);
            }
        }
    }
    for (group, members) in groups {
        // What `front-*` is to stand for has to be written with that sign.
        let fits = group.strip_suffix('*').is_none_or(|front| {
            group.ends_with("**") || members.iter().all(|(name, _)| name.starts_with(front))
        });
        if members.len() >= MANY && fits {
            rest.insert(group, members.iter().map(|(_, count)| count).sum());
        } else {
            rest.extend(members);
        }
    }
    rest
}

/// An image's repository with any tag; a digest stays what it is.
fn repository(name: &str) -> String {
    let last = name.rfind('/').map_or(0, |at| at + 1);
    let (front, end) = name.split_at_checked(last).unwrap_or(("", name));
    match end.split_once(':') {
        Some((repository, _)) if !end.contains('@') => format!("{front}{repository}:*"),
        Some(_) | None => name.to_owned(),
    }
}

fn is_id(name: &str) -> bool {
    name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How the roles that there are would do instead.
fn covering(rules: &Rules, used: &Used, needed: usize) -> Vec<Covering> {
    let mut covering: Vec<Covering> = Vec::new();
    for role in rules.roles() {
        let principal = Principal::User("learned".to_owned());
        let alone = Rules { grants: vec![Grant::new(principal, role)], ..rules.clone() };
        let Ok(index) = Index::new(&alone) else { continue };
        let subject = Subject { user: Some("learned".to_owned()), groups: Vec::new(), roles: None };
        let (mut covered, mut all) = (0_u64, 0_u64);
        for ((action, kind), names) in used {
            for name in names.keys() {
                all += 1;
                covered += u64::from(covers(&index, &subject, rules, *action, *kind, name));
            }
        }
        let held = rules.permissions.iter().filter(|(of, _)| of == role).count() as u64;
        if covered > 0 {
            covering.push(Covering {
                role: role.to_owned(),
                covers: covered,
                of: all,
                permissions: held,
                drafted: needed as u64,
            });
        }
    }
    covering.sort_by_key(|role| (std::cmp::Reverse(role.covers), role.permissions));
    covering.truncate(10);
    covering
}

fn covers(index: &Index, subject: &Subject, rules: &Rules, action: Action, kind: Kind, name: &str) -> bool {
    let resource = format!("{}:{name}", kind.name());
    crate::policy::needed(rules, subject, action.name(), Some(&resource))
        .is_ok_and(|needed: Requirements| index.decide(subject, "", &needed).is_permit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{patterns, repository};
    use crate::authz::Kind;

    fn learned(kind: Kind, names: &[&str]) -> Vec<String> {
        let names: BTreeMap<String, u64> = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
        patterns(kind, &names).into_keys().collect()
    }

    #[test]
    fn names_become_as_few_patterns_as_they_justify() {
        for (kind, names, expected) in [
            (
                Kind::Image,
                &["docker.io/library/nginx:1", "docker.io/library/nginx:2"][..],
                &["docker.io/library/nginx:*"][..],
            ),
            (Kind::Image, &["r.test/t/a:1", "r.test/t/b:1", "r.test/t/c:1"], &["r.test/t/**"]),
            (Kind::Path, &["/srv/a", "/srv/b"], &["/srv/a", "/srv/b"]),
            (Kind::Path, &["/srv/x/a", "/srv/x/b", "/srv/x/c"], &["/srv/x/**"]),
            (Kind::Path, &["/a", "/b", "/c", "/d"], &["/a", "/b", "/c", "/d"]),
            (Kind::Container, &["web-1", "web-2", "web-3"], &["web-*"]),
            (Kind::Container, &["web-1", "db"], &["db", "web-1"]),
            (Kind::Container, &["0123456789abcdef", "web"], &["*"]),
            (Kind::Container, &["@own", "web"], &["@own", "web"]),
            (Kind::Container, &["*", "web"], &["*"]),
            (Kind::Capability, &["NET_ADMIN", "CHOWN"], &["CHOWN", "NET_ADMIN"]),
        ] {
            assert_eq!(learned(kind, names), expected, "{names:?}");
        }
        assert_eq!(repository("localhost:5000/a/b@sha256:1f"), "localhost:5000/a/b@sha256:1f");
    }
}
