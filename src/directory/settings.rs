//! Settings of the directory: `[directory.file]`, `[directory.ldap]`, `nss = true` or nothing; one of them.

use std::path::PathBuf;

use serde::Deserialize;

use super::LdapSettings;

/// Where groups come from; the default accepts every identified user, without groups.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The host's own users and groups, as `id USER` shows them: from sssd or winbind too.
    pub nss: bool,
    /// A file of users and groups.
    pub file: Option<FileSettings>,
    /// An LDAP directory.
    pub ldap: Option<LdapSettings>,
}

/// The file directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The file, in the form that the sample in `packaging` shows.
    pub path: PathBuf,
}
