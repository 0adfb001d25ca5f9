//! The admin socket: what the command line asks of the running daemon.

mod act;
mod directory;
mod login;
mod peer;
mod problem;
mod routes;
mod settings;
mod tokens;
mod trail;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tracing::warn;

pub use self::directory::Flushed;
pub use self::login::{Credentials, serve_logins};
pub use self::routes::{GatewayStatus, InventoryStatus, Status};
pub use self::settings::{LOGIN_SOCKET, LoginSettings, LoginToken, SOCKET, Settings};
pub use self::trail::Asked;
use crate::audit::Trail;
use crate::directory::Directory;
use crate::inventory::Inventory;
use crate::plugin::Counters;
use crate::policy::Store;
use crate::token::Tokens;

/// What a reload does: the new policy version, or what stayed as it was.
pub type ReloadAction = Arc<dyn Fn() -> Result<String, Vec<String>> + Send + Sync>;

/// What the admin interface can reach.
#[derive(Clone)]
pub struct Admin {
    /// The policy in force.
    pub policy: Arc<Store>,
    /// The trail, for how it is doing.
    pub trail: Arc<Trail>,
    /// The trail's file, for reading.
    pub database: PathBuf,
    /// Users and groups, and who checks passwords.
    pub directory: Arc<Directory>,
    /// What the plugin has answered.
    pub counters: Arc<Counters>,
    /// What the gateway has taken in, where there is one.
    pub gateway: Option<Arc<crate::gateway::Counters>>,
    /// Who created what.
    pub inventory: Arc<Inventory>,
    /// Reads policy and directory again.
    pub reload: ReloadAction,
    /// When the daemon started.
    pub started: Timestamp,
    /// This host's own tokens.
    pub tokens: Arc<Tokens>,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Ten random bytes.
    pub random: fn() -> [u8; 10],
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("database", &self.database).finish_non_exhaustive()
    }
}

/// Answers administrators until `stop` is set.
pub async fn serve(listener: UnixListener, admin: Admin, mut stop: watch::Receiver<bool>) {
    let router = routes::router(admin, peer::own_uid());
    let service = router.into_make_service_with_connect_info::<peer::Peer>();
    let stopped = async move {
        drop(stop.wait_for(|stop| *stop).await);
    };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        warn!(%error, "the admin socket ended");
    }
}
