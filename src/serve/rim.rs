//! The only place that reads the clock and randomness, writes the log and talks to the service manager.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::warn;
use tracing_subscriber::EnvFilter;

use crate::audit::Stamp;
use crate::plugin::Sources;

/// The log goes to standard error, where the service manager collects it; `RUST_LOG` chooses how much.
pub(super) fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    // A second start in one process keeps the first log.
    drop(log.try_init());
}

/// Takes all the descriptors that the host lets this process have: each user of the gateway holds two.
pub(super) fn allow_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        warn!(%error, "the limit of open files stays as it was");
    }
}

/// The clock and the randomness of this process.
pub(super) fn sources() -> Sources {
    Sources { now: Timestamp::now, random }
}

/// The same, for the trail's own records.
pub(super) fn stamp() -> Stamp {
    Arc::new(|| (Timestamp::now(), random()))
}

/// Ten random bytes, from the generator behind version 4 UUIDs.
fn random() -> [u8; 10] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    let mut ten = [0; 10];
    // The bytes that version and variant leave alone.
    let free = bytes.iter().take(6).chain(bytes.iter().skip(10).take(4));
    ten.iter_mut().zip(free).for_each(|(to, from)| *to = *from);
    ten
}

/// Sixteen random bytes that nobody can foresee, from the same generator.
pub(super) fn secret() -> [u8; 16] {
    let mut sixteen = [0; 16];
    let fresh = random().into_iter().chain(random());
    sixteen.iter_mut().zip(fresh).for_each(|(to, from)| *to = from);
    sixteen
}

/// Tells the service manager that the sockets answer.
pub(super) fn ready() {
    notify(&[sd_notify::NotifyState::Ready]);
}

/// Tells the service manager that this is a stop and no crash.
pub(super) fn stopping() {
    notify(&[sd_notify::NotifyState::Stopping]);
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager could not be told");
    }
}
