//! A ground on which the raw socket and the gateway give the same rights, so that their answers can be compared.

use std::fs;
use std::path::{Path, PathBuf};

use super::mask::{Looseness, masked};
use crate::support::docker::Docker;
use crate::support::gateway::Quay;

const COMMANDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/gateway/commands");

/// The shipped policy, and whoever comes by the raw socket is an admin, as root is at the gateway.
const POLICY: &str = concat!(
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/rbac/policy.csv")),
    "\ng, anonymous, role:admin\n"
);

/// A quay with a raw socket for everybody.
pub(super) struct Both {
    pub(super) quay: Quay,
    dir: tempfile::TempDir,
}

/// A line of a table, and what may be different about it.
struct Line {
    text: String,
    fails: bool,
    looseness: Looseness,
}

/// What a line came to.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    code: i32,
    out: String,
    err: String,
}

impl Both {
    pub(super) fn open() -> Self {
        Self::open_with("")
    }

    /// With these further keys of `[gateway]`.
    pub(super) fn open_with(keys: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("wf-both-").tempdir().unwrap();
        let policy = dir.path().join("policy.csv");
        fs::write(&policy, POLICY).unwrap();
        let quay = Quay::open_with(&format!("{keys}[policy]\nseed = '{}'\n", policy.display()));
        Self { quay, dir }
    }

    /// The docker command line on the raw socket.
    pub(super) fn directly(&self) -> Docker {
        self.quay.wharf.dockerd.docker_without_identity()
    }

    /// The docker command line of an admin at the gateway.
    pub(super) fn through(&self) -> Docker {
        self.quay.as_("root")
    }

    /// Both, each with its name.
    pub(super) fn ways(&self) -> [(&'static str, Docker); 2] {
        [("directly", self.directly()), ("through the gateway", self.through())]
    }

    /// The daemon's raw socket and the gateway's.
    pub(super) fn sockets(&self) -> [PathBuf; 2] {
        [self.quay.wharf.dockerd.raw_socket(), self.quay.socket()]
    }

    /// A directory of the test's own.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a table directly, and then again through the gateway, and holds what came of each line to be the same.
    pub(super) fn hold(&self, table: &str) {
        let lines = read(table);
        let [direct, through] = self.ways().map(|(_, docker)| self.come(&lines, &docker));
        let mut broken = Vec::new();
        for ((line, direct), through) in lines.iter().zip(&direct).zip(&through) {
            if (direct.code != 0) != line.fails || direct.code == 124 {
                broken.push(format!("{}\n  is not what it is in the table for: {direct:#?}", line.text));
            }
            if direct != through {
                broken.push(format!("{}\n  directly {direct:#?}\n  through {through:#?}", line.text));
            }
        }
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    fn come(&self, lines: &[Line], docker: &Docker) -> Vec<Came> {
        let place = self.dir().join("place");
        fs::create_dir(&place).unwrap();
        let came = lines.iter().map(|line| self.one(line, docker, &place)).collect();
        fs::remove_dir_all(&place).unwrap();
        let containers = docker.run(&["ps", "--all", "--quiet", "--no-trunc"]).ok();
        let volumes = docker.run(&["volume", "ls", "--quiet"]).ok();
        assert_eq!(containers + volumes.as_str(), "", "a table takes away what it made");
        came
    }

    fn one(&self, line: &Line, docker: &Docker, place: &Path) -> Came {
        let output = docker
            .command("sh")
            .args(["-c", &format!(". {COMMANDS}/shell.sh\n{}", line.text)])
            .current_dir(place)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| {
            let mut text = String::from_utf8_lossy(bytes).into_owned();
            for socket in self.sockets() {
                text = text.replace(&socket.display().to_string(), "<socket>");
            }
            masked(&text, line.looseness)
        };
        Came {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// The lines of the table of that name.
fn read(table: &str) -> Vec<Line> {
    let text = fs::read_to_string(format!("{COMMANDS}/{table}.txt")).unwrap();
    let mut exports = String::new();
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with("export ") {
            exports = format!("{exports}{line}\n");
            continue;
        }
        let (fails, rest) = line.strip_prefix("! ").map_or((false, line), |rest| (true, rest));
        let (looseness, rest) =
            rest.strip_prefix("~ ").map_or((Looseness::Identities, rest), |rest| (Looseness::Numbers, rest));
        lines.push(Line { text: format!("{exports}{rest}"), fails, looseness });
    }
    lines
}

/// The text of all tables.
pub(super) fn tables() -> String {
    let files = fs::read_dir(COMMANDS).unwrap().map(|file| file.unwrap().path());
    let tables = files.filter(|file| file.extension().is_some_and(|extension| extension == "txt"));
    tables.map(|table| fs::read_to_string(table).unwrap()).collect()
}
