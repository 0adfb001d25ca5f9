//! Settings of LDAP: `[directory.ldap]`, five required keys and the rest from the preset.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::preset::Preset;

/// An LDAP directory, as written in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdapSettings {
    /// What kind of server it is; gives the defaults of the filters and attributes.
    pub preset: Preset,
    /// `ldaps://host`, `ldap://host` or `ldapi://%2Fpath`, in the order in which they are tried.
    pub urls: Vec<String>,
    /// Where users and groups are, such as `dc=example,dc=org`.
    pub base_dn: String,
    /// The service account; none, with a client certificate or `ldapi://`, means SASL EXTERNAL.
    #[serde(default)]
    pub bind_dn: Option<String>,
    /// The service account's password, read again for every connection.
    #[serde(default)]
    pub bind_password_file: Option<PathBuf>,

    /// Turn `ldap://` into TLS before anything else is sent.
    #[serde(default)]
    pub starttls: bool,
    /// The CA that signed the servers' certificates, in PEM; none means the host's own CAs.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The name in the servers' certificates, where it is not the one in the URL.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Our own certificate chain, in PEM, with `client_key_file`.
    #[serde(default)]
    pub client_cert_file: Option<PathBuf>,
    /// The key of `client_cert_file`, in PEM.
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// Let `ldap://` without `starttls` send the password and the answers in clear text.
    #[serde(default)]
    pub allow_cleartext: bool,

    /// Where users are, if not in all of `base_dn`.
    #[serde(default)]
    pub user_base: Option<String>,
    /// Finds the user's entry; `{user}` is the name.
    #[serde(default)]
    pub user_filter: Option<String>,
    /// Holds the user's canonical name.
    #[serde(default)]
    pub user_name_attr: Option<String>,
    /// Where groups are, if not in all of `base_dn`.
    #[serde(default)]
    pub group_base: Option<String>,
    /// Finds the groups that have a member; `{dn}` is the member's DN.
    #[serde(default)]
    pub group_filter: Option<String>,
    /// Holds the group's name.
    #[serde(default)]
    pub group_name_attr: Option<String>,
    /// Whether groups of groups count.
    #[serde(default)]
    pub nested: Nested,

    /// The longest time to connect, TLS and bind included, for one server.
    #[serde(default = "connect_timeout", with = "crate::config::duration")]
    pub connect_timeout: Duration,
    /// The longest time for a whole look-up, other servers included; calls do not wait for all of it. One
    /// search may take three eighths of it.
    #[serde(default = "lookup_deadline", with = "crate::config::duration")]
    pub lookup_deadline: Duration,
    /// The longest time that a call waits for a look-up before it is denied.
    #[serde(default = "call_deadline", with = "crate::config::duration")]
    pub call_deadline: Duration,
    /// How long an answer serves without asking again: a change in the directory counts after this time.
    #[serde(default = "cache_ttl", with = "crate::config::duration")]
    pub cache_ttl: Duration,
    /// How long "no such user" serves without asking again.
    #[serde(default = "negative_ttl", with = "crate::config::duration")]
    pub negative_ttl: Duration,
    /// How long the last answer serves while the directory cannot be asked.
    #[serde(default = "stale_grace", with = "crate::config::duration")]
    pub stale_grace: Duration,
    /// The largest number of users in the cache.
    #[serde(default = "max_entries")]
    pub max_entries: usize,
}

/// Whether groups of groups count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nested {
    /// As the preset says.
    #[default]
    Auto,
    /// Only groups that have the user as a member.
    Off,
}

const fn connect_timeout() -> Duration {
    Duration::from_secs(1)
}

const fn lookup_deadline() -> Duration {
    Duration::from_secs(4)
}

const fn call_deadline() -> Duration {
    Duration::from_millis(1500)
}

const fn cache_ttl() -> Duration {
    Duration::from_mins(1)
}

const fn negative_ttl() -> Duration {
    Duration::from_secs(10)
}

const fn stale_grace() -> Duration {
    Duration::from_mins(10)
}

const fn max_entries() -> usize {
    10_000
}
