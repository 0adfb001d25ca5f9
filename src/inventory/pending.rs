//! Creations under way: the daemon tells its watchers of a new object before it tells us.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::Inventory;
use crate::authz::Kind;

/// How long an owner that is about to be known is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many creations were let through and have not been reported back.
#[derive(Debug, Default)]
pub(super) struct Pending {
    number: AtomicUsize,
    over: Notify,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Guard(Arc<Pending>);

impl Pending {
    pub(super) fn begin(self: &Arc<Self>) -> Guard {
        self.number.fetch_add(1, Ordering::AcqRel);
        Guard(Arc::clone(self))
    }

    fn is_idle(&self) -> bool {
        self.number.load(Ordering::Acquire) == 0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.number.fetch_sub(1, Ordering::AcqRel);
        self.0.over.notify_waiters();
    }
}

impl Inventory {
    /// Whether the owner of the object may become known within a moment.
    pub fn may_learn(&self, kind: Kind, id: &str) -> bool {
        self.owner_ever(kind, id).is_none() && !self.pending.is_idle()
    }

    /// Waits until the object's owner is known, or nothing is being created, or for a moment at most.
    pub async fn await_owner(&self, kind: Kind, id: &str) {
        let known = async {
            loop {
                // Before the look, so that nothing that ends in between is missed.
                let over = self.pending.over.notified();
                if !self.may_learn(kind, id) {
                    return;
                }
                over.await;
            }
        };
        drop(timeout(PATIENCE, known).await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::authz::Action;
    use crate::inventory::fake::{Fake, call, subject};

    #[tokio::test]
    async fn an_owner_is_waited_for_while_something_is_being_created() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        assert!(!inventory.may_learn(Kind::Container, "c1"));
        let requirements = call(Action::ContainerCreate, "web");
        let first = requirements.iter().next().unwrap();
        let expected =
            inventory.expect(&subject("alice"), first.action, &first.resource, &requirements).await.unwrap();
        assert!(inventory.may_learn(Kind::Container, "c1"));
        let waiting = Arc::clone(&inventory);
        let waits = tokio::spawn(async move {
            waiting.await_owner(Kind::Container, "c1").await;
            waiting.owner(Kind::Container, "c1").map(|owner| owner.user.clone())
        });
        inventory.learn(expected, Some(201), Some(br#"{"Id":"c1"}"#)).await;
        assert_eq!(waits.await.unwrap().as_deref(), Some("alice"));
        assert!(!inventory.may_learn(Kind::Container, "c2"));
    }
}
