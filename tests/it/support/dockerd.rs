//! A real dockerd of the test's own, through `packaging/lib/engine`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::docker::Docker;
use super::process::{bounded, wait_for};

/// The name of the plugin in the private engine; nobody else's `/run/docker/plugins` is involved.
pub(crate) const PLUGIN: &str = "wharfinger";

const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/lib/engine");

/// The directory of a test, with certificates for its people; the engine starts later, after its plugin.
pub(crate) struct Ground {
    dir: tempfile::TempDir,
}

impl Ground {
    /// A directory with a certificate authority and a client certificate for each of `people`.
    pub(crate) fn new(people: &[&str]) -> Self {
        Self::at(&std::env::temp_dir(), people)
    }

    /// The same in memory, where that is to be had: for tests that make and remove thousands of containers.
    pub(crate) fn in_memory(people: &[&str]) -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::at(memory, people) } else { Self::new(people) }
    }

    fn at(parent: &Path, people: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("wf-").tempdir_in(parent).unwrap();
        fs::create_dir(dir.path().join("plugins")).unwrap();
        let made = bounded(ENGINE).arg("certs").arg(dir.path()).args(people).output().unwrap();
        assert!(made.status.success(), "certificates: {made:?}");
        Self { dir }
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the engine looks for its authorization plugin.
    pub(crate) fn plugin_socket(&self) -> PathBuf {
        self.path().join("plugins").join(format!("{PLUGIN}.sock"))
    }
}

/// A running dockerd. It ends, with all it runs, when this is dropped or the test process ends.
pub(crate) struct Dockerd {
    process: Child,
    dir: PathBuf,
    port: u16,
}

impl Dockerd {
    /// Starts an engine on `ground` that asks the plugin listening there about every call.
    pub(crate) fn start(ground: &Ground) -> Self {
        Self::start_asking(ground, PLUGIN)
    }

    /// Starts an engine that asks `plugin`; nobody if that is empty.
    pub(crate) fn start_asking(ground: &Ground, plugin: &str) -> Self {
        let dir = ground.path().to_owned();
        let mut process = Command::new(ENGINE)
            .arg("run")
            .arg(&dir)
            .env("ENGINE_PLUGIN", plugin)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = dir.join("dockerd.log");
        let port = wait_for(
            "dockerd to answer",
            || {
                assert!(process.try_wait().unwrap().is_none(), "dockerd ended: {}", tail(&log));
                fs::read_to_string(dir.join("port")).ok()?.parse().ok()
            },
            || tail(&log),
        );
        Self { process, dir, port }
    }

    /// The docker command line of `person`, over TLS with the person's certificate.
    pub(crate) fn docker(&self, person: &str) -> Docker {
        Docker::over_tls(self.port, &self.dir.join("certs").join(person))
    }

    /// The docker command line on the raw Unix socket, without any identity.
    pub(crate) fn docker_without_identity(&self) -> Docker {
        Docker::on_socket(&self.raw_socket())
    }

    /// The raw Unix socket itself.
    pub(crate) fn raw_socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// The process that answers calls, as the host numbers it.
    pub(crate) fn pid(&self) -> u32 {
        let config = self.dir.join("daemon.json").display().to_string();
        let processes = fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
        let is_dockerd = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).collect();
            words.first().is_some_and(|first| first.ends_with(b"dockerd"))
                && words.contains(&config.as_bytes())
        };
        pids.into_iter().find(is_dockerd).unwrap()
    }

    /// Imports the image `busybox:latest` as `person`.
    pub(crate) fn import_busybox(&self, person: &str) {
        let made = bounded(ENGINE).arg("image").arg(&self.dir).output().unwrap();
        assert!(made.status.success(), "image: {made:?}");
        let tar = self.dir.join("busybox.tar");
        self.docker(person).run(&["import", &tar.to_string_lossy(), "busybox:latest"]).ok();
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// The last lines of a log, for the message of a failed test.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
