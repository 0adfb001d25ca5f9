//! The program under test: its daemon with a private configuration, and its command line.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::docker::Docker;
use super::dockerd::{Dockerd, Ground, tail};
use super::process::{Said, bounded, wait_for};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wharfinger");

/// Who is what, in the groups that the shipped policy gives roles to.
const USERS: &str = r#"
[users.alice]
groups = ["docker-developers"]
[users.erin]
groups = ["docker-developers"]
[users.bob]
groups = ["docker-testers"]
[users.carol]
groups = ["docker-admins"]
[users.olga]
groups = ["docker-operators"]
[users.dave]
[groups.docker-developers]
[groups.docker-testers]
[groups.docker-operators]
[groups.docker-admins]
"#;

/// `[directory]` with the people of the tests in a file.
fn file_of_users(dir: &Path) -> String {
    let path = dir.join("users.toml");
    fs::write(&path, USERS).unwrap();
    format!("[directory.file]\npath = {:?}\n", path.display().to_string())
}

/// The daemon. It ends when this is dropped.
pub(crate) struct Wharfinger {
    dir: PathBuf,
    process: Option<Child>,
}

impl Wharfinger {
    /// Starts the daemon as the plugin of `ground`, with the shipped policy and a file of users.
    pub(crate) fn start(ground: &Ground) -> Self {
        Self::start_with(ground, "")
    }

    /// The same, with these sections in the configuration, in place of the default ones.
    pub(crate) fn start_with(ground: &Ground, sections: &str) -> Self {
        Self::start_in(ground.path(), &ground.plugin_socket(), "", sections)
    }

    /// The same, with its files in `dir`, and with further keys of `[plugin]`.
    pub(crate) fn start_in(dir: &Path, plugin: &Path, keys: &str, sections: &str) -> Self {
        let dir = dir.to_owned();
        let mut sections = sections.to_owned();
        // The default of each section that the test is not about; names are looked up on the private engine.
        if !sections.contains("[directory.") {
            sections += &file_of_users(&dir);
        }
        if !sections.contains("[inventory]") {
            let docker = dir.join("docker.sock");
            writeln!(sections, "[inventory]\ndocker_socket = '{}'\ndeadline = '10s'", docker.display())
                .unwrap();
        }
        if !sections.contains("[admin]") {
            writeln!(sections, "[admin]\nsocket = {:?}", dir.join("admin.sock")).unwrap();
        }
        if !sections.contains("[login]") {
            writeln!(sections, "[login]\nsocket = '{}'", dir.join("login.sock").display()).unwrap();
        }
        // Deadlines that a busy machine keeps.
        let config = format!(
            "[plugin]\nsocket = {plugin:?}\ndeadline = '50s'\n{keys}\
             [audit]\ndatabase = {trail:?}\ndeadline = '40s'\n{sections}",
            trail = dir.join("audit.db"),
        );
        fs::write(dir.join("wharfinger.toml"), config).unwrap();
        let mut wharfinger = Self { dir, process: None };
        wharfinger.start_again();
        wharfinger
    }

    /// Starts the daemon after it was ended.
    pub(crate) fn start_again(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let mut process = self.command("serve").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        wait_for(
            "wharfinger to answer",
            || {
                assert!(process.try_wait().unwrap().is_none(), "wharfinger ended: {}", tail(&self.log()));
                (self.cli(&["status"]).code == 0).then_some(())
            },
            || tail(&self.log()),
        );
        self.process = Some(process);
    }

    /// Ends the daemon as a power cut would: it gets no chance to write anything.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// The daemon's process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Runs a command of the program with this daemon's configuration.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Said {
        bounded(PROGRAM).args(arguments).arg("--config").arg(self.config()).output().unwrap().into()
    }

    /// Everything in the trail, oldest first.
    pub(crate) fn trail(&self) -> Vec<Value> {
        let lines = self.cli(&["audit", "export", "--format", "jsonl"]).ok();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The decisions in the trail about calls of `user`, pings aside: operation and decision.
    pub(crate) fn decisions_of(&self, user: Option<&str>) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.trail()
            .iter()
            .filter(|record| record["phase"] == "decision" && record["actor"]["user"].as_str() == user)
            .map(|record| (text(&record["operation"]), text(&record["decision"])))
            .filter(|(operation, _)| operation != "system.ping")
            .collect()
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("wharfinger.toml")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("wharfinger.log")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg(name).arg("--config").arg(self.config()).stdin(Stdio::null());
        command
    }
}

impl Drop for Wharfinger {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// A whole wharf: the program, an engine that asks it, an image to run. Alice and erin are developers, bob is a
/// tester, carol an admin, olga an operator; dave has no role, and mallory is not in the directory.
pub(crate) struct Wharf {
    // In this order: the engine ends before the plugin that it asks, and the directory goes last.
    pub(crate) dockerd: Dockerd,
    pub(crate) wharfinger: Wharfinger,
    pub(crate) ground: Ground,
}

impl Wharf {
    /// With the shipped policy.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// With these sections in the configuration; they may name files in the directory that they are told.
    pub(crate) fn start_with(sections: impl FnOnce(&Path) -> String) -> Self {
        let ground = Ground::new(&["alice", "bob", "carol", "olga", "dave", "erin", "mallory"]);
        let wharfinger = Wharfinger::start_with(&ground, &sections(ground.path()));
        let dockerd = Dockerd::start(&ground);
        dockerd.import_busybox("carol");
        Self { dockerd, wharfinger, ground }
    }

    /// `docker ARGUMENTS` as `person`.
    pub(crate) fn docker(&self, person: &str, arguments: &[&str]) -> Said {
        self.as_(person).run(arguments)
    }

    /// The docker command line of `person`.
    pub(crate) fn as_(&self, person: &str) -> Docker {
        self.dockerd.docker(person)
    }
}
