//! Groups from a real directory server, asked by the program for calls of the real docker command line.

use super::denial;
use crate::support::process::wait_for;
use crate::support::slapd::{Slapd, Way};
use crate::support::tree::Tree;
use crate::support::wharfinger::Wharf;

fn people() -> Tree {
    let mut tree = Tree::empty();
    for name in ["alice", "bob", "carol"] {
        tree.user(&format!("uid={name},ou=people"), name, &[]);
    }
    tree.group("docker-developers", &["uid=alice,ou=people"]);
    tree.group("docker-admins", &["uid=carol,ou=people"]);
    tree
}

fn asking(server: &Slapd) -> String {
    server.settings(Way::Ldaps).replace("[ldap]", "[directory.ldap]")
}

#[test]
fn groups_of_an_ldap_server_decide_what_people_may_do() {
    let server = Slapd::start_with(&people(), "");
    let wharf = Wharf::start_with(|_| asking(&server));

    assert_eq!(wharf.docker("alice", &["run", "--rm", "busybox", "echo", "hello"]).ok(), "hello");
    assert!(denial(wharf.docker("alice", &["ps"])).0.starts_with("alice may not container.list (docker ps)"));
    assert!(denial(wharf.docker("bob", &["ps"])).0.starts_with("bob may not container.list (docker ps)"));
    wharf.docker("carol", &["ps"]).ok();
    let (stranger, _) = denial(wharf.docker("mallory", &["version"]));
    assert!(stranger.contains("mallory"), "{stranger}");
}

#[test]
fn a_directory_that_does_not_answer_keeps_who_is_known_going_and_lets_nobody_else_in() {
    let mut server = Slapd::start_with(&people(), "");
    let wharf = Wharf::start_with(|_| asking(&server));
    wharf.docker("alice", &["create", "busybox", "true"]).ok();

    server.kill();

    wharf.docker("alice", &["create", "busybox", "true"]).ok();
    let (unknown, id) = denial(wharf.docker("bob", &["version"]));
    assert!(unknown.contains("bob"), "{unknown}");
    let explained = wharf.wharfinger.cli(&["explain", &id]).ok();
    assert!(explained.contains("directory"), "{explained}");
}

#[test]
fn old_groups_serve_past_their_time_only_while_the_server_is_dead() {
    let mut server = Slapd::start_with(&people(), "");
    // Old at once: the directory is asked about every call.
    let wharf = Wharf::start_with(|_| format!("{}cache_ttl = '1ms'\n", asking(&server)));
    wharf.docker("alice", &["create", "busybox", "true"]).ok();

    server.kill();

    wharf.docker("alice", &["create", "busybox", "true"]).ok();
    let (unknown, _) = denial(wharf.docker("bob", &["create", "busybox", "true"]));
    assert!(unknown.contains("identity unavailable"), "{unknown}");

    server.run();

    wharf.docker("alice", &["create", "busybox", "true"]).ok();
    wait_for(
        "the server to be asked again",
        || denial(wharf.docker("bob", &["ps"])).0.starts_with("bob may not ").then_some(()),
        String::new,
    );
}
