//! Settings of the plugin: `[plugin]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::engine::ApiVersion;

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
    /// Calls of an older API version are refused.
    #[serde(deserialize_with = "api_version")]
    pub minimum_api_version: ApiVersion,
    /// The key of a gateway in another process, whose calls are then believed to be its users'; `None` believes none.
    pub gateway_key_file: Option<PathBuf>,
}

fn api_version<'de, D: Deserializer<'de>>(from: D) -> Result<ApiVersion, D::Error> {
    let text = String::deserialize(from)?;
    let version = ApiVersion::parse(&text)
        .ok_or_else(|| D::Error::custom(format!("`{text}` is not an API version: write one like `1.41`")))?;
    if version < ApiVersion::OLDEST {
        let oldest = ApiVersion::OLDEST;
        return Err(D::Error::custom(format!(
            "API version {version} is older than {oldest}, the oldest that is understood: write `{oldest}` or newer"
        )));
    }
    Ok(version)
}

/// The name that `authorization-plugins` in `daemon.json` lists.
pub const NAME: &str = "wharfinger";

/// The socket that dockerd looks for under that name.
pub const SOCKET: &str = "/run/docker/plugins/wharfinger.sock";

impl Default for Settings {
    fn default() -> Self {
        Self {
            socket: PathBuf::from(SOCKET),
            deadline: Duration::from_secs(5),
            minimum_api_version: ApiVersion::OLDEST,
            gateway_key_file: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: &str) -> Result<ApiVersion, String> {
        let settings = toml::from_str::<Settings>(&format!("minimum_api_version = {version:?}"));
        settings.map(|settings| settings.minimum_api_version).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_minimum_api_version_is_one_that_is_understood() {
        assert_eq!(Settings::default().minimum_api_version.to_string(), "1.24");
        assert_eq!(read("1.44").map(|version| version.to_string()), Ok("1.44".to_owned()));
        assert_eq!(
            read("1.23"),
            Err("API version 1.23 is older than 1.24, the oldest that is understood: write `1.24` or newer"
                .to_owned())
        );
        for text in ["", "1", "v1.44", "1.+44", "1.44.0", "1."] {
            assert_eq!(read(text), Err(format!("`{text}` is not an API version: write one like `1.41`")));
        }
    }
}
