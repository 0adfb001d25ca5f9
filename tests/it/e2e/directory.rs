//! People and groups from a real LDAP server, through to what docker says.

use super::denial;
use crate::support::slapd::{Slapd, Way};
use crate::support::tree::Tree;
use crate::support::wharfinger::Wharf;

#[test]
fn groups_of_ldap_give_roles_and_who_is_known_works_on_while_the_server_is_dead() {
    let mut tree = Tree::empty();
    for user in ["alice", "carol", "dave"] {
        tree.user(&format!("uid={user},ou=people"), user, &[]);
    }
    tree.group("crew", &["uid=alice,ou=people"]);
    tree.group("docker-developers", &["cn=crew,ou=groups"]);
    tree.group("docker-admins", &["uid=carol,ou=people"]);
    let mut slapd = Slapd::start_with(&tree, "");
    // Old at once, so that the directory is asked about every call.
    let settings = format!("{}cache_ttl = '1ms'\n", slapd.settings(Way::Ldaps));
    let wharf = Wharf::start_with(|_| settings.replace("[ldap]", "[directory.ldap]"));

    assert_eq!(wharf.docker("alice", &["run", "--rm", "busybox", "echo", "hello"]).ok(), "hello");
    let (message, id) = denial(wharf.docker("alice", &["ps"]));
    assert!(message.starts_with("alice may not container.list (docker ps): "), "{message}");
    let explained = wharf.wharfinger.cli(&["explain", &id]).ok();
    assert!(explained.contains("crew, docker-developers"), "{explained}");
    let (message, _) = denial(wharf.docker("mallory", &["run", "busybox", "true"]));
    assert!(message.contains("the directory knows no such user"), "{message}");

    slapd.kill();

    assert_eq!(wharf.docker("alice", &["run", "--rm", "busybox", "echo", "still"]).ok(), "still");
    let (message, _) = denial(wharf.docker("dave", &["run", "busybox", "true"]));
    assert!(message.contains("identity unavailable"), "{message}");

    slapd.run();

    assert_eq!(wharf.docker("alice", &["run", "--rm", "busybox", "echo", "again"]).ok(), "again");
}
