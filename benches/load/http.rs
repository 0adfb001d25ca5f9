//! What goes over the plugin socket: a question as dockerd writes it, an answer as it reads one.

use anyhow::{Context, bail};

/// Which answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Allowed,
    Denied,
}

/// The bytes of one question as dockerd's Go client sends them: these headers, in this order, no Content-Type.
pub(crate) fn question(method: &str, payload: &str) -> Vec<u8> {
    format!(
        "POST /{method} HTTP/1.1\r\n\
         Host: plugin.moby.localhost\r\n\
         User-Agent: Go-http-client/1.1\r\n\
         Content-Length: {}\r\n\
         Accept: application/vnd.docker.plugins.v1.2+json\r\n\
         \r\n{payload}",
        payload.len()
    )
    .into_bytes()
}

/// The body of a 200 answer once it is there whole.
pub(crate) fn body(received: &[u8]) -> anyhow::Result<Option<&[u8]>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = received.split_at(end + 4);
    let head = std::str::from_utf8(head).context("the head of an answer is not text")?;
    let (status, fields) = head.split_once("\r\n").unwrap_or((head, ""));
    if !status.starts_with("HTTP/1.1 200 ") {
        bail!("answered `{status}`: {}", String::from_utf8_lossy(rest));
    }
    let length: usize = fields
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("an answer without Content-Length")?
        .1
        .trim()
        .parse()
        .context("the Content-Length of an answer is no number")?;
    Ok(rest.get(..length))
}

/// Whether the plugin allowed the call.
pub(crate) fn answer(body: &[u8]) -> anyhow::Result<Answer> {
    let answer: serde_json::Value = serde_json::from_slice(body).context("an answer is not JSON")?;
    match answer.get("Allow").and_then(serde_json::Value::as_bool) {
        Some(true) => Ok(Answer::Allowed),
        Some(false) => Ok(Answer::Denied),
        None => bail!("an answer without Allow: {answer}"),
    }
}
