//! The handle by which the plugin knows a call of the gateway's: nobody else gets anything for it.
#![allow(clippy::string_slice, reason = "a cut at the wrong place fails the test, and the text is short")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use super::both::Both;
use crate::support::http;

const HEADER: &str = "x-wharfinger-gateway: ";

/// Somebody between the gateway and the daemon who reads along.
struct Eavesdropper {
    _dir: tempfile::TempDir,
    socket: PathBuf,
    daemon: Arc<OnceLock<PathBuf>>,
    heard: Receiver<Heard>,
}

/// A request of the gateway's that waits for the word to go on.
struct Heard {
    request: String,
    go_on: Sender<()>,
}

impl Heard {
    fn handle(&self) -> &str {
        let lower = self.request.to_ascii_lowercase();
        let at = lower.find(HEADER).expect("the gateway's header") + HEADER.len();
        self.request.get(at..).unwrap().split("\r\n").next().unwrap()
    }
}

#[test]
fn a_handle_is_good_once_and_for_its_own_call_alone() {
    let ear = Eavesdropper::listen();
    let both = Both::open_with(&format!("docker_socket = '{}'\n", ear.socket.display()));
    let raw = both.quay.wharf.dockerd.raw_socket();
    ear.daemon.set(raw.clone()).unwrap();
    let ask = |target: &'static str| {
        let socket = both.quay.socket();
        let asking = std::thread::spawn(move || http::get(&socket, target).unwrap());
        (asking, ear.heard.recv().unwrap())
    };
    let with = |handle: &str, method: &str, target: &str| {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nX-Wharfinger-Gateway: {handle}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        http::raw(&raw, head.as_bytes()).unwrap()
    };

    // Whoever has the raw socket is an admin here, and yet a handle that is not the call's own is a denial.
    let (asking, heard) = ask("/v1.41/info");
    let handle = heard.handle().to_owned();
    for (method, target) in [
        ("GET", "/v1.41/containers/json"),
        ("GET", "/v1.40/info"),
        ("GET", "/v1.41/info?x=y"),
        ("POST", "/v1.41/containers/prune"),
    ] {
        let (status, body) = with(&handle, method, target);
        assert_eq!(status, 403, "{method} {target}: {body}");
    }
    heard.go_on.send(()).unwrap();
    // Somebody has shown the handle at another door: it is worth nothing any more, not even to its owner.
    let first = asking.join().unwrap();

    // One that was not shown around works once.
    let (asking, heard) = ask("/v1.41/version");
    let handle = heard.handle().to_owned();
    heard.go_on.send(()).unwrap();
    assert_eq!(asking.join().unwrap().0, 200);
    let (status, body) = with(&handle, "GET", "/v1.41/version");
    assert_eq!(status, 403, "{body}");
    assert!(matches!(first.0, 200 | 403), "{first:?}");
}

impl Eavesdropper {
    fn listen() -> Self {
        let dir = tempfile::Builder::new().prefix("wf-ear-").tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = Arc::new(OnceLock::<PathBuf>::new());
        let (tell, heard) = channel();
        let behind = Arc::clone(&daemon);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (tell, behind) = (tell.clone(), Arc::clone(&behind));
                std::thread::spawn(move || relay(client, behind.get().unwrap(), &tell));
            }
        });
        Self { _dir: dir, socket, daemon, heard }
    }
}

/// Passes requests without a body on, those of the test when it says so, and the answers back.
fn relay(mut client: UnixStream, daemon: &Path, tell: &Sender<Heard>) {
    let mut daemon = UnixStream::connect(daemon).unwrap();
    let (mut answers, mut asker) = (daemon.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut answers, &mut asker));
    while let Some(request) = head(&mut client) {
        // The gateway has questions of its own first: whether the daemon asks the plugin at all.
        if !request.starts_with("GET /_ping ") {
            let (go_on, wait) = channel();
            tell.send(Heard { request: request.clone(), go_on }).unwrap();
            wait.recv().unwrap();
        }
        daemon.write_all(request.as_bytes()).unwrap();
    }
    drop(daemon.shutdown(std::net::Shutdown::Write));
}

fn head(client: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}
