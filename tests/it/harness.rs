//! The ground itself: a private engine starts, answers the right people, and leaves nothing behind.

use crate::support::dockerd::{Dockerd, Ground};
use crate::support::process::{Said, bounded};
use crate::support::stub;

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

#[test]
fn the_engine_asks_the_plugin_of_the_ground_and_nobody_else() {
    let ground = Ground::new(&["carol"]);
    stub::answering(&ground.plugin_socket(), r#"{"Allow":false,"Msg":"not today"}"#);
    let dockerd = Dockerd::start(&ground);

    let over_tls = dockerd.docker("carol").run(&["version"]).refused();
    let on_the_socket = dockerd.docker_without_identity().run(&["ps"]).refused();

    let expected = "Error response from daemon: authorization denied by plugin wharfinger: not today";
    assert_eq!((over_tls.as_str(), on_the_socket.as_str()), (expected, expected));
}

#[test]
fn the_engine_and_the_command_line_are_the_ones_on_the_path() {
    let ground = Ground::new(&["carol"]);
    let dockerd = Dockerd::start_asking(&ground, "");

    let format = "--format={{.Client.Version}} {{.Server.Version}}";
    let answered = dockerd.docker("carol").run(&["version", format]).ok();

    assert_eq!(answered, format!("{} {}", version_of("docker"), version_of("dockerd")));
}

/// The version in `Docker version 1.2.3, build 4567`.
fn version_of(program: &str) -> String {
    let said = Said::from(bounded(program).arg("--version").output().unwrap()).ok();
    said.trim_start_matches("Docker version ").split(',').next().unwrap().to_owned()
}

fn processes_that_name(what: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(what))
        .collect()
}
