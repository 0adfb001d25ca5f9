//! The JSON that dockerd and an authorization plugin exchange (moby `pkg/authorization/api.go`).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

use crate::audit::{Recorded, Verdict};
use crate::inventory::OwnCall;

/// What dockerd asks, in both phases; a field that it leaves out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Question {
    /// Common name of the client certificate; empty on a Unix socket.
    pub user: String,
    /// `TLS` if a client certificate was shown.
    #[serde(rename = "UserAuthNMethod")]
    pub user_auth_n_method: String,
    /// The HTTP method, as sent.
    pub request_method: String,
    /// The raw request target: undecoded, with its query, possibly in absolute form.
    pub request_uri: String,
    /// The raw body; `None` where dockerd does not show it.
    #[serde(deserialize_with = "bytes")]
    pub request_body: Option<Vec<u8>>,
    /// Canonical names, one value each: the last.
    #[serde(deserialize_with = "map")]
    pub request_headers: BTreeMap<String, String>,
    /// Base64 of the PEM text of each certificate, the client's own first.
    #[serde(deserialize_with = "list")]
    pub request_peer_certificates: Vec<String>,
    /// Only where the handler set one itself, and never for an error.
    pub response_status_code: Option<u16>,
    /// Only short JSON answers that were not streamed.
    #[serde(deserialize_with = "bytes")]
    pub response_body: Option<Vec<u8>>,
    /// As the request's.
    #[serde(deserialize_with = "map")]
    pub response_headers: BTreeMap<String, String>,
}

/// Why a question is answered with an HTTP 500, which dockerd takes for a failure and never for an allow.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// dockerd's retry after a broken connection arrives like this.
    #[error("empty question: dockerd sends its retries without a body; repeat the docker command")]
    Empty,
    /// Not the JSON of a question.
    #[error("undecodable question: {0}")]
    Undecodable(serde_json::Error),
    /// JSON without method or target.
    #[error("question without a request method and target")]
    Incomplete,
}

impl Question {
    /// Reads a question; an empty or partial one is an error, never a question about nothing.
    pub fn read(json: &[u8]) -> Result<Self, QuestionError> {
        if json.iter().all(u8::is_ascii_whitespace) {
            return Err(QuestionError::Empty);
        }
        // A list would be taken for the fields in order, which dockerd never sends.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(QuestionError::Incomplete);
        }
        let question: Self = serde_json::from_slice(json).map_err(QuestionError::Undecodable)?;
        if question.request_method.is_empty() || question.request_uri.is_empty() {
            return Err(QuestionError::Incomplete);
        }
        Ok(question)
    }
}

/// What dockerd is answered.
///
/// dockerd ignores `Err` in an answer with status 200, so there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    /// Whether the call goes on.
    allow: bool,
    /// What the user reads; dockerd passes it on as it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    msg: String,
}

impl Answer {
    /// Whether the call goes on.
    pub const fn allows(&self) -> bool {
        self.allow
    }

    /// What the user reads of a denial; empty for an allow.
    pub fn message(&self) -> &str {
        &self.msg
    }

    /// The answer to a decision on record: an allow if, and only if, what was recorded is a permit.
    pub(super) fn of(recorded: &Recorded, msg: String) -> Self {
        Self { allow: recorded.verdict() == Verdict::Permit, msg }
    }

    /// The denial of a call whose decision could not be recorded.
    pub(super) fn unrecorded(msg: String) -> Self {
        Self { allow: false, msg }
    }

    /// The answer to dockerd's question about a look-up that the inventory makes for another question.
    pub(super) fn to_own_call(_: OwnCall) -> Self {
        Self { allow: true, msg: String::new() }
    }

    /// The answer to the report of a call's end, which allows nothing any more.
    pub(super) fn acknowledged() -> Self {
        Self { allow: true, msg: String::new() }
    }
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let not_base64 =
        |error| serde::de::Error::custom(format_args!("a body is not in standard base64: {error}"));
    let decoded = STANDARD.decode(text).map_err(not_base64)?;
    Ok((!decoded.is_empty()).then_some(decoded))
}

fn map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Answer, Question, QuestionError};

    #[test]
    fn a_question_is_read_with_what_dockerd_leaves_out() {
        let question = Question::read(
            br#"{"User":"alice","UserAuthNMethod":"TLS","RequestMethod":"POST","RequestUri":"/v1.41/x","RequestBody":"e30=","RequestHeaders":{"Content-Type":"application/json"},"RequestPeerCertificates":["UA=="],"ResponseStatusCode":201}"#,
        )
        .unwrap();
        assert_eq!(question.user, "alice");
        assert_eq!(question.user_auth_n_method, "TLS");
        assert_eq!(question.request_body.as_deref(), Some(&b"{}"[..]));
        assert_eq!(question.request_headers["Content-Type"], "application/json");
        assert_eq!(question.request_peer_certificates, ["UA=="]);
        assert_eq!(question.response_status_code, Some(201));
        let ping = Question::read(br#"{"RequestMethod":"HEAD","RequestUri":"/_ping","RequestHeaders":null}"#)
            .unwrap();
        assert_eq!((ping.request_body, ping.response_status_code), (None, None));
    }

    #[test]
    fn an_empty_partial_or_undecodable_question_is_an_error() {
        for empty in [&b""[..], b" \n"] {
            assert!(matches!(Question::read(empty), Err(QuestionError::Empty)));
        }
        for partial in
            [&b"{}"[..], br#"{"RequestMethod":"GET"}"#, br#"{"RequestUri":"/_ping"}"#, b"null", b"[]"]
        {
            assert!(matches!(Question::read(partial), Err(QuestionError::Incomplete)));
        }
        for broken in [&b"{"[..], br#"{"RequestMethod":"GET","RequestUri":"/","RequestBody":"%"}"#] {
            assert!(matches!(Question::read(broken), Err(QuestionError::Undecodable(_))), "{broken:?}");
        }
    }

    #[test]
    fn an_answer_is_written_as_dockerd_reads_it() {
        let json = |answer: &Answer| serde_json::to_string(answer).unwrap();
        assert_eq!(json(&Answer { allow: true, msg: String::new() }), r#"{"Allow":true}"#);
        assert_eq!(json(&Answer { allow: false, msg: "no".to_owned() }), r#"{"Allow":false,"Msg":"no"}"#);
    }
}
