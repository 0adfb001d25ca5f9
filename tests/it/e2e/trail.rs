//! What stands in the trail after calls of the real docker command line.

use serde_json::Value;

use super::denial;
use crate::support::wharfinger::Wharf;

#[test]
fn every_call_of_a_run_is_on_record_with_its_outcome() {
    let wharf = Wharf::start();

    let id = wharf.docker("alice", &["run", "-d", "--name", "web", "busybox", "sleep", "600"]).ok();

    let decisions = wharf.wharfinger.decisions_of(Some("alice"));
    // Newer command lines wait for the end of a detached container too.
    let made: Vec<&str> = decisions
        .iter()
        .map(|(operation, _)| operation.as_str())
        .filter(|name| *name != "container.wait")
        .collect();
    assert_eq!(made, ["container.create", "container.start"]);
    assert!(decisions.iter().all(|(_, decision)| decision == "permit"), "{decisions:?}");
    let trail = wharf.wharfinger.trail();
    let create = decision(&trail, "alice", "container.create");
    assert_eq!(create["actor"]["groups"], serde_json::json!(["docker-developers"]));
    let outcome = outcome_of(&trail, create);
    assert_eq!(
        (&outcome["outcome"], &outcome["status"], &outcome["created"]),
        (&"success".into(), &201.into(), &id.as_str().into())
    );
    let start = outcome_of(&trail, decision(&trail, "alice", "container.start"));
    assert_eq!((&start["outcome"], &start["status"]), (&"success".into(), &204.into()));
}

#[test]
fn a_call_that_the_engine_could_not_carry_out_is_on_record_as_an_error() {
    let wharf = Wharf::start();

    wharf.docker("carol", &["create", "no-such-image"]).refused();
    wharf.docker("carol", &["rm", "no-such-container"]).refused();

    let trail = wharf.wharfinger.trail();
    let outcome = outcome_of(&trail, decision(&trail, "carol", "container.delete"));
    assert_eq!(outcome["outcome"], "error");
}

#[test]
fn a_denial_is_on_record_under_the_id_that_docker_showed() {
    let wharf = Wharf::start();

    let (message, id) = denial(wharf.docker("alice", &["ps"]));

    let trail = wharf.wharfinger.trail();
    let listed = decision(&trail, "alice", "container.list");
    assert_eq!(
        (&listed["id"], &listed["decision"], &listed["message"]),
        (&id.as_str().into(), &"deny".into(), &message.as_str().into())
    );
    assert!(trail.iter().all(|record| record["ref"] != id.as_str()), "a denied call has no outcome");
}

#[test]
fn calls_without_an_identity_are_on_record_too() {
    let wharf = Wharf::start();

    denial(wharf.dockerd.docker_without_identity().run(&["ps"]));

    assert_eq!(wharf.wharfinger.decisions_of(None), [("container.list".to_owned(), "deny".to_owned())]);
}

#[test]
fn the_table_shows_who_did_what_and_filters_narrow_it() {
    let wharf = Wharf::start();
    wharf.docker("alice", &["create", "busybox", "true"]).ok();
    denial(wharf.docker("bob", &["swarm", "init"]));

    let all = wharf.wharfinger.cli(&["audit", "list"]).ok();
    let of_bob = wharf.wharfinger.cli(&["audit", "list", "--user", "bob", "--decision", "deny"]).ok();

    assert!(all.contains("container.create") && all.contains("alice") && all.contains("swarm.init"), "{all}");
    assert!(of_bob.contains("swarm.init") && !of_bob.contains("alice"), "{of_bob}");
}

#[test]
fn no_secret_of_a_request_is_in_the_trail_or_in_the_log() {
    let wharf = Wharf::start();

    wharf
        .docker(
            "alice",
            &[
                "create",
                "-e",
                "PASSWORD=hunter2-in-env",
                "--label",
                "token=hunter2-in-label",
                "busybox",
                "echo",
                "hunter2-in-command",
            ],
        )
        .ok();
    denial(wharf.docker("alice", &["create", "--privileged", "-e", "PASSWORD=hunter2-in-denied", "busybox"]));

    let mut written = std::fs::read(wharf.ground.path().join("audit.db")).unwrap();
    for more in ["audit.db-wal", "wharfinger.log"] {
        written.extend(std::fs::read(wharf.ground.path().join(more)).unwrap_or_default());
    }
    let secret = b"hunter2";
    assert!(!written.windows(secret.len()).any(|window| window == secret));
}

/// The only decision about that operation of that user.
#[track_caller]
fn decision<'a>(trail: &'a [Value], user: &str, operation: &str) -> &'a Value {
    let found: Vec<&Value> = trail
        .iter()
        .filter(|record| record["phase"] == "decision")
        .filter(|record| record["actor"]["user"] == user && record["operation"] == operation)
        .collect();
    assert_eq!(found.len(), 1, "{operation} of {user} in {trail:#?}");
    found[0]
}

/// The outcome that belongs to a decision.
#[track_caller]
fn outcome_of<'a>(trail: &'a [Value], decision: &Value) -> &'a Value {
    let found: Vec<&Value> = trail.iter().filter(|record| record["ref"] == decision["id"]).collect();
    assert_eq!(found.len(), 1, "the outcome of {decision:#?} in {trail:#?}");
    found[0]
}
