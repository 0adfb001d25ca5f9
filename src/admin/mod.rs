//! The admin socket: what the command line asks of the running daemon.

mod peer;
mod problem;
mod routes;
mod settings;

use std::sync::Arc;

use tokio::net::UnixListener;
use tokio::sync::watch;
use tracing::warn;

pub use self::routes::Status;
pub use self::settings::{SOCKET, Settings};
use crate::directory::Directory;
use crate::plugin::Counters;
use crate::policy::Store;

/// What a reload does: the new policy version, or what stayed as it was.
pub type ReloadAction = Arc<dyn Fn() -> Result<String, Vec<String>> + Send + Sync>;

/// What the admin interface can reach.
#[derive(Clone)]
pub struct Admin {
    policy: Arc<Store>,
    #[expect(dead_code, reason = "x")]
    directory: Arc<Directory>,
    audit: crate::audit::Settings,
    counters: Arc<Counters>,
    reload: ReloadAction,
}
