//! Short questions to dockerd itself, on its socket: a `GET`, an answer of bounded size, nothing kept open.

use std::path::PathBuf;

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::passes::{HEADER, METHOD, Passes};

/// Look-ups at one time; more wait, as long as their deadline lets them.
const AT_ONCE: usize = 32;

/// Passes that are remembered: those of look-ups under way, and of those given up that dockerd still asks about.
const PASSES: usize = 1024;

/// The largest answer to a look-up of one name.
pub(super) const ANSWER_LIMIT: usize = 1 << 20;

/// The daemon, as its own client sees it.
#[derive(Debug)]
pub(super) struct Daemon {
    socket: PathBuf,
    slots: Semaphore,
    secret: fn() -> [u8; 16],
    /// The passes of the look-ups under way.
    pub(super) passes: Passes,
}

/// Why the daemon gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Nobody listens, or we may not.
    #[error("cannot connect to `{}`: {error}", socket.display())]
    Connect {
        /// The daemon's socket.
        socket: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection to dockerd broke: {0}")]
    Http(#[from] hyper::Error),
    /// The answer cannot be read whole.
    #[error("dockerd's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer broke off.
    #[error("dockerd's answer broke off")]
    BrokenOff,
    /// An answer of another kind.
    #[error("dockerd answered with status {0}")]
    Status(StatusCode),
    /// An answer that is not what the Engine API promises.
    #[error("dockerd's answer cannot be read: {0}")]
    Undecodable(#[from] serde_json::Error),
    /// No answer in time.
    #[error("no answer in time")]
    Deadline,
}

impl Daemon {
    pub(super) fn new(socket: PathBuf, secret: fn() -> [u8; 16]) -> Self {
        Self { socket, slots: Semaphore::new(AT_ONCE), secret, passes: Passes::new(PASSES) }
    }

    /// The answer to `GET target`; never takes longer than the caller waits.
    ///
    /// dockerd asks us about this call while the call that it is for still waits for us. That is no deadlock: each
    /// call to dockerd, and each question to us, has a connection and a task of its own on both sides.
    pub(super) async fn get(&self, target: &str, limit: usize) -> Result<(StatusCode, Bytes), AskError> {
        let Ok(_slot) = self.slots.acquire().await else { return Err(AskError::Deadline) };
        let token = self.passes.issue((self.secret)(), target);
        let answer = self.exchange(target, Some(&token), limit).await;
        // A caller that gave up leaves the pass: dockerd still asks about the call that is on its way.
        self.passes.withdraw(&token);
        answer
    }

    /// Whether anybody answers, asked as anybody may; whatever the answer says.
    pub(super) async fn ping(&self) -> Result<StatusCode, AskError> {
        self.exchange("/_ping", None, ANSWER_LIMIT).await.map(|(status, _)| status)
    }

    async fn exchange(
        &self,
        target: &str,
        token: Option<&str>,
        limit: usize,
    ) -> Result<(StatusCode, Bytes), AskError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| AskError::Connect { socket: self.socket.clone(), error })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder().method(METHOD).uri(target).header(HOST, "docker");
        let request = match token {
            Some(token) => request.header(HEADER, token),
            None => request,
        };
        let request = request.body(Empty::<Bytes>::new());
        // What we ask is made of plain characters; if it ever is not, there is no answer.
        let Ok(request) = request else { return Err(AskError::BrokenOff) };
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), limit).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() { AskError::TooLarge(limit) } else { AskError::BrokenOff }
            })?;
            Ok((status, body.to_bytes()))
        };
        // The connection is driven here and not in a task of its own: it ends with the caller.
        tokio::pin!(connection);
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }
}
