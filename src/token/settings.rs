//! Settings of this host's own tokens: `[token]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where tokens are kept and how long they may live.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The database with keys and tokens; none means `tokens.db` beside the trail.
    pub database: Option<PathBuf>,
    /// The longest that a token may live.
    #[serde(with = "crate::config::duration")]
    pub max_ttl: Duration,
    /// How long a token lives that is given for a password.
    #[serde(with = "crate::config::duration")]
    pub login_ttl: Duration,
    /// How long a key signs; a new one takes over with the first token after that.
    #[serde(with = "crate::config::duration")]
    pub key_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: None,
            max_ttl: Duration::from_hours(90 * 24),
            login_ttl: Duration::from_hours(8),
            key_lifetime: Duration::from_hours(30 * 24),
        }
    }
}
