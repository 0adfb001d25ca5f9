//! Who may do what with the shipped roles.

use super::denial;
use crate::support::wharfinger::Wharf;

#[test]
fn a_developer_runs_containers_in_every_way_that_docker_run_has() {
    let wharf = Wharf::start();

    let plain = wharf.docker("alice", &["run", "busybox", "echo", "plain"]).ok();
    let removed = wharf.docker("alice", &["run", "--rm", "busybox", "echo", "removed"]).ok();
    let detached = wharf.docker("alice", &["run", "-d", "busybox", "sleep", "600"]).ok();
    let terminal = wharf.as_("alice").run_on_a_terminal(&["run", "-it", "--rm", "busybox", "tty"]).ok();

    assert_eq!((plain.as_str(), removed.as_str()), ("plain", "removed"));
    assert_eq!(detached.len(), 64, "{detached}");
    assert!(terminal.contains("/dev/pts/0"), "{terminal}");
    // `--rm` really removed: the plain one and the detached one are left.
    assert_eq!(wharf.docker("carol", &["ps", "-aq"]).ok().lines().count(), 2);
}

#[test]
fn a_developer_may_not_list_and_is_told_why_and_how_to_look_it_up() {
    let wharf = Wharf::start();

    let (message, id) = denial(wharf.docker("alice", &["ps"]));

    assert!(message.starts_with("alice may not container.list (docker ps): "), "{message}");
    let explained = wharf.wharfinger.cli(&["explain", &id]).ok();
    let lines = words(&explained);
    for line in [
        format!("decision {id}").as_str(),
        "user alice",
        "groups docker-developers",
        "roles public, developer, restricted",
        "call container.list on container:* (docker ps)",
        "decision deny (not_granted)",
        "MISSING container.list container:*",
        "outcome it was not let through",
    ] {
        assert!(lines.iter().any(|found| found == line), "`{line}` is not in: {explained}");
    }
}

#[test]
fn a_permitted_call_is_explained_by_the_permission_that_matched() {
    let wharf = Wharf::start();
    wharf.docker("alice", &["create", "busybox", "true"]).ok();

    let created = wharf
        .wharfinger
        .trail()
        .into_iter()
        .find(|record| record["operation"] == "container.create")
        .unwrap();
    let explained = wharf.wharfinger.cli(&["explain", created["id"].as_str().unwrap()]).ok();

    let lines = words(&explained);
    for line in
        ["user alice", "groups docker-developers", "decision permit", "granted container.create container:*"]
    {
        assert!(lines.iter().any(|found| found == line), "`{line}` is not in: {explained}");
    }
    let permission = lines.iter().position(|line| line.starts_with("granted image.use")).unwrap() + 1;
    let role = "of role developer (group:docker-developers > developer)";
    assert!(lines[permission].starts_with("`allow ") && lines[permission].ends_with(role), "{explained}");
}

#[test]
fn a_run_that_asks_for_the_host_is_denied_at_create_and_leaves_nothing_behind() {
    let wharf = Wharf::start();
    let asked: [&[&str]; 7] = [
        &["run", "--privileged", "busybox", "true"],
        &["run", "--rm", "-v", "/:/host", "busybox", "true"],
        &["run", "--rm", "--mount", "type=bind,src=/,dst=/host", "busybox", "true"],
        &["run", "--rm", "--cap-add", "SYS_ADMIN", "busybox", "true"],
        &["run", "--rm", "--pid", "host", "busybox", "true"],
        &["run", "--rm", "--network", "host", "busybox", "true"],
        &["run", "--rm", "--device", "/dev/null", "busybox", "true"],
    ];

    for arguments in asked {
        let said = wharf.docker("alice", arguments);
        assert_eq!(said.code, 125, "{said:?}");
        let (message, _) = denial(said);
        assert!(message.starts_with("alice may not host."), "{arguments:?}: {message}");
    }

    assert_eq!(wharf.docker("carol", &["ps", "-aq"]).ok(), "");
}

#[test]
fn an_exec_is_denied_when_it_is_created_where_docker_shows_the_reason() {
    let wharf = Wharf::start();
    wharf.docker("carol", &["run", "-d", "--name", "web", "busybox", "sleep", "600"]).ok();

    let (message, _) = denial(wharf.docker("alice", &["exec", "web", "id"]));
    let (privileged, _) = denial(wharf.docker("olga", &["exec", "--privileged", "web", "id"]));
    let plain = wharf.docker("olga", &["exec", "web", "echo", "inside"]).ok();
    let terminal = wharf.as_("olga").run_on_a_terminal(&["exec", "-it", "web", "tty"]).ok();

    assert!(message.starts_with("alice may not container."), "{message}");
    assert!(privileged.starts_with("olga may not host.privileged (docker exec)"), "{privileged}");
    assert_eq!(plain, "inside");
    assert!(terminal.contains("/dev/pts/"), "{terminal}");
}

#[test]
fn a_developer_does_not_get_at_containers_of_others() {
    let wharf = Wharf::start();
    wharf.docker("carol", &["run", "-d", "--name", "carols", "busybox", "sleep", "600"]).ok();
    let asked: [&[&str]; 8] = [
        &["logs", "carols"],
        &["stop", "carols"],
        &["kill", "carols"],
        &["inspect", "carols"],
        &["rm", "-f", "carols"],
        &["cp", "carols:/bin/busybox", "-"],
        &["export", "carols"],
        &["commit", "carols", "stolen"],
    ];

    for arguments in asked {
        let (message, _) = denial(wharf.docker("alice", arguments));
        assert!(message.starts_with("alice may not "), "{arguments:?}: {message}");
    }

    assert_eq!(wharf.docker("carol", &["ps", "--format", "{{.Names}}"]).ok(), "carols");
}

#[test]
fn a_developer_manages_what_she_made_by_its_name_its_id_and_the_beginning_of_its_id() {
    let wharf = Wharf::start();
    // Newer engines rename a running container only on a network that there is.
    let run = ["run", "-d", "--name", "alices", "--network", "none"];
    let said = ["busybox", "sh", "-c", "echo said; exec sleep 600"];
    let id = wharf.docker("alice", &[&run[..], &said[..]].concat()).ok();

    for name in ["alices", &id, id.get(..12).unwrap()] {
        assert_eq!(wharf.docker("alice", &["logs", name]).ok(), "said");
        assert_eq!(wharf.docker("alice", &["exec", name, "echo", "inside"]).ok(), "inside");
    }
    wharf.docker("alice", &["rename", "alices", "still-alices"]).ok();
    wharf.docker("alice", &["kill", "still-alices"]).ok();
    wharf.docker("alice", &["rm", "still-alices"]).ok();

    assert_eq!(wharf.docker("carol", &["ps", "-aq"]).ok(), "");
}

#[test]
fn a_tester_deploys_and_removes_but_does_not_reconfigure_the_daemon() {
    let wharf = Wharf::start();
    wharf.docker("alice", &["run", "-d", "--name", "web", "busybox", "sleep", "600"]).ok();

    assert_eq!(wharf.docker("bob", &["ps", "--format", "{{.Names}}"]).ok(), "web");
    wharf.docker("bob", &["rm", "-f", "web"]).ok();
    assert_eq!(wharf.docker("bob", &["run", "--rm", "busybox", "echo", "deployed"]).ok(), "deployed");
    let refused: [(&[&str], &str); 4] = [
        (&["swarm", "init"], "bob may not swarm.init (docker swarm init)"),
        (&["plugin", "install", "example/plugin"], "bob may not plugin."),
        (&["system", "prune", "-f"], "bob may not container.prune"),
        (&["plugin", "disable", "wharfinger"], "bob may not plugin."),
    ];

    for (arguments, beginning) in refused {
        let (message, _) = denial(wharf.docker("bob", arguments));
        assert!(message.starts_with(beginning), "{arguments:?}: {message}");
    }
}

#[test]
fn an_admin_does_it_all() {
    let wharf = Wharf::start();
    let asked: [&[&str]; 9] = [
        &["ps", "-a"],
        &["info"],
        &["create", "--name", "big", "--privileged", "-v", "/:/host", "--pid", "host", "busybox", "sh"],
        &["rm", "big"],
        &["volume", "create", "data"],
        &["system", "prune", "-f"],
        &["swarm", "init", "--advertise-addr", "127.0.0.1"],
        &["node", "ls"],
        &["swarm", "leave", "--force"],
    ];

    for arguments in asked {
        wharf.docker("carol", arguments).ok();
    }
}

#[test]
fn nobody_in_particular_may_ask_for_the_version_and_nothing_else() {
    let wharf = Wharf::start();
    let nobody = wharf.dockerd.docker_without_identity();

    nobody.run(&["version"]).ok();
    let (listing, _) = denial(nobody.run(&["ps"]));
    let (running, _) = denial(nobody.run(&["run", "--rm", "busybox", "true"]));

    assert!(listing.starts_with("anonymous may not container.list (docker ps)"), "{listing}");
    assert!(running.starts_with("anonymous may not container.create"), "{running}");
}

#[test]
fn a_user_without_a_role_and_a_stranger_to_the_directory_get_no_further_than_the_version() {
    let wharf = Wharf::start();

    wharf.docker("dave", &["version"]).ok();
    let (dave, _) = denial(wharf.docker("dave", &["ps"]));
    let (mallory, _) = denial(wharf.docker("mallory", &["ps"]));

    assert!(dave.starts_with("dave may not container.list (docker ps)"), "{dave}");
    assert!(mallory.contains("mallory"), "{mallory}");
}

#[test]
fn two_people_at_once_do_not_wait_for_each_other_nor_get_each_others_answer() {
    let wharf = Wharf::start();

    let (alice, bob, carol) = std::thread::scope(|scope| {
        let alice = scope.spawn(|| wharf.docker("alice", &["run", "--rm", "busybox", "echo", "for alice"]));
        let bob = scope.spawn(|| wharf.docker("bob", &["run", "--rm", "busybox", "echo", "for bob"]));
        let carol = scope.spawn(|| wharf.docker("alice", &["ps"]));
        (alice.join().unwrap(), bob.join().unwrap(), carol.join().unwrap())
    });

    assert_eq!((alice.ok().as_str(), bob.ok().as_str()), ("for alice", "for bob"));
    assert!(denial(carol).0.starts_with("alice may not container.list"));
}

/// Lines without what is only there to line them up.
fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
