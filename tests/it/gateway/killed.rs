//! Clients that are killed in the middle of what they do leave nothing: not here, and not at the daemon.

use std::fs;
use std::process::{Child, Stdio};

use super::both::Both;
use crate::support::docker::Docker;
use crate::support::process::{bounded, wait_for};

/// Commands that do not end by themselves; their input stays open.
const ENDLESS: &[&str] = &[
    "docker events",
    "docker logs --follow idle",
    "docker attach idle",
    "docker stats",
    "docker wait idle",
    "docker exec -i idle cat",
    "docker exec idle sleep 600",
    "docker run --rm -i --network none busybox cat",
    "docker cp - idle:/tmp",
    "docker load",
    "docker import -",
    "DOCKER_BUILDKIT=0 docker build -f nowhere .",
    // Both ways are full: what comes back is not read.
    "docker exec -i idle cat </dev/zero | sleep 600",
    "docker cp idle:/large - | sleep 600",
];

#[test]
fn commands_that_are_killed_leave_nothing_here_nor_at_the_daemon() {
    let both = Both::open();
    let docker = both.through();
    let idle = ["run", "-d", "--name", "idle", "--network", "none", "busybox", "sh", "-c"];
    docker.run(&[&idle[..], &["busybox truncate -s 64M /large; exec sleep 6000"]].concat()).ok();
    docker.run(&["exec", "idle", "sh", "-c", "until [ -e /large ]; do sleep 0.1; done"]).ok();
    let gateway = both.quay.wharf.wharfinger.pid();
    let daemon = both.quay.wharf.dockerd.pid();
    // Connections that the daemon keeps for its plugin come and go.
    let before = (descriptors(gateway), connections(daemon));

    let clients: Vec<_> = ENDLESS.iter().map(|command| endless(&docker, command)).collect();
    wait_for(
        "every command to be on its way",
        || (open(&both) >= ENDLESS.len() - 1).then_some(()),
        || open(&both).to_string(),
    );
    for client in clients {
        kill(client);
    }

    let now = || (descriptors(gateway), connections(daemon));
    wait_for(
        "all of it to be closed",
        || (open(&both) == 0 && now().0 <= before.0 + 2 && now().1 <= before.1 + 2).then_some(()),
        || format!("descriptors here, connections there: {before:?} before, {:?} now", now()),
    );
    // What ran for a client that is gone has ended with its input.
    wait_for(
        "the container of a killed run to be removed",
        || (docker.run(&["ps", "--format", "{{.Names}}"]).ok() == "idle").then_some(()),
        || docker.run(&["ps"]).ok(),
    );
}

fn endless(docker: &Docker, command: &str) -> Child {
    let mut shell = docker.command("sh");
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().unwrap()
}

/// Kills a process with all that it started, from the leaves up.
fn kill(mut client: Child) {
    for pid in descendants(client.id()) {
        // It may have ended by itself.
        drop(bounded("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status());
    }
    drop(client.wait());
}

fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut found: Vec<u32> =
        children.split_whitespace().flat_map(|child| descendants(child.parse().unwrap())).collect();
    found.push(pid);
    found
}

/// Connections of clients that the gateway has.
fn open(both: &Both) -> usize {
    let status = both.quay.wharf.wharfinger.cli(&["status"]).ok();
    let line = status.lines().find(|line| line.starts_with("gateway open")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Sockets that a process has.
fn connections(pid: u32) -> usize {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter(|to| to.to_string_lossy().starts_with("socket:"))
        .count()
}
