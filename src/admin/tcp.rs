//! The admin interface on a TCP address: loopback as it is, any other address over TLS only.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::settings::TcpSettings;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that have shaken hands and are not yet served.
const WAITING: usize = 64;

/// Why the address is not served.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// An address that others can reach, in the clear.
    #[error(
        "[admin.tcp] address `{0}` can be reached from elsewhere, and so needs TLS: set `certificate` and `key`, or use 127.0.0.1"
    )]
    Clear(SocketAddr),
    /// One of the two files.
    #[error("[admin.tcp] has only one of `certificate` and `key`: TLS needs both")]
    Half,
    /// A file that is not what it should be.
    #[error("[admin.tcp] `{0}`: {1}")]
    File(String, String),
    /// The address is taken or is none of this host's.
    #[error("cannot listen on `{0}`: {1}")]
    Listen(SocketAddr, #[source] io::Error),
}

/// One connection.
#[derive(Debug)]
pub enum Stream {
    /// In the clear, on loopback.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The listening address.
#[derive(Debug)]
pub struct TlsOrPlain {
    ready: mpsc::Receiver<(Stream, SocketAddr)>,
    address: SocketAddr,
}

/// Listens; handshakes happen beside each other, so that a slow one holds nobody up.
pub async fn listen(settings: &TcpSettings) -> Result<TlsOrPlain, TcpError> {
    let tls = acceptor(settings)?;
    let asked = settings.address;
    if tls.is_none() && !asked.ip().is_loopback() {
        return Err(TcpError::Clear(asked));
    }
    let failed = |error| TcpError::Listen(asked, error);
    let listener = TcpListener::bind(asked).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (sender, ready) = mpsc::channel(WAITING);
    tokio::spawn(accept(listener, tls, sender));
    Ok(TlsOrPlain { ready, address })
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, ready: mpsc::Sender<(Stream, SocketAddr)>) {
    loop {
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly; waiting a little lets others end.
                warn!(%error, "the admin address takes no connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let stream = match tls {
                None => Stream::Plain(stream),
                Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                    Ok(Err(error)) => return debug!(%error, %from, "no TLS handshake on the admin address"),
                    Err(_) => return debug!(%from, "a TLS handshake on the admin address took too long"),
                },
            };
            // Nobody serves any more.
            ready.send((stream, from)).await.ok();
        });
    }
}

fn acceptor(settings: &TcpSettings) -> Result<Option<TlsAcceptor>, TcpError> {
    let (certificate, key) = match (&settings.certificate, &settings.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) | (None, Some(_)) => return Err(TcpError::Half),
    };
    let wrong = |path: &Path, why: String| TcpError::File(path.display().to_string(), why);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "holds no certificate in PEM".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| wrong(certificate, error.to_string()))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

impl axum::serve::Listener for TlsOrPlain {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task has ended, and nothing will come any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
