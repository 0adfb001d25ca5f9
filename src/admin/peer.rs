//! Who talks on the admin socket, as the kernel says.

use std::os::unix::fs::MetadataExt as _;

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::serve::IncomingStream;
use hyper::StatusCode;
use tokio::net::UnixListener;

use super::problem::Problem;

/// The user id of the process at the other end; `None` if the kernel did not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(Option<u32>);

impl Peer {
    pub(super) const fn uid(self) -> Option<u32> {
        self.0
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
}

/// Who was let through.
#[derive(Clone, Debug)]
pub(super) struct Administrator {
    /// For records: `root`, or the uid.
    pub(super) name: String,
    /// As the kernel says.
    pub(super) uid: u32,
}

/// The user id that this process runs as.
pub(super) fn own_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

/// Lets root and the daemon's own user through; the socket's mode says the same, this does not rely on it.
pub(super) async fn only_administrators(
    State(own): State<Option<u32>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match peer {
        Some(uid) if uid == 0 || Some(uid) == own => {
            let name = if uid == 0 { "root".to_owned() } else { format!("uid:{uid}") };
            request.extensions_mut().insert(Administrator { name, uid });
            next.run(request).await
        }
        // An unknown peer is nobody.
        Some(_) | None => Problem::new(
            StatusCode::FORBIDDEN,
            "only root and the daemon's own user may use the admin socket",
        )
        .into_response(),
    }
}
