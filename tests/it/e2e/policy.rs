//! Changing the policy under a running engine.

use std::fs;
use std::path::Path;

use super::denial;
use crate::support::process::bounded;
use crate::support::process::wait_for;
use crate::support::wharfinger::Wharf;

const SHIPPED: &str = include_str!("../../../rbac/policy.csv");

fn with_policy_file(dir: &Path) -> String {
    fs::write(dir.join("policy.csv"), SHIPPED).unwrap();
    format!("[policy]\nfile = {:?}\n", dir.join("policy.csv"))
}

#[test]
fn a_new_policy_is_in_force_after_a_reload() {
    let wharf = Wharf::start_with(with_policy_file);
    let file = wharf.ground.path().join("policy.csv");
    denial(wharf.docker("alice", &["ps"]));

    fs::write(&file, format!("{SHIPPED}\ng, user:alice, role:viewer\n")).unwrap();
    wharf.wharfinger.cli(&["reload"]).ok();

    wharf.docker("alice", &["ps"]).ok();
}

#[test]
fn a_bad_policy_never_replaces_a_good_one() {
    let wharf = Wharf::start_with(with_policy_file);
    let file = wharf.ground.path().join("policy.csv");
    let bad: [(&str, &str); 5] = [
        ("p, role:developer, container.lst, *, allow", "did you mean `container.list`"),
        ("p, role:developer, container.list, containr:*, allow", "did you mean `container`"),
        ("g, role:developer, role:tester\ng, role:tester, role:developer", "in a circle"),
        ("p, role:developer, container.list, *, maybe", "maybe"),
        ("this is no policy", "`this is no policy` is not known"),
    ];

    for (line, told) in bad {
        fs::write(&file, format!("{SHIPPED}\n{line}\n")).unwrap();
        let error = wharf.wharfinger.cli(&["reload"]).refused();
        assert!(error.contains(told), "`{told}` is not in: {error}");
        denial(wharf.docker("alice", &["ps"]));
    }
    fs::remove_file(&file).unwrap();
    wharf.wharfinger.cli(&["reload"]).refused();

    assert_eq!(wharf.docker("alice", &["run", "--rm", "busybox", "echo", "as before"]).ok(), "as before");
}

#[test]
fn a_hangup_signal_reloads_and_does_not_lose_a_good_policy_either() {
    let wharf = Wharf::start_with(with_policy_file);
    let file = wharf.ground.path().join("policy.csv");
    let pid = wharf.wharfinger.pid().to_string();

    fs::write(&file, "this is no policy").unwrap();
    assert!(hang_up(&pid));
    fs::write(&file, format!("{SHIPPED}\ng, user:alice, role:viewer\n")).unwrap();
    assert!(hang_up(&pid));

    wait_for("the new policy", || (wharf.docker("alice", &["ps"]).code == 0).then_some(()), String::new);
}

/// The shell's own `kill`: not every machine has the other.
fn hang_up(pid: &str) -> bool {
    bounded("sh").args(["-c", "kill -HUP \"$0\"", pid]).status().unwrap().success()
}

#[test]
fn a_daemon_with_a_bad_policy_or_config_does_not_start_and_says_what_to_do() {
    let wharf = Wharf::start_with(with_policy_file);
    let file = wharf.ground.path().join("policy.csv");
    fs::write(&file, "p, role:developer, container.lst, *, allow\n").unwrap();

    let checked = wharf.wharfinger.cli(&["check"]);

    assert_ne!(checked.code, 0);
    let told = format!("{}{}", checked.out, checked.err);
    assert!(told.contains("container.lst") && told.contains("container.list"), "{told}");
}
