//! Settings of the gateway: `[gateway]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The socket for users, and what stands behind it. The section is there, or there is no gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The socket that users connect to.
    pub socket: PathBuf,
    /// Its file mode: who may connect at all. What they may do is the policy's.
    pub mode: Mode,
    /// The group that the socket's file belongs to; `None` leaves the daemon's own.
    pub group: Option<String>,
    /// The daemon's raw socket, which only root should be able to open; `None` is the one of `[inventory]`.
    pub docker_socket: Option<PathBuf>,
    /// Whether the gateway asks for the decision itself, for a daemon that has no authorization plugins (Podman).
    pub decide: bool,
    /// The key that a plugin in another process has as well. The gateway then decides first, and signs what it sends
    /// on, for the plugin to decide again; `None` means the plugin of this process.
    pub key_file: Option<PathBuf>,
    /// The longest that the host may take to say what a uid is called.
    #[serde(with = "crate::config::duration")]
    pub name_deadline: Duration,
    /// How long a name is remembered.
    #[serde(with = "crate::config::duration")]
    pub name_ttl: Duration,
    /// The longest that a connection may wait for a request, its head, and its body where that is read whole.
    #[serde(with = "crate::config::duration")]
    pub idle: Duration,
    /// Connections of clients at one time; more wait.
    pub connections: usize,
    /// Connections of one user at one time; more are closed at once.
    pub connections_per_user: usize,
}

/// Where users connect unless they are told otherwise.
pub const SOCKET: &str = "/run/wharfinger/docker.sock";

/// A file mode, written as `chmod` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octal = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| octal && *mode <= 0o777);
        mode.map(Self).ok_or_else(|| {
            let shown = text.escape_debug();
            D::Error::custom(format!(
                "`{shown}` is not a file mode: write it as `chmod` takes it, such as `0660`"
            ))
        })
    }
}

impl Settings {
    /// Whether this process decides before it sends a call on, and so has no plugin of its own.
    pub const fn decides(&self) -> bool {
        self.decide || self.key_file.is_some()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(SOCKET),
            mode: Mode(0o666),
            group: None,
            docker_socket: None,
            decide: false,
            key_file: None,
            name_deadline: Duration::from_secs(2),
            name_ttl: Duration::from_mins(1),
            idle: Duration::from_mins(5),
            connections: 4096,
            connections_per_user: 2048,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_written_as_chmod_takes_it() {
        let mode =
            |text: &str| toml::from_str::<Settings>(&format!("mode = \"{text}\"")).map(|read| read.mode);
        assert_eq!(mode("0660").unwrap(), Mode(0o660));
        assert_eq!(mode("600").unwrap(), Mode(0o600));
        for bad in ["", "0888", "rw", "+660", "1777", "00660"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
