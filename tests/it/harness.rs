//! The ground itself: a private engine starts, answers the right people, and leaves nothing behind.

use crate::support::dockerd::{Dockerd, Ground};

#[test]
fn a_private_engine_runs_containers_for_a_person_with_a_certificate() {
    let ground = Ground::new(&["carol"]);
    let dockerd = Dockerd::start_asking(&ground, "");
    dockerd.import_busybox("carol");

    let said = dockerd.docker("carol").run(&["run", "--rm", "busybox", "echo", "hello"]).ok();

    assert_eq!(said, "hello");
}

#[test]
fn a_command_on_a_terminal_has_a_terminal_in_its_container() {
    let ground = Ground::new(&["carol"]);
    let dockerd = Dockerd::start_asking(&ground, "");
    dockerd.import_busybox("carol");

    let said = dockerd.docker("carol").run_on_a_terminal(&["run", "-it", "--rm", "busybox", "tty"]).ok();

    assert!(said.contains("/dev/pts/0"), "{said}");
}

#[test]
fn an_engine_that_is_dropped_leaves_no_container_and_no_socket() {
    let ground = Ground::new(&["carol"]);
    let dockerd = Dockerd::start_asking(&ground, "");
    dockerd.import_busybox("carol");
    dockerd.docker("carol").run(&["run", "-d", "busybox", "sleep", "4711"]).ok();

    drop(dockerd);

    assert!(!ground.path().join("docker.sock").exists());
    assert_eq!(processes_that_name(&ground.path().display().to_string()), Vec::<String>::new());
}

fn processes_that_name(what: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(what))
        .collect()
}
