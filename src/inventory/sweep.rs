//! Sweeping: what is gone without our hearing of it is forgotten.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::daemon::AskError;
use super::{Inventory, lookup};
use crate::authz::Kind;

/// Between two sweeps. IDs are never used again, so that what is left of one does no harm meanwhile.
const EVERY: Duration = Duration::from_hours(1);

/// The longest that one list may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// The largest list that is read.
const LIST_LIMIT: usize = 32 << 20;

/// Kinds that the daemon can list. Of execs only the newest are remembered, and so they need no sweep.
const KINDS: &[Kind] =
    &[Kind::Container, Kind::Volume, Kind::Network, Kind::Service, Kind::Secret, Kind::Config];

impl Inventory {
    /// Sweeps every hour until `stop` is set.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        let sweeping = async {
            loop {
                tokio::time::sleep(EVERY).await;
                self.sweep().await;
            }
        };
        let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
        tokio::select! {
            () = sweeping => {}
            () = stopped => {}
        }
    }

    /// Forgets the objects that the daemon does not list any more: containers that removed themselves, for instance.
    pub async fn sweep(&self) {
        for kind in KINDS {
            // Before the daemon is asked: what is learned meanwhile is not among them.
            let known = self.ledger.objects().of(*kind);
            if known.is_empty() {
                continue;
            }
            let listed = timeout(DEADLINE, lookup::all(&self.daemon, *kind, LIST_LIMIT)).await;
            let listed: HashSet<String> = match listed.unwrap_or(Err(AskError::Deadline)) {
                Ok(Some(listed)) => listed.into_iter().collect(),
                Ok(None) => continue,
                Err(error) => {
                    warn!(kind = kind.name(), %error, "not swept: the daemon could not be asked");
                    continue;
                }
            };
            let gone: Vec<_> = known.into_iter().filter(|(key, _)| !listed.contains(&key.id)).collect();
            if !gone.is_empty() {
                debug!(
                    kind = kind.name(),
                    number = gone.len(),
                    "forgotten: the daemon does not list them any more"
                );
                self.change(move |ledger| ledger.remove(gone)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::authz::{Action, Kind};
    use crate::inventory::fake::{Fake, call, done};

    #[tokio::test]
    async fn what_the_daemon_does_not_list_any_more_is_forgotten() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        for id in ["stays", "goes"] {
            let body = format!(r#"{{"Id":"{id}"}}"#);
            done(&inventory, "alice", &call(Action::ContainerCreate, id), 201, &body).await;
        }
        fake.add(Kind::Container, "stays", &["/stays"]);
        inventory.sweep().await;
        assert!(inventory.owner(Kind::Container, "stays").is_some());
        assert_eq!(inventory.len(), 1);
        assert_eq!(fake.inventory().len(), 1);
    }

    #[tokio::test]
    async fn nothing_is_forgotten_where_the_daemon_cannot_be_asked() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        done(&inventory, "alice", &call(Action::ContainerCreate, "web"), 201, r#"{"Id":"c1"}"#).await;
        fake.fail();
        inventory.sweep().await;
        assert_eq!(inventory.len(), 1);
    }
}
