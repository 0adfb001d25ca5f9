//! What a directory can fail with: who is not let in, and what could not be asked.

/// No groups for this user: always a denial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The directory answered, and does not know the name.
    #[error("the directory knows no such user")]
    NoSuchUser,
    /// The directory knows the user, and not as one who may come in.
    #[error("the directory refuses the user: {0}")]
    Refused(Refused),
    /// The directory could not be asked.
    #[error("identity unavailable: {0}")]
    Unavailable(String),
    /// The directory was asked, and did not give all of the user's groups.
    #[error("identity incomplete: {0}")]
    Incomplete(String),
}

/// Why a known user is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Switched off by an administrator.
    #[error("the account is disabled")]
    Disabled,
    /// Locked after failed logins or by an administrator.
    #[error("the account is locked")]
    Locked,
    /// Past its end.
    #[error("the account has expired")]
    Expired,
    /// Two entries answer to the name.
    #[error("two entries have this name; make it unique")]
    Ambiguous,
    /// The entry's name attribute is missing, there twice, or not fit for a name.
    #[error("the entry has not exactly one good name")]
    Unnamed,
    /// The password is wrong, empty, or too many were wrong lately.
    #[error("the password is refused; after three wrong ones, wait a minute")]
    Password,
    /// Nothing that could check a password is configured.
    #[error("this directory checks no passwords; only one of `[directory.ldap]` does")]
    NoPasswords,
}

/// A setting, or a file that a setting names, that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct SettingsError {
    /// The setting, as written in the file, or the file, with line and column where they are known.
    pub place: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl SettingsError {
    /// An error at that place.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}
