//! Settings of the admin interface: `[admin]`.

use std::path::PathBuf;

use serde::Deserialize;

/// Where the command line finds the running daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The socket; only root and the daemon's own user may talk to it.
    pub socket: PathBuf,
}

/// The default socket.
pub const SOCKET: &str = "/run/wharfinger/admin.sock";

impl Default for Settings {
    fn default() -> Self {
        Self { socket: PathBuf::from(SOCKET) }
    }
}
