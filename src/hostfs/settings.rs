//! Settings of host paths: `[host_paths]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where the file system is that dockerd mounts from, and how long it may take to look at it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The directory that is dockerd's `/`, as this process sees it.
    pub root: PathBuf,
    /// The longest that all paths of one call may take together; then the call is denied.
    #[serde(with = "crate::config::duration")]
    pub deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { root: PathBuf::from("/"), deadline: Duration::from_millis(500) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        let read: Settings = toml::from_str("root = \"/host\"\ndeadline = \"2s\"").unwrap();
        assert_eq!(read, Settings { root: PathBuf::from("/host"), deadline: Duration::from_secs(2) });
        assert!(toml::from_str::<Settings>("roots = \"/\"").is_err());
    }
}
