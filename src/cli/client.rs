//! The command line's way to the running daemon: HTTP over the admin socket.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use hyperlocal::{UnixConnector, Uri};

/// How long the daemon may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of one daemon.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// For the daemon that listens there.
    pub(super) fn new(socket: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { socket: socket.to_owned(), runtime })
    }

    /// The whole answer to a GET.
    pub(super) fn get(&self, path: &str, query: &[(String, String)]) -> anyhow::Result<Bytes> {
        self.whole(Method::GET, path, query, Bytes::new())
    }

    /// The whole answer to a POST, of JSON where there is any.
    pub(super) fn post(&self, path: &str, body: Option<&serde_json::Value>) -> anyhow::Result<Bytes> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.whole(Method::POST, path, &[], body.unwrap_or_default())
    }

    /// Copies the answer to a GET as it arrives.
    pub(super) fn copy(
        &self,
        path: &str,
        query: &[(String, String)],
        output: &mut impl Write,
    ) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            let mut body = self.send(Method::GET, path, query, Bytes::new()).await?.into_body();
            while let Some(frame) = body.frame().await {
                if let Ok(data) =
                    frame.context("the daemon broke off in the middle of its answer")?.into_data()
                {
                    output.write_all(&data)?;
                }
            }
            Ok(())
        })
    }

    fn whole(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        self.runtime.block_on(async {
            let response = self.send(method, path, query, body).await?;
            Ok(response
                .into_body()
                .collect()
                .await
                .context("the daemon broke off in the middle of its answer")?
                .to_bytes())
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let target = target(path, query);
        let request = Request::builder()
            .method(method)
            .uri(Uri::new(&self.socket, &target))
            .header("Host", "wharfinger")
            .header("Content-Type", "application/json")
            .body(Full::new(body))?;
        let client = HyperClient::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(UnixConnector);
        let socket = self.socket.display();
        let response = tokio::time::timeout(PATIENCE, client.request(request))
            .await
            .with_context(|| {
                format!("the daemon at `{socket}` did not answer within {} s", PATIENCE.as_secs())
            })?
            .with_context(|| {
                format!(
                    "cannot reach the daemon at `{socket}`: is `wharfinger serve` running, and are you root?"
                )
            })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        match problem.get("detail").and_then(serde_json::Value::as_str) {
            Some(detail) => bail!("{detail}"),
            None => bail!("the daemon answered {status}"),
        }
    }
}

fn target(path: &str, query: &[(String, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else if write!(out, "%{byte:02X}").is_err() {
            // Writing to a string cannot fail.
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_query_is_encoded_so_that_no_value_can_end_it() {
        assert_eq!(super::target("/v1/audit", &[]), "/v1/audit");
        assert_eq!(
            super::target(
                "/v1/audit",
                &[("user".to_owned(), "a&b=ü".to_owned()), ("since".to_owned(), "7d".to_owned())]
            ),
            "/v1/audit?user=a%26b%3D%C3%BC&since=7d"
        );
    }
}
