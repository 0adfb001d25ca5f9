//! Calls as libraries send them, byte by byte: status, headers and body are the daemon's.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::both::Both;
use super::mask::{Looseness, masked};

const CLOSE: &str = "Host: docker\r\nConnection: close\r\n";

/// What is asked, in order: method, target, further headers, body. There is a container `web` that runs.
const CALLS: &[(&str, &str, &str, &str)] = &[
    ("GET", "/_ping", "", ""),
    ("HEAD", "/_ping", "", ""),
    ("GET", "/version", "", ""),
    ("GET", "/v1.41/version", "User-Agent: Go-http-client/1.1\r\n", ""),
    ("GET", "/v1.41/containers/json?all=1&filters=%7B%22name%22%3A%5B%22nobody%22%5D%7D", "", ""),
    ("GET", "/v1.41/containers/web/json?size=true", "Accept-Encoding: gzip\r\n", ""),
    ("GET", "/v1.41/containers/nobody/json", "", ""),
    ("GET", "/v1.41/containers/web/logs?stdout=1&stderr=1&timestamps=0&follow=0", "", ""),
    ("GET", "/v1.41/containers/web/top?ps_args=-o%20comm", "", ""),
    ("HEAD", "/v1.41/containers/web/archive?path=/bin", "", ""),
    ("GET", "/v1.41/containers/web/archive?path=/bin/busybox", "", ""),
    ("GET", "/v1.41/images/busybox/json", "", ""),
    ("GET", "/v1.41/images/busybox:latest/history", "", ""),
    ("GET", "/v1.41/volumes", "", ""),
    ("GET", "/v1.41/networks?filters=%7B%22name%22%3A%5B%22none%22%5D%7D", "", ""),
    ("GET", "/v1.41/events?since=1&until=2", "", ""),
    ("GET", "/v1.41/nodes", "", ""),
    ("POST", "/v1.41/containers/nobody/wait?condition=removed", "Content-Length: 0\r\n", ""),
    ("POST", "/v1.41/containers/web/resize?h=40&w=100", "Content-Length: 0\r\n", ""),
    ("POST", "/v1.41/containers/web/start", "Content-Length: 0\r\nContent-Type: text/plain\r\n", ""),
    ("POST", "/v1.41/containers/nobody/kill?signal=KILL", "Content-Length: 0\r\n", ""),
    ("POST", "/v1.41/containers/web/update", CHUNKED, "{\"RestartPolicy\":{\"Name\":\"no\"}}"),
    ("POST", "/v1.41/containers/create?name=web", CHUNKED, "{\"Image\":\"busybox\"}"),
    ("POST", "/v1.41/containers/create?name=other", CHUNKED, "{\"Image\":\"busybox\",\"Cmd\":[\"true\"]}"),
    ("DELETE", "/v1.41/containers/other?force=1", "", ""),
    ("DELETE", "/v1.41/containers/other", "", ""),
    ("POST", "/v1.41/containers/web/attach?logs=1&stdout=1", UPGRADED, ""),
];

/// As docker-java sends every body.
const CHUNKED: &str = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";

const UPGRADED: &str =
    "Content-Length: 0\r\nContent-Type: text/plain\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n";

#[test]
fn status_headers_and_body_are_the_daemons() {
    let both = Both::open();
    let web = ["run", "-d", "--name", "web", "--network", "none", "busybox", "sh", "-c"];
    both.directly().run(&[&web[..], &["echo said; exec sleep 600"]].concat()).ok();
    let [direct, through] =
        both.sockets().map(|socket| CALLS.iter().map(|call| ask(&socket, call)).collect::<Vec<_>>());
    for ((call, direct), through) in CALLS.iter().zip(direct).zip(through) {
        assert_eq!(direct, through, "{call:?}");
    }
}

#[test]
fn many_calls_on_one_connection_are_answered_in_their_order() {
    let both = Both::open();
    let pings = |count| "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count);
    let last = format!("GET /v1.41/images/json HTTP/1.1\r\n{CLOSE}\r\n");
    let [direct, through] = both.sockets().map(|socket| {
        let mut stream = connect(&socket);
        stream.write_all(format!("{}{last}", pings(50)).as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 51, "{answers}");
        answers.split("\r\n\r\n").last().map(|body| masked(body, Looseness::Identities))
    });
    assert_eq!(direct, through);
}

/// Status line, headers, and body, of an answer to one call.
type Answer = (String, BTreeSet<String>, String);

fn ask(socket: &Path, (method, target, headers, body): &(&str, &str, &str, &str)) -> Answer {
    let mut stream = connect(socket);
    let chunked = headers.contains("chunked");
    let close = if headers.contains("Connection") { "Host: docker\r\n" } else { CLOSE };
    let length = if chunked || body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let body = if chunked { pieces(body) } else { (*body).to_owned() };
    write!(stream, "{method} {target} HTTP/1.1\r\n{close}{headers}{length}\r\n{body}").unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "{method} {target}: {head:?}");
        if line == "\r\n" {
            break;
        }
        head.push(masked(line.trim_end(), Looseness::Identities));
    }
    let is_stream = head.first().is_some_and(|status| status.contains(" 101 "));
    if target.contains("/attach") {
        // It does not end while the container runs: what there is now is enough.
        let mut logged = [0; 13];
        reader.read_exact(&mut logged).unwrap();
        return split(head, String::from_utf8_lossy(&logged).into_owned());
    }
    assert!(!is_stream, "{method} {target}");
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    if head.iter().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked")) {
        bytes = together(&bytes);
    }
    split(head, masked(&String::from_utf8_lossy(&bytes), Looseness::Identities))
}

fn split(mut head: Vec<String>, body: String) -> Answer {
    let status = head.remove(0);
    let headers = head.into_iter().filter(|line| !line.starts_with("Date:"));
    (status, headers.collect(), body)
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// A body in chunks of seven bytes.
fn pieces(body: &str) -> String {
    let mut chunks = String::new();
    for chunk in body.as_bytes().chunks(7) {
        let text = String::from_utf8_lossy(chunk);
        chunks = format!("{chunks}{:x}\r\n{text}\r\n", chunk.len());
    }
    chunks + "0\r\n\r\n"
}

/// The body of which these are the chunks; it must have its end.
fn together(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        let chunk = &chunks[end + 2..];
        if size == 0 {
            return body;
        }
        body.extend(&chunk[..size]);
        chunks = &chunk[size + 2..];
    }
}
