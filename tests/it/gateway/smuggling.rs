//! A second request hidden in a first one, in every way that parsers were ever found to disagree: none reaches the daemon.
#![allow(
    clippy::string_slice,
    clippy::format_collect,
    reason = "a cut at the wrong place fails the test, and the text is short"
)]

use std::fmt::Write as _;
use std::process::Stdio;

use super::both::Both;
use crate::support::http;
use crate::support::process::bounded;

/// What is to be smuggled. On the raw socket, where everybody is an admin in this test, it would be done.
const HIDDEN: &str =
    "POST /v1.41/containers/victim/rename?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";

/// The head of a request that everybody may send.
const OPEN: &str = "GET /_ping HTTP/1.1\r\nHost: x\r\n";

/// In what it is hidden: `{open}` is the beginning of a permitted request, `{hidden}` the hidden one, `{size}` and
/// `{hex}` its length, in decimal and for a chunk.
const TRICKS: &[(&str, &str)] = &[
    ("behind another request", "{open}\r\n{hidden}"),
    ("as a body", "{open}Content-Length: {size}\r\n\r\n{hidden}"),
    ("as a body of HEAD", "HEAD /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n{hidden}"),
    ("as a chunk", "{open}Transfer-Encoding: chunked\r\n\r\n{hex}\r\n{hidden}\r\n0\r\n\r\n"),
    (
        "length, then chunks",
        "{open}Content-Length: {size}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    ("chunks, then length", "{open}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{hidden}"),
    (
        "length 0, then chunks",
        "{open}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n{hex}\r\n{hidden}\r\n0\r\n\r\n",
    ),
    ("two lengths", "{open}Content-Length: 0\r\nContent-Length: {size}\r\n\r\n{hidden}"),
    ("two lengths, the other way", "{open}Content-Length: {size}\r\nContent-Length: 0\r\n\r\n{hidden}"),
    ("two equal lengths", "{open}Content-Length: {size}\r\nContent-Length: {size}\r\n\r\n{hidden}"),
    ("a list of lengths", "{open}Content-Length: 0, {size}\r\n\r\n{hidden}"),
    ("a length with a sign", "{open}Content-Length: +{size}\r\n\r\n{hidden}"),
    ("a negative length", "{open}Content-Length: -1\r\n\r\n{hidden}"),
    ("a length in hexadecimal", "{open}Content-Length: 0x0\r\n\r\n{hidden}"),
    ("a length with a space in it", "{open}Content-Length: 0 {size}\r\n\r\n{hidden}"),
    ("a length beyond all numbers", "{open}Content-Length: 18446744073709551616\r\n\r\n{hidden}"),
    ("no length", "{open}Content-Length:\r\n\r\n{hidden}"),
    ("a space before the colon", "{open}Content-Length : {size}\r\n\r\n{hidden}"),
    ("a space before the colon of chunks", "{open}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
    ("an underscore for the hyphen", "{open}Content_Length: {size}\r\n\r\n{hidden}"),
    ("a folded length", "{open}Content-Length:\r\n {size}\r\n\r\n{hidden}"),
    ("a folded coding", "{open}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}"),
    ("a folded header", "{open}X-A: b\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
    ("a header before the first", "GET /_ping HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n{hidden}"),
    ("a list of codings", "{open}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{hidden}"),
    (
        "a list of codings, the other way",
        "{open}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}",
    ),
    ("a coding that is none", "{open}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
    ("a coding in quotes", "{open}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{hidden}"),
    ("a coding with a parameter", "{open}Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n{hidden}"),
    ("a coding after a vertical tab", "{open}Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n{hidden}"),
    (
        "a coding twice",
        "{open}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    (
        "a coding twice, one of them none",
        "{open}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n{hidden}",
    ),
    ("a chunk's size in C", "{open}Transfer-Encoding: chunked\r\n\r\n0x{hex}\r\n{hidden}\r\n0\r\n\r\n"),
    ("a chunk's size with a sign", "{open}Transfer-Encoding: chunked\r\n\r\n-1\r\n{hidden}"),
    (
        "a chunk's size beyond all numbers",
        "{open}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{hidden}",
    ),
    ("a chunk's extension over a line", "{open}Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n{hidden}"),
    ("a chunk without its end", "{open}Transfer-Encoding: chunked\r\n\r\n1\r\nxx0\r\n\r\n{hidden}"),
    ("chunks with bare line feeds", "{open}Transfer-Encoding: chunked\n\n0\n\n{hidden}"),
    (
        "headers behind the chunks",
        "{open}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: {size}\r\n\r\n{hidden}",
    ),
    ("bare line feeds", "GET /_ping HTTP/1.1\nHost: x\n\n{hidden}"),
    ("a bare carriage return in a header", "{open}X-A: b\rContent-Length: {size}\r\n\r\n{hidden}"),
    ("a line feed in a header", "{open}X-A: b\nContent-Length: {size}\r\n\r\n{hidden}"),
    ("two carriage returns", "{open}X-A: b\r\r\n\r\r\n{hidden}"),
    ("NUL in a header", "{open}X-A: b\0c\r\n\r\n{hidden}"),
    ("NUL in a header's name", "{open}Content-Length\0: {size}\r\n\r\n{hidden}"),
    ("NUL in the target", "GET /_ping\0 HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"),
    ("in the target", "GET /_ping%20HTTP/1.1%0d%0a%0d%0a{hidden}"),
    ("in the target, as it is", "GET /_ping HTTP/1.1\r\n\r\n HTTP/1.1\r\nHost: x\r\n\r\n{hidden}"),
    (
        "in the query, in disguise",
        "GET /_ping?%0d%0a%0d%0aPOST%20/v1.41/containers/victim/rename?name=smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    ("empty lines first", "\r\n\r\n{open}\r\n{hidden}"),
    ("waiting to be told to go on", "{open}Expect: 100-continue\r\nContent-Length: {size}\r\n\r\n{hidden}"),
    ("in another protocol's place", "{open}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n{hidden}"),
    (
        "in h2c's place",
        "{open}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n{hidden}",
    ),
    ("behind HTTP/1.0", "GET /_ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{hidden}"),
    ("behind HTTP/0.9", "GET /_ping\r\n{hidden}"),
    ("behind HTTP/1.2", "GET /_ping HTTP/1.2\r\nHost: x\r\n\r\n{hidden}"),
    ("behind HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{hidden}"),
    (
        "behind a build's connection",
        "POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n{hidden}",
    ),
    (
        "behind a build's session",
        "POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: a\r\nContent-Length: 0\r\n\r\n{hidden}",
    ),
    (
        "behind an attach that is denied",
        "POST /v1.41/containers/victim/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n{hidden}",
    ),
    (
        "behind an attach to nothing",
        "POST /v1.41/containers/nobody/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n{hidden}",
    ),
    (
        "as the body of an attach",
        "POST /v1.41/containers/nobody/attach?stream=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n{hidden}",
    ),
    (
        "as an absolute target",
        "POST http://x/v1.41/containers/victim/rename?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "as another method's name",
        "POST /v1.41/containers/victim/rename?name=smuggled HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "as another target's name",
        "GET /_ping HTTP/1.1\r\nHost: x\r\nX-Original-URL: /v1.41/containers/victim/rename?name=smuggled\r\nX-Rewrite-URL: /v1.41/containers/victim/rename?name=smuggled\r\n\r\n",
    ),
    (
        "with a dot for a segment",
        "POST /_ping/../v1.41/containers/victim/rename?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "with two slashes",
        "POST //v1.41/containers/victim/rename?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ),
];

/// `daemon` may ask no more than whether the daemon is there, `games` has containers of his own.
const USERS: &[&str] = &["daemon", "games"];

#[test]
fn no_second_request_is_smuggled_past_the_gateway() {
    // A connection that waits for more is not waited for long.
    let both = Both::open_with("idle = '2s'\n");
    both.directly().run(&["create", "--name", "victim", "busybox", "true"]).ok();
    let raw = both.quay.wharf.dockerd.raw_socket();
    let mut tricked = Vec::new();
    for user in USERS {
        let requests: Vec<String> = TRICKS.iter().map(|(_, trick)| filled(trick)).collect();
        let answers = answers(&both, user, &requests);
        for ((name, _), answer) in TRICKS.iter().zip(answers) {
            // What is answered at all is one answer for each request that was recognised, and none is a success but a ping.
            for status in statuses(&answer) {
                if !matches!(
                    status,
                    "100"
                        | "101"
                        | "200"
                        | "400"
                        | "403"
                        | "404"
                        | "405"
                        | "408"
                        | "411"
                        | "413"
                        | "415"
                        | "417"
                        | "431"
                        | "505"
                ) {
                    tricked.push(format!("{user}, {name}: {answer}"));
                }
            }
        }
    }
    let (_, containers) = http::get(&raw, "/v1.41/containers/json?all=1").unwrap();
    assert!(containers.contains("/victim"), "renamed: {containers}");
    assert_eq!(tricked, Vec::<String>::new());
    // The trick would work where it is told to the daemon itself.
    assert_eq!(
        http::raw(&raw, HIDDEN.replace("Host", "Connection: close\r\nHost").as_bytes()).unwrap().0,
        204
    );
    let named: Vec<_> = both.quay.wharf.wharfinger.trail();
    let done = named.iter().filter(|record| {
        record["operation"] == "container.rename"
            && record["decision"] == "permit"
            && record["actor"]["user"].is_string()
    });
    assert_eq!(done.count(), 0);
}

fn filled(trick: &str) -> String {
    trick
        .replace("{open}", OPEN)
        .replace("{size}", &HIDDEN.len().to_string())
        .replace("{hex}", &format!("{:x}", HIDDEN.len()))
        .replace("{hidden}", HIDDEN)
}

/// The status of each answer.
fn statuses(answer: &str) -> Vec<&str> {
    let after = answer.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(2..5));
    after.filter(|status| status.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// What the gateway answers a user of the host to each of these, on connections of their own, at the same time.
fn answers(both: &Both, user: &str, requests: &[String]) -> Vec<String> {
    const CLIENT: &str = r#"
        my ($socket, @requests) = @ARGV; my @open;
        for (@requests) { my $s = IO::Socket::UNIX->new(Peer => $socket) or die $!; syswrite $s, pack("H*", $_); shutdown $s, 1; push @open, $s }
        for my $s (@open) { local $/; my $answer = <$s> // ""; print unpack("H*", $answer), "\n" }
    "#;
    let mut client = bounded("setpriv");
    client.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups");
    client.args(["perl", "-MIO::Socket::UNIX", "-e", CLIENT]).arg(both.quay.socket());
    client.args(requests.iter().map(|request| hex(request.as_bytes())));
    let output = client.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<String> = answers.lines().map(unhex).collect();
    assert_eq!(answers.len(), requests.len());
    answers
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn unhex(text: &str) -> String {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = (0..text.len()).step_by(2).map(byte).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
