//! The gateway's wiring: its socket, what stands behind it, and how it ends before what it needs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::LAST_ANSWERS;
use super::socket::{self, Access, Inherited};
use crate::gateway::{Behind, Counters, Gateway, Settings};

/// The gateway, where there is one.
pub(super) struct Users {
    socket: PathBuf,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

/// A gateway that listens and does not serve yet.
pub(super) struct Door {
    settings: Settings,
    listener: UnixListener,
    daemon: PathBuf,
}

impl Door {
    /// Listens as the settings say; `raw` is the daemon's socket unless they name another.
    pub(super) fn open(settings: Settings, raw: PathBuf, inherited: &mut Inherited) -> anyhow::Result<Self> {
        let daemon = settings.docker_socket.clone().unwrap_or(raw);
        let same = |a: &PathBuf, b: &PathBuf| {
            a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
        };
        if same(&daemon, &settings.socket) {
            bail!(
                "`gateway.socket` and the daemon's own socket are both `{}`: move dockerd to another, \
                 and name it in `inventory.docker_socket`",
                daemon.display()
            );
        }
        let access = Access::of(settings.mode.0, settings.group.as_deref()).context("gateway")?;
        let listener = socket::listen(&settings.socket, access, inherited)?;
        Ok(Self { settings, listener, daemon })
    }

    /// The daemon's own socket.
    pub(super) fn daemon(&self) -> PathBuf {
        self.daemon.clone()
    }

    /// Begins to serve.
    pub(super) fn serve(self, behind: Behind) -> Users {
        let (socket, counters) = (self.settings.socket.clone(), Arc::new(Counters::default()));
        let gateway = Gateway::new(self.settings, behind, Arc::clone(&counters));
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(crate::gateway::serve(self.listener, gateway, stopping));
        Users { socket, counters, stop, running }
    }
}

impl Users {
    /// What it has taken in.
    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Ends it: calls under way are finished first, for which the plugin must still be there.
    pub(super) async fn end(self) {
        // Nobody listens any more only if it has ended already.
        self.stop.send(true).ok();
        drop(tokio::time::timeout(LAST_ANSWERS, self.running).await);
        socket::remove(&self.socket);
    }
}
