//! The gateway's wiring: its socket, what stands behind it, and how it ends before what it needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::LAST_ANSWERS;
use super::socket::{self, Access, Inherited, SocketError};
use crate::gateway::{Behind, Counters, Gateway, Settings};
use crate::plugin::{Key, KeyError};

/// The gateway, where there is one.
pub(super) struct Users {
    socket: PathBuf,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Users {
    /// Begins to serve, where there is a gateway; `behind` says which daemon's socket it is, unless the settings do.
    pub(super) fn start(
        settings: Option<Settings>,
        behind: Behind,
        inherited: &mut Inherited,
    ) -> anyhow::Result<Option<Self>> {
        let Some(settings) = settings else { return Ok(None) };
        let daemon = settings.docker_socket.clone().unwrap_or(behind.daemon);
        let access = access(&settings, &daemon)?;
        let key = key(settings.key_file.as_deref())?;
        let listener = socket::listen(&settings.socket, access, inherited)?;
        let (socket, counters) = (settings.socket.clone(), Arc::new(Counters::default()));
        let gateway = Gateway::new(settings, Behind { daemon, key, ..behind }, Arc::clone(&counters));
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(crate::gateway::serve(listener, gateway, stopping));
        Ok(Some(Self { socket, counters, stop, running }))
    }

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

/// The key of that file, where one is named.
pub(super) fn key(file: Option<&Path>) -> Result<Option<Key>, KeyError> {
    file.map(Key::read).transpose()
}

/// Who may open the socket, which must not be the daemon's own.
pub(super) fn access(settings: &Settings, daemon: &Path) -> Result<Access, SocketError> {
    if same(daemon, &settings.socket) {
        return Err(SocketError::TheDaemons(daemon.to_owned()));
    }
    Access::of(settings.mode.0, settings.group.as_deref())
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}
