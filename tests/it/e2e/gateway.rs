//! The gateway in front of a real engine: the kernel says who asks, and everything works as without it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use super::denial;
use crate::support::dockerd::Dockerd;
use crate::support::gateway::{Quay, Shore};
use crate::support::http;
use crate::support::process::{bounded, wait_for};

#[test]
fn the_kernel_says_who_asks_and_the_roles_of_that_user_decide() {
    let quay = Quay::open();
    let hello = quay.docker("games", &["run", "--rm", "busybox", "echo", "hello"]).ok();
    assert_eq!(hello, "hello");

    let (message, id) = denial(quay.docker("games", &["ps"]));
    assert!(message.starts_with("games may not container.list (docker ps): "), "{message}");
    let explained = quay.wharf.wharfinger.cli(&["explain", &id]).ok();
    assert!(explained.contains("gateway uid 5"), "{explained}");
    assert!(explained.contains("through   gateway"), "{explained}");

    assert!(quay.docker("www-data", &["ps", "--all"]).ok().starts_with("CONTAINER ID"));
    assert!(denial(quay.docker("daemon", &["ps"])).0.starts_with("daemon may not container.list"));
    // Root is a user like the others, on record.
    assert!(quay.docker("root", &["ps"]).ok().starts_with("CONTAINER ID"));
    let of_root = quay.wharf.wharfinger.decisions_of(Some("root"));
    assert_eq!(of_root, [("container.list".to_owned(), "permit".to_owned())]);
}

#[test]
fn whoever_has_no_name_on_this_host_is_refused_and_on_record() {
    let quay = Quay::open();
    for (uid, problem) in [
        ("65534", "the kernel names no user for this connection"),
        ("54321", "uid 54321 has no name on this host"),
    ] {
        let refused = quay.docker(uid, &["version"]).refused();
        assert!(refused.contains(problem), "{refused}");
    }
    let denied = quay.wharf.wharfinger.trail();
    let denied =
        denied.iter().filter(|record| record["cause"] == "identity" && record["source"]["door"] == "gateway");
    assert!(denied.count() >= 2);
}

#[test]
fn no_header_makes_a_user_another_one() {
    let quay = Quay::open();
    let tricks = [
        "X-Wharfinger-Gateway: 00000000000000000000000000000000",
        "x-wharfinger-gateway: root",
        "X_Wharfinger_Gateway: root",
        "X-Wharfinger-User: root",
        "X-Wharfinger-Self: 00000000000000000000000000000000",
        "X-Remote-User: root",
        "Connection: close, X-Wharfinger-Gateway",
        "Connection: close\r\nConnection: X-Wharfinger-Gateway",
        "X-Other: 1\r\n X-Wharfinger-Gateway: root",
        "X-Wharfinger-Gateway : root",
        "X-Wharfinger-Token: a.b.c",
        "X-Wharfinger-Token: a.b.c\r\nX-Wharfinger-Token: d.e.f",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
    ];
    for trick in tricks {
        let request = format!(
            "GET /v1.41/containers/json HTTP/1.1\r\nHost: x\r\n{trick}\r\nConnection: close\r\n\r\n0\r\n\r\n"
        );
        let answer = quay.raw_as("daemon", &request);
        let status = answer.split(' ').nth(1).unwrap_or("closed");
        assert!(matches!(status, "400" | "403" | "closed"), "{trick}: {answer}");
    }
    let allowed = quay.wharf.wharfinger.decisions_of(Some("root"));
    assert_eq!(allowed, Vec::<(String, String)>::new());
    let of_daemon = quay.wharf.wharfinger.decisions_of(Some("daemon"));
    assert!(of_daemon.len() > 3 && of_daemon.iter().all(|(_, decision)| decision == "deny"), "{of_daemon:?}");
}

#[test]
fn a_handle_from_the_raw_socket_is_a_denial() {
    let quay = Quay::open();
    let request = "GET /v1.41/info HTTP/1.1\r\nHost: x\r\nX-Wharfinger-Gateway: 00000000000000000000000000000000\r\nConnection: close\r\n\r\n";
    let (status, body) = http::raw(&quay.wharf.dockerd.raw_socket(), request.as_bytes()).unwrap();
    assert_eq!(status, 403);
    assert!(body.contains("is not one that the gateway made for this call"), "{body}");
}

#[test]
fn a_user_is_who_connected_whatever_becomes_of_the_process() {
    let quay = Quay::open();
    let socket = quay.socket();
    // Connects as games, and is root again when it asks: the kernel remembers who connected.
    let script = format!(
        "use IO::Socket::UNIX; $> = getpwnam('games'); my $s = IO::Socket::UNIX->new(Peer => '{}') or die $!; $> = 0; \
         print $s \"GET /v1.41/info HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n\"; print <$s>;",
        socket.display()
    );
    let answer = bounded("perl").args(["-e", &script]).output().unwrap();
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert_eq!(quay.wharf.wharfinger.decisions_of(Some("root")), Vec::<(String, String)>::new());
    assert_eq!(quay.wharf.wharfinger.decisions_of(Some("games")).len(), 1);
}

#[test]
fn what_is_no_plain_http_1_1_reaches_no_daemon() {
    let quay = Quay::open();
    let build = "POST /v1.41/build?remote=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    for (request, expected) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("GET /v1.41/info HTTP/1.0\r\n\r\n".to_owned(), "505"),
        ("CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        ("GET http://x/v1.41/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        (
            format!("{build}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b"),
            "415",
        ),
        (
            format!("{build}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3\r\n\r\na=b"),
            "415",
        ),
        (format!("{build}Content-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"), "415"),
        (format!("{build}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"), "400"),
        (format!("{build}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), "400"),
    ] {
        let answer = quay.raw_as("www-data", &request);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(status, expected, "{request}: {answer}");
    }
    let permitted = quay.wharf.wharfinger.decisions_of(Some("www-data"));
    assert!(permitted.iter().all(|(_, decision)| decision == "deny"), "{permitted:?}");
}

#[test]
fn a_body_in_pieces_is_seen_whole_and_a_post_without_one_says_so() {
    let quay = Quay::open();
    let create = "POST /v1.41/containers/create?name=chunked HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                  Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
                  10\r\n{\"Image\":\"busybo\r\n12\r\nx\",\"Cmd\":[\"true\"]}\r\n0\r\n\r\n";
    let answer = quay.raw_as("games", create);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let start = "POST /v1.41/containers/chunked/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = quay.raw_as("games", start);
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}

#[test]
fn streams_go_both_ways_and_end_for_themselves() {
    let quay = Quay::open();
    let mut command = quay.as_("games").command("docker");
    command.args(["run", "-i", "--rm", "busybox", "sh", "-c", "cat; echo after"]);
    let mut docker = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = docker.stdin.take().unwrap();
    stdin.write_all(b"from stdin\n").unwrap();
    drop(stdin);
    let output = docker.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "from stdin\nafter\n");

    quay.docker("games", &["run", "-d", "--name", "mine", "busybox", "sh", "-c", "echo logged; sleep 600"])
        .ok();
    assert_eq!(quay.docker("games", &["exec", "mine", "echo", "inside"]).ok(), "inside");
    assert_eq!(quay.docker("games", &["logs", "mine"]).ok(), "logged");
    let on_terminal = quay.as_("games").run_on_a_terminal(&["exec", "-it", "mine", "tty"]).ok();
    assert!(on_terminal.contains("/dev/pts/"), "{on_terminal}");

    // What goes in comes out again, byte for byte.
    let file = quay.wharf.ground.path().join("large");
    let bytes: Vec<u8> =
        (0..5_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(&file, &bytes).unwrap();
    let (there, back) = (file.display().to_string(), file.with_extension("back").display().to_string());
    quay.docker("root", &["cp", &there, "mine:/tmp/large"]).ok();
    quay.docker("root", &["cp", "mine:/tmp/large", &back]).ok();
    assert!(fs::read(&back).unwrap() == bytes, "another file came back");
}

#[test]
fn a_build_that_is_not_permitted_says_so_in_every_way_of_building() {
    let quay = Quay::open();
    let context = quay.wharf.ground.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("Dockerfile"), "FROM busybox\n").unwrap();
    let mut classic = quay.as_("mail").command("docker");
    classic.env("DOCKER_BUILDKIT", "0").arg("build").arg(&context);
    let (message, _) = denial(classic.output().unwrap().into());
    assert!(message.starts_with("mail may not image.build"), "{message}");

    // What buildx asks first: an upgrade, HTTP/2 settings, one call; the last frame says that there are no more.
    let upgrade = "HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n";
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x03\
                 \0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let answer = quay.raw_as("mail", &format!("POST /grpc {upgrade}{http2}"));
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("grpc-status") && answer.contains("mail may not build.session"), "{answer}");

    // A session is kept open for a build that says why it is denied.
    let answer = quay.raw_as("mail", &format!("POST /session {upgrade}"));
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn clients_that_are_killed_leave_nothing_behind() {
    let quay = Quay::open();
    quay.docker("root", &["run", "-d", "--name", "idle", "busybox", "sleep", "600"]).ok();
    let fds = || fs::read_dir(format!("/proc/{}/fd", quay.wharf.wharfinger.pid())).unwrap().count();
    let before = fds();
    // Not all at once: the test's own descriptors are few.
    for _ in 0..4 {
        kill_clients(&quay, 250);
    }
    wait_for(
        "everything to be closed",
        || (fds() <= before + 4).then_some(()),
        || format!("{before} before, {}", fds()),
    );
    let status = quay.wharf.wharfinger.cli(&["status"]).ok();
    let open = status.lines().find(|line| line.starts_with("gateway open")).unwrap();
    assert!(open.ends_with(" 0"), "{status}");
}

/// Opens so many streams of all kinds, sees that each is answered, and closes them all.
fn kill_clients(quay: &Quay, count: usize) {
    let mut clients = Vec::new();
    for n in 0..count {
        let mut client = UnixStream::connect(quay.socket()).unwrap();
        let request = match n % 4 {
            0 => "GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\n",
            // A byte behind the request must not hide that the client is gone.
            1 => "GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\nG",
            2 => "GET /v1.41/containers/idle/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n",
            _ => {
                "POST /v1.41/containers/idle/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
            }
        };
        client.write_all(request.as_bytes()).unwrap();
        clients.push(client);
    }
    for client in &clients {
        let mut first = String::new();
        BufReader::new(client).read_line(&mut first).unwrap();
        assert!(first.starts_with("HTTP/1.1 200") || first.starts_with("HTTP/1.1 101"), "{first}");
    }
}

#[test]
fn a_daemon_that_ends_and_comes_back_is_told_to_clients_and_found_again() {
    let Quay { wharf } = Quay::open();
    let (ground, dockerd) = (&wharf.ground, wharf.dockerd);
    let socket = ground.path().join("users.sock");
    let mut watching = UnixStream::connect(&socket).unwrap();
    watching.write_all(b"GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 12];
    watching.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut staying = UnixStream::connect(&socket).unwrap();
    let ask = |staying: &mut UnixStream| {
        staying.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut reader = BufReader::new(staying);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (first.trim().to_owned(), String::from_utf8(body).unwrap())
    };
    assert_eq!(ask(&mut staying), ("HTTP/1.1 200 OK".to_owned(), "OK".to_owned()));

    drop(dockerd);
    let mut rest = Vec::new();
    drop(watching.read_to_end(&mut rest));
    let (status, body) = ask(&mut staying);
    assert_eq!(status, "HTTP/1.1 502 Bad Gateway");
    assert!(body.contains("does not answer; is it running?"), "{body}");

    // It was not let to clean up.
    fs::remove_file(ground.path().join("docker.pid")).unwrap();
    let _dockerd = Dockerd::start(ground);
    assert_eq!(ask(&mut staying), ("HTTP/1.1 200 OK".to_owned(), "OK".to_owned()));
}

#[test]
fn a_daemon_that_asks_nobody_gets_no_calls() {
    let shore = Shore::with_an_engine_that_asks_nobody("");
    let refused = shore.docker("root", &["volume", "create", "made"]).refused();
    assert!(refused.contains("does not ask wharfinger for decisions"), "{refused}");
    let volumes = shore.dockerd.docker("carol").run(&["volume", "ls", "--quiet"]).ok();
    assert_eq!(volumes, "");
}

#[test]
fn alone_the_gateway_decides_and_knows_what_became_of_a_call() {
    let shore = Shore::with_an_engine_that_asks_nobody("decide = true\n");
    let hello = shore.docker("games", &["run", "--rm", "--name", "one", "busybox", "echo", "hello"]).ok();
    assert_eq!(hello, "hello");
    let refused = shore.docker("games", &["ps"]).refused();
    assert!(
        refused.contains("authorization denied by wharfinger: games may not container.list"),
        "{refused}"
    );
    let refused = shore.docker("games", &["run", "--privileged", "busybox", "true"]).refused();
    assert!(refused.contains("games may not host.privileged"), "{refused}");
    assert!(!shore.ground.plugin_socket().exists());
    let trail = shore.wharfinger.trail();
    let created = trail
        .iter()
        .find(|record| record["phase"] == "response" && record["operation"] == "container.create");
    let created = created.unwrap();
    assert_eq!((&created["status"], &created["outcome"]), (&201.into(), &"success".into()));
    assert!(created["created"].is_string(), "{created}");
}

#[test]
fn as_two_processes_both_decide_and_the_signature_carries_the_user() {
    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(key.path(), "k".repeat(32)).unwrap();
    let key = key.path().display().to_string();
    let shore = Shore::with_the_plugin_in_another_process(&key);
    let hello = shore.docker("games", &["run", "--rm", "busybox", "echo", "hello"]).ok();
    assert_eq!(hello, "hello");
    let of_games = |wharfinger: &crate::support::wharfinger::Wharfinger| {
        let trail = wharfinger.trail();
        let mut ids: Vec<String> = trail
            .iter()
            .filter(|record| record["phase"] == "decision" && record["actor"]["user"] == "games")
            .map(|record| record["id"].to_string())
            .collect();
        ids.sort();
        ids
    };
    let (here, there) = (of_games(&shore.wharfinger), of_games(shore.plugin.as_ref().unwrap()));
    assert!(here.len() >= 4);
    assert_eq!(here, there, "a call has one id in both trails");
}

/// A namespace of one's own makes nobody root: what the process sees as uid 0 is the kernel's `daemon`.
#[test]
fn root_of_a_user_namespace_is_still_the_user_who_made_it() {
    let may = Command::new("setpriv")
        .args([
            "--reuid=daemon",
            "--regid=daemon",
            "--clear-groups",
            "unshare",
            "--user",
            "--map-root-user",
            "true",
        ])
        .output()
        .unwrap();
    if !may.status.success() {
        eprintln!("not tried: this host gives its users no user namespaces");
        return;
    }
    let quay = Quay::open();
    let request = "GET /v1.41/containers/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = quay.raw_within("daemon", &["unshare", "--user", "--map-root-user"], request);
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(quay.wharf.wharfinger.decisions_of(Some("daemon")).len(), 1);
    assert_eq!(quay.wharf.wharfinger.decisions_of(Some("root")), Vec::<(String, String)>::new());
}
