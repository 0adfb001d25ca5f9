//! Settings of the inventory: `[inventory]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where ownership is kept, and how the daemon is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The file that remembers who created what; `None` is [`FILE`] beside the trail.
    pub database: Option<PathBuf>,
    /// The daemon's own socket, on which names are looked up.
    pub docker_socket: PathBuf,
    /// The longest that all look-ups for one call may take together.
    #[serde(with = "crate::config::duration")]
    pub deadline: Duration,
}

/// The file's name, unless the settings say otherwise.
pub const FILE: &str = "inventory.db";

/// Where dockerd listens unless it is told otherwise.
pub const DOCKER_SOCKET: &str = "/run/docker.sock";

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: None,
            docker_socket: PathBuf::from(DOCKER_SOCKET),
            deadline: Duration::from_millis(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        let read: Settings = toml::from_str("docker_socket = \"/s\"\ndeadline = \"2s\"").unwrap();
        let expected = Settings {
            docker_socket: PathBuf::from("/s"),
            deadline: Duration::from_secs(2),
            ..Settings::default()
        };
        assert_eq!(read, expected);
        assert!(toml::from_str::<Settings>("socket = \"/s\"").is_err());
    }
}
