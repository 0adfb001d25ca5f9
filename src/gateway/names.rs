//! From uid to user name, through the host's own user database: cached, asked once at a time, with a deadline.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::identity::check_name;

/// Asks the host: the name, nothing if there is none, or what went wrong.
pub(super) type Ask = Arc<dyn Fn(u32) -> Result<Option<String>, String> + Send + Sync>;

/// What people see as `nobody`: the uid of whoever has none here, such as a stranger in a user namespace.
const NOBODY: u32 = 65_534;

/// How long it is remembered that a uid has no name, or that the host could not say.
const WITHOUT_NAME: Duration = Duration::from_secs(5);

/// Questions to the host at one time. Each holds a thread for as long as the host takes.
const AT_ONCE: usize = 8;

/// Uids that are remembered.
const REMEMBERED: usize = 4096;

/// Why a uid is nobody's. The texts are for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    /// The overflow uid.
    #[error(
        "the kernel names no user for this connection (uid {0}): it comes from another user namespace, or from `nobody`; \
         connect from the host as a user of the host"
    )]
    Overflow(u32),
    /// No name.
    #[error("uid {0} has no name on this host; ask the administrator for an account")]
    NoName(u32),
    /// A name that policies could not hold.
    #[error("the name of uid {0} cannot be used: {1}")]
    BadName(u32, crate::identity::NameError),
    /// The host did not say.
    #[error("the name of uid {0} could not be looked up: {1}; try again")]
    Failed(u32, String),
    /// The host did not say in time.
    #[error("the name of uid {0} could not be looked up in time; try again")]
    Deadline(u32),
}

type Answer = Result<Arc<str>, NameError>;

/// The names of uids.
pub(super) struct Names {
    ask: Ask,
    overflow: u32,
    ttl: Duration,
    deadline: Duration,
    slots: Arc<Semaphore>,
    known: Mutex<HashMap<u32, Known>>,
}

struct Known {
    since: Instant,
    /// Empty until the host has answered; everybody who asks meanwhile waits for the same answer.
    answer: watch::Receiver<Option<Answer>>,
}

impl Names {
    /// Names as `ask` gives them; `overflow` is the kernel's uid for those that have none here.
    pub(super) fn new(ask: Ask, overflow: u32, ttl: Duration, deadline: Duration) -> Self {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        Self { ask, overflow, ttl, deadline, slots, known: Mutex::default() }
    }

    /// The name of a uid; takes no longer than the deadline.
    pub(super) async fn of(&self, uid: u32) -> Answer {
        if uid == NOBODY || uid == self.overflow {
            return Err(NameError::Overflow(uid));
        }
        let mut answer = self.answer(uid, Instant::now());
        let given = async { answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone()) };
        match tokio::time::timeout(self.deadline, given).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(NameError::Failed(uid, "the look-up failed".to_owned())),
            Err(_) => Err(NameError::Deadline(uid)),
        }
    }

    /// The answer that is remembered, or the one that is waited for.
    fn answer(&self, uid: u32, now: Instant) -> watch::Receiver<Option<Answer>> {
        let mut known = self.known();
        if let Some(found) = known.get(&uid).filter(|found| found.holds(now, self.ttl)) {
            return found.answer.clone();
        }
        if known.len() >= REMEMBERED {
            known.retain(|_, found| found.holds(now, self.ttl));
        }
        let (give, answer) = watch::channel(None);
        // Where there are too many, this one is asked for and not remembered.
        if known.len() < REMEMBERED {
            known.insert(uid, Known { since: now, answer: answer.clone() });
        }
        let (ask, slots) = (Arc::clone(&self.ask), Arc::clone(&self.slots));
        tokio::spawn(async move {
            let Ok(slot) = slots.acquire_owned().await else { return };
            let asked = tokio::task::spawn_blocking(move || {
                let answer = named(uid, ask(uid));
                drop(slot);
                answer
            });
            let failed = |_| Err(NameError::Failed(uid, "the look-up failed".to_owned()));
            // Nobody may be left who waits.
            give.send(Some(asked.await.unwrap_or_else(failed))).ok();
        });
        answer
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u32, Known>> {
        // Nothing between lock and unlock can leave the table half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether it is still to be believed. A question that hangs is not asked a second time beside itself.
    fn holds(&self, now: Instant, ttl: Duration) -> bool {
        let age = now.saturating_duration_since(self.since);
        match &*self.answer.borrow() {
            Some(Ok(_)) => age < ttl,
            Some(Err(_)) => age < WITHOUT_NAME.min(ttl),
            None => self.answer.has_changed().is_ok(),
        }
    }
}

fn named(uid: u32, asked: Result<Option<String>, String>) -> Answer {
    let name = asked.map_err(|error| NameError::Failed(uid, error))?.ok_or(NameError::NoName(uid))?;
    check_name(&name).map_err(|error| NameError::BadName(uid, error))?;
    Ok(name.into())
}

/// Asks the host's user database, whatever is behind it: files, sssd, LDAP. Blocks.
pub(super) fn ask_host(uid: u32) -> Result<Option<String>, String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid));
    user.map(|user| user.map(|user| user.name)).map_err(|error| error.desc().to_owned())
}

/// The kernel's uid for those that have none in this user namespace.
pub(super) fn overflow_uid() -> u32 {
    let text = std::fs::read_to_string("/proc/sys/kernel/overflowuid").unwrap_or_default();
    text.trim().parse().unwrap_or(NOBODY)
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("known", &self.known().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const TTL: Duration = Duration::from_mins(1);

    fn names(ask: impl Fn(u32) -> Result<Option<String>, String> + Send + Sync + 'static) -> Arc<Names> {
        Arc::new(Names::new(Arc::new(ask), 4711, TTL, Duration::from_secs(2)))
    }

    #[tokio::test]
    async fn a_uid_is_called_what_the_host_calls_it_and_root_is_root() {
        let names = names(ask_host);
        assert_eq!(names.of(0).await.unwrap().as_ref(), "root");
        assert_eq!(names.of(3_999_999_999).await, Err(NameError::NoName(3_999_999_999)));
    }

    #[tokio::test]
    async fn whoever_has_no_uid_here_is_refused_even_where_the_host_has_a_name_for_it() {
        let names = names(|_| Ok(Some("nobody".to_owned())));
        assert_eq!(names.of(65_534).await, Err(NameError::Overflow(65_534)));
        assert_eq!(names.of(4711).await, Err(NameError::Overflow(4711)));
    }

    #[tokio::test]
    async fn a_name_that_a_policy_could_not_hold_is_refused() {
        let names = names(|_| Ok(Some(" alice".to_owned())));
        assert!(matches!(names.of(1).await, Err(NameError::BadName(1, _))));
    }

    #[tokio::test]
    async fn an_answer_is_remembered_for_its_time_and_a_failure_for_a_short_one() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let names = names(|uid| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            if uid == 1 { Ok(Some("alice".to_owned())) } else { Err("down".to_owned()) }
        });
        let start = Instant::now();
        for (uid, at, asked) in [(1, 0, 1), (1, 59, 1), (1, 61, 2), (2, 61, 3), (2, 65, 3), (2, 67, 4)] {
            let mut answer = names.answer(uid, start + Duration::from_secs(at));
            let answer = answer.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            assert_eq!(answer.is_ok(), uid == 1);
            assert_eq!(ASKED.load(Ordering::SeqCst), asked, "{uid} {at}");
        }
    }

    #[tokio::test]
    async fn a_host_that_hangs_is_asked_once_and_waited_for_until_the_deadline() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let (release, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let ask: Ask = Arc::new(move |_| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            held.lock().unwrap().recv().ok();
            Ok(Some("alice".to_owned()))
        });
        let names = Arc::new(Names::new(ask, 4711, TTL, Duration::from_millis(10)));
        for _ in 0..3 {
            assert_eq!(names.of(1).await, Err(NameError::Deadline(1)));
        }
        drop(release);
        let mut answer = names.answer(1, Instant::now());
        answer.wait_for(Option::is_some).await.unwrap();
        assert_eq!(names.of(1).await.unwrap().as_ref(), "alice");
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    }
}
