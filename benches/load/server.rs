//! The server under measurement: started here, or found running.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::options::Options;
use super::report::Used;
use super::stats::cpu_micros;

/// Where to ask, and whose time it costs. A server that was started here ends with this.
pub(crate) struct Server {
    pub(crate) socket: PathBuf,
    pub(crate) pid: Option<u32>,
    started: Option<(Child, tempfile::TempDir)>,
}

impl Server {
    pub(crate) fn of(options: &Options) -> anyhow::Result<Self> {
        match (&options.socket, &options.serve) {
            (Some(socket), None) => Ok(Self { socket: socket.clone(), pid: options.pid, started: None }),
            (socket, Some(binary)) => Self::start(binary, options, socket.as_deref()),
            (None, None) => bail!("give `--socket` or `--serve`"),
        }
    }

    fn start(binary: &Path, options: &Options, socket: Option<&Path>) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("wf-load-").tempdir()?;
        let (config, socket) = match &options.config {
            Some(config) => {
                (config.clone(), socket.context("with `--config` give `--socket` too")?.to_owned())
            }
            None if socket.is_some() => bail!("`--serve` chooses its own socket; leave `--socket` out"),
            None => configure(dir.path(), &options.user)?,
        };
        let log = dir.path().join("log");
        let child = Command::new(binary)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("start `{}`", binary.display()))?;
        let mut server = Self { socket, pid: Some(child.id()), started: Some((child, dir)) };
        server.wait_until_it_answers(&log)?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self, log: &Path) -> anyhow::Result<()> {
        let start = Instant::now();
        while std::os::unix::net::UnixStream::connect(&self.socket).is_err() {
            let ended = self.started.as_mut().map(|(child, _)| child.try_wait()).transpose()?.flatten();
            if ended.is_some() || start.elapsed() > Duration::from_secs(30) {
                bail!("the server does not answer: {}", fs::read_to_string(log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.started {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A configuration that the program serves out of the box: the shipped policy, one user, a new trail.
fn configure(dir: &Path, user: &str) -> anyhow::Result<(PathBuf, PathBuf)> {
    let at = |name: &str| dir.join(name).display().to_string();
    fs::write(
        at("users.toml"),
        format!("[groups.docker-admins]\n[users.{user:?}]\ngroups = [\"docker-admins\"]\n"),
    )?;
    let config = format!(
        "[plugin]\nsocket = {plugin:?}\n[admin]\nsocket = {admin:?}\n[directory.file]\npath = {users:?}\n\
         [audit]\ndatabase = {trail:?}\n[inventory]\ndatabase = {inventory:?}\ndocker_socket = {docker:?}\n",
        plugin = at("plugin.sock"),
        admin = at("admin.sock"),
        users = at("users.toml"),
        trail = at("audit.db"),
        inventory = at("inventory.db"),
        docker = at("docker.sock"),
    );
    fs::write(at("wharfinger.toml"), config)?;
    Ok((dir.join("wharfinger.toml"), dir.join("plugin.sock")))
}

/// What the process has used until now; nothing when it is unknown or gone.
pub(crate) fn used(pid: Option<u32>) -> Used {
    let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", pid?)).ok();
    Used {
        cpu_micros: read("stat").and_then(|stat| cpu_micros(&stat)),
        rss_kib: read("status").and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        }),
    }
}
