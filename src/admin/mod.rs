//! The admin interface: what the command line and other programs ask of the running daemon.

mod answers;
mod caller;
mod change;
mod directory;
mod elevate;
mod extract;
mod gate;
mod learn;
mod limit;
mod lists;
mod login;
mod openapi;
mod peer;
mod problem;
mod questions;
mod replay;
mod routes;
mod settings;
mod shape;
mod tcp;
mod tokens;
mod trail;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tracing::warn;

pub use self::answers::*;
pub use self::directory::Flushed;
pub use self::login::{Credentials, serve_logins};
pub use self::settings::{LOGIN_SOCKET, LoginSettings, LoginToken, SOCKET, Settings, TcpSettings};
pub use self::shape::{Schemas, Shape};
pub use self::tcp::{Stream, TcpError, TlsOrPlain, listen};
pub use self::trail::Asked;
use crate::audit::Trail;
use crate::directory::Directory;
use crate::identity::Identifier;
use crate::inventory::Inventory;
use crate::plugin::Counters;
use crate::policy::Store;
use crate::token::Tokens;

/// What a reload does: the new policy version, or what stayed as it was.
pub type ReloadAction = Arc<dyn Fn() -> Result<String, Vec<String>> + Send + Sync>;

/// What the admin interface can reach.
#[derive(Clone)]
pub struct Admin {
    /// Its settings.
    pub settings: Settings,
    /// The policy in force, and its versions.
    pub policy: Arc<Store>,
    /// The file of expectations that a change must not break.
    pub expectations: Option<PathBuf>,
    /// User to groups.
    pub directory: Arc<Directory>,
    /// Token to user.
    pub identifier: Identifier,
    /// Who created what.
    pub inventory: Arc<Inventory>,
    /// The trail, for writing.
    pub trail: Arc<Trail>,
    /// The trail's file, for reading.
    pub database: PathBuf,
    /// What the plugin has answered.
    pub counters: Arc<Counters>,
    /// What the gateway has taken in, where there is one.
    pub gateway: Option<Arc<crate::gateway::Counters>>,
    /// This host's own tokens.
    pub tokens: Arc<Tokens>,
    /// Reads policy and directory again.
    pub reload: ReloadAction,
    /// When the daemon started.
    pub started: Timestamp,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Ten random bytes.
    pub random: fn() -> [u8; 10],
    /// What it keeps for itself.
    pub state: State,
}

/// What the admin interface keeps for itself; clones are the same one.
#[derive(Clone, Debug)]
pub struct State {
    own_uid: Option<u32>,
    limit: Arc<limit::Limit>,
    /// Who holds it changes the policy; the others wait.
    changing: Arc<tokio::sync::Mutex<()>>,
    requests: Arc<elevate::Requests>,
}

impl State {
    /// For these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            own_uid: peer::own_uid(),
            limit: Arc::new(limit::Limit::new(settings.rate)),
            changing: Arc::default(),
            requests: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("database", &self.database).finish_non_exhaustive()
    }
}

/// Answers administrators until `stop` is set.
pub async fn serve(listener: UnixListener, admin: Admin, stop: watch::Receiver<bool>) {
    let service = routes::router(admin).into_make_service_with_connect_info::<peer::Peer>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped(stop)).await {
        warn!(%error, "the admin socket ended");
    }
}

/// The same on a TCP address.
pub async fn serve_tcp(listener: TlsOrPlain, admin: Admin, stop: watch::Receiver<bool>) {
    let service = routes::router(admin).into_make_service_with_connect_info::<peer::Peer>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped(stop)).await {
        warn!(%error, "the admin address ended");
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
