//! Settings of the admin interface: `[admin]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Where the command line finds the running daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The socket; root and the daemon's own user may do everything there.
    pub socket: PathBuf,
    /// Whether other users of this host may ask there as well; the policy decides what.
    pub users: bool,
    /// Questions a second that one of them may ask for long; ten times as many at once.
    pub rate: u32,
    /// The same interface on a TCP address.
    pub tcp: Option<TcpSettings>,
}

/// `[admin.tcp]`: an address, and TLS unless it is loopback.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpSettings {
    /// Address and port.
    pub address: SocketAddr,
    /// The certificate with its chain, in PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub key: Option<PathBuf>,
}

/// The default socket.
pub const SOCKET: &str = "/run/wharfinger/admin.sock";

impl Default for Settings {
    fn default() -> Self {
        Self { socket: PathBuf::from(SOCKET), users: false, rate: 20, tcp: None }
    }
}
