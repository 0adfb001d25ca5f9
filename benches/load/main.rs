//! Load generator: dockerd's questions over a Unix socket, in a closed and an open loop.
//!
//! `cargo bench --bench load -- --serve` measures the program as built; `-- --help` tells the rest.

mod connection;
mod http;
mod loops;
mod options;
mod questions;
mod report;
mod schedule;
mod server;
mod stats;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use loops::Extent;
use options::{Mode, Options};
use questions::{Call, Caller};
use report::{Row, Used, Window};
use server::Server;

/// Containers that the mix is about, one after the other.
const ROUNDS: u32 = 64;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.list {
        return Ok(());
    }
    let server = Server::of(&options)?;
    let calls = Arc::new(questions::calls(&caller(&options.user)?, ROUNDS));
    // One thread for the generator, so that it takes one CPU from the server and no more.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(measure_all(&options, &server, &calls))?;
    tell(&options, &rows)
}

fn caller(user: &str) -> anyhow::Result<Caller> {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, user);
    let certificate = parameters.self_signed(&rcgen::KeyPair::generate()?)?;
    Ok(Caller { name: user.to_owned(), certificate: certificate.pem() })
}

async fn measure_all(options: &Options, server: &Server, calls: &Arc<Vec<Call>>) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for connections in &options.connections {
        if options.mode != Mode::Open {
            rows.push(measure(options, server, calls, *connections, None).await?);
        }
        if options.mode != Mode::Closed {
            rows.push(measure(options, server, calls, *connections, Some(options.rate)).await?);
        }
    }
    Ok(rows)
}

async fn measure(
    options: &Options,
    server: &Server,
    calls: &Arc<Vec<Call>>,
    connections: u16,
    rate: Option<u32>,
) -> anyhow::Result<Row> {
    let window = Window { warm_up: Duration::from_secs(options.warm_up), seconds: options.seconds };
    let length = window.warm_up + Duration::from_secs(options.seconds);
    let extent = Extent { connections: connections.into(), length };
    let watch = tokio::spawn(watch(server.pid, window));
    let asking = async {
        match rate {
            None => loops::closed(&server.socket, calls, extent).await,
            Some(rate) => loops::open(&server.socket, calls, extent, rate).await,
        }
    };
    let samples = tokio::time::timeout(length + Duration::from_secs(30), asking)
        .await
        .context("the server did not answer everything within 30 s of the end")??;
    let mode = if rate.is_some() { "open" } else { "closed" };
    Ok(Row::of(mode, connections, rate, window, &samples, watch.await?))
}

/// What the server uses while it is measured.
async fn watch(pid: Option<u32>, window: Window) -> Used {
    tokio::time::sleep(window.warm_up).await;
    let before = server::used(pid);
    tokio::time::sleep(Duration::from_secs(window.seconds)).await;
    let after = server::used(pid);
    let cpu_micros =
        after.cpu_micros.zip(before.cpu_micros).map(|(after, before)| after.saturating_sub(before));
    Used { cpu_micros, ..after }
}

fn tell(options: &Options, rows: &[Row]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let json = serde_json::to_string_pretty(rows)?;
    match options.json.as_deref() {
        Some(path) if path == Path::new("-") => return Ok(writeln!(out, "{json}")?),
        Some(path) => fs::write(path, json).with_context(|| format!("write `{}`", path.display()))?,
        None => {}
    }
    Ok(writeln!(
        out,
        "{}\nlatency: of the question before a call; CPU: of the server, a question",
        report::table(rows)
    )?)
}
