//! Deciding without a plugin behind: the gateway asks the same handler what dockerd would have asked it.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::body::Bytes;

use super::hygiene;
use crate::identity::GATEWAY_HEADER;
use crate::plugin::Handler;
use crate::plugin::wire::Question;

/// The question that dockerd would have made of a call.
pub(super) fn question(
    method: &str,
    target: &str,
    headers: &HeaderMap,
    body: &Bytes,
    handle: String,
) -> Question {
    let mut shown: BTreeMap<String, String> = headers
        .iter()
        .filter(|(name, _)| !hygiene::is_credential(name))
        .map(|(name, value)| {
            (canonical(name.as_str()), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    shown.insert(GATEWAY_HEADER.to_owned(), handle);
    Question {
        request_method: method.to_owned(),
        request_uri: target.to_owned(),
        request_body: (!body.is_empty()).then(|| body.to_vec()),
        request_headers: shown,
        ..Question::default()
    }
}

/// A header's name as Go writes it.
fn canonical(name: &str) -> String {
    let mut first = true;
    let spell = |c: char| {
        let spelled = if first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        first = c == '-';
        spelled
    };
    name.chars().map(spell).collect()
}

/// The end of a call that was let through: reported once, whatever ends it.
#[derive(Debug)]
pub(super) struct Report {
    handler: Arc<Handler>,
    question: Option<Question>,
}

impl Report {
    /// The report of a call that the question was about.
    pub(super) fn of(handler: Arc<Handler>, question: Question) -> Self {
        Self { handler, question: Some(question) }
    }

    /// Notes the daemon's status.
    pub(super) fn status(&mut self, status: u16) {
        if let Some(question) = &mut self.question {
            question.response_status_code = Some(status);
        }
    }

    /// Reports now, with the daemon's answer.
    pub(super) async fn now(mut self, body: &Bytes) {
        if let Some(mut question) = self.question.take() {
            question.response_body = Some(body.to_vec());
            self.handler.response(question).await;
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // When the program ends there is nobody left to report to: the trail says that the call had no end.
        let (Some(question), Ok(runtime)) = (self.question.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let handler = Arc::clone(&self.handler);
        runtime.spawn(async move { handler.response(question).await });
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_question_holds_what_dockerd_would_show() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("content-type", "application/json"), ("x-registry-auth", "secret"), ("authorization", "secret")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let question = question("POST", "/v1.41/x", &headers, &Bytes::from_static(b"{}"), "ab".to_owned());
        let expected = [("Content-Type", "application/json"), ("X-Wharfinger-Gateway", "ab")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(question.request_headers, BTreeMap::from(expected));
        assert_eq!(question.request_body.as_deref(), Some(&b"{}"[..]));
    }
}
