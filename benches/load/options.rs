//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Asks an authorization plugin what dockerd would ask it, and measures the answers.
///
/// The mix is ten Docker calls (3 pings, 3 lists, 1 create with a 3 KiB body, 1 start, 2 logs), each as two
/// questions: before the call and after it. Either `--socket` or `--serve`.
#[derive(Debug, Parser)]
#[command(name = "load", version = None)]
pub(crate) struct Options {
    /// Measure the server that listens on this Unix socket; with `--serve` only beside `--config`.
    #[arg(long, value_name = "PATH", required_unless_present_any = ["serve", "list"])]
    pub(crate) socket: Option<PathBuf>,

    /// Start a server, measure it, and end it. Without a path: the program as built with this generator.
    #[arg(long, value_name = "BINARY", num_args = 0..=1, default_missing_value = env!("CARGO_BIN_EXE_wharfinger"))]
    pub(crate) serve: Option<PathBuf>,

    /// With `--serve`: this configuration instead of a generated one; `--socket` then says where it listens.
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub(crate) config: Option<PathBuf>,

    /// Process whose CPU time and memory are measured. Known with `--serve`.
    #[arg(long)]
    pub(crate) pid: Option<u32>,

    /// Closed: ask again once answered. Open: ask at set times, and measure from those.
    #[arg(long = "loop", value_enum, default_value = "both")]
    pub(crate) mode: Mode,

    /// How many connections; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) connections: Vec<u16>,

    /// Open loop: Docker calls a second, each of them two questions.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: u32,

    /// How long each measurement takes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,

    /// Seconds before each measurement that are not measured.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(crate) warm_up: u64,

    /// Common name of the client certificate that the questions carry.
    #[arg(long, default_value = "carol")]
    pub(crate) user: String,

    /// Write the results as JSON to this file, or to standard output instead of the table with `-`.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    // What cargo and its test runners add by themselves.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    #[arg(long, hide = true)]
    pub(crate) list: bool,
}

/// Which loops are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Closed,
    Open,
    Both,
}
