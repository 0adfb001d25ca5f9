//! Settings of the gateway: `[gateway]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The socket for users, and what stands behind it. The section is there, or there is no gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The socket that users connect to.
    pub socket: PathBuf,
    /// Its file mode, as `chmod` takes it: who may connect at all. What they may do is the policy's.
    pub mode: String,
    /// The group that the socket's file belongs to; `None` leaves the daemon's own.
    pub group: Option<String>,
    /// The daemon's raw socket, which only root should be able to open.
    pub docker_socket: PathBuf,
    /// Whether the gateway asks for the decision itself, for a daemon that has no authorization plugins (Podman).
    pub decide: bool,
    /// The longest that the host may take to say what a uid is called.
    #[serde(with = "crate::config::duration")]
    pub name_deadline: Duration,
    /// How long a name is remembered.
    #[serde(with = "crate::config::duration")]
    pub name_ttl: Duration,
    /// The longest that a client may take to send a request's head, and the longest that a connection stays open idle.
    #[serde(with = "crate::config::duration")]
    pub idle: Duration,
    /// Connections of clients at one time; more wait.
    pub connections: usize,
}

/// Where users connect unless they are told otherwise.
pub const SOCKET: &str = "/run/wharfinger/docker.sock";

/// Where dockerd listens unless it is told otherwise.
pub const DOCKER_SOCKET: &str = "/run/docker.sock";

impl Default for Settings {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(SOCKET),
            mode: "0666".to_owned(),
            group: None,
            docker_socket: PathBuf::from(DOCKER_SOCKET),
            decide: false,
            name_deadline: Duration::from_secs(2),
            name_ttl: Duration::from_mins(1),
            idle: Duration::from_mins(10),
            connections: 4096,
        }
    }
}
