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
const REPEATABLE: &[&str] =
    &["accept", "accept-encoding", "accept-language", "cookie", "via", "forwarded", "x-forwarded-for"];

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
