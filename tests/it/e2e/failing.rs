//! When something is missing, broken or hostile: closed, and open again once it is mended.

use std::sync::Mutex;

use crate::support::dockerd::Ground;
use crate::support::http;
use crate::support::wharfinger::{Wharf, Wharfinger};

const REQUEST: &str = "/AuthZPlugin.AuthZReq";

#[test]
fn without_the_plugin_nothing_is_allowed_and_after_its_restart_everything_works_again() {
    let mut wharf = Wharf::start();
    let socket = wharf.ground.path().join("docker.sock");

    wharf.wharfinger.kill();
    let (status, body) = http::get(&socket, "/version").unwrap();
    assert_eq!(status, 500, "{body}");
    assert!(body.contains("plugin wharfinger failed with error"), "{body}");

    wharf.wharfinger.start_again();
    assert_eq!(http::get(&socket, "/version").unwrap().0, 200);
    assert_eq!(wharf.docker("alice", &["run", "--rm", "busybox", "echo", "back"]).ok(), "back");
}

#[test]
fn whatever_was_allowed_before_a_crash_is_on_record_after_it() {
    let ground = Ground::new(&[]);
    let mut wharfinger = Wharfinger::start(&ground);
    let socket = ground.plugin_socket();
    let allowed = Mutex::new(Vec::new());

    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (socket, allowed) = (&socket, &allowed);
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("w{worker}n{number}");
                    match http::post(socket, REQUEST, question("carol", &name).as_bytes()) {
                        Ok((200, answer)) if answer.contains("\"Allow\":true") => {
                            allowed.lock().unwrap().push(name);
                        }

                        Ok(other) => panic!("carol was denied: {other:?}"),
                        // The crash.
                        Err(_) => return,
                    }
                }
            });
        }
        while allowed.lock().unwrap().len() < 200 {
            std::thread::yield_now();
        }
        wharfinger.kill();
    });

    wharfinger.start_again();
    let recorded: std::collections::HashSet<String> = wharfinger
        .trail()
        .iter()
        .filter(|record| record["decision"] == "permit")
        .filter_map(|record| record["object"]["name"].as_str().map(str::to_owned))
        .collect();
    let missing: Vec<String> =
        allowed.into_inner().unwrap().into_iter().filter(|name| !recorded.contains(name)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn a_question_that_is_empty_or_cannot_be_read_or_is_too_large_is_answered_500() {
    let ground = Ground::new(&[]);
    let wharfinger = Wharfinger::start(&ground);
    let socket = ground.plugin_socket();
    let whole = question("carol", "x");
    let cases: [(&str, Vec<u8>); 8] = [
        ("empty", Vec::new()),
        ("white space", b"  \n".to_vec()),
        ("not JSON", b"RequestMethod=GET".to_vec()),
        ("null", b"null".to_vec()),
        ("an array", b"[]".to_vec()),
        ("nothing asked", b"{}".to_vec()),
        ("cut short", whole.as_bytes()[..whole.len() - 1].to_vec()),
        ("too large", format!("{{\"RequestUri\":\"{}\"}}", "x".repeat(64 << 20)).into_bytes()),
    ];

    for target in [REQUEST, "/AuthZPlugin.AuthZRes"] {
        for (case, body) in &cases {
            let (status, answer) = http::post(&socket, target, body).unwrap();
            assert_eq!(status, 500, "{case}: {answer}");
            assert!(!answer.contains("\"Allow\":true"), "{case}: {answer}");
        }
    }

    // And it still answers what is in order.
    let (status, answer) = http::post(&socket, REQUEST, whole.as_bytes()).unwrap();
    assert_eq!((status, answer.contains("\"Allow\":true")), (200, true), "{answer}");
    drop(wharfinger);
}

#[test]
fn a_body_that_is_announced_and_does_not_come_is_no_reason_to_allow() {
    let ground = Ground::new(&[]);
    let _wharfinger = Wharfinger::start(&ground);
    let request = "POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{}";

    let answer = half_closed(&ground, request);

    assert!(!answer.contains("200 OK") && !answer.contains("\"Allow\":true"), "{answer}");
}

#[test]
fn a_second_daemon_does_not_take_the_socket_of_a_living_one_but_that_of_a_dead_one() {
    let ground = Ground::new(&[]);
    let mut wharfinger = Wharfinger::start(&ground);

    let second = wharfinger.cli(&["serve"]).refused();
    assert!(second.contains(&ground.plugin_socket().display().to_string()), "{second}");
    assert_eq!(
        http::post(&ground.plugin_socket(), REQUEST, question("carol", "x").as_bytes()).unwrap().0,
        200
    );

    wharfinger.kill();
    assert!(ground.plugin_socket().exists(), "a killed daemon leaves its socket");
    wharfinger.start_again();
    assert_eq!(
        http::post(&ground.plugin_socket(), REQUEST, question("carol", "x").as_bytes()).unwrap().0,
        200
    );
}

/// A question about inspecting the container `name`.
fn question(user: &str, name: &str) -> String {
    serde_json::json!({
        "User": user, "UserAuthNMethod": "TLS", "RequestMethod": "GET",
        "RequestUri": format!("/v1.41/containers/{name}/json"),
        "RequestPeerCertificates": [certificate(user)],
    })
    .to_string()
}

/// A client certificate as dockerd passes it on.
fn certificate(user: &str) -> String {
    use base64::Engine as _;
    static KEY: std::sync::LazyLock<rcgen::KeyPair> =
        std::sync::LazyLock::new(|| rcgen::KeyPair::generate().unwrap());
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, user);
    base64::engine::general_purpose::STANDARD.encode(parameters.self_signed(&*KEY).unwrap().pem())
}

fn half_closed(ground: &Ground, request: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(ground.plugin_socket()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer
}
