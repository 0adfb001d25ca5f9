//! What the gateway costs: the same calls on a real engine's raw socket and through the gateway, in turns.
//!
//! `cargo bench --bench gateway` as root, with dockerd on the PATH; `-- --help` tells the rest.

#![expect(clippy::indexing_slicing, reason = "what is out of bounds ends a bench, as every error does")]

mod call;
mod ground;
mod measure;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser;

/// Measures the gateway against the raw socket of a private engine: pings, streams both ways, and many streams at once.
#[derive(Debug, Parser)]
#[command(name = "gateway", version = None)]
pub(crate) struct Options {
    /// The program to measure; without this, the one built with this bench.
    #[arg(long, value_name = "BINARY", default_value = env!("CARGO_BIN_EXE_wharfinger"))]
    serve: PathBuf,
    /// Pings on each socket.
    #[arg(long, default_value_t = 4000)]
    pings: usize,
    /// Length of each stream, in MiB.
    #[arg(long, default_value_t = 1024)]
    mebibytes: usize,
    /// How often each stream is measured on each socket; the fastest counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Streams of events that are open at one time.
    #[arg(long, default_value_t = 1000)]
    streams: usize,

    // What cargo and its test runners add by themselves.
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    list: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.list {
        return Ok(());
    }
    let ground = ground::Ground::make(&options.serve)?;
    let mut out = std::io::stdout().lock();
    for line in measure::all(&options, &ground)? {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
