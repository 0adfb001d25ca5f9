//! The file directory: users and groups in one TOML file, read whole or not at all.

mod parse;

use std::collections::HashMap;
use std::path::Path;

use arc_swap::ArcSwap;

use super::{DirectoryError, Explained, FileSettings, Looked, Membership, Refused, SettingsError, Via};

/// What the file says about its users, ready to answer.
pub(super) type Users = HashMap<String, User>;

/// One user of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    disabled: bool,
    /// All groups, nested ones included, sorted.
    groups: Vec<String>,
    /// The groups through which the user is in each of them.
    ways: Vec<Vec<String>>,
}

/// The file, as it last was good.
#[derive(Debug)]
pub struct FileDirectory {
    settings: FileSettings,
    users: ArcSwap<Users>,
}

impl FileDirectory {
    /// Reads the file.
    pub(super) fn load(settings: FileSettings) -> Result<Self, SettingsError> {
        let users = ArcSwap::from_pointee(read(&settings.path)?);
        Ok(Self { settings, users })
    }

    /// Reads the file again; a bad one changes nothing.
    pub(super) fn reload(&self) -> Result<(), SettingsError> {
        let users = read(&self.settings.path)?;
        self.users.store(users.into());
        Ok(())
    }

    /// Names are compared byte for byte: the file is ours, and has one spelling of each.
    pub(super) fn groups(&self, name: &str) -> Result<Looked, DirectoryError> {
        let users = self.users.load();
        // Who was taken out of the file is out, certificate or not.
        let user = users.get(name).ok_or(DirectoryError::NoSuchUser)?;
        if user.disabled {
            return Err(DirectoryError::Refused(Refused::Disabled));
        }
        Ok(Looked { user: name.to_owned(), groups: user.groups.clone(), stale: false })
    }

    /// The same, with the way to each group.
    pub(super) fn explain(&self, name: &str) -> Explained {
        let (user, error) = match self.groups(name) {
            Ok(looked) => (Some(looked.user), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let users = self.users.load();
        let groups = match users.get(name).filter(|_| error.is_none()) {
            Some(user) => {
                let ways = user.groups.iter().zip(&user.ways);
                ways.map(|(group, way)| Membership::new(group.clone(), &Via::Member(way.clone()))).collect()
            }
            None => Vec::new(),
        };
        let source = self.settings.path.display().to_string();
        Explained { presented: name.to_owned(), error, user, source, groups, ..Explained::default() }
    }
}

fn read(path: &Path) -> Result<Users, SettingsError> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        SettingsError::new(
            &place,
            format!("cannot be read: {error}; create it, or correct `path` in `[directory.file]`"),
        )
    })?;
    parse::parse(&place, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        _dir: tempfile::TempDir,
        path: std::path::PathBuf,
    }

    fn fixture(text: &str) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.toml");
        std::fs::write(&path, text).unwrap();
        Fixture { _dir: dir, path }
    }

    fn load(fixture: &Fixture) -> FileDirectory {
        FileDirectory::load(FileSettings { path: fixture.path.clone() }).unwrap()
    }

    fn looked(user: &str, groups: &[&str]) -> Looked {
        Looked {
            user: user.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            stale: false,
        }
    }

    #[test]
    fn users_have_their_groups_and_strangers_are_refused() {
        let fixture = fixture("[groups.dev]\n[users.alice]\ngroups = ['dev']\n[users.bob]\n");
        let directory = load(&fixture);
        assert_eq!(directory.groups("alice"), Ok(looked("alice", &["dev"])));
        assert_eq!(directory.groups("bob"), Ok(looked("bob", &[])));
        for stranger in ["carol", "Alice", "alice ", "", "dev"] {
            assert_eq!(directory.groups(stranger), Err(DirectoryError::NoSuchUser), "{stranger}");
        }
    }

    #[test]
    fn a_disabled_user_is_refused() {
        let fixture = fixture("[users.alice]\ndisabled = true\n");
        assert_eq!(load(&fixture).groups("alice"), Err(DirectoryError::Refused(Refused::Disabled)));
    }

    #[test]
    fn an_explanation_tells_the_way_to_each_group_and_why_there_is_none() {
        let fixture = fixture(
            "[groups.a]\n[groups.b]\ngroups = ['a']\n[users.u]\ngroups = ['b']\n[users.x]\ndisabled = true",
        );
        let directory = load(&fixture);
        let membership = |group: &str, via: &str| Membership { group: group.to_owned(), via: via.to_owned() };
        let told = Explained {
            presented: "u".to_owned(),
            user: Some("u".to_owned()),
            source: fixture.path.display().to_string(),
            groups: vec![membership("a", "through b"), membership("b", "direct")],
            ..Explained::default()
        };
        assert_eq!(directory.explain("u"), told);
        for (user, error) in [
            ("x", "the directory refuses the user: the account is disabled"),
            ("y", "the directory knows no such user"),
        ] {
            assert_eq!(directory.explain(user).error.as_deref(), Some(error));
        }
    }

    #[test]
    fn reload_takes_a_good_file_and_keeps_the_old_one_where_it_is_bad() {
        let fixture = fixture("[users.alice]\n");
        let directory = load(&fixture);
        std::fs::write(&fixture.path, "[users.bob]\n").unwrap();
        assert_eq!(directory.groups("bob"), Err(DirectoryError::NoSuchUser));
        assert_eq!(directory.reload(), Ok(()));
        assert_eq!(directory.groups("bob"), Ok(looked("bob", &[])));
        assert_eq!(directory.groups("alice"), Err(DirectoryError::NoSuchUser));
        std::fs::write(&fixture.path, "[users.carol\n").unwrap();
        assert!(directory.reload().is_err());
        std::fs::remove_file(&fixture.path).unwrap();
        assert!(directory.reload().is_err());
        assert_eq!(directory.groups("bob"), Ok(looked("bob", &[])));
    }

    #[test]
    fn a_missing_file_is_an_error_that_says_what_to_do() {
        let error = FileDirectory::load(FileSettings { path: "/nonexistent/users.toml".into() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/nonexistent/users.toml: cannot be read: No such file or directory (os error 2); \
             create it, or correct `path` in `[directory.file]`"
        );
    }
}
