//! HTTP on the plugin's socket, in the shape of dockerd's client: no content type, perhaps no host, no limit on waiting.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::handler::Handler;
use super::wire::{Answer, Question};

/// The largest question: a body of 4 MiB in base64, 1 MiB of headers and a 64 KiB response fit.
pub const QUESTION_LIMIT: usize = 8 << 20;

/// The answer to `Plugin.Activate`, once in a daemon's life.
const ACTIVATION: &str = r#"{"Implements":["authz"]}"#;

/// Answers dockerd until `stop` is set, then lets the questions under way finish.
pub async fn serve(listener: UnixListener, handler: Arc<Handler>, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(&handler), stop.clone()))),
                // Out of descriptors, for instance: dockerd waits in the queue and retries.
                Err(error) => {
                    warn!(%error, "cannot accept a connection of dockerd");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut stop) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: UnixStream, handler: Arc<Handler>, mut stop: watch::Receiver<bool>) {
    let service = service_fn(|request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(respond(&handler, request).await) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection of dockerd ended");
    }
}

/// Returns when `stop` is set, or nobody is left who could set it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn respond(handler: &Arc<Handler>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if request.method() != Method::POST {
        return failure(
            StatusCode::METHOD_NOT_ALLOWED,
            "this is a docker plugin's socket: it answers POST alone",
        );
    }
    if path == "/Plugin.Activate" {
        return json(ACTIVATION.into());
    }
    // Anything that cannot be read whole gets a status that dockerd takes for a failure, never for an allow.
    let body = match Limited::new(request.into_body(), QUESTION_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let limit = QUESTION_LIMIT >> 20;
            return failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("the question is larger than {limit} MiB; send a smaller request"),
            );
        }
        Err(error) => {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, &format!("broken question: {error}"));
        }
    };
    let question = match Question::read(&body) {
        Ok(question) => question,
        Err(error) => {
            warn!(%error, "question not answered");
            return failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
        }
    };
    match path.as_str() {
        "/AuthZPlugin.AuthZReq" => answer(&handler.request(question).await),
        "/AuthZPlugin.AuthZRes" => answer(&handler.response(question).await),
        _ => failure(StatusCode::NOT_FOUND, "no such plugin call"),
    }
}

fn answer(answer: &Answer) -> Response<Full<Bytes>> {
    match serde_json::to_vec(answer) {
        Ok(body) => json(body.into()),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// dockerd shows the user the `Err` of an answer that is not a 200.
fn failure(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "Err": message }).to_string();
    let mut response = json(body.into());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::watch;

    use super::super::handler::tests::handler;
    use super::{QUESTION_LIMIT, serve};

    /// Sends one request as dockerd 20.10 does, with an empty host, and returns status and body.
    async fn send(path: &std::path::Path, target: &str, method: &str, body: &[u8]) -> (u16, String) {
        let mut stream = UnixStream::connect(path).await.unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {}\r\n\
             Accept: application/vnd.docker.plugins.v1.2+json\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer and close before it has read everything.
        drop(stream.write_all(body).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn the_socket_answers_dockerd_and_never_allows_what_it_could_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.sock");
        let (stop, stopping) = watch::channel(false);
        let handler = handler(&directory, || jiff::Timestamp::UNIX_EPOCH);
        let listener = UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(serve(listener, Arc::clone(&handler), stopping));
        let asked = "/AuthZPlugin.AuthZReq";
        let ping = br#"{"RequestMethod":"GET","RequestUri":"/_ping"}"#;
        assert_eq!(
            send(&path, "/Plugin.Activate", "POST", b"").await,
            (200, r#"{"Implements":["authz"]}"#.to_owned())
        );
        assert_eq!(send(&path, asked, "POST", ping).await, (200, r#"{"Allow":true}"#.to_owned()));
        for phase in [asked, "/AuthZPlugin.AuthZRes"] {
            for bad in [&b""[..], b"{}", b"{\"RequestMethod\":", b"null"] {
                let (status, body) = send(&path, phase, "POST", bad).await;
                assert_eq!(status, 500, "{phase} {bad:?}");
                assert!(body.starts_with(r#"{"Err":""#), "{body}");
            }
            let (status, body) = send(&path, phase, "POST", &vec![b' '; QUESTION_LIMIT + 1]).await;
            assert_eq!((status, body.contains("larger than 8 MiB")), (500, true), "{body}");
        }
        assert_eq!(send(&path, asked, "GET", b"").await.0, 405);
        assert_eq!(send(&path, "/VolumeDriver.Create", "POST", ping).await.0, 404);
        stop.send(true).unwrap();
        server.await.unwrap();
    }
}
