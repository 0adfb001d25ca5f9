//! One of dockerd's connections to the plugin: HTTP/1.1, kept alive, one question at a time.

use std::path::Path;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::http::{self, Answer};

/// An open connection.
pub(crate) struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket)
            .await
            .with_context(|| format!("connect to `{}`", socket.display()))?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024) })
    }

    /// Sends one question and reads its whole answer. Anything but a 200 is an error, as it is for dockerd.
    pub(crate) async fn ask(&mut self, question: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(question).await.context("send a question")?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await.context("read an answer")? == 0 {
                bail!("the server closed the connection instead of answering");
            }
            if let Some(body) = http::body(&self.received)? {
                return http::answer(body);
            }
        }
    }
}
