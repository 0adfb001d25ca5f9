//! The gateway in front of a real engine: the kernel says who asks, and everything works as without it.

use std::io::Write as _;
use std::process::Stdio;

use super::denial;
use crate::support::gateway::Quay;

#[test]
fn the_kernel_says_who_asks_and_the_roles_of_that_user_decide() {
    let quay = Quay::open();
    let hello = quay.docker("games", &["run", "--rm", "busybox", "echo", "hello"]).ok();
    assert_eq!(hello, "hello");

    let (message, id) = denial(quay.docker("games", &["ps"]));
    assert!(message.starts_with("games may not container.list (docker ps): "), "{message}");
    let explained = quay.wharf.wharfinger.cli(&["explain", &id]).ok();
    assert!(explained.contains("gateway uid 5"), "{explained}");
    assert!(explained.contains("through   gateway"), "{explained}");

    assert!(quay.docker("www-data", &["ps", "--all"]).ok().starts_with("CONTAINER ID"));
    assert!(denial(quay.docker("daemon", &["ps"])).0.starts_with("daemon may not container.list"));
    // Root is a user like the others, on record.
    assert!(quay.docker("root", &["ps"]).ok().starts_with("CONTAINER ID"));
    let of_root = quay.wharf.wharfinger.decisions_of(Some("root"));
    assert_eq!(of_root, [("container.list".to_owned(), "permit".to_owned())]);
}

#[test]
fn streams_go_both_ways_and_end_for_themselves() {
    let quay = Quay::open();
    let mut command = quay.as_("games").command("docker");
    command.args(["run", "-i", "--rm", "busybox", "sh", "-c", "cat; echo after"]);
    let mut docker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = docker.stdin.take().unwrap();
    stdin.write_all(b"from stdin\n").unwrap();
    drop(stdin);
    let output = docker.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from stdin\nafter\n");

    quay.docker("games", &["run", "-d", "--name", "mine", "busybox", "sh", "-c", "echo logged; sleep 600"])
        .ok();
    assert_eq!(quay.docker("games", &["exec", "mine", "echo", "inside"]).ok(), "inside");
    assert_eq!(quay.docker("games", &["logs", "mine"]).ok(), "logged");
    let on_terminal = quay.as_("games").run_on_a_terminal(&["exec", "-it", "mine", "tty"]).ok();
    assert!(on_terminal.contains("/dev/pts/"), "{on_terminal}");
}
