//! HTTP/1.1 over a Unix socket, one request a connection, written out by hand: a test can send anything.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Status and body of an answer.
pub(crate) type Answer = (u16, String);

/// A GET without a body.
pub(crate) fn get(socket: &Path, target: &str) -> std::io::Result<Answer> {
    raw(socket, format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
}

/// A POST as dockerd's to its plugin: no Content-Type.
pub(crate) fn post(socket: &Path, target: &str, body: &[u8]) -> std::io::Result<Answer> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: plugin.moby.localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    raw(socket, &[head.as_bytes(), body].concat())
}

/// Sends these bytes, and reads until the server closes.
pub(crate) fn raw(socket: &Path, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(std::time::Duration::from_mins(1)))?;
    // A server that has heard enough may close before it has read everything.
    drop(stream.write_all(request));
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let broken = || std::io::Error::other(format!("no answer: {answer:?}, {read:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    Ok((status, body.to_owned()))
}
