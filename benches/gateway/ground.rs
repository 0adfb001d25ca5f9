//! A private engine with the program as its plugin and in front of it as its gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/lib/engine");

/// Both sockets, and one container that sleeps. All of it ends when this is dropped.
pub(crate) struct Ground {
    engine: Option<Child>,
    wharfinger: Child,
    dir: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn make(program: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("wf-bench-").tempdir()?;
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::create_dir(at("plugins"))?;
        run(Command::new(ENGINE).arg("certs").arg(dir.path()).arg("carol"))?;
        run(Command::new(ENGINE).arg("image").arg(dir.path()))?;
        // The raw socket names nobody: for once everybody may do everything, so that both sockets do the same.
        fs::write(at("policy.csv"), "p, role:all, *, *, allow\ng, everyone, role:all\n")?;
        let config = format!(
            // Deadlines that a busy machine keeps.
            "[plugin]\nsocket = '{}'\ndeadline = '50s'\n[admin]\nsocket = '{}'\n\
             [audit]\ndatabase = '{}'\ndeadline = '40s'\n[policy]\nfile = '{}'\n\
             [inventory]\ndocker_socket = '{}'\n[gateway]\nsocket = '{}'\n",
            at("plugins/wharfinger.sock"),
            at("admin.sock"),
            at("audit.db"),
            at("policy.csv"),
            at("docker.sock"),
            at("users.sock"),
        );
        fs::write(at("wharfinger.toml"), config)?;
        let wharfinger = Command::new(program)
            .args(["serve", "--config"])
            .arg(at("wharfinger.toml"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(at("wharfinger.log"))?)
            .spawn()
            .with_context(|| format!("start `{}`", program.display()))?;
        let mut ground = Self { engine: None, wharfinger, dir };
        ground.wait_for("users.sock", "wharfinger.log")?;
        let mut engine = Command::new(ENGINE);
        engine.arg("run").arg(ground.dir.path()).env("ENGINE_PLUGIN", "wharfinger");
        ground.engine =
            Some(engine.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("start an engine")?);
        ground.wait_for("port", "dockerd.log")?;
        ground.import()?;
        Ok(ground)
    }

    /// The engine's own socket.
    pub(crate) fn raw(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// The gateway's.
    pub(crate) fn gateway(&self) -> PathBuf {
        self.dir.path().join("users.sock")
    }

    /// Resident memory of the program, in KiB.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.wharfinger.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    fn import(&self) -> anyhow::Result<()> {
        let tar = self.dir.path().join("busybox.tar");
        let host = format!("unix://{}", self.raw().display());
        run(Command::new("docker").args(["--host", &host, "import"]).arg(tar).arg("busybox:latest"))?;
        run(Command::new("docker")
            .args(["--host", &host, "run", "-d", "--name", "idle", "busybox", "sleep", "3600"]))
    }

    fn wait_for(&mut self, file: &str, log: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        while !self.dir.path().join(file).exists() {
            if self.wharfinger.try_wait()?.is_some() || start.elapsed() > Duration::from_mins(2) {
                bail!("no `{file}`: {}", fs::read_to_string(self.dir.path().join(log)).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            drop(engine.stdin.take());
            drop(engine.wait());
        }
        drop(self.wharfinger.kill());
        drop(self.wharfinger.wait());
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
