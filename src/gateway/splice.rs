//! Two connections become one: bytes both ways, each way ended for itself, and all of it when one side is gone.

use std::io;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;

use super::wire::Wire;

/// Bytes that are taken at a time, and held only while they are passed on.
const CHUNK: usize = 64 << 10;

/// How long the daemon may take over what a client has sent before it went away.
const LAST_BYTES: Duration = Duration::from_secs(10);

/// A connection that is no longer HTTP, with what was read of it too early.
pub(super) struct Raw {
    wire: Wire,
    first: Bytes,
}

impl Raw {
    /// Takes the connection back from hyper.
    pub(super) fn of(upgraded: Upgraded) -> Option<Self> {
        let parts = upgraded.downcast::<TokioIo<Wire>>().ok()?;
        Some(Self { wire: parts.io.into_inner(), first: parts.read_buf })
    }

    /// The connection itself, and what was read of it.
    pub(super) fn into_parts(self) -> (Wire, Bytes) {
        (self.wire, self.first)
    }
}

/// Passes bytes on between a client and the daemon until both ways have ended, or one side is gone.
pub(super) async fn splice(client: Raw, daemon: Raw) {
    let up = pump(&client.wire, client.first, &daemon.wire);
    let down = pump(&daemon.wire, daemon.first, &client.wire);
    tokio::pin!(up, down);
    // A way that breaks has ended: what the other way still carries is passed on.
    tokio::select! {
        // What a client had sent before it went is still the daemon's, if the daemon wants it.
        () = client.wire.gone() => drop(tokio::time::timeout(LAST_BYTES, up).await),
        _ = &mut up => tokio::select! {
            _ = &mut down => {}
            () = client.wire.gone() => {}
        },
        broken = &mut down => {
            if broken.is_ok() {
                tokio::select! {
                    _ = &mut up => {}
                    () = daemon.wire.gone() => {}
                }
            }
        }
    }
}

/// Passes on everything that comes, and then the end of it.
async fn pump(from: &Wire, first: Bytes, to: &Wire) -> io::Result<()> {
    let mut to = to.clone();
    to.write_all(&first).await?;
    drop(first);
    loop {
        from.stream().readable().await?;
        // Nothing is held while nothing comes.
        let mut chunk = Vec::with_capacity(CHUNK);
        loop {
            match from.stream().try_read_buf(&mut chunk) {
                Ok(0) => {
                    to.finish_sending();
                    return Ok(());
                }
                Ok(_) => to.write_all(&chunk).await?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            chunk.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::UnixStream;

    use super::*;

    /// A client and a daemon with a splice between them.
    fn spliced() -> (UnixStream, UnixStream, tokio::task::JoinHandle<()>) {
        let (client, ours) = UnixStream::pair().unwrap();
        let (theirs, daemon) = UnixStream::pair().unwrap();
        let raw = |stream, first: &'static [u8]| Raw { wire: Wire::new(stream), first: first.into() };
        (client, daemon, tokio::spawn(splice(raw(ours, b"early "), raw(theirs, b""))))
    }

    #[tokio::test]
    async fn each_way_ends_for_itself() {
        let (mut client, mut daemon, splice) = spliced();
        client.write_all(b"stdin").await.unwrap();
        client.shutdown().await.unwrap();
        let mut got = String::new();
        daemon.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "early stdin");
        daemon.write_all(b"output").await.unwrap();
        drop(daemon);
        let mut got = String::new();
        client.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "output");
        splice.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_is_gone_is_told_to_the_daemon_at_once_with_what_it_had_sent() {
        let (mut client, mut daemon, splice) = spliced();
        client.write_all(b"stdin").await.unwrap();
        drop(client);
        splice.await.unwrap();
        let mut got = String::new();
        daemon.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "early stdin");
        assert!(daemon.write_all(b"more").await.is_err());
    }

    #[tokio::test]
    async fn a_daemon_that_is_gone_is_told_to_a_client_that_says_nothing() {
        let (mut client, mut daemon, splice) = spliced();
        daemon.write_all(b"last words").await.unwrap();
        drop(daemon);
        splice.await.unwrap();
        let mut got = String::new();
        client.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "last words");
    }
}
