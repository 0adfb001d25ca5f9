//! Administration against the running daemon, without an engine: every command, every example of its help, two editors
//! at once, a kill in the middle of a change, and who may do what.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::dockerd::Ground;
use crate::support::http;
use crate::support::process::bounded;
use crate::support::wharfinger::Wharfinger;

/// A daemon on a ground of its own.
struct Daemon {
    wharfinger: Wharfinger,
    ground: Ground,
}

impl Daemon {
    fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    fn start_with(sections: impl FnOnce(&Path) -> String) -> Self {
        let ground = Ground::bare();
        let wharfinger = Wharfinger::start_with(&ground, &sections(ground.path()));
        Self { wharfinger, ground }
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        self.wharfinger.cli(arguments).ok()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let said = self.wharfinger.cli(arguments);
        assert_eq!(said.code, 2, "{said:#?}");
        said.err
    }

    /// Exit code 0 is yes, 1 is no.
    #[track_caller]
    fn asks(&self, arguments: &[&str]) -> bool {
        let said = self.wharfinger.cli(arguments);
        assert!(said.code == 0 || said.code == 1, "{said:#?}");
        said.code == 0
    }

    /// The records of administrators: who, what on what, decision.
    fn admin_records(&self) -> Vec<[String; 4]> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.wharfinger
            .trail()
            .iter()
            .filter(|record| record["phase"] == "admin")
            .map(|record| {
                let object =
                    format!("{}:{}", text(&record["object"]["kind"]), text(&record["object"]["name"]));
                [
                    text(&record["actor"]["user"]),
                    text(&record["operation"]),
                    object,
                    text(&record["decision"]),
                ]
            })
            .collect()
    }

    /// A question to the admin socket.
    fn post(&self, path: &str, body: &Value, headers: &str) -> http::Answer {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n{body}",
            body.len()
        );
        http::raw(&self.ground.path().join("admin.sock"), request.as_bytes()).unwrap()
    }
}

#[test]
fn roles_and_grants_are_changed_by_command_and_in_force_at_once() {
    let daemon = Daemon::start();
    let dave = |action: &[&str]| daemon.asks(&[&["can-i"], action, &["--as", "dave"]].concat());
    assert!(!dave(&["container.list"]));

    let made = daemon.ok(&[
        "role",
        "create",
        "contractor",
        "--about",
        "runs what he is told to",
        "--inherit",
        "restricted",
        "--allow",
        "set:ps",
        "--deny",
        "container.list container:prod-*",
        "--reason",
        "ticket 1",
    ]);
    assert!(made.contains("+ g, role:contractor, role:restricted") && made.contains("version 2 ("), "{made}");
    assert!(made.contains("warning: role `contractor` is held by nobody"), "{made}");
    daemon.ok(&["grant", "add", "user:dave", "contractor", "--until", "5d", "--reason", "ticket 2"]);
    assert!(!dave(&["container.list"]), "one container of all is denied");
    daemon.ok(&["role", "revoke", "contractor", "container.list", "container:prod-*", "--denial"]);
    assert!(dave(&["container.list"]));
    daemon.ok(&["role", "allow", "contractor", "image.pull", "image:registry.test/**"]);
    assert!(
        dave(&["image.pull", "image:registry.test/a/b:1"]) && !dave(&["image.pull", "image:other.test/a:1"])
    );
    daemon.ok(&["role", "deny", "contractor", "image.pull", "image:registry.test/secret/**"]);
    assert!(!dave(&["image.pull", "image:registry.test/secret/b:1"]));
    daemon.ok(&[
        "role",
        "edit",
        "contractor",
        "--about",
        "sees",
        "--inherit",
        "viewer",
        "--disinherit",
        "restricted",
    ]);

    let shown: Value =
        serde_json::from_str(&daemon.ok(&["role", "show", "contractor", "-o", "json"])).unwrap();
    assert_eq!((&shown["description"], &shown["inherits"]), (&json!("sees"), &json!(["viewer"])));
    assert_eq!(shown["holders"][0]["principal"], "user:dave");
    assert!(shown["holders"][0]["until"].is_string());
    assert!(daemon.ok(&["role", "show", "contractor"]).contains("held by   user:dave until "));
    assert!(daemon.ok(&["role", "list"]).contains("contractor"));
    assert!(
        daemon.ok(&["grant", "list", "--to", "user:dave", "-o", "csv"]).contains("user:dave,contractor,")
    );
    assert!(daemon.ok(&["can-i", "--list", "--as", "dave"]).contains("user:dave > contractor"));
    assert!(daemon.ok(&["who-can", "image.pull", "image:registry.test/a:1"]).contains("user:dave"));
    assert!(daemon.ok(&["set", "list"]).contains("compose-up"));
    assert!(daemon.ok(&["set", "show", "ps", "-o", "csv"]).contains("container.list"));

    daemon.ok(&["grant", "remove", "user:dave", "contractor"]);
    assert!(!dave(&["container.list"]));
    daemon.ok(&["role", "delete", "contractor"]);
    assert!(daemon.refused(&["role", "show", "contractor"]).contains("there is no role `contractor`"));

    let records = daemon.admin_records();
    assert_eq!(records.len(), 8, "{records:#?}");
    assert!(records.iter().all(|[who, .., decision]| who == "root" && decision == "permit"), "{records:#?}");
    let expected = ["root", "grant.write", "policy:role/contractor", "permit"].map(str::to_owned);
    assert!(records.contains(&expected), "{records:#?}");
}

#[test]
fn versions_are_listed_compared_and_gone_back_to() {
    let mut daemon = Daemon::start();
    daemon.ok(&["grant", "add", "user:dave", "viewer", "--reason", "ticket 1"]);
    daemon.ok(&["role", "allow", "viewer", "image.pull"]);
    let history: Value = serde_json::from_str(&daemon.ok(&["policy", "history", "-o", "json"])).unwrap();
    let numbers: Vec<&str> =
        history.as_array().unwrap().iter().map(|row| row["version"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["3", "2", "1"]);
    assert_eq!((&history[1]["who"], &history[1]["why"]), (&json!("root"), &json!("ticket 1")));
    assert_eq!(daemon.ok(&["policy", "diff", "1", "2"]), "+ g, user:dave, role:viewer, \"\", ticket 1");
    assert_eq!(daemon.ok(&["policy", "diff", "0", "1"]), "");
    let before = daemon.ok(&["policy", "export", "--at", "1"]);
    let rolled = daemon.ok(&["policy", "rollback", "1"]);
    assert!(rolled.contains("version 4 ("), "{rolled}");
    assert_eq!(daemon.ok(&["policy", "export"]), before);
    assert!(before.contains("# viewer: sees what there is"), "comments are kept");
    assert!(daemon.refused(&["policy", "rollback", "1"]).contains("that changes nothing"));
    assert!(daemon.refused(&["policy", "rollback", "99"]).contains("there is no version 99"));

    daemon.wharfinger.kill();
    daemon.wharfinger.start_again();
    assert_eq!(daemon.ok(&["policy", "export"]), before);
}

#[test]
fn a_policy_is_applied_whole_in_both_forms_and_a_bad_one_changes_nothing() {
    let daemon = Daemon::start();
    let file = |name: &str, text: &str| {
        let path = daemon.ground.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let toml = daemon.ok(&["policy", "export", "--form", "toml"]);
    let changed =
        toml.replace("[roles.viewer]", "[roles.extra]\nallow = [\"container.list\"]\n\n[roles.viewer]");
    let applied = daemon.ok(&["policy", "apply", "-f", &file("p.toml", &changed), "--reason", "as reviewed"]);
    assert!(applied.contains("version 2 ("), "{applied}");
    daemon.ok(&["role", "show", "extra"]);

    let csv = daemon.ok(&["policy", "export"]);
    for (line, told) in [
        ("p, role:viewer, container.lst, *, allow", "did you mean `container.list`"),
        ("p, role:viewer, container.list, containr:*, allow", "did you mean `container`"),
        ("g, role:viewer, role:x\ng, role:x, role:viewer", "in a circle"),
        ("p, role:viewer, container.list, image:x, allow", "can never match"),
    ] {
        let bad = file("bad.csv", &format!("{csv}\n{line}\n"));
        let error = daemon.refused(&["policy", "apply", "-f", &bad]);
        assert!(error.contains(told), "`{told}` is not in: {error}");
    }
    let nobody = file("nobody.csv", &csv.replace("g, group:docker-admins, role:admin", ""));
    let error = daemon.refused(&["policy", "apply", "-f", &nobody]);
    assert!(error.contains("nobody but root on this host could change the policy"), "{error}");
    assert_eq!(daemon.ok(&["policy", "export"]), csv);
    let tried = daemon.ok(&["policy", "apply", "-f", &nobody, "--dry-run"]);
    assert!(tried.contains("nothing is changed: this was a trial against version 2"), "{tried}");
    daemon.ok(&["policy", "apply", "-f", &nobody, "--force"]);
    daemon.ok(&["grant", "add", "user:carol", "admin"]);
}

#[test]
fn of_two_editors_the_second_is_told_and_overwrites_nothing() {
    let daemon = Daemon::start();
    let text = daemon.ok(&["policy", "export"]);
    let one = json!({"text": format!("{text}\ng, user:a, role:viewer\n")});
    let two = json!({"text": format!("{text}\ng, user:b, role:viewer\n")});
    assert_eq!(daemon.post("/v1/policy/changes", &one, "").0, 428);
    assert_eq!(daemon.post("/v1/policy/changes", &one, "If-Match: \"1\"\r\n").0, 200);
    let (status, body) = daemon.post("/v1/policy/changes", &two, "If-Match: \"1\"\r\n");
    assert_eq!(status, 412, "{body}");
    assert!(body.contains("the policy is at version 2 by now"), "{body}");
    let export = daemon.ok(&["policy", "export"]);
    assert!(export.contains("user:a") && !export.contains("user:b"));
    let late = daemon.refused(&["grant", "add", "user:b", "viewer", "--if-version", "1"]);
    assert!(late.contains("policy diff 1 2"), "{late}");

    // Small changes do not overwrite anything, and all of many at once are made.
    std::thread::scope(|scope| {
        for n in 0..8 {
            let daemon = &daemon;
            scope.spawn(move || daemon.ok(&["grant", "add", &format!("user:u{n}"), "viewer"]));
        }
    });
    let export = daemon.ok(&["policy", "export"]);
    assert!((0..8).all(|n| export.contains(&format!("g, user:u{n}, role:viewer"))), "{export}");
}

#[test]
fn a_kill_in_the_middle_of_changes_leaves_one_of_the_versions_and_nothing_between() {
    let mut daemon = Daemon::start();
    let base = daemon.ok(&["policy", "export"]);
    // Each change swaps many lines for as many others: a mixture would show.
    let text = |n: u32| {
        let lines: Vec<String> =
            (0..300).map(|user| format!("g, user:v{n}-u{user}, role:viewer\n")).collect();
        format!("{base}\n{}", lines.concat())
    };
    let mut number = 1;
    for round in 0..4_u64 {
        std::thread::scope(|scope| {
            let socket = daemon.ground.path().join("admin.sock");
            let text = &text;
            let changer = scope.spawn(move || {
                for n in number.. {
                    let body = json!({"text": text(n)}).to_string();
                    let request = format!(
                        "POST /v1/policy/changes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIf-Match: \"{n}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                    match http::raw(&socket, request.as_bytes()) {
                        Ok((200, _)) => {}
                        Ok((status, body)) => panic!("{status} {body}"),
                        Err(_) => break,
                    }
                }
            });
            // Somewhere in the middle of one of them; which one does not matter.
            std::thread::sleep(std::time::Duration::from_millis(300 + 170 * round));
            daemon.wharfinger.kill();
            changer.join().unwrap();
        });
        daemon.wharfinger.start_again();
        let history: Value =
            serde_json::from_str(&daemon.ok(&["policy", "history", "--limit", "1", "-o", "json"])).unwrap();
        let newest: u32 = history[0]["version"].as_str().unwrap().parse().unwrap();
        assert!(newest >= number, "a version that was there is gone");
        let export = daemon.ok(&["policy", "export"]);
        let expected = if newest == 1 { base.clone() } else { text(newest - 1).trim_end().to_owned() };
        assert_eq!(
            export.lines().collect::<Vec<_>>(),
            expected.lines().collect::<Vec<_>>(),
            "version {newest}"
        );
        number = newest;
    }
    assert!(number > 1, "no change was made at all");
}

/// A second user of this host, without any right: `nobody` has that name everywhere.
const NOBODY: &str = "65534";

#[test]
fn other_users_may_do_on_the_socket_what_the_policy_lets_them_and_root_everything() {
    let lead = "p, role:lead, grant.write, policy:role/developer, allow\n\
                p, role:lead, grant.write, policy:@group,         allow\n\
                p, role:lead, policy.read, *,                     allow\n\
                g, user:nobody, role:lead\n";
    let daemon = Daemon::start_with(|dir| {
        let seed = format!("{}\n{lead}", include_str!("../../rbac/policy.csv"));
        fs::write(dir.join("seed.csv"), seed).unwrap();
        let users = "[users.nobody]\ngroups = ['team-a']\n[users.alice]\ngroups = ['team-a']\n[users.bob]\ngroups = ['team-b']\n[groups.team-a]\n[groups.team-b]\n";
        fs::write(dir.join("team.toml"), users).unwrap();
        // The directory of the test is closed to others; its sockets are not to be.
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        format!(
            "[admin]\nsocket = {:?}\nusers = true\n[policy]\nseed = {:?}\n[directory.file]\npath = {:?}\n",
            dir.join("admin.sock"),
            dir.join("seed.csv"),
            dir.join("team.toml")
        )
    });
    fs::set_permissions(daemon.wharfinger.config(), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let config = daemon.wharfinger.config().display().to_string();
    let as_nobody = |arguments: &[&str]| {
        let output = bounded("setpriv")
            .args(["--reuid", NOBODY, "--clear-groups", "--", env!("CARGO_BIN_EXE_wharfinger")])
            .args(arguments)
            .args(["--config", &config])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr),
        )
    };
    let (code, said) = as_nobody(&["grant", "add", "user:alice", "developer", "--reason", "joins us"]);
    assert_eq!(code, Some(0), "{said}");
    for (arguments, told) in [
        (&["grant", "add", "user:bob", "developer"][..], "nobody may not grant.write policy:user/bob"),
        (&["grant", "add", "user:alice", "admin"], "nobody may not grant.write policy:role/admin"),
        (&["grant", "add", "everyone", "developer"], "nobody may not grant.write policy:everyone"),
        (
            &["role", "allow", "developer", "host.privileged"],
            "nobody may not policy.write policy:role/developer",
        ),
        (&["policy", "rollback", "0"], "nobody may not"),
        (&["audit", "list"], "nobody may not audit.read"),
        (&["token", "issue", "--user", "root", "--ttl", "1h"], "nobody may not token.issue"),
        (&["reload"], "nobody may not policy.write"),
    ] {
        let (code, said) = as_nobody(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: `{told}` is not in: {said}");
    }
    assert_eq!(as_nobody(&["grant", "remove", "user:alice", "developer"]).0, Some(0));
    let records = daemon.admin_records();
    let denied: BTreeSet<&str> =
        records.iter().filter(|record| record[3] == "deny").map(|record| record[1].as_str()).collect();
    assert_eq!(denied, BTreeSet::from(["audit.read", "grant.write", "policy.write", "token.issue"]));
    let permitted = records.iter().filter(|record| record[0] == "nobody" && record[3] == "permit").count();
    assert_eq!(permitted, 2, "{records:#?}");
    // Root is let in whatever the policy says.
    daemon.ok(&["role", "deny", "public", "*", "--force"]);
    daemon.ok(&["policy", "rollback", "1", "--force"]);
}

#[test]
fn expectations_that_the_config_names_are_not_broken_unless_that_is_forced() {
    let daemon = Daemon::start_with(|dir| {
        fs::write(dir.join("expect.toml"), include_str!("../../rbac/expectations.toml")).unwrap();
        format!("[policy]\nexpectations = {:?}\n", dir.join("expect.toml"))
    });
    assert!(
        daemon.ok(&["policy", "test"]).ends_with(", 0 not met")
            || daemon.ok(&["policy", "test"]).contains(" met, 0 not met")
    );
    let error = daemon.refused(&["role", "allow", "developer", "set:ps"]);
    assert!(
        error.contains("expected: alice may not ps: it is permitted, by `allow set:ps *` of role developer"),
        "{error}"
    );
    daemon.ok(&["role", "allow", "developer", "set:ps", "--force"]);
    let tested = daemon.wharfinger.cli(&["policy", "test"]);
    assert_eq!((tested.code, tested.out.contains("FAILED  alice may not ps")), (1, true), "{tested:#?}");
    assert!(daemon.wharfinger.cli(&["policy", "test", "--junit"]).out.contains("<testsuite name=\"policy\""));
}

#[test]
fn a_policy_that_is_a_file_is_not_changed_by_command() {
    let daemon = Daemon::start_with(|dir| {
        fs::write(dir.join("policy.csv"), include_str!("../../rbac/policy.csv")).unwrap();
        format!("[policy]\nfile = {:?}\n", dir.join("policy.csv"))
    });
    let error = daemon.refused(&["grant", "add", "user:dave", "viewer"]);
    assert!(error.contains("change that file and run `wharfinger reload`"), "{error}");
    fs::write(
        daemon.ground.path().join("policy.csv"),
        format!("{}\ng, user:dave, role:viewer\n", include_str!("../../rbac/policy.csv")),
    )
    .unwrap();
    daemon.ok(&["reload"]);
    assert!(daemon.asks(&["can-i", "container.list", "--as", "dave"]));
    assert!(daemon.ok(&["policy", "diff", "1", "2"]).contains("+ g, user:dave, role:viewer"));
}

/// Every example in the help of the commands of administrators, with what it needs put in place before.
#[test]
fn every_example_in_the_help_works() {
    let daemon = Daemon::start();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let commands: &[&[&str]] = &[
        &["role", "list"],
        &["role", "show"],
        &["role", "create"],
        &["role", "edit"],
        &["role", "delete"],
        &["role", "allow"],
        &["role", "deny"],
        &["role", "revoke"],
        &["grant", "list"],
        &["grant", "add"],
        &["grant", "remove"],
        &["set", "list"],
        &["set", "show"],
        &["policy", "export"],
        &["policy", "check"],
        &["policy", "history"],
        &["policy", "diff"],
        &["policy", "rollback"],
        &["policy", "test"],
        &["policy", "report", "would-deny"],
        &["policy", "apply"],
        &["can-i"],
        &["who-can"],
        &["simulate"],
    ];
    let mut ran = 0;
    fs::write(
        daemon.ground.path().join("team.toml"),
        daemon
            .ok(&["policy", "export", "--form", "toml"])
            .replace("[roles.viewer]", "[roles.team]\nallow = [\"container.list\"]\n\n[roles.viewer]"),
    )
    .unwrap();
    for command in commands {
        let help = daemon.wharfinger.cli(&[command, &["--help"][..]].concat()).ok();
        let lines = help
            .lines()
            .filter_map(|line| line.trim().trim_start_matches("Example: ").strip_prefix("wharfinger "));
        let mut found = 0;
        for example in lines.filter(|line| !line.contains("--help")) {
            let example =
                example.replace("team.toml", &daemon.ground.path().join("team.toml").display().to_string());
            let line = format!(
                "exec {} --config {} {example}",
                env!("CARGO_BIN_EXE_wharfinger"),
                daemon.wharfinger.config().display()
            );
            let output = bounded("bash")
                .args([
                    "-c",
                    &line.replace("> policy.csv", "> /dev/null").replace("> junit.xml", "> /dev/null"),
                ])
                .current_dir(root)
                .output()
                .unwrap();
            let code = output.status.code().unwrap();
            let allowed: &[i32] = if matches!(command[0], "can-i" | "who-can" | "simulate")
                || command == &&["policy", "learn"][..]
            {
                &[0, 1]
            } else {
                &[0]
            };
            assert!(allowed.contains(&code), "{example}: {code} {}", String::from_utf8_lossy(&output.stderr));
            found += 1;
        }
        assert!(found > 0, "{command:?} has no example");
        ran += found;
    }
    assert!(ran >= commands.len());
}

/// Asks the daemon as dockerd would; whether the call is allowed.
fn asked_by_dockerd(daemon: &Daemon, user: &str, method: &str, uri: &str) -> (bool, String) {
    let mut headers = json!({"Content-Length": "0"});
    if !user.is_empty() {
        let issued = daemon.ok(&["token", "issue", "--user", user, "--ttl", "1h"]);
        headers["X-Wharfinger-Token"] = issued.lines().last().unwrap().into();
    }
    let question = json!({"RequestMethod": method, "RequestUri": uri, "RequestHeaders": headers});
    let socket = daemon.ground.plugin_socket();
    let (status, body) =
        http::post(&socket, "/AuthZPlugin.AuthZReq", question.to_string().as_bytes()).unwrap();
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    (answer["Allow"] == true, answer["Msg"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn on_trial_a_denial_is_let_through_and_reported_and_ends_with_the_grant() {
    let daemon = Daemon::start();
    let list = || asked_by_dockerd(&daemon, "", "GET", "/v1.41/containers/json").0;
    assert!(!list());
    daemon.ok(&["role", "create", "trial", "--allow", "mode.observe container:*"]);
    daemon.ok(&["grant", "add", "anonymous", "trial", "--until", "14d"]);
    assert!(list() && list());
    assert!(!asked_by_dockerd(&daemon, "", "GET", "/v1.41/images/json").0, "only containers are on trial");
    assert!(
        !asked_by_dockerd(&daemon, "", "GET", "/v1.41/nothing").0,
        "what cannot be read is never let through"
    );
    let report = daemon.ok(&["policy", "report", "would-deny", "-o", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report.as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(
        (&report[0]["calls"], &report[0]["user"], &report[0]["action"]),
        (&json!("2"), &json!("anonymous"), &json!("container.list"))
    );
    let id = report[0]["example"].as_str().unwrap();
    assert!(daemon.ok(&["explain", id]).contains("permit (mode observe: it would be denied, not_granted)"));
    let asked = daemon.wharfinger.cli(&["can-i", "container.list", "--as", "anonymous"]);
    assert_eq!(
        (asked.code, asked.out.contains("it is let through all the same, on record: mode observe")),
        (1, true)
    );
    daemon.ok(&["grant", "remove", "anonymous", "trial"]);
    assert!(!list());
}

#[test]
fn a_denied_call_is_allowed_from_its_record_and_what_a_change_does_is_seen_in_the_trail_before() {
    let daemon = Daemon::start();
    let (allowed, message) = asked_by_dockerd(&daemon, "dave", "GET", "/v1.41/containers/json");
    assert!(!allowed);
    let id = message.rsplit_once(" [").unwrap().1.trim_end_matches(']').to_owned();
    let effect = daemon.ok(&["role", "allow", "public", "container.list", "--dry-run", "--since", "1d"]);
    assert!(effect.contains("deny > permit  1 x  dave container.list container:*"), "{effect}");
    assert!(daemon.refused(&["allow-from", &id]).contains("nobody is there to confirm it"));
    let done = daemon.ok(&["allow-from", &id, "--yes"]);
    assert!(done.contains("+ p, role:only-dave, container.list, container:*, allow"), "{done}");
    assert!(asked_by_dockerd(&daemon, "dave", "GET", "/v1.41/containers/json").0);

    let learned = daemon.ok(&["policy", "learn", "--user", "dave", "--yes"]);
    assert!(learned.contains("+ p, role:learned-dave, container.list, container:*, allow"), "{learned}");
    assert!(learned.contains("role viewer covers 1 of 1"), "{learned}");
    let taken = daemon.ok(&["role", "delete", "only-dave", "--dry-run", "--since", "1d"]);
    assert!(taken.contains("none would be different"), "{taken}");
}

#[test]
fn a_role_is_taken_for_a_while_alone_or_with_somebody_elses_approval() {
    let daemon = Daemon::start_with(|dir| {
        let extra = "p, role:alone, grant.elevate, policy:role/operator, allow\ng, user:alice, role:alone\n\
                     p, role:asks, grant.request, policy:role/operator, allow\ng, user:dave, role:asks\n\
                     p, role:approves, grant.approve, policy:role/operator, allow\ng, user:bob, role:approves\n";
        fs::write(dir.join("seed.csv"), format!("{}\n{extra}", include_str!("../../rbac/policy.csv")))
            .unwrap();
        format!("{}[policy]\nseed = {:?}\n", tcp(dir, 20), dir.join("seed.csv"))
    });
    let token = |user: &str| {
        daemon.ok(&["token", "issue", "--user", user, "--ttl", "1h"]).lines().last().unwrap().to_owned()
    };
    let (alice, dave, bob) = (token("alice"), token("dave"), token("bob"));
    let asked = json!({"role": "operator", "seconds": 1800, "reason": "ticket 4711"});
    let take = |token: &str, asked: &Value| over_tcp(&daemon, "POST", "/v1/elevations", token, Some(asked));

    let (status, body) = take(&alice, &asked);
    assert_eq!((status, &body["waiting"]), (200, &Value::Null), "{body}");
    assert!(
        daemon
            .ok(&["grant", "list", "--to", "user:alice", "--role", "operator"])
            .contains("elevation: ticket 4711")
    );
    assert_eq!(take(&alice, &asked).0, 409);
    assert_eq!(take(&alice, &json!({"role": "admin", "seconds": 1800, "reason": "x"})).0, 403);
    assert_eq!(take(&alice, &json!({"role": "operator", "seconds": 90_000, "reason": "x"})).0, 422);
    assert_eq!(take(&alice, &json!({"role": "operator", "seconds": 1800, "reason": " "})).0, 422);

    let (status, body) = take(&dave, &asked);
    let id = body["waiting"].as_str().unwrap_or_else(|| panic!("{status} {body}")).to_owned();
    assert!(!daemon.ok(&["grant", "list", "--to", "user:dave"]).contains("operator"));
    assert!(daemon.ok(&["elevate", "--waiting"]).contains("dave"));
    let approve =
        |token: &str| over_tcp(&daemon, "POST", &format!("/v1/elevations/{id}/approve"), token, None).0;
    assert_eq!(approve(&dave), 403);
    assert_eq!(approve(&alice), 403);
    assert_eq!(approve(&bob), 200);
    assert_eq!(approve(&bob), 403, "it is gone, and bob may approve no other");
    assert!(
        daemon
            .ok(&["grant", "list", "--to", "user:dave", "--role", "operator"])
            .contains("elevation, approved by bob: ticket 4711")
    );
}

/// The section for a TCP address on a free port of this host, which a file then holds.
fn tcp(dir: &Path, rate: u32) -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::write(dir.join("port"), port.to_string()).unwrap();
    format!(
        "[admin]\nsocket = {:?}\nrate = {rate}\n[admin.tcp]\naddress = '127.0.0.1:{port}'\n",
        dir.join("admin.sock")
    )
}

/// Status and JSON of an answer over TCP.
fn over_tcp(daemon: &Daemon, method: &str, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
    use std::io::{Read as _, Write as _};
    let port = fs::read_to_string(daemon.ground.path().join("port")).unwrap();
    let body = body.map(ToString::to_string).unwrap_or_default();
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\n{token}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

#[test]
fn on_the_tcp_address_a_token_says_who_asks_and_the_policy_what_is_answered() {
    let daemon = Daemon::start_with(|dir| tcp(dir, 1));
    let (status, body) = over_tcp(&daemon, "GET", "/v1/status", "", None);
    assert_eq!((status, &body["title"], &body["status"]), (401, &json!("Unauthorized"), &json!(401)));
    assert_eq!(over_tcp(&daemon, "GET", "/v1/status", "nonsense", None).0, 401);
    let token = |arguments: &[&str]| {
        let all = [&["token", "issue", "--ttl", "1h"], arguments].concat();
        daemon.ok(&all).lines().last().unwrap().to_owned()
    };
    let (carol, alice) = (token(&["--user", "carol"]), token(&["--user", "alice"]));
    assert_eq!(over_tcp(&daemon, "GET", "/v1/status", &carol, None).0, 200);
    assert_eq!(over_tcp(&daemon, "GET", "/v1/status", &alice, None).0, 403);
    assert_eq!(over_tcp(&daemon, "GET", "/v1/can?action=pull", &alice, None).1["permit"], true);
    let denied = over_tcp(&daemon, "GET", "/v1/can?action=pull&user=bob", &alice, None);
    assert_eq!(denied.0, 403, "others are asked about only by who may read the policy");
    assert_eq!(over_tcp(&daemon, "GET", "/v1/nothing", &carol, None).0, 404);
    assert_eq!(over_tcp(&daemon, "DELETE", "/v1/status", &carol, None).0, 405);
    assert_eq!(over_tcp(&daemon, "GET", "/v1/roles?limit=x", &carol, None).0, 400);
    let (_, document) = over_tcp(&daemon, "GET", "/v1/openapi.json", &alice, None);
    assert_eq!(document["openapi"], "3.1.0");
    let taken: Vec<u16> =
        (0..60).map(|_| over_tcp(&daemon, "GET", "/v1/can?action=pull", &alice, None).0).collect();
    assert!(taken.contains(&429) && taken[0] == 200, "nobody is stopped: {taken:?}");
    assert_eq!(over_tcp(&daemon, "GET", "/v1/status", &carol, None).0, 200, "others are not held up");
}
