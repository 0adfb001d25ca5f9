//! Follows one path as root would, link by link, and notes who could change the way.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The same place without links; what is not there yet is where it would be made.
    pub(super) path: String,
    /// Every directory in which a name was looked up, in that order.
    pub(super) directories: Vec<Directory>,
}

/// A directory on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// Its path without links.
    pub(super) path: String,
    /// Whether others than root can put something else in the place of what was found in it.
    pub(super) unguarded: bool,
}

/// Why nobody knows where a path leads.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The system says no.
    #[error("`{0}` cannot be looked at: {1}")]
    Io(String, io::Error),
    /// Links that lead on and on.
    #[error("it leads over more than {LINKS} symbolic links")]
    Links,
    /// A file in the place of a directory.
    #[error("`{0}` is no directory")]
    NoDirectory(String),
    /// A link to a place that is not there, and up again from it.
    #[error("a symbolic link leads over `..` through `{0}`, which is not there")]
    Missing(String),
    /// Bytes that no requirement can name.
    #[error("a symbolic link holds a name that is not UTF-8")]
    Encoding,
}

/// As many links as the kernel follows.
const LINKS: usize = 40;

const STICKY: u32 = 0o1000;
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Follows an absolute path below `root`, which is the `/` of its links.
///
/// What belongs to `trusted` counts as root's own, as what belongs to root does.
pub(super) fn walk(root: &Path, path: &str, trusted: u32) -> Result<Found, WalkError> {
    let mut way =
        Way { root, at: Vec::new(), ahead: parts(Path::new(path)), directories: Vec::new(), trusted };
    let mut links = 0;
    while let Some(name) = way.ahead.pop_front() {
        if name == ".." {
            way.at.pop();
            continue;
        }
        // Links below /proc depend on who looks; what is there is told by its own name.
        if matches!(way.at.as_slice(), [first] if first == "proc") {
            way.at.push(name);
            way.take_the_rest()?;
            break;
        }
        match fs::symlink_metadata(way.real().join(&name)) {
            Ok(found) if found.is_symlink() => {
                links += 1;
                if links > LINKS {
                    return Err(WalkError::Links);
                }
                way.look(Some(&found))?;
                way.follow(&name)?;
            }
            Ok(found) => {
                way.look(Some(&found))?;
                way.at.push(name);
                if !found.is_dir() && !way.ahead.is_empty() {
                    return Err(WalkError::NoDirectory(way.shown()?));
                }
            }
            // The daemon makes what is missing, as root.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                way.look(None)?;
                way.at.push(name);
                way.take_the_rest()?;
            }
            Err(error) => return Err(way.unreadable(error)),
        }
    }
    Ok(Found { path: way.shown()?, directories: way.directories })
}

/// Where a walk is, and what is still ahead.
struct Way<'a> {
    root: &'a Path,
    at: Vec<OsString>,
    ahead: VecDeque<OsString>,
    directories: Vec<Directory>,
    trusted: u32,
}

impl Way<'_> {
    /// The directory that the walk is in, as this process reaches it.
    fn real(&self) -> PathBuf {
        let mut real = self.root.to_owned();
        real.extend(&self.at);
        real
    }

    /// The same as dockerd names it.
    fn shown(&self) -> Result<String, WalkError> {
        let path: PathBuf =
            [OsStr::new("/")].into_iter().chain(self.at.iter().map(OsString::as_os_str)).collect();
        path.into_os_string().into_string().map_err(|_| WalkError::Encoding)
    }

    fn unreadable(&self, error: io::Error) -> WalkError {
        WalkError::Io(self.shown().unwrap_or_default(), error)
    }

    /// Notes the directory that the walk is in, in which `child` was found, or nothing.
    fn look(&mut self, child: Option<&Metadata>) -> Result<(), WalkError> {
        let directory = fs::symlink_metadata(self.real()).map_err(|error| self.unreadable(error))?;
        let ours = |found: &Metadata| found.uid() == 0 || found.uid() == self.trusted;
        let others = directory.mode() & OTHERS_WRITE != 0
            || (directory.mode() & GROUP_WRITE != 0 && directory.gid() != 0);
        // In a sticky directory nobody can replace what is another's; but anybody can make what is not there.
        let held = directory.mode() & STICKY != 0 && child.is_some_and(ours);
        let unguarded = !ours(&directory) || (others && !held);
        let path = self.shown()?;
        self.directories.push(Directory { path, unguarded });
        Ok(())
    }

    fn follow(&mut self, link: &OsStr) -> Result<(), WalkError> {
        let target = fs::read_link(self.real().join(link)).map_err(|error| self.unreadable(error))?;
        if target.is_absolute() {
            self.at.clear();
        }
        let mut ahead = parts(&target);
        ahead.append(&mut self.ahead);
        self.ahead = ahead;
        Ok(())
    }

    fn take_the_rest(&mut self) -> Result<(), WalkError> {
        if self.ahead.iter().any(|name| name == "..") {
            return Err(WalkError::Missing(self.shown()?));
        }
        self.at.extend(std::mem::take(&mut self.ahead));
        Ok(())
    }
}

/// The names in a path; without those that mean nothing.
fn parts(path: &Path) -> VecDeque<OsString> {
    let bytes = path.as_os_str().as_bytes();
    let names = bytes.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    names.map(|name| OsStr::from_bytes(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A root of the test's own, and who it belongs to.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            host.set_mode("/", 0o755);
            host
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path.trim_start_matches('/'))
        }

        fn directory(&self, path: &str) {
            fs::create_dir_all(self.at(path)).unwrap();
        }

        fn link(&self, path: &str, target: &str) {
            symlink(target, self.at(path)).unwrap();
        }

        fn set_mode(&self, path: &str, mode: u32) {
            fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn walk(&self, path: &str) -> Result<Found, String> {
            let us = fs::metadata(self.0.path()).unwrap().uid();
            walk(self.0.path(), path, us).map_err(|error| error.to_string())
        }

        fn leads_to(&self, path: &str) -> Result<String, String> {
            self.walk(path).map(|found| found.path)
        }

        fn unguarded(&self, path: &str) -> Vec<String> {
            let directories = self.walk(path).unwrap().directories;
            directories
                .into_iter()
                .filter(|directory| directory.unguarded)
                .map(|directory| directory.path)
                .collect()
        }
    }

    #[test]
    fn a_path_leads_where_its_links_lead() {
        let host = Host::new();
        host.directory("/etc/ssh");
        host.directory("/srv/data");
        host.link("/srv/data/etc", "/etc");
        host.link("/srv/data/up", "../../etc/./ssh/");
        host.link("/srv/data/twice", "up/../ssh");
        host.link("/all", "/");
        for (path, expected) in [
            ("/", "/"),
            ("/srv/data", "/srv/data"),
            ("/srv/data/etc", "/etc"),
            ("/srv/data/etc/ssh", "/etc/ssh"),
            ("/srv/data/up", "/etc/ssh"),
            ("/srv/data/twice", "/etc/ssh"),
            ("/all", "/"),
            ("/all/srv/data/etc", "/etc"),
        ] {
            assert_eq!(host.leads_to(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_where_the_daemon_would_make_it() {
        let host = Host::new();
        host.directory("/etc");
        host.link("/srv", "/etc");
        host.link("/dangling", "/etc/new/place");
        host.link("/trick", "/nothing/../etc");
        assert_eq!(host.leads_to("/srv/a/b").as_deref(), Ok("/etc/a/b"));
        assert_eq!(host.leads_to("/dangling/x").as_deref(), Ok("/etc/new/place/x"));
        assert_eq!(
            host.leads_to("/trick"),
            Err("a symbolic link leads over `..` through `/nothing`, which is not there".to_owned())
        );
    }

    #[test]
    fn what_nobody_can_follow_is_an_error() {
        let host = Host::new();
        host.link("/a", "b");
        host.link("/b", "a");
        fs::write(host.at("/file"), "").unwrap();
        assert_eq!(host.leads_to("/a"), Err("it leads over more than 40 symbolic links".to_owned()));
        assert_eq!(host.leads_to("/file/x"), Err("`/file` is no directory".to_owned()));
        symlink(OsStr::from_bytes(b"\xff"), host.at("/bytes")).unwrap();
        assert_eq!(host.leads_to("/bytes"), Err("a symbolic link holds a name that is not UTF-8".to_owned()));
    }

    #[test]
    fn links_below_proc_are_not_followed_and_keep_its_name() {
        let host = Host::new();
        host.directory("/proc/self");
        host.link("/proc/self/root", "/srv");
        host.link("/door", "/proc/self/root/x");
        assert_eq!(host.leads_to("/door/y").as_deref(), Ok("/proc/self/root/x/y"));
    }

    #[test]
    fn a_directory_that_others_can_write_is_unguarded_and_one_of_roots_is_not() {
        let host = Host::new();
        host.directory("/srv/data/app");
        assert_eq!(host.unguarded("/srv/data/app"), [""; 0]);
        host.set_mode("/srv/data/app", 0o777);
        assert_eq!(host.unguarded("/srv/data/app"), [""; 0]);
        for mode in [0o757, 0o777] {
            host.set_mode("/srv/data", mode);
            assert_eq!(host.unguarded("/srv/data/app"), ["/srv/data"], "{mode:o}");
        }
    }

    #[test]
    fn the_directory_of_a_link_counts_and_so_do_those_behind_it() {
        let host = Host::new();
        host.directory("/open");
        host.directory("/safe/app");
        host.link("/open/link", "/safe/app");
        host.link("/safe/back", "/open/new");
        host.set_mode("/open", 0o777);
        assert_eq!(host.unguarded("/open/link"), ["/open"]);
        assert_eq!(host.unguarded("/safe/back"), ["/open"]);
    }

    #[test]
    fn in_a_sticky_directory_what_root_made_stays_and_what_is_missing_can_be_made() {
        let host = Host::new();
        host.directory("/tmp/roots");
        host.set_mode("/tmp", 0o1777);
        assert_eq!(host.unguarded("/tmp/roots"), [""; 0]);
        assert_eq!(host.unguarded("/tmp/new"), ["/tmp"]);
    }

    #[test]
    fn a_directory_of_somebody_else_is_unguarded() {
        let host = Host::new();
        host.directory("/home/alice/project");
        let found = walk(host.0.path(), "/home/alice/project", u32::MAX).unwrap();
        let us = fs::metadata(host.0.path()).unwrap().uid();
        assert!(found.directories.iter().all(|directory| directory.unguarded == (us != 0)));
        if us == 0 {
            std::os::unix::fs::chown(host.at("/home/alice"), Some(12345), None).unwrap();
            assert_eq!(host.unguarded("/home/alice/project"), ["/home/alice"]);
            std::os::unix::fs::chown(host.at("/home/alice"), Some(0), Some(12345)).unwrap();
            host.set_mode("/home/alice", 0o775);
            assert_eq!(host.unguarded("/home/alice/project"), ["/home/alice"]);
        }
    }
}
