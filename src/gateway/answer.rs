//! Answers of the gateway's own, in the shape of the daemon's.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Response, StatusCode};

use super::body::{self, Body};

/// An error as the daemon tells one.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let mut response =
        Response::new(body::whole(serde_json::json!({ "message": message }).to_string() + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The word that a connection changes its protocol, in the daemon's place.
pub(super) fn switching(protocol: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body::whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, protocol);
    response
}

/// Takes away what was between the daemon and us only.
pub(super) fn without_hops(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, TRAILER, UPGRADE, HeaderName::from_static("keep-alive")] {
        headers.remove(name);
    }
}

/// The daemon's answer with another body.
pub(super) fn with_body(mut head: Parts, bytes: hyper::body::Bytes) -> Response<Body> {
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Response::from_parts(head, body::whole(bytes))
}
