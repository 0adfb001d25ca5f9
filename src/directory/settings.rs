//! Settings of the directory: `[directory.file]` or nothing.

use std::path::PathBuf;

use serde::Deserialize;

/// Where groups come from; the default accepts every identified user, without groups.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A file of users and groups.
    pub file: Option<FileSettings>,
}

/// The file directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The file, in the form that the sample in `packaging` shows.
    pub path: PathBuf,
}
