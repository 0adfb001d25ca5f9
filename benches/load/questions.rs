//! What is asked: the calls of an ordinary day on a Docker host, each as question and as response.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::{Value, json};

use super::http;

/// The kinds of call in the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Ping,
    List,
    Create,
    Start,
    Logs,
}

/// Ten calls in the order that they are made: 3 pings, 3 lists, 1 create, 1 start, 2 logs.
pub(crate) const MIX: [Kind; 10] = [
    Kind::Ping,
    Kind::List,
    Kind::Create,
    Kind::Start,
    Kind::Ping,
    Kind::Logs,
    Kind::List,
    Kind::Ping,
    Kind::Logs,
    Kind::List,
];

/// What `docker run` sends for a service with a few options: about 3 KiB, most of it defaults spelled out.
const CREATE: &str = include_str!("create.json");

/// The two questions that dockerd asks about one call, ready to be sent.
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// Asked before the call is carried out.
    pub(crate) request: Vec<u8>,
    /// Told after it.
    pub(crate) response: Vec<u8>,
}

/// Who asks.
pub(crate) struct Caller {
    pub(crate) name: String,
    /// The client certificate in PEM.
    pub(crate) certificate: String,
}

/// The mix, `rounds` times, each time about another container.
pub(crate) fn calls(caller: &Caller, rounds: u32) -> Vec<Call> {
    (0..rounds).flat_map(|round| MIX.map(|kind| call(caller, kind, &container_id(round)))).collect()
}

fn container_id(round: u32) -> String {
    format!("{:016x}", u64::from(round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4)
}

/// The question's fields in dockerd's order; what is empty is left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    user: &'a str,
    #[serde(rename = "UserAuthNMethod")]
    user_authn_method: &'a str,
    request_method: &'a str,
    request_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<String>,
    request_headers: BTreeMap<&'a str, String>,
    request_peer_certificates: [String; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    response_headers: BTreeMap<&'a str, String>,
}

fn call(caller: &Caller, kind: Kind, id: &str) -> Call {
    let (method, uri) = match kind {
        Kind::Ping => ("HEAD", "/_ping".to_owned()),
        Kind::List => ("GET", "/v1.51/containers/json?all=1".to_owned()),
        Kind::Create => ("POST", "/v1.51/containers/create?name=web".to_owned()),
        Kind::Start => ("POST", format!("/v1.51/containers/{id}/start")),
        Kind::Logs => ("GET", format!("/v1.51/containers/{id}/logs?stderr=1&stdout=1&tail=100")),
    };
    let mut headers = BTreeMap::from([("User-Agent", "Docker-Client/28.5.2 (linux)".to_owned())]);
    let body = (kind == Kind::Create).then(|| CREATE.trim_end().to_owned());
    if body.is_some() {
        headers.insert("Content-Type", "application/json".to_owned());
    }
    if method == "POST" {
        headers.insert("Content-Length", body.as_ref().map_or(0, String::len).to_string());
    }
    let mut question = Question {
        user: &caller.name,
        user_authn_method: "TLS",
        request_method: method,
        request_uri: uri,
        request_body: body.map(|body| BASE64.encode(body)),
        request_headers: headers,
        request_peer_certificates: [BASE64.encode(&caller.certificate)],
        response_status_code: None,
        response_body: None,
        response_headers: BTreeMap::new(),
    };
    let request = http::question("AuthZPlugin.AuthZReq", &text(&question));
    // Streams and pings have neither status nor body.
    let (status, body) = match kind {
        Kind::Ping | Kind::Logs => (None, None),
        Kind::List => (Some(200), Some(json!([listed(id)]))),
        Kind::Create => (Some(201), Some(json!({ "Id": id, "Warnings": [] }))),
        Kind::Start => (Some(204), None),
    };
    question.response_status_code = status;
    question.response_body = body.map(|body| BASE64.encode(body.to_string()));
    question.response_headers = ["Api-Version: 1.51", "Ostype: linux", "Server: Docker/28.5.2 (linux)"]
        .iter()
        .filter_map(|header| header.split_once(": "))
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    let response = http::question("AuthZPlugin.AuthZRes", &text(&question));
    Call { kind, request, response }
}

fn text(question: &Question<'_>) -> String {
    serde_json::to_string(question).unwrap_or_default()
}

/// One container of a list.
fn listed(id: &str) -> Value {
    json!({
        "Id": id, "Names": ["/web"], "Image": "registry.example.com/shop/web:4.2", "Command": "/bin/web",
        "Created": 1_760_000_000, "Ports": [], "Labels": { "team": "shop" }, "State": "running",
        "Status": "Up 2 hours", "HostConfig": { "NetworkMode": "shop" }, "Mounts": [],
    })
}
