//! Unix sockets: taken over from systemd, or bound, with a stale file replaced and a live one respected.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::net::UnixListener;

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody answers on it.
    #[error("`{0}` is in use by a live process: stop it first (`ss -xlp | grep {0}` names it)")]
    InUse(PathBuf),
    /// A file that is no socket; it is left alone.
    #[error("`{0}` exists and is not a socket: move it away, or set another path in the config")]
    NotASocket(PathBuf),
    /// It would call itself.
    #[error(
        "`gateway.socket` and the daemon's own socket are both `{0}`: move dockerd to another, and name that in \
         `inventory.docker_socket`"
    )]
    TheDaemons(PathBuf),
    /// No such group.
    #[error("this host has no group `{0}`: make it (`groupadd {0}`), or set another `group` in `[gateway]`")]
    NoGroup(String),
    /// Anything else.
    #[error("cannot listen on `{0}`: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// The sockets that the service manager handed over, by path.
#[derive(Debug, Default)]
pub struct Inherited(Vec<std::os::unix::net::UnixListener>);

impl Inherited {
    /// Takes what `LISTEN_FDS` announces, once in a process's life.
    pub fn take() -> Self {
        let mut fds = ListenFd::from_env();
        Self((0..fds.len()).filter_map(|index| fds.take_unix_listener(index).ok().flatten()).collect())
    }

    fn remove(&mut self, path: &Path) -> Option<std::os::unix::net::UnixListener> {
        let at = self.0.iter().position(|listener| {
            listener
                .local_addr()
                .is_ok_and(|address| address.as_pathname().is_some_and(|bound| bound == path))
        })?;
        Some(self.0.swap_remove(at))
    }
}

/// Who may open a socket's file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) mode: u32,
    /// The group's number; `None` leaves the process's own.
    pub(super) group: Option<u32>,
}

impl Access {
    /// Only root, and the daemon's own user.
    pub(super) const OWNER: Self = Self { mode: 0o600, group: None };

    /// The mode, for a group of the host.
    pub(super) fn of(mode: u32, group: Option<&str>) -> Result<Self, SocketError> {
        let Some(name) = group else { return Ok(Self { mode, group: None }) };
        match nix::unistd::Group::from_name(name) {
            Ok(Some(group)) => Ok(Self { mode, group: Some(group.gid.as_raw()) }),
            Ok(None) | Err(_) => Err(SocketError::NoGroup(name.to_owned())),
        }
    }
}

/// Listens on a path with a file mode, on the inherited socket if there is one for it.
pub(super) fn listen(
    path: &Path,
    access: Access,
    inherited: &mut Inherited,
) -> Result<UnixListener, SocketError> {
    let io = |error| SocketError::Io(path.to_owned(), error);
    if let Some(listener) = inherited.remove(path) {
        listener.set_nonblocking(true).map_err(io)?;
        return UnixListener::from_std(listener).map_err(io);
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(io)?;
    }
    clear(path)?;
    // Bound under a name that nobody looks for, so that nobody connects before the mode is set.
    let staged = staged(path);
    remove_if_there(&staged).map_err(io)?;
    let listener = UnixListener::bind(&staged).map_err(io)?;
    if let Some(group) = access.group {
        std::os::unix::fs::chown(&staged, None, Some(group)).map_err(io)?;
    }
    fs::set_permissions(&staged, fs::Permissions::from_mode(access.mode)).map_err(io)?;
    fs::rename(&staged, path).map_err(io)?;
    Ok(listener)
}

/// Removes the socket file, unless another process has put its own there.
pub(super) fn remove(path: &Path) {
    if UnixStream::connect(path).is_err() {
        drop(fs::remove_file(path));
    }
}

fn staged(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Removes a stale socket; refuses one that answers, and a file that is none.
fn clear(path: &Path) -> Result<(), SocketError> {
    let io = |error| SocketError::Io(path.to_owned(), error);
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => remove_if_there(path).map_err(io),
        Err(error) => Err(io(error)),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener as StdListener;

    use super::{Access, Inherited, SocketError, listen};

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_gets_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join("a.sock");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        drop(StdListener::bind(&path).unwrap());
        let _listener = listen(&path, Access::OWNER, &mut Inherited::default()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_socket_in_use_by_a_live_process_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let _live = StdListener::bind(&path).unwrap();
        let error = listen(&path, Access::OWNER, &mut Inherited::default()).unwrap_err();
        assert!(matches!(error, SocketError::InUse(_)));
        assert!(error.to_string().contains("in use by a live process: stop it first"));
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = listen(&path, Access::OWNER, &mut Inherited::default()).unwrap_err();
        assert!(matches!(error, SocketError::NotASocket(_)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
