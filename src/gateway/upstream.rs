//! The one connection to the daemon that stands behind a client's connection.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc};
use tracing::debug;

use super::body::Body;
use super::wire::Wire;

/// Moves a connection on; whoever holds it polls it, and closes the connection by dropping it.
pub(super) type Drive = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// Nobody listens.
    #[error("cannot connect to `{}`: {error}", socket.display())]
    Connect {
        /// The daemon's socket.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The connection broke before an answer.
    #[error("the connection to the daemon broke: {0}")]
    Broken(#[from] hyper::Error),
}

/// Sends requests, one after the other, over a connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct Upstream {
    socket: PathBuf,
    drives: mpsc::UnboundedSender<Drive>,
    sender: Mutex<Option<SendRequest<Body>>>,
}

impl Upstream {
    /// Nothing is connected yet. Each new connection's drive goes to `drives`, and takes the place of the one before.
    pub(super) fn new(socket: PathBuf, drives: mpsc::UnboundedSender<Drive>) -> Self {
        Self { socket, drives, sender: Mutex::new(None) }
    }

    /// Sends a request and returns the answer once its head is there.
    ///
    /// A request is sent once: again only where surely nothing of it had been sent on a connection that was closed.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        let mut slot = self.sender.lock().await;
        if let Some(mut sender) = slot.take().filter(|sender| !sender.is_closed())
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    *slot = Some(sender);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await?;
        *slot = Some(sender);
        Ok(response)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, UpstreamError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| UpstreamError::Connect { socket: self.socket.clone(), error })?;
        let (sender, connection) =
            Builder::new().title_case_headers(true).handshake(TokioIo::new(Wire::new(stream))).await?;
        let drive = async move {
            if let Err(error) = connection.with_upgrades().await {
                debug!(%error, "a connection to the daemon ended");
            }
        };
        // Without anybody who drives it the request fails, which is an answer as well.
        self.drives.send(Box::pin(drive)).ok();
        Ok(sender)
    }
}
