//! Settings of the plugin: `[plugin]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where dockerd finds the plugin, and how long it may be kept waiting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The socket that dockerd looks for; its file name is the plugin's name.
    pub socket: PathBuf,
    /// The longest that one question may take before it is answered with a denial.
    ///
    /// dockerd itself waits for ever.
    #[serde(with = "crate::config::duration")]
    pub deadline: Duration,
    /// The key of a gateway in another process, whose calls are then believed to be its users'; `None` believes none.
    pub gateway_key_file: Option<PathBuf>,
}

/// The name that `authorization-plugins` in `daemon.json` lists.
pub const NAME: &str = "wharfinger";

/// The socket that dockerd looks for under that name.
pub const SOCKET: &str = "/run/docker/plugins/wharfinger.sock";

impl Default for Settings {
    fn default() -> Self {
        Self { socket: PathBuf::from(SOCKET), deadline: Duration::from_secs(5), gateway_key_file: None }
    }
}
