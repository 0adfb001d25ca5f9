//! Dialling: our own sockets and TLS, with the guard between the server and the LDAP library.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::ber;
use super::server::{Security, Server, Way};

/// A peer that acknowledges nothing for so long is gone, and the connection ends by itself.
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// The request for TLS with message id 1 (RFC 4511 §4.14.1), of constant bytes.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// The longest answer to it.
const START_TLS_ANSWER: usize = 4096;

/// A connection that is checked message by message.
pub(super) struct Guarded {
    /// The LDAP library's end.
    pub(super) stream: std::os::unix::net::UnixStream,
    /// Why the guard closed the connection, once it did.
    pub(super) reason: Arc<OnceLock<String>>,
    /// Moves the bytes until one side closes.
    pub(super) pump: tokio::task::JoinHandle<()>,
}

/// Connects to a server, TLS included; the caller bounds the time.
///
/// The library would dial by itself without `TCP_NODELAY`, keepalive and user timeout, and its parser
/// follows any nesting to the end of the stack: a server must not be able to end this process.
pub(super) async fn dial(server: &Server, tls: &Arc<ClientConfig>) -> Result<Guarded, String> {
    match &server.way {
        Way::Local(path) => {
            let stream =
                UnixStream::connect(path).await.map_err(|error| format!("cannot connect: {error}"))?;
            guard(stream)
        }
        Way::Tcp { host, port, security } => {
            let mut stream =
                connect(host, *port).await.map_err(|error| format!("cannot connect: {error}"))?;
            match security {
                Security::Cleartext => guard(stream),
                Security::Tls(name) => guard(handshake(stream, name, tls).await?),
                Security::StartTls(name) => {
                    start_tls(&mut stream).await?;
                    guard(handshake(stream, name, tls).await?)
                }
            }
        }
    }
    .map_err(|error| format!("cannot set up the connection: {error}"))
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(stream)
}

async fn handshake(
    stream: TcpStream,
    name: &ServerName<'static>,
    tls: &Arc<ClientConfig>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let connector = TlsConnector::from(Arc::clone(tls));
    connector.connect(name.clone(), stream).await.map_err(|error| format!("TLS failed: {error}"))
}

/// Asks for TLS and reads exactly the answer: bytes after it came before TLS and could be anybody's.
async fn start_tls(stream: &mut TcpStream) -> Result<(), String> {
    let failed = |error: io::Error| format!("StartTLS failed: {error}");
    stream.write_all(START_TLS).await.map_err(failed)?;
    let mut answer = Vec::new();
    let whole = loop {
        if stream.read_buf(&mut answer).await.map_err(failed)? == 0 {
            return Err("StartTLS failed: the server closed the connection".to_owned());
        }
        let whole = ber::frame(&answer).map_err(|bad| format!("StartTLS failed: {bad}"))?;
        if whole.unwrap_or(answer.len()) > START_TLS_ANSWER {
            return Err("StartTLS failed: the answer is too long".to_owned());
        }
        if let Some(whole) = whole.filter(|&whole| answer.len() >= whole) {
            break whole;
        }
    };
    if answer.len() != whole {
        return Err("StartTLS failed: the server sent more than the answer".to_owned());
    }
    ber::check(&answer).map_err(|bad| format!("StartTLS failed: {bad}"))?;
    match ber::result_code(&answer) {
        Ok(0) => Ok(()),
        Ok(code) => Err(format!("the server refuses StartTLS with code {code}; use `ldaps://`")),
        Err(bad) => Err(format!("StartTLS failed: {bad}")),
    }
}

/// Puts the guard in front of a server's stream.
fn guard<S: AsyncRead + AsyncWrite + Send + 'static>(server: S) -> io::Result<Guarded> {
    let (ours, theirs) = UnixStream::pair()?;
    let reason = Arc::new(OnceLock::new());
    let told = Arc::clone(&reason);
    let pump = tokio::spawn(async move {
        let (from_server, mut to_server) = tokio::io::split(server);
        let (mut from_library, mut to_library) = ours.into_split();
        let checked = async {
            let ended = inbound(from_server, &mut to_library).await;
            // Before the library's end closes: whoever sees it closed finds the reason.
            told.get_or_init(|| ended.err().unwrap_or_else(|| "the server closed the connection".to_owned()));
        };
        tokio::select! {
            () = checked => {}
            _ = tokio::io::copy(&mut from_library, &mut to_server) => {}
        }
        // Both ends close with this task; whether the server hears a goodbye is its own affair.
        drop(to_server.shutdown().await);
    });
    Ok(Guarded { stream: theirs.into_std()?, reason, pump })
}

/// Passes whole, checked messages on, until the server closes or sends one that is refused.
async fn inbound<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut server: R,
    mut library: W,
) -> Result<(), String> {
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        while let Some(whole) = ber::frame(&buffer).map_err(|bad| bad.to_string())? {
            let Some(message) = buffer.get(..whole) else { break };
            ber::check(message).map_err(|bad| bad.to_string())?;
            library.write_all(message).await.map_err(|error| error.to_string())?;
            buffer.drain(..whole);
        }
        match server.read_buf(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Without TLS's own goodbye, which a server that is killed does not say.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
}
