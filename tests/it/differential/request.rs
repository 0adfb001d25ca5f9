//! A request down to its bytes, and one connection that sends it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An HTTP request whose every part can be spelled oddly.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) protocol: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A request as the docker command line sends it: JSON, or no body and its length said.
    pub(super) fn new(method: &'static str, target: &str, json: &str) -> Self {
        let mut headers = vec![("Connection", "close".to_owned())];
        if !json.is_empty() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        if method != "GET" {
            headers.push(("Content-Length", json.len().to_string()));
        }
        Self {
            method,
            target: format!("/v1.41{target}"),
            protocol: "HTTP/1.1",
            headers,
            body: json.as_bytes().to_vec(),
        }
    }

    /// The same with another body, and its length.
    pub(super) fn with_body(&self, body: impl Into<Vec<u8>>) -> Self {
        let mut other = Self { body: body.into(), ..self.clone() };
        other.set("Content-Length", &other.body.len().to_string());
        other
    }

    /// Replaces a header, or takes it out for an empty value.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(other, _)| *other != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
    }

    /// What goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let first = format!("{} {} {}\r\nHost: docker\r\n", self.method, self.target, self.protocol);
        let headers = self.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]);
        let head: String = [first.as_str()].into_iter().chain(headers).chain(["\r\n"]).collect();
        [head.as_bytes(), &self.body].concat()
    }
}

/// Sends a request and gives back everything that was answered.
pub(super) fn send(socket: &Path, request: &Request) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket).unwrap();
    // A request that the engine never answers is one without an effect; it must not stop the run.
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // The engine may answer and hang up before it has read everything.
    let sent = stream.write_all(&request.bytes());
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    drop((sent, read));
    answer
}
