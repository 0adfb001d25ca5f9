//! Programs that hold the stream of events open and list what there is at each of them, as reverse proxies do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::both::Both;
use crate::support::http;

const WATCHERS: usize = 40;

/// Containers that have a label `route`.
const LABELLED: &str = "/v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22route%22%5D%7D";

#[test]
fn every_watcher_is_told_of_every_event_and_finds_what_it_is_about() {
    let both = Both::open();
    let socket = both.quay.socket();
    let mut watchers: Vec<_> = (0..WATCHERS).map(|_| watch(&socket)).collect();

    both.directly().run(&["create", "--name", "new", "--label", "route=here", "busybox", "true"]).ok();
    for watcher in &mut watchers {
        assert!(next(watcher).contains("\"Action\":\"create\""));
    }
    let listed = http::get(&socket, LABELLED).unwrap();
    assert!(listed.1.contains("\"route\":\"here\""), "{listed:?}");

    both.directly().run(&["rm", "new"]).ok();
    for watcher in &mut watchers {
        assert!(next(watcher).contains("\"Action\":\"destroy\""));
    }
    let listed = http::get(&socket, "/v1.41/containers/json?all=1").unwrap();
    assert!(!listed.1.contains("\"route\":\"here\""), "{listed:?}");
}

/// Opens a stream of the events of containers, and returns when it is there.
fn watch(socket: &Path) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let target = "/v1.41/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D";
    write!(stream, "GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n").unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(line(&mut stream), "HTTP/1.1 200 OK\r\n");
    while line(&mut stream) != "\r\n" {}
    stream
}

/// The next event.
fn next(stream: &mut BufReader<UnixStream>) -> String {
    loop {
        let line = line(stream);
        if line.starts_with('{') {
            return line;
        }
    }
}

fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the stream ended");
    line
}
