//! The command line as people and scripts use it: exit codes, messages that say what to do, help that is true.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const WHARFINGER: &str = env!("CARGO_BIN_EXE_wharfinger");

fn wharfinger(arguments: &[&str]) -> Output {
    Command::new(WHARFINGER).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(WHARFINGER)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A directory with a config whose every path is inside it.
fn ground(extra: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let config = directory.path().join("w.toml");
    let text = format!(
        "[plugin]\nsocket = {:?}\n[admin]\nsocket = {:?}\n[audit]\ndatabase = {:?}\n[inventory]\ndatabase = {:?}\ndocker_socket = {:?}\n{extra}",
        at("plugin.sock"),
        at("admin.sock"),
        at("audit.db"),
        at("inventory.db"),
        at("docker.sock")
    );
    fs::write(&config, text).unwrap();
    (directory, config)
}

fn serve(config: &Path) -> Output {
    // Every use here ends by itself with an error; the time is a net, not a measure.
    Command::new("timeout")
        .arg("20")
        .arg(WHARFINGER)
        .arg("serve")
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

#[test]
fn a_good_config_is_checked_line_by_line() {
    let (directory, config) = ground("");
    let checked = wharfinger(&["check", "--config", config.to_str().unwrap(), "--user", "alice"]);
    let text = out(&checked);
    assert_eq!(checked.status.code(), Some(0), "{text}");
    for line in [
        "ok      config: ",
        "ok      policy: ",
        "ok      identity: ",
        "ok      directory: ",
        "ok      trail: ",
        "ok      inventory: ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("`alice` has no groups"), "{text}");
    assert!(!directory.path().join("audit.db").exists(), "check made a file");
    assert!(!directory.path().join("inventory.db").exists(), "check made a file");
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    let (_directory, config) = ground("[directry]\n");
    let checked = wharfinger(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        out(&checked).contains("w.toml:10:2: unknown key `directry`; did you mean `directory`?"),
        "{}",
        out(&checked)
    );
    assert_eq!(serve(&config).status.code(), Some(2));
}

#[test]
fn a_bad_policy_is_refused_with_every_wrong_line() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("p.csv");
    fs::write(
        &policy,
        "p, role:a, container.lst, *, allow\np, role:a, container.list, contaner:x, allow\ng, role:a, role:b\ng, role:b, role:a\n",
    )
    .unwrap();
    let checked = wharfinger(&["policy", "check", policy.to_str().unwrap()]);
    let text = out(&checked);
    assert_eq!(checked.status.code(), Some(1), "{text}");
    assert!(text.contains("container.list"), "{text}");
    assert!(text.contains("did you mean `container`?"), "{text}");
    fs::write(&policy, "p, role:a, *, *, allow\ng, role:a, role:b\ng, role:b, role:a\n").unwrap();
    let circle = out(&wharfinger(&["policy", "check", policy.to_str().unwrap()]));
    assert!(circle.contains("roles inherit each other in a circle"), "{circle}");
}

#[test]
fn a_socket_in_use_by_a_live_process_is_left_alone() {
    let (directory, config) = ground("");
    let _live = UnixListener::bind(directory.path().join("plugin.sock")).unwrap();
    let ended = serve(&config);
    assert_eq!(ended.status.code(), Some(2));
    assert!(err(&ended).contains("is in use by a live process: stop it first"), "{}", err(&ended));
}

#[test]
fn a_trail_that_cannot_be_read_is_named_with_what_to_do() {
    let (directory, config) = ground("");
    fs::write(
        directory.path().join("audit.db"),
        "this is no database, and longer than a header of one is\n".repeat(20),
    )
    .unwrap();
    let ended = serve(&config);
    assert_eq!(ended.status.code(), Some(2));
    let message = err(&ended);
    assert!(message.contains("audit.db") && message.contains("not a SQLite database"), "{message}");
    let listed =
        wharfinger(&["audit", "list", "--database", directory.path().join("audit.db").to_str().unwrap()]);
    assert_eq!(listed.status.code(), Some(2));
    assert!(err(&listed).contains("not a SQLite database"), "{}", err(&listed));
}

#[test]
fn classify_and_judge_answer_line_by_line_whatever_a_line_holds() {
    let questions = "{\"RequestMethod\":\"GET\",\"RequestUri\":\"/v1.41/containers/json\"}\nnonsense\n";
    let classified = with_input(&["classify"], questions);
    assert_eq!(classified.status.code(), Some(0));
    let lines: Vec<serde_json::Value> =
        out(&classified).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        lines[0]["requirements"],
        serde_json::json!([{"action": "container.list", "resource": "container:*"}])
    );
    assert_eq!(lines[0]["refused"], serde_json::Value::Null);
    assert_eq!(lines[1]["refused"]["code"], "question-invalid");

    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/rbac/policy.csv");
    let judge = |who: &[&str]| {
        let judged = with_input(&[&["judge", "--policy", policy], who].concat(), questions);
        assert_eq!(judged.status.code(), Some(0), "{}", err(&judged));
        let first: serde_json::Value = serde_json::from_str(out(&judged).lines().next().unwrap()).unwrap();
        first["decision"].clone()
    };
    assert_eq!(judge(&["--as", "carol", "--group", "docker-admins"])["permit"], true);
    let denied = judge(&["--as", "alice", "--group", "docker-developers"]);
    assert_eq!(denied["permit"], false);
    assert_eq!(
        denied["message"],
        "alice may not container.list (docker ps): no role that alice holds grants it"
    );
    assert_eq!(judge(&[])["permit"], false);
}

#[test]
fn a_daemon_that_is_not_there_is_an_error_that_says_how_to_start_it() {
    let (_directory, config) = ground("");
    for command in
        [&["status"][..], &["reload"], &["audit", "list"], &["explain", "01J"], &["policy", "export"]]
    {
        let ended = wharfinger(&[command, &["--config", config.to_str().unwrap()]].concat());
        assert_eq!(ended.status.code(), Some(2), "{command:?}");
        assert!(err(&ended).contains("is `wharfinger serve` running"), "{command:?}: {}", err(&ended));
    }
}

#[test]
fn completions_and_man_pages_are_made_for_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let made = wharfinger(&["completions", shell]);
        assert!(made.status.success() && out(&made).contains("explain"), "{shell}");
    }
    let directory = tempfile::tempdir().unwrap();
    assert!(wharfinger(&["man", directory.path().to_str().unwrap()]).status.success());
    for page in ["wharfinger.1", "wharfinger-serve.1", "wharfinger-audit-list.1", "wharfinger-judge.1"] {
        assert!(directory.path().join(page).exists(), "{page}");
    }
}

#[test]
fn usage_errors_end_with_2_and_an_output_that_nobody_reads_is_no_error() {
    assert_eq!(wharfinger(&["explain"]).status.code(), Some(2));
    assert_eq!(wharfinger(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(wharfinger(&["--help"]).status.code(), Some(0));
    let piped = format!("set -o pipefail; {WHARFINGER} actions | head -n 1");
    assert!(Command::new("bash").args(["-c", &piped]).output().unwrap().status.success());
}

#[test]
fn actions_are_listed_in_every_form() {
    let json: serde_json::Value =
        serde_json::from_slice(&wharfinger(&["actions", "-o", "json"]).stdout).unwrap();
    assert!(json.as_array().unwrap().iter().any(|row| row["action"] == "host.privileged"));
    assert!(
        out(&wharfinger(&["actions", "-o", "csv"])).starts_with("action,resource,allows to\ncontainer.list,")
    );
}
