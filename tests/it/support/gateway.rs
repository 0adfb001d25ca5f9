//! The gateway's ground: a wharf whose people are users of the host, whom the kernel names.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::docker::Docker;
use super::process::Said;
use super::wharfinger::Wharf;

/// Users that every Debian has, and what they are here. `nobody` is nobody.
const USERS: &str = r#"
[users.root]
groups = ["docker-admins"]
[users.www-data]
groups = ["docker-admins"]
[users.games]
groups = ["docker-developers"]
[users.man]
groups = ["docker-developers"]
[users.mail]
groups = ["docker-testers"]
[users.lp]
groups = ["docker-tenants"]
[users.news]
groups = ["docker-tenants"]
[users.uucp]
groups = ["docker-viewers"]
[users.dave]
groups = ["docker-tenants"]
[users.daemon]
[users.carol]
groups = ["docker-admins"]
[groups.docker-developers]
[groups.docker-tenants]
[groups.docker-viewers]
[groups.docker-testers]
[groups.docker-admins]
"#;

/// A wharf with a gateway. Certificates work as well.
pub(crate) struct Quay {
    pub(crate) wharf: Wharf,
}

impl Quay {
    /// With the shipped policy: games and man are developers, mail is a tester, www-data and root are admins, daemon
    /// has no role, lp and news are tenants, uucp is a viewer.
    pub(crate) fn open() -> Self {
        Self::open_with("")
    }

    /// With these further sections, or keys of `[gateway]` where they come first.
    pub(crate) fn open_with(sections: &str) -> Self {
        let wharf = Wharf::start_with(|dir| format!("{}{sections}", section(dir)));
        Self { wharf }
    }

    /// The socket of the users.
    pub(crate) fn socket(&self) -> PathBuf {
        socket(self.wharf.ground.path())
    }

    /// The docker command line of a user of the host, at the gateway.
    pub(crate) fn as_(&self, user: &str) -> Docker {
        Docker::on_socket(&self.socket()).for_user(user)
    }

    /// `docker ARGUMENTS` as a user of the host, at the gateway.
    pub(crate) fn docker(&self, user: &str, arguments: &[&str]) -> Said {
        self.as_(user).run(arguments)
    }
}

/// `[directory.file]` and the beginning of `[gateway]`, on the ground at `dir`.
fn section(dir: &Path) -> String {
    // The people of the test must be able to walk to the socket, and to nothing else.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
    let people = dir.join("people.toml");
    fs::write(&people, USERS).unwrap();
    format!(
        "[directory.file]\npath = {:?}\n[gateway]\nsocket = {:?}\n",
        people.display().to_string(),
        socket(dir).display().to_string()
    )
}

fn socket(dir: &Path) -> PathBuf {
    dir.join("users.sock")
}
