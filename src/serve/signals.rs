//! Signals: HUP reloads, USR1 forgets what the directory said, TERM and INT stop.

use tokio::signal::unix::{SignalKind, signal};

use super::Reload;

/// Returns when the process is asked to stop; reloads as often as it is asked to.
pub(super) async fn until_stopped(reload: &Reload) -> std::io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut user = signal(SignalKind::user_defined1())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = hang_up.recv() => drop(reload.run()),
            _ = user.recv() => reload.flush_directory(),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}
