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

impl Peer {
    /// The user id, where the kernel said one.
    pub(super) const fn uid(self) -> Option<u32> {
        match self {
            Self::Unix { uid } => uid,
            Self::Tcp => None,
        }
    }
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

/// The name of a user id, from all sources that the host is configured for.
pub(super) fn name_of(uid: u32) -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok()??;
    (!user.name.is_empty()).then_some(user.name)
}
