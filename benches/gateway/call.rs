//! Calls of the Engine API by hand over a Unix socket, blocking: nothing of an HTTP library's own is measured.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Bytes that are read or written at a time, as Docker's own copying does it.
const CHUNK: usize = 32 << 10;

/// A connection, with what was read of it beyond the last head.
pub(crate) struct Call {
    stream: UnixStream,
    ahead: Vec<u8>,
}

/// The head of an answer.
pub(crate) struct Head {
    pub(crate) status: u16,
    length: Option<usize>,
}

impl Call {
    pub(crate) fn open(socket: &Path) -> anyhow::Result<Self> {
        let stream =
            UnixStream::connect(socket).with_context(|| format!("connect to `{}`", socket.display()))?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// Sends the head of a request, with these further lines of it.
    pub(crate) fn send(&mut self, line: &str, headers: &str, body: &[u8]) -> anyhow::Result<()> {
        let head = format!("{line} HTTP/1.1\r\nHost: docker\r\n{headers}\r\n");
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        Ok(())
    }

    /// Reads the head of the answer.
    pub(crate) fn head(&mut self) -> anyhow::Result<Head> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.ahead.split_off(end + 4);
                let head = String::from_utf8_lossy(&std::mem::replace(&mut self.ahead, rest)).to_lowercase();
                let status =
                    head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                return Ok(Head { status, length: length.and_then(|length| length.trim().parse().ok()) });
            }
            if self.more()? == 0 {
                bail!("the connection was closed before an answer");
            }
        }
    }

    /// Reads the whole of an answer that says its length.
    pub(crate) fn answer(&mut self) -> anyhow::Result<(u16, Vec<u8>)> {
        let head = self.head()?;
        let length = head.length.unwrap_or(0);
        while self.ahead.len() < length {
            if self.more()? == 0 {
                bail!("the answer broke off");
            }
        }
        let rest = self.ahead.split_off(length);
        Ok((head.status, std::mem::replace(&mut self.ahead, rest)))
    }

    /// Writes so many zeroes, and where `ends`, the end of all writing.
    pub(crate) fn write(&mut self, count: usize, ends: bool) -> anyhow::Result<()> {
        let chunk = vec![0; CHUNK];
        let mut left = count;
        while left > 0 {
            let now = left.min(CHUNK);
            self.stream.write_all(&chunk[..now])?;
            left -= now;
        }
        if ends {
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    /// Reads to the end of the connection; how many bytes that were.
    pub(crate) fn drain(&mut self) -> anyhow::Result<usize> {
        let mut chunk = vec![0; CHUNK];
        let mut count = self.ahead.len();
        loop {
            match self.stream.read(&mut chunk)? {
                0 => return Ok(count),
                read => count += read,
            }
        }
    }

    fn more(&mut self) -> anyhow::Result<usize> {
        let mut chunk = [0; 8192];
        let read = self.stream.read(&mut chunk)?;
        self.ahead.extend_from_slice(&chunk[..read]);
        Ok(read)
    }
}

/// One call on a connection of its own; its answer must be a success.
pub(crate) fn once(socket: &Path, line: &str, body: &str) -> anyhow::Result<Vec<u8>> {
    let mut call = Call::open(socket)?;
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    call.send(line, &headers, body.as_bytes())?;
    let (status, answer) = call.answer()?;
    if status >= 300 {
        bail!("`{line}` was answered with {status}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(answer)
}
