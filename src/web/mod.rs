//! One HTTP request to an issuer of tokens: over TLS, with a deadline, a bounded answer and no redirects.

mod address;
mod tls;

pub use address::Address;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a request may take in all: name, connection, TLS, answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 256 << 10;

/// Why there is no answer; for administrators, and without anything that was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// The address cannot be used.
    #[error("`{address}` {why}")]
    Address {
        /// As it was written.
        address: String,
        /// What is wrong with it, and what to write.
        why: &'static str,
    },
    /// The file with trusted certificates cannot be used.
    #[error("{0}")]
    Trust(String),
    /// No connection, or no TLS.
    #[error("cannot reach `{0}`: {1}")]
    Unreachable(String, String),
    /// A connection and no whole answer.
    #[error("`{0}` broke off: {1}")]
    Broken(String, String),
    /// Over [`MAX_ANSWER`].
    #[error("the answer of `{0}` is longer than 256 KiB")]
    TooLong(String),
    /// Nothing in time.
    #[error("`{0}` did not answer within {1} s")]
    Deadline(String, u64),
}

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status. Redirects are not followed: a request must not end at another host than was meant.
    pub status: u16,
    /// How long the answer may be kept, where it says so.
    pub max_age: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// A client that trusts certain CAs; clones share them.
#[derive(Clone, Debug)]
pub struct Web {
    tls: Arc<ClientConfig>,
}

impl Web {
    /// A client that trusts the CAs of a PEM file, or without one those of the host.
    ///
    /// # Errors
    /// [`WebError::Trust`], which names the file.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, WebError> {
        tls::config(ca_file).map(|tls| Self { tls }).map_err(WebError::Trust)
    }

    /// The answer to a GET.
    pub async fn get(&self, address: &Address) -> Result<Answer, WebError> {
        self.send(Method::GET, address, &[]).await
    }

    /// The answer to a form that is sent by POST.
    pub async fn post(&self, address: &Address, form: &[(&str, &str)]) -> Result<Answer, WebError> {
        self.send(Method::POST, address, form).await
    }

    async fn send(
        &self,
        method: Method,
        address: &Address,
        form: &[(&str, &str)],
    ) -> Result<Answer, WebError> {
        let sent = async {
            let unreachable =
                |error: std::io::Error| WebError::Unreachable(address.to_string(), error.to_string());
            let stream = TcpStream::connect((address.host(), address.port())).await.map_err(unreachable)?;
            stream.set_nodelay(true).map_err(unreachable)?;
            match address.server_name() {
                None => exchange(stream, method, address, form).await,
                Some(name) => {
                    let connector = TlsConnector::from(Arc::clone(&self.tls));
                    let stream = connector.connect(name, stream).await.map_err(unreachable)?;
                    exchange(stream, method, address, form).await
                }
            }
        };
        let late = |_| WebError::Deadline(address.to_string(), DEADLINE.as_secs());
        tokio::time::timeout(DEADLINE, sent).await.map_err(late)?
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    method: Method,
    address: &Address,
    form: &[(&str, &str)],
) -> Result<Answer, WebError> {
    let broken = |error: hyper::Error| WebError::Broken(address.to_string(), error.to_string());
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the sender, which lives until the answer is whole.
    let driver = tokio::spawn(connection);
    let body = if method == Method::POST { encode_form(form) } else { String::new() };
    let request = Request::builder()
        .method(method)
        .uri(address.target())
        .header(HOST, address.authority())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("wharfinger/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| WebError::Broken(address.to_string(), error.to_string()))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let (status, max_age) = (answer.status().as_u16(), max_age(answer.headers()));
    let read = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    driver.abort();
    match read {
        Ok(body) => Ok(Answer { status, max_age, body: body.to_bytes().to_vec() }),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(WebError::TooLong(address.to_string()))
        }
        Err(error) => Err(WebError::Broken(address.to_string(), error.to_string())),
    }
}

/// The `max-age` of an answer that may be kept (RFC 9111 §5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let seconds = text.split(',').find_map(|part| part.trim().strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// `application/x-www-form-urlencoded`, with everything escaped that could mean something.
fn encode_form(form: &[(&str, &str)]) -> String {
    use std::fmt::Write as _;
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else if write!(out, "%{byte:02X}").is_err() {
                // Writing to a string cannot fail.
            }
            out
        })
    };
    let pairs: Vec<String> =
        form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that says the same to everybody, and its address.
    fn server(answer: Vec<u8>) -> Address {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}/keys?a=1", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap();
                if String::from_utf8_lossy(&request[..read]).starts_with("POST /keys?a=1") {
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\na post!"));
                }
                drop(stream.write_all(&answer));
            }
        });
        Address::parse(&address, true).unwrap()
    }

    fn web() -> Web {
        Web::new(None).unwrap()
    }

    #[tokio::test]
    async fn an_answer_comes_with_its_status_and_its_age() {
        let at = server(
            b"HTTP/1.1 404 No\r\nCache-Control: public, max-age=600\r\nContent-Length: 2\r\n\r\nhi".to_vec(),
        );
        let expected = Answer { status: 404, max_age: Some(Duration::from_mins(10)), body: b"hi".to_vec() };
        assert_eq!(web().get(&at).await, Ok(expected));
        assert_eq!(web().post(&at, &[("a", "b")]).await.unwrap().body, b"a post!");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let at = server(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n".to_vec());
        assert_eq!(web().get(&at).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn an_endless_answer_is_refused_and_half_a_one_too() {
        let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; MAX_ANSWER + 1]].concat();
        let at = server(endless);
        assert_eq!(web().get(&at).await, Err(WebError::TooLong(at.to_string())));
        let at = server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec());
        assert!(matches!(web().get(&at).await, Err(WebError::Broken(..))));
    }

    /// A server with TLS and a certificate for `localhost`, and the file with its CA.
    async fn secure_server(directory: &Path) -> (Address, std::path::PathBuf) {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let file = directory.join("ca.pem");
        std::fs::write(&file, ca.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                drop(stream.read(&mut [0; 4096]).await);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await);
            }
        });
        (Address::parse(&format!("https://localhost:{port}/"), false).unwrap(), file)
    }

    #[tokio::test]
    async fn a_server_is_trusted_by_the_ca_that_was_named_and_by_no_other() {
        let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (at, ca) = secure_server(directory.path()).await;
        let (_, stranger) = secure_server(other.path()).await;
        assert_eq!(Web::new(Some(&ca)).unwrap().get(&at).await.unwrap().body, b"hi");
        for web in [Web::new(Some(&stranger)).unwrap(), web()] {
            let error = web.get(&at).await.unwrap_err();
            assert!(matches!(error, WebError::Unreachable(..)), "{error}");
        }
        // Its certificate is for its name, and not for its address.
        let address = Address::parse(&format!("https://127.0.0.1:{}/", at.port()), false).unwrap();
        assert!(matches!(Web::new(Some(&ca)).unwrap().get(&address).await, Err(WebError::Unreachable(..))));
    }

    #[test]
    fn a_file_without_a_ca_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let shown = file.path().display();
        let error = Web::new(Some(file.path())).unwrap_err();
        assert_eq!(error.to_string(), format!("`{shown}` holds no certificate in PEM"));
    }

    #[test]
    fn a_form_is_encoded_so_that_no_value_can_end_it() {
        assert_eq!(
            encode_form(&[("a", "1&b=2"), ("scope", "openid ü")]),
            "a=1%26b%3D2&scope=openid%20%C3%BC"
        );
    }
}
