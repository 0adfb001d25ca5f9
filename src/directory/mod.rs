//! Subject to groups: the file directory, LDAP, and the cache in front of them.

mod error;
mod file;
mod settings;

pub use error::{DirectoryError, Refused, SettingsError};
pub use file::FileDirectory;
pub use settings::{FileSettings, Settings};

/// Where groups come from.
#[derive(Debug)]
pub enum Directory {
    /// Nothing is configured: every identified user is accepted, and has no groups.
    Open,
    /// A file of users and groups; who is not in it is not accepted.
    File(FileDirectory),
}

/// The directory's answer about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The canonical name, for policy and record: the directory's spelling, not the presented one.
    pub user: String,
    /// All groups, nested ones included, sorted, without doubles.
    pub groups: Vec<String>,
}

impl Directory {
    /// Checks the settings and reads the files that they name; connects to nothing.
    ///
    /// # Errors
    /// The first setting or file that cannot work.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        match settings.file {
            None => Ok(Self::Open),
            Some(file) => FileDirectory::load(file).map(Self::File),
        }
    }

    /// The user's canonical name and complete set of groups.
    ///
    /// # Errors
    /// [`DirectoryError`]: every one of them is a denial. A part of the groups is never an answer, since
    /// a denying permission could hang on the missing ones.
    // The other kinds of directory wait for a server.
    #[allow(clippy::unused_async, reason = "the callers' interface")]
    pub async fn groups(&self, user: &str) -> Result<Looked, DirectoryError> {
        match self {
            Self::Open => Ok(Looked { user: user.to_owned(), groups: Vec::new() }),
            Self::File(file) => file.groups(user),
        }
    }

    /// Reads the files again; what was good before stays in use where they are bad now.
    ///
    /// # Errors
    /// What is wrong with the new content.
    pub fn reload(&self) -> Result<(), SettingsError> {
        match self {
            Self::Open => Ok(()),
            Self::File(file) => file.reload(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_settings_every_user_is_accepted_with_no_groups() {
        let directory = Directory::new(toml::from_str("").unwrap()).unwrap();
        assert_eq!(directory.groups("alice").await, Ok(Looked { user: "alice".to_owned(), groups: vec![] }));
        assert_eq!(directory.reload(), Ok(()));
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in ["files = 1", "[file]", "[file]\npath = \"x\"\nformat = \"y\""] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }
}
