//! Who talks on the admin socket, as the kernel says, and what that user id is called on this host.

use std::os::unix::fs::MetadataExt as _;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;

use super::tcp::TlsOrPlain;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// A process on this host; without a user id if the kernel did not say.
    Unix {
        /// The user id.
        uid: Option<u32>,
    },
    /// Whoever reached the TCP address: only a token says who.
    Tcp,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self::Unix { uid: stream.io().peer_cred().ok().map(|peer| peer.uid()) }
    }
}

impl Connected<IncomingStream<'_, TlsOrPlain>> for Peer {
    fn connect_info(_: IncomingStream<'_, TlsOrPlain>) -> Self {
        Self::Tcp
    }
}

/// The user id that this process runs as.
pub(super) fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

/// The name of a user id: the host's own tool asks all sources that the host is configured for.
pub(super) fn name_of(uid: u32) -> Option<String> {
    let asked = std::process::Command::new("getent").args(["passwd", &uid.to_string()]).output().ok()?;
    let line = String::from_utf8(asked.stdout).ok()?;
    let mut fields = line.lines().next()?.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    // The line has to be about that id.
    (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
}
