//! Host paths on a real engine: what a link leads to counts, and so does who could change it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::denial;
use crate::support::process::Said;
use crate::support::wharfinger::Wharf;

const SHIPPED: &str = include_str!("../../../rbac/policy.csv");

/// `share/data`, links beside it, `share/open` that everybody can write, and a developer role that may mount from there.
fn with_share(dir: &Path) -> String {
    let share = dir.join("share");
    for directory in ["data", "open/mine"] {
        fs::create_dir_all(share.join(directory)).unwrap();
    }
    fs::create_dir(dir.join("private")).unwrap();
    fs::write(share.join("data/file"), "shared").unwrap();
    fs::write(dir.join("private/file"), "private").unwrap();
    symlink("/etc", share.join("etc")).unwrap();
    symlink("../private", share.join("there")).unwrap();
    fs::set_permissions(share.join("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let at = share.display();
    let policy = format!(
        "{SHIPPED}\np, role:developer, host.mount, path:{at}/**, allow\n\
         p, role:developer, host.mount-readonly, path:{at}/**, allow\n\
         p, role:tester, host.mount-readonly, path:{at}/**, allow\n\
         p, role:tester, host.mount-unguarded, path:{at}/open, allow\n\
         p, role:developer, set:cp, container:*, allow\n"
    );
    fs::write(dir.join("policy.csv"), policy).unwrap();
    format!("[policy]\nfile = {:?}\n", dir.join("policy.csv"))
}

struct Share(Wharf);

impl Share {
    fn new() -> Self {
        Self(Wharf::start_with(with_share))
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.ground.path().join("share").join(path)
    }

    /// What `person`'s container reads of `/x/file`, where `path` is mounted read-only at `/x`.
    fn read(&self, person: &str, path: &str) -> Said {
        let bind = format!("{}:/x:ro", self.at(path).display());
        self.0.docker(person, &["run", "--rm", "--network", "none", "-v", &bind, "busybox", "cat", "/x/file"])
    }
}

#[test]
fn a_link_is_mounted_only_by_whoever_may_mount_what_it_leads_to() {
    let share = Share::new();
    assert_eq!(share.read("alice", "data").ok(), "shared");

    let (message, _) = denial(share.read("alice", "etc"));
    assert!(message.contains("host.mount-readonly path:/etc, host.mount-sensitive path:/etc"), "{message}");
    let private = share.0.ground.path().join("private");
    let (message, _) = denial(share.read("alice", "there"));
    assert!(message.contains(&format!("host.mount-readonly path:{}", private.display())), "{message}");
    assert_eq!(share.read("carol", "there").ok(), "private");
}

#[test]
fn a_volume_that_binds_is_followed_too() {
    let share = Share::new();
    let options = |path: &str| {
        let device = format!("device={}", share.at(path).display());
        share.0.as_("bob").run(&["volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", &device])
    };
    let (message, _) = denial(options("etc"));
    assert!(message.contains("host.mount-sensitive path:/etc"), "{message}");
    options("data").ok();
}

#[test]
fn a_path_below_a_directory_that_others_can_change_is_refused_unless_asked_for() {
    let share = Share::new();
    fs::write(share.at("open/mine/file"), "mine").unwrap();

    let (message, _) = denial(share.read("alice", "open/mine"));
    let expected = format!("host.mount-unguarded path:{}", share.at("open").display());
    assert!(message.contains(&expected) && message.contains("mount the directory itself"), "{message}");
    assert_eq!(share.read("bob", "open/mine").ok(), "mine");

    // What alice may mount for writing she can change as root of a container, links included.
    fs::create_dir(share.at("data/deep")).unwrap();
    let (message, _) = denial(share.read("alice", "data/deep"));
    let expected = format!("host.mount-unguarded path:{}", share.at("data").display());
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn what_is_not_there_is_judged_where_the_daemon_makes_it() {
    let share = Share::new();
    let bind = format!("{}:/x", share.at("new").display());
    share.0.docker("alice", &["run", "--rm", "--network", "none", "-v", &bind, "busybox", "true"]).ok();
    assert!(share.at("new").is_dir());

    let below = format!("{}:/x", share.at("there/new").display());
    denial(share.0.docker("alice", &["run", "--rm", "--network", "none", "-v", &below, "busybox", "true"]));
    assert!(!share.0.ground.path().join("private/new").exists());
}

#[test]
fn the_files_of_a_container_are_copied_only_by_whoever_may_mount_what_is_mounted_there() {
    let share = Share::new();
    let made = |name: &str, path: &Path| {
        let bind = format!("{}:/x:ro", path.display());
        share.0.docker("carol", &["create", "--name", name, "-v", &bind, "busybox", "true"]).ok()
    };
    let id = made("host", Path::new("/etc"));
    made("shared", &share.at("data"));
    let copy = |container: &str| {
        share.0.docker("alice", &["cp", &format!("{container}:/x"), share.at("copy").to_str().unwrap()])
    };
    for container in ["host", &id, id.get(..7).unwrap()] {
        let (message, _) = denial(copy(container));
        assert!(
            message.contains("host.mount-readonly path:/etc, host.mount-sensitive path:/etc"),
            "{message}"
        );
    }
    copy("shared").ok();
    assert!(share.at("copy").exists());
}

#[test]
fn nothing_is_mounted_where_the_file_system_cannot_be_looked_at() {
    let wharf = Wharf::start_with(|dir| {
        format!("{}[host_paths]\nroot = {:?}\n", with_share(dir), dir.join("nowhere"))
    });
    let bind = format!("{}:/x:ro", wharf.ground.path().join("share/data").display());
    let (message, _) = denial(wharf.docker("alice", &["run", "--rm", "-v", &bind, "busybox", "true"]));
    assert!(message.starts_with("refused: where `"), "{message}");
}
