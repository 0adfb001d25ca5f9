//! Who is at the other end of a client's connection, as the kernel says.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
use tokio::net::UnixStream;

/// What the kernel writes where nobody has logged in.
const NOBODY_LOGGED_IN: u32 = u32::MAX;

/// The process that connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its uid when it connected, which nothing can change afterwards.
    pub(super) uid: u32,
    /// Its number, for the record only: another process can have it later, or be handed the connection.
    pub(super) pid: Option<i32>,
    /// Who had logged in when the process, or an ancestor of it, took on another uid.
    pub(super) login_uid: Option<u32>,
}

impl Peer {
    /// Asks the kernel.
    pub(super) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let (uid, pid) = (credentials.uid(), credentials.pid());
        let login_uid = pid.and_then(|pid| login_uid(stream, uid, pid));
        Ok(Self { uid, pid, login_uid })
    }
}

/// The login uid of a process that is surely still the one that connected; otherwise nothing.
fn login_uid(stream: &UnixStream, uid: u32, pid: i32) -> Option<u32> {
    let hold = Hold::on(stream);
    let read = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    let still = match hold {
        Some(hold) => hold.pid() == Some(pid),
        // Kernels before 6.5 give no hold: a process of the same user is as near as can be told.
        None => fs::metadata(format!("/proc/{pid}")).ok()?.uid() == uid,
    };
    let login = read.trim().parse().ok().filter(|login| *login != NOBODY_LOGGED_IN)?;
    still.then_some(login)
}

/// A descriptor that means one process for ever, whoever has its number later.
struct Hold(OwnedFd);

impl Hold {
    fn on(stream: &UnixStream) -> Option<Self> {
        getsockopt(&stream.as_fd(), PeerPidfd).ok().map(Self)
    }

    /// The process's number as long as it exists.
    fn pid(&self) -> Option<i32> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd())).ok()?;
        let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        pid.trim().parse().ok().filter(|pid| *pid > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_names_the_process_that_connected() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = Peer::of(&ours).unwrap();
        let own = fs::metadata("/proc/self").unwrap().uid();
        assert_eq!((peer.uid, peer.pid), (own, i32::try_from(std::process::id()).ok()));
    }

    #[tokio::test]
    async fn the_login_is_read_of_the_process_that_is_held_and_of_no_other() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let logged_in = fs::read_to_string("/proc/self/loginuid").ok();
        let logged_in = logged_in.and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
        let uid = fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(login_uid(&ours, uid, own), logged_in);
        assert_eq!(login_uid(&ours, uid.wrapping_add(1), 1), None);
    }
}
