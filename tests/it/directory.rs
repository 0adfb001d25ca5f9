//! `wharfinger directory`, and the host's own users and groups: the built program, asked as an administrator does.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::dockerd::Ground;
use crate::support::http;
use crate::support::process::{Said, bounded, wait_for};
use crate::support::slapd::{Slapd, Way};
use crate::support::wharfinger::Wharfinger;

/// A certificate of `alice`, as dockerd shows it.
const ALICE: &str = include_str!("../../src/identity/testdata/alice.pem.base64");

/// Has the daemon decide on a call of alice's, for which it looks her up.
fn call(ground: &Ground) -> String {
    let question = json!({
        "User": "alice",
        "UserAuthNMethod": "TLS",
        "RequestMethod": "GET",
        "RequestUri": "/v1.41/containers/json",
        "RequestPeerCertificates": [ALICE.trim()],
    });
    let question = question.to_string();
    http::post(&ground.plugin_socket(), "/AuthZPlugin.AuthZReq", question.as_bytes()).unwrap().1
}

fn status(daemon: &Wharfinger) -> Value {
    serde_json::from_str(&daemon.cli(&["directory", "status", "-o", "json"]).out).unwrap()
}

#[test]
fn check_status_and_flush_tell_and_do_what_they_say() {
    let mut server = Slapd::start();
    let ground = Ground::new(&[]);
    let daemon =
        Wharfinger::start_with(&ground, &server.settings(Way::Ldaps).replace("[ldap]", "[directory.ldap]"));

    let checked = daemon.cli(&["directory", "check", "NESTED"]).ok();
    for line in [
        "asked for  NESTED",
        "user       nested",
        "entry      uid=nested,ou=people,dc=example,dc=org",
        "leaf   direct",
        "mid    through leaf",
        "top    through leaf → mid",
    ] {
        assert!(checked.lines().any(|found| found == line), "{line}: {checked}");
    }
    let refused = daemon.cli(&["directory", "check", "locked", "-o", "json"]);
    let told: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!(
        (refused.code, &told["error"]),
        (1, &json!("the directory refuses the user: the account is locked"))
    );

    assert_eq!(status(&daemon)["cache"]["users"], 0, "a check goes past the cache");
    for _ in 0..2 {
        assert!(call(&ground).contains("alice may not container.list"), "{}", call(&ground));
    }
    let known = status(&daemon);
    assert_eq!((&known["kind"], &known["cache"]["users"]), (&json!("ldap (openldap)"), &json!(1)));
    assert_eq!((&known["cache"]["waited"], &known["cache"]["asked"]), (&json!(1), &json!(1)));
    assert_eq!(known["servers"][0]["state"], "in-use");
    assert!(daemon.cli(&["status"]).ok().contains("ldap (openldap): ok, 1 users cached"));

    assert_eq!(daemon.cli(&["directory", "flush", "bob"]).ok(), "0 answers forgotten");
    assert_eq!(daemon.cli(&["directory", "flush", "alice"]).ok(), "1 answers forgotten");
    assert_eq!(status(&daemon)["cache"]["users"], 0);
    call(&ground);
    assert_eq!(status(&daemon)["cache"]["users"], 1);
    let signal = Command::new("sh").args(["-c", &format!("kill -USR1 {}", daemon.pid())]).status().unwrap();
    assert!(signal.success());
    wait_for(
        "the signal to flush",
        || (status(&daemon)["cache"]["users"] == 0).then_some(()),
        || status(&daemon).to_string(),
    );

    server.kill();
    assert!(call(&ground).contains("identity unavailable"));
    let down = daemon.cli(&["directory", "status"]);
    assert!(down.code == 1 && down.out.contains("cannot connect"), "{down:?}");
    let asked = daemon.cli(&["directory", "check", "alice"]);
    assert!(asked.code == 1 && asked.out.contains("identity unavailable"), "{asked:?}");
}

#[test]
fn a_decision_on_old_groups_says_so_in_the_trail() {
    let mut server = Slapd::start();
    let ground = Ground::new(&[]);
    let settings = server.settings(Way::Ldaps).replace("[ldap]", "[directory.ldap]");
    let daemon = Wharfinger::start_with(&ground, &format!("{settings}cache_ttl = '1ms'\n"));
    call(&ground);
    server.kill();
    call(&ground);
    let trail = daemon.trail();
    let decisions = trail.iter().filter(|record| record["phase"] == "decision");
    let old: Vec<bool> = decisions
        .map(|record| record["actor"]["how"].as_str().unwrap())
        .map(|how| how.ends_with("; groups as last known, since the directory cannot be asked"))
        .collect();
    assert_eq!(old, [false, true]);
}

/// `wharfinger check --user` on a host whose users and groups are these.
fn check_on_a_host(dir: &Path, user: &str) -> Said {
    let config = dir.join("w.toml");
    std::fs::write(
        &config,
        format!("[directory]\nnss = true\n[audit]\ndatabase = '{}'\n", dir.join("audit.db").display()),
    )
    .unwrap();
    // Only files are asked, whatever this machine asks; the mounts are the command's own.
    std::fs::write(dir.join("nsswitch.conf"), "passwd: files\ngroup: files\n").unwrap();
    let mounts = "for name in passwd group nsswitch.conf; do mount --bind \"$0/$name\" /etc/$name || exit 9; done; exec \"$@\"";
    let mut command = bounded("unshare");
    command.args(["--mount", "sh", "-c", mounts]).arg(dir).arg(env!("CARGO_BIN_EXE_wharfinger"));
    command.args(["check", "--user", user, "--config"]).arg(config).output().unwrap().into()
}

#[test]
fn the_hosts_own_users_have_the_hosts_own_groups() {
    let dir = tempfile::tempdir().unwrap();
    let passwd = "ann:x:1000:1000::/:/bin/sh\nben:x:1001:4242::/:/bin/sh\n";
    std::fs::write(dir.path().join("passwd"), passwd).unwrap();
    std::fs::write(dir.path().join("group"), "staff:x:1000:\ndev:x:1001:ann,ben\nops:x:1002:ann\n").unwrap();
    for (user, code, line) in [
        ("ann", 0, "ok      user: `ann` is in dev, ops, staff"),
        ("ANN", 1, "FAILED  user: the directory knows no such user"),
        ("1000", 1, "FAILED  user: the directory knows no such user"),
        (
            "ben",
            1,
            "FAILED  user: identity incomplete: the user's group 4242 has no good name on this host: see `getent group 4242`",
        ),
    ] {
        let said = check_on_a_host(dir.path(), user);
        assert!(said.out.lines().any(|found| found == line), "{user}: {said:?}");
        assert_eq!(said.code, code, "{said:?}");
    }
}

#[test]
fn a_host_that_does_not_answer_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("passwd"), "ann:x:1000:1000::/:/bin/sh\n").unwrap();
    // Who reads it waits for a writer, for ever.
    let pipe = dir.path().join("group");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = check_on_a_host(dir.path(), "ann");
    let line = "FAILED  user: identity unavailable: the directory did not answer in time";
    assert!(said.code == 1 && said.out.lines().any(|found| found == line), "{said:?}");
}
