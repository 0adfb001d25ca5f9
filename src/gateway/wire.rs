//! A Unix stream that several readers of its state can hold, and that tells when the other end is gone.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

/// How often a client that has shut down its sending side is looked at: the kernel's note of the rest is waited for
/// in this way only.
const LOOK_AGAIN: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(1) };

/// One connected stream; clones are the same one, and it closes with the last of them.
#[derive(Clone, Debug)]
pub(super) struct Wire(Arc<UnixStream>);

impl Wire {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(Arc::new(stream))
    }

    /// The stream itself.
    pub(super) fn stream(&self) -> &UnixStream {
        &self.0
    }

    /// Ends the sending side; the other end reads what was sent, and then an end.
    pub(super) fn finish_sending(&self) {
        // The other end may be gone, which is an end as well.
        SockRef::from(&*self.0).shutdown(Shutdown::Write).ok();
    }

    /// Returns when the other end has closed both of its sides.
    ///
    /// An end that has only stopped sending may still read an answer. What it sent before stays to be read: this is
    /// told by the kernel's state of the socket and not by reading, so unread bytes cannot hide it.
    pub(super) async fn gone(&self) {
        // Ready once the other end sends no more; it never is for data.
        if self.0.ready(Interest::PRIORITY).await.is_err() {
            return;
        }
        loop {
            match self.0.ready(Interest::WRITABLE).await {
                Ok(ready) if !ready.is_write_closed() => tokio::time::sleep(LOOK_AGAIN).await,
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish_sending();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_closed_end_is_noticed_behind_bytes_that_nobody_read() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"GET").await.unwrap();
        drop(theirs);
        Wire::new(ours).gone().await;
    }

    #[tokio::test]
    async fn an_end_that_stopped_sending_is_gone_only_when_it_closes() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ours = Wire::new(ours);
        theirs.shutdown().await.unwrap();
        ours.stream().ready(Interest::PRIORITY).await.unwrap();
        let gone = ours.gone();
        tokio::pin!(gone);
        assert!(std::future::poll_fn(|cx| Poll::Ready(gone.as_mut().poll(cx).is_pending())).await);
        drop(theirs);
        gone.await;
    }

    #[tokio::test]
    async fn bytes_alone_are_no_end() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"GET").await.unwrap();
        let ours = Wire::new(ours);
        ours.stream().readable().await.unwrap();
        let gone = ours.gone();
        tokio::pin!(gone);
        assert!(std::future::poll_fn(|cx| Poll::Ready(gone.as_mut().poll(cx).is_pending())).await);
        drop(theirs);
        gone.await;
    }
}
