//! A daemon that is gone in the middle of a stream: clients are told as they would be without the gateway.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use super::both::Both;
use super::mask::{Looseness, masked};
use crate::support::docker::Docker;
use crate::support::dockerd::Dockerd;

/// What is under way, and says so with a first line.
const UNDER_WAY: &[&str] = &[
    "docker events --since 1",
    "docker logs --follow talker",
    "docker attach --no-stdin talker",
    // It asks for the exit code then, and the gateway does answer where the daemon does not: only that it fails is the same.
    "docker exec talker sh -c 'echo inside; exec sleep 600' 2>/dev/null || exit 99",
    "docker run --rm --network none busybox sh -c 'echo running; exec sleep 600'",
];

/// A command whose first line has been read.
struct Begun {
    process: Child,
    out: BufReader<ChildStdout>,
}

#[test]
fn a_daemon_that_is_gone_in_mid_stream_is_told_as_without_the_gateway() {
    let both = Both::open();
    let talks = "while :; do echo talk; sleep 0.1; done";
    let talker = ["run", "-d", "--name", "talker", "--network", "none", "busybox", "sh", "-c", talks];
    both.directly().run(&talker).ok();
    let through = both.through();
    let sockets = both.sockets();
    let begin_all =
        |docker: &Docker| UNDER_WAY.iter().map(|command| begin(docker, command)).collect::<Vec<_>>();
    let under_way = both.ways().map(|(_, docker)| begin_all(&docker));

    let wharf = both.quay.wharf;
    drop(wharf.dockerd);

    let [direct, gateway] = under_way.map(|begun| {
        let mut ends = begun.into_iter().map(Begun::end).collect::<Vec<_>>();
        for (_, told) in &mut ends {
            for socket in &sockets {
                *told = told.replace(&socket.display().to_string(), "<socket>");
            }
        }
        ends
    });
    for ((command, direct), gateway) in UNDER_WAY.iter().zip(direct).zip(gateway) {
        assert_eq!(direct, gateway, "{command}");
    }
    let refused = through.run(&["ps"]).refused();
    assert!(refused.contains("the Docker daemon behind the gateway does not answer"), "{refused}");

    let _dockerd = Dockerd::start(&wharf.ground);
    through.run(&["ps"]).ok();
}

fn begin(docker: &Docker, command: &str) -> Begun {
    let mut shell = docker.command("sh");
    shell.args(["-c", command]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = shell.spawn().unwrap();
    let mut out = BufReader::new(process.stdout.take().unwrap());
    let mut first = String::new();
    assert_ne!(out.read_line(&mut first).unwrap(), 0, "{command}: {}", told(&mut process));
    Begun { process, out }
}

impl Begun {
    /// How it ends, and what it says about it.
    fn end(mut self) -> (Option<i32>, String) {
        std::io::copy(&mut self.out, &mut std::io::sink()).unwrap();
        let told = told(&mut self.process);
        (self.process.wait().unwrap().code(), told)
    }
}

fn told(process: &mut Child) -> String {
    let mut told = String::new();
    process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    // Some ask again then. Where the daemon is gone nobody answers, while the gateway does: the first line is the stream's.
    masked(told.lines().next().unwrap_or_default(), Looseness::Identities)
}
