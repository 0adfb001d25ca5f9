//! Records for the tests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use jiff::Timestamp;

use crate::authz::{Action, Cause, DecidedBy, Decision, Denial, Effect, Finding, Requirement};

use super::{
    Actor, DecisionEntry, DecisionId, Door, Entry, Found, Http, Object, Outcome, Record, ResponseEntry,
    Settings, Verdict,
};

/// Settings whose clock stands still and whose random bytes count.
pub(super) fn settings(path: &Path) -> Settings {
    let count = AtomicU8::new(0);
    Settings::new(path, Arc::new(move || (time(1000), [count.fetch_add(1, Ordering::Relaxed); 10])))
}

/// 2026-03-01 12:00:00 UTC and so many seconds.
pub(super) fn time(second: u16) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + i64::from(second)).unwrap()
}

/// The id of the record with that number.
pub(super) fn id(n: u16) -> DecisionId {
    DecisionId::new(time(n), [0; 10])
}

/// alice's `docker ps` or, denied, her `docker run --privileged`.
pub(crate) fn decision(n: u16, verdict: Verdict) -> DecisionEntry {
    let (decision, operation, verb, path) = match verdict {
        Verdict::Permit => (permit(), Action::ContainerList, "docker ps", "/v1.41/containers/json?all=1"),
        Verdict::Deny => {
            (deny(), Action::ContainerCreate, "docker create", "/v1.41/containers/create?name=x")
        }
    };
    DecisionEntry {
        actor: Actor {
            user: Some("alice".to_owned()),
            groups: vec!["developers".to_owned()],
            roles: vec!["developer".to_owned()],
            how: "tls certificate".to_owned(),
        },
        operation: Some(operation.name().to_owned()),
        verb: Some(verb.to_owned()),
        object: Some(Object { kind: "container".to_owned(), name: "*".to_owned() }),
        policy_version: "7".to_owned(),
        duration_us: 250,
        ..DecisionEntry::new(
            id(n),
            time(n),
            Door::Plugin,
            Http::new("GET", path, Some("Docker-Client/28.2.2 (linux)")),
            &decision,
        )
    }
}

/// The end of the call with the number `of`.
pub(crate) fn response(n: u16, of: u16) -> ResponseEntry {
    ResponseEntry {
        id: id(n),
        time: time(n),
        decision: Some(id(of)),
        user: Some("alice".to_owned()),
        operation: Some("container.list".to_owned()),
        object: Some(Object { kind: "container".to_owned(), name: "*".to_owned() }),
        status: Some(200),
        outcome: Outcome::Success,
        created: None,
        elapsed_us: Some(2_000_000),
    }
}

/// A record at place 1 with its response at place 2.
pub(crate) fn found(entry: &Entry, response: Option<ResponseEntry>) -> Found {
    let record = |seq, entry: &Entry| Record::decode(&Record::encode(seq, entry).unwrap()).unwrap();
    let response = response.map(|response| record(2, &Entry::Response(response.into())));
    Found { record: record(1, entry), response, withdrawn: None }
}

/// Everything in a file, in its order.
pub(super) fn records(path: &Path) -> Vec<Record> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut rows = connection.prepare("SELECT body FROM record ORDER BY seq").unwrap();
    let bodies = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    bodies.map(|body| Record::decode(&body.unwrap()).unwrap()).collect()
}

/// Everything in a file without its place.
pub(super) fn entries(path: &Path) -> Vec<Entry> {
    records(path).into_iter().map(|record| record.entry).collect()
}

fn permit() -> Decision {
    let by = DecidedBy {
        effect: Effect::Allow,
        permission: "allow set:ps container:*".to_owned(),
        role: "developer".to_owned(),
        path: "group:developers > developer".to_owned(),
    };
    let requirement = Requirement::any(Action::ContainerList);
    Decision::Permit(vec![Finding { requirement, decided_by: Some(by) }])
}

fn deny() -> Decision {
    let by = DecidedBy {
        effect: Effect::Allow,
        permission: "allow set:run container:*".to_owned(),
        role: "developer".to_owned(),
        path: "group:developers > developer".to_owned(),
    };
    Decision::Deny(Denial {
        cause: Cause::NotGranted,
        message: "alice may not host.privileged (docker run): no role she holds grants it".to_owned(),
        findings: vec![
            Finding { requirement: Requirement::any(Action::ContainerCreate), decided_by: Some(by) },
            Finding { requirement: Requirement::any(Action::HostPrivileged), decided_by: None },
        ],
    })
}
