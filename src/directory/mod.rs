//! Subject to groups: the file directory, LDAP, and the cache in front of them.

mod cache;
mod error;
mod explain;
mod file;
mod ldap;
mod nss;
mod password;
mod settings;
mod status;

pub use cache::CacheStatus;
pub use error::{DirectoryError, Refused, SettingsError};
pub use explain::{Explained, Membership, Step};
pub use file::FileDirectory;
pub use ldap::{LdapDirectory, LdapSettings, Nested, Preset};
pub use nss::NssDirectory;
pub use password::Password;
pub use settings::{FileSettings, Settings};
pub use status::{DirectoryStatus, ServerState, ServerStatus};

use explain::Via;
use jiff::Timestamp;

use crate::identity::check_name;

/// Tells the time, which accounts expire by.
pub type Now = fn() -> Timestamp;

/// Where groups come from.
#[derive(Debug)]
pub enum Directory {
    /// Nothing is configured: every identified user is accepted, and has no groups.
    Open,
    /// A file of users and groups; who is not in it is not accepted.
    File(FileDirectory),
    /// LDAP servers, behind a cache; who has no entry is not accepted.
    Ldap(Box<LdapDirectory>),
    /// The host's own users and groups, behind a cache; whom it does not know is not accepted.
    Nss(Box<NssDirectory>),
}

/// The directory's answer about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The canonical name, for policy and record: the directory's spelling, not the presented one.
    pub user: String,
    /// All groups, nested ones included, sorted, without doubles.
    pub groups: Vec<String>,
    /// Whether it is the last known answer of a directory that cannot be asked now.
    pub stale: bool,
}

/// Somebody who proved to be who they are: the canonical name, as [`Looked::user`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical(pub String);

impl Directory {
    /// Checks the settings and reads the files that they name; connects to nothing.
    ///
    /// # Errors
    /// The first setting or file that cannot work.
    pub fn new(settings: Settings, now: Now) -> Result<Self, SettingsError> {
        match (settings.file, settings.ldap, settings.nss) {
            (None, None, false) => Ok(Self::Open),
            (Some(file), None, false) => FileDirectory::load(file).map(Self::File),
            (None, Some(ldap), false) => LdapDirectory::new(ldap, now).map(|ldap| Self::Ldap(Box::new(ldap))),
            (None, None, true) => Ok(Self::Nss(Box::new(NssDirectory::new()))),
            (Some(_), Some(_), _) | (Some(_), None, true) | (None, Some(_), true) => Err(SettingsError::new(
                "directory",
                "has more than one of `file`, `ldap` and `nss`: keep one, since a user could be somebody else in each",
            )),
        }
    }

    /// The user's canonical name and complete set of groups.
    ///
    /// # Errors
    /// [`DirectoryError`]: every one of them is a denial. A part of the groups is never an answer, since
    /// a denying permission could hang on the missing ones.
    pub async fn groups(&self, user: &str) -> Result<Looked, DirectoryError> {
        // Evidence was checked for this; a directory must not depend on it.
        if check_name(user).is_err() {
            return Err(DirectoryError::NoSuchUser);
        }
        match self {
            Self::Open => Ok(Looked { user: user.to_owned(), groups: Vec::new(), stale: false }),
            Self::File(file) => file.groups(user),
            Self::Ldap(ldap) => ldap.groups(user).await,
            Self::Nss(nss) => nss.groups(user).await,
        }
    }

    /// What the directory says about the user now, past any cache, and how it comes to it.
    pub async fn explain(&self, user: &str) -> Explained {
        let presented = user.to_owned();
        if let Err(error) = check_name(user) {
            let error = Some(format!("this cannot be a name: {error}"));
            return Explained { presented, error, ..Explained::default() };
        }
        match self {
            Self::Open => Explained {
                user: Some(presented.clone()),
                presented,
                source: "no directory".to_owned(),
                warnings: vec![
                    "no directory is configured: every user is accepted, without groups".to_owned(),
                ],
                ..Explained::default()
            },
            Self::File(file) => file.explain(user),
            Self::Ldap(ldap) => ldap.explain(user).await,
            Self::Nss(nss) => nss.explain(user).await,
        }
    }

    /// Whether the password is the user's, by a bind as the user's entry. For logins: nothing of it is cached, and
    /// it takes its time, so no call of dockerd's may wait for it.
    ///
    /// Whoever asks over a network should be told the same by [`DirectoryError::NoSuchUser`] and
    /// [`Refused::Password`], or names could be tried out.
    ///
    /// # Errors
    /// [`DirectoryError`], with [`Refused::Password`] for a wrong one.
    pub async fn authenticate(&self, user: &str, password: &Password) -> Result<Canonical, DirectoryError> {
        if check_name(user).is_err() {
            return Err(DirectoryError::NoSuchUser);
        }
        // A bind with a name and no password succeeds, as nobody (RFC 4513 §5.1.2).
        if password.is_empty() {
            return Err(DirectoryError::Refused(Refused::Password));
        }
        match self {
            Self::Open | Self::File(_) | Self::Nss(_) => Err(DirectoryError::Refused(Refused::NoPasswords)),
            Self::Ldap(ldap) => ldap.authenticate(user, password).await,
        }
    }

    /// Reads the files again, after which everybody is asked for again; what was good before stays in use
    /// where the files are bad now.
    ///
    /// # Errors
    /// What is wrong with the new content.
    pub fn reload(&self) -> Result<(), SettingsError> {
        match self {
            Self::Open => Ok(()),
            Self::File(file) => file.reload(),
            Self::Ldap(ldap) => ldap.reload(),
            Self::Nss(nss) => {
                nss.expire();
                Ok(())
            }
        }
    }

    /// Forgets the cached answers about the user, by the canonical or the presented name, or about everybody; says
    /// how many those were. Nothing old serves them any more, even where the directory cannot be asked.
    pub fn flush(&self, user: Option<&str>) -> usize {
        match self {
            Self::Open | Self::File(_) => 0,
            Self::Ldap(ldap) => ldap.flush(user),
            Self::Nss(nss) => nss.flush(user),
        }
    }

    /// How it is doing; asks nobody.
    pub fn status(&self) -> DirectoryStatus {
        match self {
            Self::Open => DirectoryStatus::plain("none"),
            Self::File(_) => DirectoryStatus::plain("file"),
            Self::Ldap(ldap) => ldap.status(),
            Self::Nss(nss) => nss.status(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_settings_every_user_is_accepted_with_no_groups() {
        let directory = Directory::new(toml::from_str("").unwrap(), Timestamp::now).unwrap();
        assert_eq!(
            directory.groups("alice").await,
            Ok(Looked { user: "alice".to_owned(), groups: vec![], stale: false })
        );
        assert_eq!(directory.reload(), Ok(()));
    }

    #[tokio::test]
    async fn names_that_no_evidence_may_carry_are_nobody() {
        let directory = Directory::new(Settings::default(), Timestamp::now).unwrap();
        for name in ["", " alice", "alice\n", "a\0", "ali\u{200b}ce"] {
            assert_eq!(directory.groups(name).await, Err(DirectoryError::NoSuchUser), "{name:?}");
        }
    }

    #[tokio::test]
    async fn without_a_server_no_password_is_right() {
        let directory = Directory::new(Settings::default(), Timestamp::now).unwrap();
        let password = |text: &str| Password::new(text.to_owned());
        let refused = |reason| Err(DirectoryError::Refused(reason));
        assert_eq!(directory.authenticate("alice", &password("x")).await, refused(Refused::NoPasswords));
        assert_eq!(directory.authenticate("alice", &password("")).await, refused(Refused::Password));
        assert_eq!(directory.authenticate(" x", &password("x")).await, Err(DirectoryError::NoSuchUser));
    }

    #[test]
    fn two_directories_are_refused() {
        let (file, ldap) =
            ("[file]\npath = '/x'\n", "[ldap]\npreset = 'openldap'\nurls = []\nbase_dn = 'x'\n");
        for text in [format!("{file}{ldap}"), format!("nss = true\n{file}"), format!("nss = true\n{ldap}")] {
            assert_eq!(
                Directory::new(toml::from_str(&text).unwrap(), Timestamp::now).unwrap_err().to_string(),
                "directory: has more than one of `file`, `ldap` and `nss`: keep one, since a user could be somebody \
                 else in each"
            );
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in ["files = 1", "[file]", "[file]\npath = \"x\"\nformat = \"y\""] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }
}
