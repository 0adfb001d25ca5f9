//! The config file: strict TOML to each module's own settings.

pub mod duration;
mod hint;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::policy::PolicySource;

/// Where the config is looked for.
pub const PATH: &str = "/etc/wharfinger/wharfinger.toml";

/// The whole file; each section is the settings of the module that it is named after.
///
/// Every section and key may be left out; what is unknown is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The socket that dockerd calls.
    pub plugin: crate::plugin::Settings,
    /// The socket of the users; no section, no gateway.
    pub gateway: Option<crate::gateway::Settings>,
    /// The socket of the administrators.
    pub admin: crate::admin::Settings,
    /// How people come to a token.
    pub login: crate::admin::LoginSettings,
    /// Who asks.
    pub identity: crate::identity::Settings,
    /// This host's own tokens.
    pub token: crate::token::Settings,
    /// Groups.
    pub directory: crate::directory::Settings,
    /// What host paths lead to.
    pub host_paths: crate::hostfs::Settings,
    /// Who created what.
    pub inventory: crate::inventory::Settings,
    /// Roles and grants.
    pub policy: PolicyConfig,
    /// The trail.
    pub audit: AuditConfig,
}

/// `[policy]`: a database that begins with the shipped policy, or a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// The database of the policy's versions; left out, `policy.db` beside the trail.
    pub database: Option<PathBuf>,
    /// A policy in Casbin's CSV form for the first start, in place of the shipped one.
    pub seed: Option<PathBuf>,
    /// A policy in Casbin's CSV form that is the truth: changes are made in it, and not by command.
    pub file: Option<PathBuf>,
    /// The model that the policy is written for; it has to mean what the shipped one means.
    pub model: Option<PathBuf>,
}

/// `[audit]`: where the trail is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The trail's file.
    pub database: PathBuf,
    /// How long a call waits for its record before it is denied.
    #[serde(with = "duration")]
    pub deadline: Duration,
}

/// Where the trail is unless the config says otherwise.
pub const DATABASE: &str = "/var/lib/wharfinger/audit.db";

impl Default for AuditConfig {
    fn default() -> Self {
        Self { database: PathBuf::from(DATABASE), deadline: crate::audit::Settings::DEADLINE }
    }
}

impl PolicyConfig {
    /// The source that these settings name.
    pub fn source(&self) -> Result<PolicySource, ConfigError> {
        match (&self.file, &self.model) {
            (Some(_), _) if self.seed.is_some() => Err(ConfigError::SeedAndFile),
            (Some(policy), model) => Ok(PolicySource::Files { model: model.clone(), policy: policy.clone() }),
            (None, None) => Ok(self.seed.clone().map_or(PolicySource::Embedded, PolicySource::Seed)),
            (None, Some(_)) => Err(ConfigError::ModelAlone),
        }
    }
}

/// Why the config is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config `{0}`: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// Two first policies.
    #[error(
        "`policy.seed` and `policy.file` are both set: `file` is the truth at all times, `seed` only for the first start; take one out"
    )]
    SeedAndFile,
    /// A model without a policy.
    #[error("`policy.model` is set and `policy.file` is not: name the policy that is written for it")]
    ModelAlone,
    /// The file can be read, and something in it is wrong.
    #[error("{path}:{line}:{column}: {message}")]
    Content {
        /// The file, as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong and what to write instead.
        message: String,
    },
}

impl Config {
    /// Reads the config file.
    ///
    /// A file that nobody named and that is not there means the defaults.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let path = named.unwrap_or(Path::new(PATH));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(ConfigError::Read(path.to_owned(), error)),
        }
    }

    /// Reads the text of a config file; `path` is only for messages.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            ConfigError::Content {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
                message: hint::with_nearest(error.message()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Config;

    fn error(text: &str) -> String {
        Config::parse(text, Path::new("w.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let config = Config::parse("", Path::new("w.toml")).unwrap();
        assert_eq!(config.plugin, crate::plugin::Settings::default());
        assert_eq!(config.admin, crate::admin::Settings::default());
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_column_and_the_nearest_known_key() {
        assert_eq!(
            error("[plugin]\n  sockt = \"/x\"\n"),
            "w.toml:2:3: unknown key `sockt`; did you mean `socket`? (known here: `socket`, `deadline`, `minimum_api_version`, `gateway_key_file`)"
        );
        assert!(
            error("[plugins]\n").starts_with("w.toml:1:2: unknown key `plugins`; did you mean `plugin`?")
        );
    }

    const SHIPPED: &str = include_str!("../../packaging/wharfinger.toml");

    #[test]
    fn the_shipped_config_says_what_the_defaults_are() {
        let shipped = Config::parse(SHIPPED, Path::new("packaging/wharfinger.toml")).unwrap();
        assert_eq!(format!("{shipped:#?}"), format!("{:#?}", Config::default()));
    }

    #[test]
    fn every_example_in_the_shipped_config_is_accepted() {
        let example = |line: &str| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' ') && !rest.is_empty())
                .map(str::to_owned)
        };
        let text: Vec<String> =
            SHIPPED.lines().map(|line| example(line).unwrap_or_else(|| line.to_owned())).collect();
        let config = Config::parse(&text.join("\n"), Path::new("packaging/wharfinger.toml")).unwrap();
        let gateway = crate::gateway::Settings {
            group: Some("docker".to_owned()),
            mode: crate::gateway::Mode(0o660),
            key_file: Some("/etc/wharfinger/gateway.key".into()),
            docker_socket: Some(crate::inventory::DOCKER_SOCKET.into()),
            ..crate::gateway::Settings::default()
        };
        assert_eq!(config.gateway, Some(gateway));
        assert!(
            config.policy.seed.is_some() && config.directory.file.is_some() && config.identity.jwt.len() == 1
        );
    }

    #[test]
    fn the_shipped_config_shows_every_key_of_a_directory() {
        for section in ["directory", "directory.ldap"] {
            let known = error(&format!("[{section}]\nno-such-key = 1"));
            let (_, known) = known.split_once("known here: ").unwrap();
            for key in known.split('`').skip(1).step_by(2) {
                let shown = [format!("\n#{key} = "), format!("\n#[{section}.{key}]")];
                assert!(
                    shown.iter().any(|line| SHIPPED.contains(line)),
                    "`{key}` of [{section}] is not shown"
                );
            }
        }
    }

    #[test]
    fn the_discovery_spec_names_the_default_socket() {
        let spec: serde_json::Value = serde_json::from_str(include_str!("../../plugin.json")).unwrap();
        let address = format!("unix://{}", crate::plugin::SOCKET);
        assert_eq!(spec, serde_json::json!({ "Name": crate::plugin::NAME, "Addr": address }));
    }

    #[test]
    fn a_bad_value_is_an_error_with_its_place() {
        assert_eq!(
            error("[plugin]\ndeadline = \"5\"\n"),
            "w.toml:2:12: `5` is not a duration (a number and a unit are needed): write `1.5s` or `10m`"
        );
        assert!(error("[plugin\n").starts_with("w.toml:1:8: "));
    }
}
