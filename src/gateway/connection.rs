//! One client's connection: its calls, the connection to the daemon behind it, and the stream that both may become.
//!
//! All of it is one task. So whatever ends it, nothing of it stays: no task, no descriptor, no call to the daemon.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::debug;

use super::exchange::{Become, Exchange};
use super::splice::{Raw, splice};
use super::upstream::Drive;
use super::wire::Wire;
use super::{Gateway, builder};
use crate::plugin::Holder;

/// How long streams may go on once a stop was asked for: they have no end of their own.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Longer than any connection lives.
const NEVER: Duration = Duration::from_hours(24 * 365);

/// The longest head of a request: build requests carry the credentials of all registries.
const HEAD_LIMIT: usize = 256 << 10;

/// Serves a connection to its end.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    stream: UnixStream,
    holder: Holder,
    mut stop: watch::Receiver<bool>,
) {
    let wire = Wire::new(stream);
    let (drives, mut driven) = mpsc::unbounded_channel::<Drive>();
    let (becomes, mut become_) = mpsc::unbounded_channel();
    let exchange = Arc::new(Exchange::new(Arc::clone(&gateway), holder, drives, becomes));
    let service = service_fn(|request| {
        let exchange = Arc::clone(&exchange);
        async move { Ok::<_, Infallible>(exchange.answer(request).await) }
    });
    let served = Builder::new()
        // A client that has stopped sending still gets its answer; one that is gone is noticed by the kernel's word.
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.settings.idle)
        .max_buf_size(HEAD_LIMIT)
        .title_case_headers(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(wire.clone()), service)
        .with_upgrades();
    tokio::pin!(served);
    let mut drive: Option<Drive> = None;
    let gone = wire.gone();
    let stopping = stopped(&mut stop);
    // Far away until a stop is asked for.
    let cut = tokio::time::sleep(NEVER);
    tokio::pin!(gone, stopping, cut);
    let mut stops = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut served => {
                if let Err(error) = ended {
                    debug!(%error, "a client's connection ended");
                }
                break;
            }
            Some(new) = driven.recv() => drive = Some(new),
            () = driving(&mut drive) => drive = None,
            // Only now: what a client had sent and we have read is a call, even if nobody waits for the answer.
            () = &mut gone => return,
            () = &mut stopping, if !stops => {
                stops = true;
                served.as_mut().graceful_shutdown();
                cut.as_mut().reset(Instant::now() + LAST_WORDS);
            }
            () = &mut cut => return,
        }
    }
    let Ok(become_) = become_.try_recv() else { return };
    tokio::select! {
        () = became(become_, drive) => {}
        () = async {
            if !stops {
                stopping.await;
            }
            tokio::time::sleep(LAST_WORDS).await;
        } => {}
    }
}

/// The life of a connection that is no longer HTTP.
async fn became(become_: Become, mut drive: Option<Drive>) {
    match become_ {
        Become::Stream { client, daemon, report } => {
            let (client, daemon, ()) = tokio::join!(client, daemon, async {
                if let Some(drive) = &mut drive {
                    drive.await;
                }
            });
            if let (Ok(client), Ok(daemon)) = (client, daemon)
                && let (Some(client), Some(daemon)) = (Raw::of(client), Raw::of(daemon))
            {
                splice(client, daemon).await;
            }
            // The end of the stream is the end of the call.
            drop(report);
        }
        Become::Refusal(client, message) => {
            let Some((wire, first)) = client.await.ok().and_then(Raw::of).map(Raw::into_parts) else {
                return;
            };
            let reading = std::io::Cursor::new(first).chain(wire.clone());
            let both = tokio::io::join(reading, wire);
            if let Err(error) = builder::refuse(both, &message).await {
                debug!(%error, "a refused build ended");
            }
        }
        Become::Silence(client) => {
            let Some((wire, _)) = client.await.ok().and_then(Raw::of).map(Raw::into_parts) else { return };
            // Whatever is sent is nobody's.
            drop(tokio::io::copy(&mut wire.clone(), &mut tokio::io::sink()).await);
        }
    }
}

/// Moves the connection to the daemon on, until it ends.
async fn driving(drive: &mut Option<Drive>) {
    match drive {
        Some(drive) => drive.await,
        None => std::future::pending().await,
    }
}

/// Returns when `stop` is set, or nobody is left who could set it.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
