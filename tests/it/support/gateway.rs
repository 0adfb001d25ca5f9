//! The gateway's ground: a wharf whose people are users of the host, whom the kernel names.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::docker::Docker;
use super::dockerd::{Dockerd, Ground};
use super::process::{Said, bounded};
use super::wharfinger::{Wharf, Wharfinger};

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

    /// What the gateway answers a user of the host to these bytes, who then sends no more.
    pub(crate) fn raw_as(&self, user: &str, request: &str) -> String {
        self.raw_within(user, &[], request)
    }

    /// The same, with a command that runs the client, such as `unshare`.
    pub(crate) fn raw_within(&self, user: &str, wrapper: &[&str], request: &str) -> String {
        let script = "my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; local $/; my $r = <STDIN>; \
                      syswrite $s, $r; shutdown $s, 1; print <$s>";
        let mut client = bounded("setpriv");
        client
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={user}"))
            .arg("--clear-groups")
            .args(wrapper);
        client.args(["perl", "-MIO::Socket::UNIX", "-e", script]).arg(self.socket());
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        client.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A gateway on a ground where the engine, the plugin and the gateway are put together in another way.
pub(crate) struct Shore {
    // In this order: the engine ends before those that it asks, and the directory goes last.
    pub(crate) dockerd: Dockerd,
    pub(crate) wharfinger: Wharfinger,
    pub(crate) plugin: Option<Wharfinger>,
    pub(crate) ground: Ground,
}

impl Shore {
    /// An engine without a plugin behind the gateway, with further keys of `[gateway]`.
    pub(crate) fn with_an_engine_that_asks_nobody(keys: &str) -> Self {
        let ground = Ground::new(&["carol"]);
        let wharfinger = Wharfinger::start_with(&ground, &format!("{}{keys}", section(ground.path())));
        let dockerd = Dockerd::start_asking(&ground, "");
        dockerd.import_busybox("carol");
        Self { dockerd, wharfinger, plugin: None, ground }
    }

    /// The plugin as one process and the gateway as another, with files of its own, which share the key in that file.
    pub(crate) fn with_the_plugin_in_another_process(key: &str) -> Self {
        let ground = Ground::new(&["carol"]);
        let sections = section(ground.path());
        let (people, _) = sections.split_once("[gateway]").unwrap();
        let believes = format!("gateway_key_file = '{key}'\n");
        let plugin = Wharfinger::start_in(ground.path(), &ground.plugin_socket(), &believes, people);
        let dir = ground.path().join("gateway");
        fs::create_dir(&dir).unwrap();
        let raw = ground.path().join("docker.sock").display().to_string();
        let sections =
            format!("{sections}key_file = '{key}'\n[inventory]\ndocker_socket = '{raw}'\ndeadline = '10s'\n");
        let wharfinger = Wharfinger::start_in(&dir, &dir.join("unused.sock"), "", &sections);
        let dockerd = Dockerd::start(&ground);
        dockerd.import_busybox("carol");
        Self { dockerd, wharfinger, plugin: Some(plugin), ground }
    }

    /// `docker ARGUMENTS` as a user of the host, at the gateway.
    pub(crate) fn docker(&self, user: &str, arguments: &[&str]) -> Said {
        Docker::on_socket(&socket(self.ground.path())).for_user(user).run(arguments)
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
