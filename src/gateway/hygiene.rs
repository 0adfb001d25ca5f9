//! What the gateway takes at all: plain HTTP/1.1 in one spelling; everything else is refused before it is forwarded.

use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
    UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Version};

use crate::authz::Action;
use crate::engine::{self, Body, Recognised, Refusal, RefusalCode};
use crate::identity::{TOKEN_HEADER, WHOAMI_HEADER};

/// Headers that begin so, whatever the case and with `_` for `-`, say who asks: a client cannot.
const OURS: &str = "x-wharfinger-";

/// Headers that may be there more than once, because nobody reads only the first or only the last of them.
const REPEATABLE: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "cookie",
    "forwarded",
    "via",
    // What a build's session offers, one line for each.
    "x-docker-expose-session-grpc-method",
    "x-forwarded-for",
];

/// What `Connection` may say; a header named there would be taken away on the way.
const CONNECTION_WORDS: &[&str] = &["close", "keep-alive", "upgrade", "te"];

/// What is between two neighbours only, and is made anew for the daemon.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The protocols that a connection can become, by operation; everywhere else an `Upgrade` is refused.
const UPGRADES: &[(Action, &[&str])] = &[
    (Action::ContainerAttach, &["tcp", "websocket"]),
    (Action::ExecStart, &["tcp"]),
    (Action::BuildSession, &["h2c"]),
];

/// The longest bodies, by what the daemon expects. A stream has no limit, and is never held.
pub(super) const fn limit(body: Body) -> Option<usize> {
    match body {
        // dockerd's own limit for what it shows a plugin.
        Body::Json | Body::JsonOrEmpty => Some(4 << 20),
        Body::Ignored | Body::Credentials => Some(64 << 10),
        Body::Unread | Body::Empty => Some(0),
        Body::Archive => None,
    }
}

/// A call that may go on.
#[derive(Debug)]
pub(super) struct Clean {
    /// What it is, with the target to forward.
    pub(super) call: Recognised,
    /// The headers to forward, without those of the connection.
    pub(super) headers: HeaderMap,
    /// What the connection is to become.
    pub(super) upgrade: Option<HeaderValue>,
}

/// Why a call does not go on, and with which status the client is told.
#[derive(Debug)]
pub(super) struct Unclean {
    pub(super) status: StatusCode,
    pub(super) refusal: Refusal,
}

/// Checks a request's head.
pub(super) fn check(head: &Parts) -> Result<Clean, Unclean> {
    if head.version != Version::HTTP_11 {
        return Err(bad(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 is spoken here"));
    }
    let origin_form = head.uri.scheme().is_none() && head.uri.authority().is_none();
    if head.method == Method::CONNECT || !origin_form || !head.uri.path().starts_with('/') {
        return Err(bad(
            StatusCode::BAD_REQUEST,
            "the request target must be a path; `CONNECT` and absolute URLs are not taken here",
        ));
    }
    once(&head.headers)?;
    connection(&head.headers)?;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let call = engine::recognise(head.method.as_str(), target).map_err(|refusal| Unclean {
        status: if refusal.code == RefusalCode::Unclassified {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::BAD_REQUEST
        },
        refusal,
    })?;
    let told = |unclean: Unclean| Unclean {
        refusal: Refusal { operation: Some(call.operation), ..unclean.refusal },
        ..unclean
    };
    content_type(&head.headers).map_err(told)?;
    let upgrade = upgrade(&head.headers, call.operation, target).map_err(told)?;
    Ok(Clean { headers: forwarded(&head.headers), call, upgrade })
}

/// A header that is there twice could be read as its first by one and as its last by another.
fn once(headers: &HeaderMap) -> Result<(), Unclean> {
    for name in headers.keys() {
        if headers.get_all(name).iter().nth(1).is_some() && !REPEATABLE.contains(&name.as_str()) {
            return Err(bad(
                StatusCode::BAD_REQUEST,
                format!("the header `{name}` is there more than once; send it once"),
            ));
        }
    }
    if headers
        .get(TRANSFER_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(bad(StatusCode::BAD_REQUEST, "of all transfer codings only `chunked` is taken here"));
    }
    Ok(())
}

fn connection(headers: &HeaderMap) -> Result<(), Unclean> {
    let Some(value) = headers.get(CONNECTION) else { return Ok(()) };
    let words = value.to_str().unwrap_or("\u{fffd}").split(',');
    for word in words.map(|word| word.trim().to_ascii_lowercase()) {
        if !word.is_empty() && !CONNECTION_WORDS.contains(&word.as_str()) {
            return Err(bad(
                StatusCode::BAD_REQUEST,
                format!(
                    "the `Connection` header names `{word}`; only `close`, `keep-alive` and `upgrade` are taken here"
                ),
            ));
        }
    }
    Ok(())
}

/// Forms would override the query, and gRPC would reach a builder that asks nobody.
fn content_type(headers: &HeaderMap) -> Result<(), Unclean> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = kind.to_str().unwrap_or("\u{fffd}").to_ascii_lowercase();
    let form = text.contains("x-www-form-urlencoded") || text.contains("multipart/");
    if (form && headers.get(CONTENT_LENGTH).is_none_or(|length| length != "0")) || !text.is_ascii() {
        let message = format!(
            "a body of type `{text}` could override the query unseen; send the parameters in the query alone"
        );
        return Err(Unclean {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            refusal: Refusal::new(RefusalCode::BodyForm, message),
        });
    }
    if text.contains("grpc") {
        return Err(bad(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "gRPC is taken only after an upgrade at `/grpc`",
        ));
    }
    Ok(())
}

fn upgrade(headers: &HeaderMap, operation: Action, target: &str) -> Result<Option<HeaderValue>, Unclean> {
    let asked = headers.get(CONNECTION).is_some_and(|value| {
        value.to_str().unwrap_or_default().split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
    });
    let Some(protocol) = headers.get(UPGRADE).filter(|_| asked) else {
        return if operation == Action::BuildSession || reads_stdin(operation, target) {
            Err(bad(
                StatusCode::BAD_REQUEST,
                "this call needs the connection for itself; send `Connection: Upgrade` and `Upgrade: tcp` (`h2c` for builds)",
            ))
        } else {
            Ok(None)
        };
    };
    let name = protocol.to_str().unwrap_or("\u{fffd}").to_ascii_lowercase();
    let allowed = UPGRADES.iter().any(|(of, names)| *of == operation && names.contains(&name.as_str()));
    if !allowed {
        return Err(bad(
            StatusCode::BAD_REQUEST,
            format!("this call cannot become a connection of the protocol `{name}`"),
        ));
    }
    Ok(Some(protocol.clone()))
}

/// Whether the client would send bytes behind the request's own, which only an upgrade makes room for.
fn reads_stdin(operation: Action, target: &str) -> bool {
    operation == Action::ContainerAttach
        && target.split_once('?').is_some_and(|(_, query)| {
            query.split('&').any(|pair| matches!(pair.split_once('='), Some(("stdin", value)) if !matches!(value, "" | "0" | "no" | "false" | "none")))
        })
}

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let bodyless = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    let mut kept = HeaderMap::with_capacity(headers.len() + 3);
    for (name, value) in headers {
        let hop = HOP_BY_HOP.contains(&name.as_str());
        // A type of nothing is nothing, and must not be taken for a form.
        if hop || is_ours(name) || (bodyless && name == CONTENT_TYPE) {
            continue;
        }
        kept.append(name.clone(), value.clone());
    }
    kept
}

/// Whether a header says who asks; of these a client's token is let through, as evidence, and the question who it is.
fn is_ours(name: &HeaderName) -> bool {
    name.as_str().replace('_', "-").starts_with(OURS)
        && ![TOKEN_HEADER, WHOAMI_HEADER].iter().any(|ours| name.as_str().eq_ignore_ascii_case(ours))
}

fn bad(status: StatusCode, message: impl AsRef<str>) -> Unclean {
    Unclean { status, refusal: Refusal::new(RefusalCode::Transport, message) }
}

/// Whether a value of this header may be shown to the plugin: dockerd shows it none of these.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    name == AUTHORIZATION || matches!(name.as_str(), "x-registry-auth" | "x-registry-config")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn refused(method: &str, target: &str, headers: &[(&str, &str)]) -> (u16, &'static str) {
        match check(&head(method, target, headers)) {
            Err(unclean) => (unclean.status.as_u16(), unclean.refusal.code.name()),
            Ok(clean) => panic!("{method} {target} {headers:?}: {clean:?}"),
        }
    }

    /// The names of the headers that go on.
    fn kept(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<String> {
        let clean = check(&head(method, target, headers)).unwrap();
        let mut names: Vec<String> = clean.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn a_plain_call_goes_on_in_its_one_spelling() {
        let clean = check(&head("GET", "/v1.41/%63ontainers/json?all=1", &[("host", "x")])).unwrap();
        assert_eq!(clean.call.target, "/v1.41/containers/json?all=1");
        assert_eq!(clean.call.operation, Action::ContainerList);
        assert!(clean.headers.is_empty());
        assert_eq!(clean.upgrade, None);
    }

    #[test]
    fn what_is_no_plain_http_1_1_is_refused() {
        let mut old = head("GET", "/_ping", &[]);
        for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_2] {
            old.version = version;
            assert_eq!(check(&old).unwrap_err().status, 505);
        }
        assert_eq!(refused("CONNECT", "x:1", &[]), (400, "transport"));
        assert_eq!(refused("GET", "http://x/v1.41/info", &[]), (400, "transport"));
        assert_eq!(refused("OPTIONS", "*", &[]), (400, "transport"));
        assert_eq!(refused("GET", "/v1.41/../info", &[]), (400, "uri-ambiguous"));
        assert_eq!(refused("GET", "/v1.41/nosuch", &[]), (404, "unclassified"));
        assert_eq!(refused("TRACE", "/_ping", &[]), (404, "unclassified"));
    }

    #[test]
    fn who_asks_is_not_the_clients_to_say_in_any_spelling() {
        let claims = [
            ("X-Wharfinger-Gateway", "1"),
            ("x_wharfinger_gateway", "1"),
            ("X-Wharfinger_User", "root"),
            ("x-wharfinger-", "1"),
            ("X-WHARFINGER-SELF", "1"),
            ("x_wharfinger_token", "a.b.c"),
            ("X-Wharfinger-Token", "a.b.c"),
            ("X-Other", "1"),
        ];
        assert_eq!(kept("GET", "/_ping", &claims), ["x-other", "x-wharfinger-token"]);
    }

    #[test]
    fn a_header_that_two_readers_could_read_differently_is_refused() {
        for name in [
            "content-type",
            "content-length",
            "x-wharfinger-token",
            "x-registry-auth",
            "x-other",
            "host",
            "upgrade",
        ] {
            assert_eq!(
                refused("POST", "/v1.41/containers/create", &[(name, "1"), (name, "1")]),
                (400, "transport"),
                "{name}"
            );
        }
        assert_eq!(kept("GET", "/_ping", &[("accept", "a"), ("accept", "b")]), ["accept"]);
        for coding in ["gzip, chunked", "identity", "chunked, chunked", "xchunked"] {
            assert_eq!(
                refused("POST", "/v1.41/build", &[("transfer-encoding", coding)]),
                (400, "transport"),
                "{coding}"
            );
        }
    }

    #[test]
    fn no_header_is_taken_away_by_naming_it_in_another() {
        for words in ["x-wharfinger-token", "close, content-type", "upgrade, http2-settings", "\u{e9}"] {
            assert_eq!(refused("GET", "/_ping", &[("connection", words)]), (400, "transport"), "{words}");
        }
        let hops = [
            ("connection", "Keep-Alive, TE"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("proxy-connection", "1"),
            ("proxy-authorization", "1"),
            ("expect", "100-continue"),
            ("host", "x"),
        ];
        assert_eq!(kept("GET", "/_ping", &hops), Vec::<String>::new());
    }

    #[test]
    fn forms_and_grpc_are_refused_and_a_type_of_nothing_is_dropped() {
        for kind in [
            "application/x-www-form-urlencoded",
            "Multipart/Form-Data; boundary=x",
            "text/plain, multipart/x",
            "\u{130}",
        ] {
            let headers = [("content-type", kind), ("content-length", "3")];
            assert_eq!(refused("POST", "/v1.41/build", &headers), (415, "body-form"), "{kind}");
            assert_eq!(refused("POST", "/v1.41/build", &headers[..1]), (415, "body-form"), "{kind}");
        }
        assert_eq!(
            refused("POST", "/v1.41/build", &[("content-type", "application/grpc+proto")]),
            (415, "transport")
        );
        let nothing = [("content-type", "application/x-www-form-urlencoded"), ("content-length", "0")];
        assert_eq!(kept("POST", "/v1.41/containers/x/start", &nothing), Vec::<String>::new());
        assert_eq!(kept("POST", "/v1.41/build", &[("content-type", "application/x-tar")]), ["content-type"]);
    }

    #[test]
    fn a_connection_becomes_another_only_where_the_daemon_means_it() {
        let asked = |protocol: &'static str| [("connection", "Upgrade"), ("upgrade", protocol)];
        for (target, protocol) in [
            ("/v1.41/containers/x/attach?stdin=1", "tcp"),
            ("/v1.41/exec/x/start", "TCP"),
            ("/v1.41/session", "h2c"),
            ("/grpc", "h2c"),
        ] {
            let clean = check(&head("POST", target, &asked(protocol))).unwrap();
            assert_eq!(clean.upgrade.unwrap(), protocol);
        }
        for (method, target, protocol) in [
            ("GET", "/v1.41/info", "h2c"),
            ("POST", "/v1.41/containers/x/attach", "h2c"),
            ("POST", "/v1.41/exec/x/start", "websocket"),
            ("POST", "/grpc", "tcp"),
            ("POST", "/v1.41/containers/create", "tcp"),
        ] {
            assert_eq!(refused(method, target, &asked(protocol)), (400, "transport"), "{target} {protocol}");
        }
    }

    #[test]
    fn a_call_that_needs_the_connection_for_itself_must_ask_for_it() {
        for target in ["/v1.41/containers/x/attach?stream=1&stdin=1", "/v1.41/session", "/grpc"] {
            assert_eq!(refused("POST", target, &[]), (400, "transport"), "{target}");
            assert_eq!(refused("POST", target, &[("upgrade", "tcp")]), (400, "transport"), "{target}");
        }
        for target in [
            "/v1.41/containers/x/attach?stdout=1",
            "/v1.41/containers/x/attach?stdin=0",
            "/v1.41/exec/x/start",
        ] {
            assert_eq!(check(&head("POST", target, &[])).unwrap().upgrade, None, "{target}");
        }
    }

    #[test]
    fn nothing_is_held_of_what_is_a_stream() {
        assert_eq!(limit(Body::Archive), None);
        assert_eq!(limit(Body::Empty), Some(0));
        assert_eq!(limit(Body::Json), Some(4 << 20));
    }
}
