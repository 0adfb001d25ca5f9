//! The cache in front of a slow directory: one question at a time for a user, and no waiting that can be helped.
//!
//! An answer is fresh for [`Limits::ttl`], and asked for again in the background from half of that on. Only
//! where the directory cannot be asked does an old answer serve on, marked as stale, until [`Limits::grace`]
//! is over; "no such user" and "refused" count at once, and are never stale.

mod limits;
mod tally;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::{DirectoryError, Looked};
pub(super) use limits::{Limits, MAX_NAMES};
use limits::{PROBE_EVERY, RECOVERY, moment_of, refresh_at};
pub use tally::CacheStatus;
use tally::Tally;

/// A directory's answer.
type Answer = Result<Looked, DirectoryError>;

/// Asks the directory itself.
pub(super) type Source = Box<dyn Fn(String) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// A monotonic clock: the time since some moment in the past.
pub(super) type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// The cache; clones are the same one.
#[derive(Clone)]
pub(super) struct Cache(Arc<Shared>);

struct Shared {
    limits: Limits,
    source: Source,
    clock: Clock,
    tally: Tally,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the name as presented: servers fold names by rules of their own.
    entries: HashMap<String, Entry>,
    /// Set from the first failure to the next answer.
    down: Option<Down>,
    /// Somebody waited in vain, and the directory has not answered since: who has an old answer need not wait.
    slow: bool,
    /// When it was last found to be up again.
    recovered: Option<Duration>,
    /// How many questions were asked.
    flights: u64,
    /// Answers to questions up to this number are not fresh any more.
    expired: u64,
}

#[derive(Default)]
struct Entry {
    /// The last answer that says something about the user.
    told: Option<Told>,
    /// Why the last question gave no such answer, and when.
    trouble: Option<(DirectoryError, Duration)>,
    /// When it was last wanted.
    used: Duration,
    flight: Option<Flight>,
}

/// What the directory said.
struct Told {
    answer: Answer,
    at: Duration,
    /// The number of the question.
    number: u64,
}

/// A question that is under way.
#[derive(Clone)]
struct Flight {
    number: u64,
    started: Duration,
    answer: watch::Receiver<Option<Answer>>,
}

struct Down {
    error: DirectoryError,
    /// When the directory was last asked, or last failed.
    probed: Duration,
}

/// What the cache alone can say.
enum Known {
    /// The answer.
    Now(Answer),
    /// Wait for this.
    Soon(Flight),
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache in front of the source.
    pub(super) fn new(limits: Limits, source: Source, clock: Clock) -> Self {
        Self(Arc::new(Shared { limits, source, clock, tally: Tally::default(), state: Mutex::default() }))
    }

    /// The process's own monotonic clock.
    pub(super) fn monotonic() -> Clock {
        let start = Instant::now();
        Box::new(move || start.elapsed())
    }

    /// The user's groups, in the time of the call deadline at most.
    ///
    /// # Errors
    /// What the directory says, or [`DirectoryError::Unavailable`].
    pub(super) async fn groups(&self, user: &str) -> Answer {
        let mut flight = match self.known(user) {
            Known::Now(answer) => {
                self.0.tally.at_once(&answer);
                return answer;
            }
            Known::Soon(flight) => flight,
        };
        let answer = self.awaited(user, &mut flight).await;
        self.0.tally.waited(&answer);
        answer
    }

    /// The answer to a question that is under way, or the old one where there is none in time.
    async fn awaited(&self, user: &str, flight: &mut Flight) -> Answer {
        let landed = timeout(self.0.limits.call_deadline, flight.answer.wait_for(Option::is_some)).await;
        let error = match landed {
            Ok(Ok(answer)) => match answer.clone() {
                Some(Err(error)) if is_failure(&error) => error,
                Some(answer) => return answer,
                None => DirectoryError::Unavailable("the look-up gave no answer".to_owned()),
            },
            Ok(Err(_)) => DirectoryError::Unavailable("the look-up ended without an answer".to_owned()),
            Err(_) => {
                self.0.lock().slow = true;
                late()
            }
        };
        let now = (self.0.clock)();
        self.0.stale(self.0.lock().entries.get(user), now, error)
    }

    /// What is in the cache, and what it did so far.
    pub(super) fn status(&self) -> CacheStatus {
        let now = (self.0.clock)();
        let state = self.0.lock();
        let known = || {
            let told = state.entries.values().filter_map(|entry| entry.told.as_ref());
            told.filter_map(|told| Some((told.answer.as_ref().ok()?, told.at)))
        };
        let oldest = known().map(|(_, at)| now.saturating_sub(at)).max();
        CacheStatus {
            users: known().count(),
            others: state.entries.len() - known().count(),
            names: names(&state.entries),
            oldest_seconds: oldest.map(|age| age.as_secs()),
            down: state.down.as_ref().map(|down| down.error.to_string()),
            ..self.0.tally.status()
        }
    }

    /// Forgets the user, under whatever name it was asked for, or everybody; says how many answers that were.
    pub(super) fn flush(&self, user: Option<&str>) -> usize {
        let mut state = self.0.lock();
        let before = state.entries.len();
        match user {
            None => *state = State { flights: state.flights, ..State::default() },
            Some(user) => state.entries.retain(|name, entry| {
                let canonical = entry.told.as_ref().and_then(|told| told.answer.as_ref().ok());
                name != user && canonical.is_none_or(|looked| looked.user != user)
            }),
        }
        before - state.entries.len()
    }

    /// Has everybody asked for again. What is known still serves while the directory is down: new settings
    /// must not lock everybody out.
    pub(super) fn expire(&self) {
        let mut state = self.0.lock();
        state.expired = state.flights;
        state.down = None;
        state.slow = false;
        state.recovered = None;
        for entry in state.entries.values_mut() {
            entry.trouble = None;
            entry.flight = None;
        }
    }

    /// What the cache says, and starts the question that is to be asked.
    fn known(&self, user: &str) -> Known {
        let now = (self.0.clock)();
        let mut state = self.0.lock();
        let state = &mut *state;
        if let Some(entry) = state.entries.get_mut(user) {
            entry.used = now;
        }
        let entry = state.entries.get(user);
        let flight = entry.and_then(Entry::flight).cloned();
        let may_ask = flight.is_none() && may_ask(entry, state.down.as_ref(), now);
        if let Some((answer, is_aging)) = self.0.fresh(user, entry, state.expired, now) {
            if is_aging && may_ask {
                drop(self.start(state, user, now));
            }
            return Known::Now(answer);
        }
        // Right after an outage, and where somebody waits in vain now, an old answer is better than a queue.
        let recovers = state.recovered.is_some_and(|at| now < at + moment_of(user, RECOVERY));
        if (recovers || state.slow)
            && let Ok(looked) = self.0.stale(entry, now, late())
        {
            if !recovers && may_ask {
                drop(self.start(state, user, now));
            }
            return Known::Now(Ok(looked));
        }
        let is_late = |flight: &Flight| now.saturating_sub(flight.started) >= self.0.limits.call_deadline;
        let trouble = match (&flight, entry.and_then(|entry| entry.trouble.as_ref()), &state.down) {
            (Some(flight), _, _) if is_late(flight) => late(),
            (_, Some((error, at)), _) if now.saturating_sub(*at) < PROBE_EVERY => error.clone(),
            (_, _, Some(down)) => down.error.clone(),
            (Some(flight), _, None) => return Known::Soon(flight.clone()),
            (None, _, None) => return self.start(state, user, now),
        };
        // Something is wrong, as far as is known: who has a usable answer does not wait to hear it again.
        match (self.0.stale(entry, now, trouble), flight) {
            (Ok(looked), _) => {
                if may_ask {
                    drop(self.start(state, user, now));
                }
                Known::Now(Ok(looked))
            }
            (Err(_), Some(flight)) if !is_late(&flight) => Known::Soon(flight),
            (Err(_), None) if may_ask => self.start(state, user, now),
            (Err(error), _) => Known::Now(Err(error)),
        }
    }

    /// Asks the directory, in a task of its own that outlives impatient callers.
    fn start(&self, state: &mut State, user: &str, now: Duration) -> Known {
        if !state.entries.contains_key(user)
            && state.entries.len() >= self.0.limits.max_entries
            && !self.0.forget_one(&mut state.entries, user)
        {
            let error = DirectoryError::Unavailable("too many look-ups are under way".to_owned());
            return Known::Now(Err(error));
        }
        state.flights += 1;
        self.0.tally.asked();
        let (sender, answer) = watch::channel(None);
        let flight = Flight { number: state.flights, started: now, answer };
        let entry = state.entries.entry(user.to_owned()).or_default();
        entry.used = now;
        entry.flight = Some(flight.clone());
        if let Some(down) = &mut state.down {
            down.probed = now;
        }
        let asked = (self.0.source)(user.to_owned());
        let (shared, user, number) = (Arc::clone(&self.0), user.to_owned(), flight.number);
        tokio::spawn(async move {
            let answer = asked.await;
            shared.land(&user, number, &answer);
            // Nobody may be waiting any more.
            sender.send_replace(Some(answer));
        });
        Known::Soon(flight)
    }
}

impl Entry {
    /// The question that is under way, unless its task is gone.
    fn flight(&self) -> Option<&Flight> {
        self.flight.as_ref().filter(|flight| flight.answer.has_changed().is_ok())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer that serves without asking, and whether it is time to ask ahead.
    fn fresh(
        &self,
        user: &str,
        entry: Option<&Entry>,
        expired: u64,
        now: Duration,
    ) -> Option<(Answer, bool)> {
        let Told { answer, at, number } = entry?.told.as_ref()?;
        let age = now.saturating_sub(*at);
        let (limit, refresh_at) = match answer {
            Ok(_) => (self.limits.ttl, refresh_at(user, self.limits.ttl)),
            Err(_) => (self.limits.negative_ttl, self.limits.negative_ttl),
        };
        (age < limit && *number > expired).then(|| (answer.clone(), age >= refresh_at))
    }

    /// The last good answer where it may still serve, and otherwise a denial: after the grace, groups that
    /// were taken away long ago could still open doors.
    fn stale(&self, entry: Option<&Entry>, now: Duration, error: DirectoryError) -> Answer {
        match entry.and_then(|entry| entry.told.as_ref()) {
            Some(Told { answer: Ok(looked), at, .. }) if now.saturating_sub(*at) <= self.limits.grace => {
                Ok(Looked { stale: true, ..looked.clone() })
            }
            Some(_) | None => Err(error),
        }
    }

    /// Takes an answer in, unless the entry was flushed while it was under way.
    fn land(&self, user: &str, number: u64, answer: &Answer) {
        let now = (self.clock)();
        let mut state = self.lock();
        self.tally.landed(answer);
        let was_down = state.down.is_some();
        state.slow = false;
        state.down = match answer {
            Err(error @ DirectoryError::Unavailable(_)) => Some(Down { error: error.clone(), probed: now }),
            // A server that answers is up, whatever it says about this user.
            Ok(_)
            | Err(DirectoryError::NoSuchUser | DirectoryError::Refused(_) | DirectoryError::Incomplete(_)) => {
                None
            }
        };
        if was_down && state.down.is_none() {
            state.recovered = Some(now);
        }
        let is_ours =
            |entry: &&mut Entry| entry.flight.as_ref().is_some_and(|flight| flight.number == number);
        let Some(entry) = state.entries.get_mut(user).filter(is_ours) else { return };
        entry.flight = None;
        match answer {
            // The last answer stays, for as long as it may serve.
            Err(error) if is_failure(error) => entry.trouble = Some((error.clone(), now)),
            Ok(_) | Err(_) => {
                entry.trouble = None;
                entry.told = Some(Told { answer: answer.clone(), at: now, number });
            }
        }
        while names(&state.entries) > self.limits.max_names && self.forget_one(&mut state.entries, user) {}
    }

    /// Makes room for one more: who is unknown goes first, then who was not wanted for longest. Says whether
    /// there is room, which there is not while everybody is being asked for.
    fn forget_one(&self, entries: &mut HashMap<String, Entry>, except: &str) -> bool {
        let is_known = |entry: &Entry| entry.told.as_ref().is_some_and(|told| told.answer.is_ok());
        let rank = |entry: &Entry| (is_known(entry), entry.used);
        let idle = entries.iter().filter(|(name, entry)| *name != except && entry.flight().is_none());
        let oldest = idle.min_by_key(|(_, entry)| rank(entry));
        let Some(name) = oldest.map(|(name, _)| name.clone()) else { return false };
        self.tally.forgotten();
        entries.remove(&name).is_some()
    }
}

/// How many group names all answers have.
fn names(entries: &HashMap<String, Entry>) -> usize {
    let told = entries.values().filter_map(|entry| entry.told.as_ref());
    told.filter_map(|told| told.answer.as_ref().ok()).map(|looked| looked.groups.len()).sum()
}

/// Whether the error says nothing about the user.
fn is_failure(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Unavailable(_) | DirectoryError::Incomplete(_) => true,
        DirectoryError::NoSuchUser | DirectoryError::Refused(_) => false,
    }
}

/// Whether enough time has passed since the last failure.
fn may_ask(entry: Option<&Entry>, down: Option<&Down>, now: Duration) -> bool {
    let trouble = entry.and_then(|entry| entry.trouble.as_ref()).map(|(_, at)| *at);
    let probed = down.map(|down| down.probed);
    [trouble, probed].into_iter().flatten().all(|at| now.saturating_sub(at) >= PROBE_EVERY)
}

fn late() -> DirectoryError {
    DirectoryError::Unavailable("the directory did not answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Refused;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::oneshot;

    const TTL: u64 = 60;
    const GRACE: u64 = 600;

    /// Who was asked for, and where the answer goes.
    type Questions = Arc<Mutex<VecDeque<(String, oneshot::Sender<Answer>)>>>;

    /// A directory that answers when the test says so, and a clock that the test moves.
    struct Bench {
        cache: Cache,
        seconds: Arc<AtomicU64>,
        asked: Questions,
    }

    fn bench() -> Bench {
        bench_with(Duration::from_secs(30), 100)
    }

    fn bench_with(call_deadline: Duration, max_entries: usize) -> Bench {
        let seconds = Arc::new(AtomicU64::new(1000));
        let asked = Questions::default();
        let limits = Limits {
            ttl: Duration::from_secs(TTL),
            negative_ttl: Duration::from_secs(10),
            grace: Duration::from_secs(GRACE),
            call_deadline,
            max_entries,
            max_names: 100,
        };
        let (queue, clock) = (Arc::clone(&asked), Arc::clone(&seconds));
        let source: Source = Box::new(move |user| {
            let (sender, answer) = oneshot::channel();
            queue.lock().unwrap().push_back((user, sender));
            Box::pin(async move { answer.await.unwrap_or_else(|_| panic!("the test dropped the question")) })
        });
        let clock: Clock = Box::new(move || Duration::from_secs(clock.load(Ordering::SeqCst)));
        Bench { cache: Cache::new(limits, source, clock), seconds, asked }
    }

    #[allow(clippy::unnecessary_wraps, reason = "it stands beside the answers that are errors")]
    fn good(user: &str) -> Answer {
        Ok(Looked { user: user.to_owned(), groups: vec!["dev".to_owned()], stale: false })
    }

    #[allow(clippy::unnecessary_wraps, reason = "it stands beside the answers that are errors")]
    fn stale(user: &str) -> Answer {
        Ok(Looked { user: user.to_owned(), groups: vec!["dev".to_owned()], stale: true })
    }

    fn down() -> Answer {
        Err(DirectoryError::Unavailable("down".to_owned()))
    }

    impl Bench {
        fn pass(&self, seconds: u64) {
            self.seconds.fetch_add(seconds, Ordering::SeqCst);
        }

        fn questions(&self) -> usize {
            self.asked.lock().unwrap().len()
        }

        /// Answers the oldest open question, and waits until the cache has taken it in.
        async fn answer(&self, answer: Answer) {
            let (user, sender) = self.asked.lock().unwrap().pop_front().unwrap();
            let flight = self.cache.0.lock().entries.get(&user).and_then(|entry| entry.flight.clone());
            sender.send(answer).unwrap();
            if let Some(mut flight) = flight {
                flight.answer.wait_for(Option::is_some).await.unwrap();
            }
        }

        /// Asks, answering the one question that this must raise.
        async fn ask(&self, user: &str, answer: Answer) -> Answer {
            assert_eq!(self.questions(), 0);
            let (cache, name) = (self.cache.clone(), user.to_owned());
            let caller = tokio::spawn(async move { cache.groups(&name).await });
            while self.questions() == 0 {
                assert!(!caller.is_finished(), "no question was raised");
                tokio::task::yield_now().await;
            }
            self.answer(answer).await;
            caller.await.unwrap()
        }

        /// Asks where no question may be waited for.
        async fn at_once(&self, user: &str) -> Answer {
            self.cache.groups(user).await
        }
    }

    #[tokio::test]
    async fn a_fresh_answer_is_not_asked_for_again() {
        let bench = bench();
        assert_eq!(bench.ask("alice", good("alice")).await, good("alice"));
        bench.pass(TTL / 2 - 1);
        assert_eq!(bench.at_once("alice").await, good("alice"));
        assert_eq!(bench.questions(), 0);
    }

    #[tokio::test]
    async fn an_answer_past_its_time_is_asked_for_again_and_waited_for() {
        let bench = bench();
        bench.ask("alice", good("alice")).await.unwrap();
        bench.pass(TTL);
        let changed = Ok(Looked { user: "alice".to_owned(), groups: vec![], stale: false });
        assert_eq!(bench.ask("alice", changed.clone()).await, changed);
    }

    #[tokio::test]
    async fn the_answer_is_refreshed_ahead_of_time_in_the_background() {
        let bench = bench();
        bench.ask("alice", good("alice")).await.unwrap();
        bench.pass(TTL - 1);
        assert_eq!(bench.at_once("alice").await, good("alice"));
        assert_eq!(bench.at_once("alice").await, good("alice"));
        assert_eq!(bench.questions(), 1);
        bench.answer(Err(DirectoryError::NoSuchUser)).await;
        assert_eq!(bench.at_once("alice").await, Err(DirectoryError::NoSuchUser));
    }

    #[tokio::test]
    async fn many_callers_ask_one_question() {
        let bench = bench();
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let cache = bench.cache.clone();
                tokio::spawn(async move { cache.groups("alice").await })
            })
            .collect();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.questions(), 1);
        bench.answer(good("alice")).await;
        for caller in callers {
            assert_eq!(caller.await.unwrap(), good("alice"));
        }
        assert_eq!(bench.questions(), 0);
    }

    #[tokio::test]
    async fn an_unknown_user_is_asked_for_again_after_the_negative_time() {
        let bench = bench();
        let unknown = Err(DirectoryError::NoSuchUser);
        assert_eq!(bench.ask("ghost", unknown.clone()).await, unknown);
        bench.pass(9);
        assert_eq!(bench.at_once("ghost").await, unknown);
        bench.pass(1);
        assert_eq!(bench.ask("ghost", good("ghost")).await, good("ghost"));
    }

    #[tokio::test]
    async fn while_the_directory_is_down_old_answers_serve_at_once_until_the_grace_is_over() {
        let bench = bench();
        bench.ask("alice", good("alice")).await.unwrap();
        bench.ask("bob", good("bob")).await.unwrap();
        bench.pass(TTL);
        assert_eq!(bench.ask("alice", down()).await, stale("alice"));
        assert_eq!(bench.at_once("bob").await, stale("bob"));
        assert_eq!(bench.questions(), 0);
        bench.pass(GRACE - TTL);
        assert_eq!(bench.at_once("alice").await, stale("alice"));
        assert_eq!(bench.questions(), 1);
        bench.answer(down()).await;
        bench.pass(1);
        assert_eq!(bench.ask("alice", down()).await, down());
    }

    #[tokio::test]
    async fn an_unavailable_directory_is_asked_once_a_second_for_all_users_together() {
        let bench = bench();
        assert_eq!(bench.ask("alice", down()).await, down());
        assert_eq!(bench.at_once("alice").await, down());
        assert_eq!(bench.at_once("bob").await, down());
        assert_eq!(bench.questions(), 0);
        bench.pass(1);
        assert_eq!(bench.ask("bob", good("bob")).await, good("bob"));
        assert_eq!(bench.ask("alice", good("alice")).await, good("alice"));
    }

    #[tokio::test]
    async fn an_answer_that_is_not_whole_is_a_matter_of_its_user_alone() {
        let bench = bench();
        let incomplete = Err(DirectoryError::Incomplete("half".to_owned()));
        bench.ask("alice", good("alice")).await.unwrap();
        assert_eq!(bench.ask("bob", incomplete.clone()).await, incomplete);
        assert_eq!(bench.at_once("bob").await, incomplete);
        assert_eq!(bench.ask("carol", good("carol")).await, good("carol"));
        bench.pass(1);
        assert_eq!(bench.ask("bob", good("bob")).await, good("bob"));
        bench.pass(TTL);
        assert_eq!(bench.ask("alice", incomplete).await, stale("alice"));
        assert_eq!(bench.at_once("alice").await, stale("alice"));
        assert_eq!(bench.ask("bob", good("bob")).await, good("bob"));
    }

    #[tokio::test]
    async fn a_question_that_is_late_already_is_not_waited_for_again() {
        let bench = bench_with(Duration::from_secs(2), 100);
        let caller = tokio::spawn({
            let cache = bench.cache.clone();
            async move { cache.groups("alice").await }
        });
        while bench.questions() == 0 {
            tokio::task::yield_now().await;
        }
        bench.pass(2);
        assert_eq!(bench.at_once("alice").await, Err(late()));
        assert_eq!(bench.questions(), 1);
        bench.answer(good("alice")).await;
        assert_eq!(caller.await.unwrap(), good("alice"));
    }

    #[tokio::test]
    async fn a_refused_user_is_refused_at_once_and_never_served_stale() {
        let bench = bench();
        bench.ask("alice", good("alice")).await.unwrap();
        bench.pass(TTL);
        let refused = Err(DirectoryError::Refused(Refused::Locked));
        assert_eq!(bench.ask("alice", refused.clone()).await, refused);
        bench.pass(10);
        assert_eq!(bench.ask("alice", down()).await, down());
        assert_eq!(bench.at_once("alice").await, down());
    }

    #[tokio::test]
    async fn a_caller_waits_no_longer_than_the_deadline_and_the_late_answer_still_counts() {
        let bench = bench_with(Duration::from_millis(1), 100);
        assert_eq!(bench.at_once("alice").await, Err(late()));
        bench.answer(good("alice")).await;
        assert_eq!(bench.at_once("alice").await, good("alice"));
        assert_eq!(bench.questions(), 0);
    }

    #[tokio::test]
    async fn a_cached_user_gets_the_old_answer_where_the_deadline_passes() {
        let bench = bench_with(Duration::from_millis(1), 100);
        assert!(bench.at_once("alice").await.is_err());
        bench.answer(good("alice")).await;
        bench.pass(TTL);
        assert_eq!(bench.at_once("alice").await, stale("alice"));
    }

    #[tokio::test]
    async fn a_question_that_ends_without_an_answer_is_a_denial_and_is_asked_again() {
        let bench = bench();
        let caller = tokio::spawn({
            let cache = bench.cache.clone();
            async move { cache.groups("alice").await }
        });
        while bench.questions() == 0 {
            tokio::task::yield_now().await;
        }
        bench.asked.lock().unwrap().clear();
        let error = DirectoryError::Unavailable("the look-up ended without an answer".to_owned());
        assert_eq!(caller.await.unwrap(), Err(error));
        assert_eq!(bench.ask("alice", good("alice")).await, good("alice"));
    }

    #[tokio::test]
    async fn while_somebody_waits_in_vain_old_answers_serve_at_once_and_the_unknown_are_asked_for() {
        let bench = bench_with(Duration::from_millis(1), 100);
        for user in ["alice", "bob"] {
            assert!(bench.at_once(user).await.is_err());
            bench.answer(good(user)).await;
        }
        bench.pass(TTL);
        assert_eq!(bench.at_once("alice").await, stale("alice"));
        // Past the question that hangs already, without waiting for another one.
        let impatient = bench.cache.known("bob");
        assert!(matches!(impatient, Known::Now(Ok(Looked { stale: true, .. }))));
        assert!(matches!(bench.cache.known("carol"), Known::Soon(_)));
        assert_eq!(bench.questions(), 3);
        bench.answer(good("alice")).await;
        bench.answer(good("bob")).await;
        assert_eq!(bench.at_once("bob").await, good("bob"));
    }

    #[tokio::test]
    async fn after_an_outage_old_answers_serve_on_until_each_users_own_moment() {
        let bench = bench();
        let users: Vec<String> = (0..64).map(|number| format!("u{number}")).collect();
        for user in &users {
            bench.ask(user, good(user)).await.unwrap();
        }
        bench.pass(TTL);
        bench.ask("u0", down()).await.unwrap();
        bench.pass(1);
        assert_eq!(bench.at_once("u0").await, stale("u0"));
        bench.answer(good("u0")).await;
        let asked_now = |bench: &Bench| {
            users.iter().skip(1).filter(|user| matches!(bench.cache.known(user), Known::Soon(_))).count()
        };
        let first = asked_now(&bench);
        assert!(first < 16, "{first} at once");
        bench.pass(RECOVERY.as_secs() / 2);
        let then = asked_now(&bench);
        assert!(first < then && then < 63, "{then} half-way");
        bench.pass(RECOVERY.as_secs());
        assert_eq!(asked_now(&bench), 63);
    }

    #[tokio::test]
    async fn what_it_did_and_what_is_in_it_is_told() {
        let bench = bench();
        bench.ask("alice", good("alice")).await.unwrap();
        bench.at_once("alice").await.unwrap();
        bench.ask("ghost", Err(DirectoryError::NoSuchUser)).await.unwrap_err();
        bench.pass(TTL);
        bench.ask("alice", down()).await.unwrap();
        bench.at_once("bob").await.unwrap_err();
        assert_eq!(
            bench.cache.status(),
            CacheStatus {
                users: 1,
                others: 1,
                names: 1,
                oldest_seconds: Some(TTL),
                down: Some("identity unavailable: down".to_owned()),
                at_once: 1,
                waited: 2,
                stale: 1,
                unanswered: 1,
                asked: 3,
                failed: 1,
                forgotten: 0,
            }
        );
        assert_eq!(bench.cache.flush(Some("alice")), 1);
        assert_eq!(bench.cache.flush(None), 1);
    }

    #[tokio::test]
    async fn a_flush_forgets_a_user_by_any_name_and_what_was_under_way() {
        let bench = bench();
        bench.ask("ALICE", good("alice")).await.unwrap();
        bench.ask("bob", good("bob")).await.unwrap();
        bench.cache.flush(Some("alice"));
        assert_eq!(bench.ask("ALICE", good("alice")).await, good("alice"));
        assert_eq!(bench.at_once("bob").await, good("bob"));
        bench.pass(TTL - 1);
        assert_eq!(bench.at_once("bob").await, good("bob"));
        bench.cache.flush(None);
        bench.answer(good("bob")).await;
        tokio::task::yield_now().await;
        assert_eq!(bench.ask("bob", Err(DirectoryError::NoSuchUser)).await, Err(DirectoryError::NoSuchUser));
    }

    #[tokio::test]
    async fn what_was_known_before_new_settings_serves_only_while_the_directory_is_down() {
        let bench = bench();
        bench.ask("alice", good("alice")).await.unwrap();
        bench.cache.expire();
        assert_eq!(bench.ask("alice", down()).await, stale("alice"));
        assert_eq!(bench.at_once("alice").await, stale("alice"));
        bench.cache.expire();
        assert_eq!(bench.ask("alice", good("alice")).await, good("alice"));
        assert_eq!(bench.at_once("alice").await, good("alice"));
    }

    #[tokio::test]
    async fn the_cache_is_bounded_and_the_unknown_go_first() {
        let bench = bench_with(Duration::from_secs(30), 2);
        bench.ask("alice", good("alice")).await.unwrap();
        bench.pass(1);
        bench.ask("ghost", Err(DirectoryError::NoSuchUser)).await.unwrap_err();
        bench.pass(1);
        bench.ask("bob", good("bob")).await.unwrap();
        bench.pass(1);
        assert_eq!(bench.at_once("alice").await, good("alice"));
        bench.ask("carol", good("carol")).await.unwrap();
        assert_eq!(bench.at_once("alice").await, good("alice"));
        assert_eq!((bench.cache.status().users, bench.cache.status().forgotten), (2, 2));
        assert_eq!(bench.questions(), 0);
    }

    #[tokio::test]
    async fn the_number_of_group_names_is_bounded() {
        let bench = bench();
        let many = |user: &str, count: usize| -> Answer {
            let groups = (0..count).map(|number| number.to_string()).collect();
            Ok(Looked { user: user.to_owned(), groups, stale: false })
        };
        bench.ask("alice", many("alice", 99)).await.unwrap();
        bench.pass(1);
        bench.ask("bob", many("bob", 1)).await.unwrap();
        assert_eq!((bench.cache.status().users, bench.cache.status().names), (2, 100));
        bench.pass(1);
        bench.ask("carol", many("carol", 1)).await.unwrap();
        assert_eq!((bench.cache.status().users, bench.cache.status().names), (2, 2));
    }
}
