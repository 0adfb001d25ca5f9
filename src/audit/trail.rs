//! The handle to the trail: hand in an entry, wait until it is on disk, get the token of that.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::store::StoreError;

use super::ledger::Ledger;
use super::writer::{Job, Message, Writer};
use super::{AdminEntry, DecisionEntry, DecisionId, Entry, ResponseEntry, Verdict};

/// How many entries may wait for the writer.
const QUEUE: usize = 1024;

/// Where the time and ten random bytes for the trail's own records come from.
pub type Stamp = Arc<dyn Fn() -> (Timestamp, [u8; 10]) + Send + Sync>;

/// What a trail is opened with.
#[derive(Clone)]
pub struct Settings {
    /// The file; created if it is not there.
    pub path: PathBuf,
    /// How long a caller waits for its record, in all.
    pub deadline: Duration,
    /// Time and randomness for the trail's own records.
    pub stamp: Stamp,
}

impl Settings {
    /// How long a caller waits unless told otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(2);

    /// The usual settings for a file.
    pub fn new(path: impl Into<PathBuf>, stamp: Stamp) -> Self {
        Self { path: path.into(), deadline: Self::DEADLINE, stamp }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("path", &self.path)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// The proof that a decision is on record, durable against power loss.
///
/// Only the trail makes one, and an allowing answer can only be made from one.
#[derive(Debug)]
#[must_use = "a decision is recorded in order to be answered"]
pub struct Recorded {
    id: DecisionId,
    verdict: Verdict,
}

impl Recorded {
    /// The id of the decision.
    pub const fn id(&self) -> DecisionId {
        self.id
    }

    /// What the record says.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// Why an entry is not on record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The trail cannot be written, so nothing may be allowed.
    #[error("the audit trail cannot be written: {0}")]
    Unavailable(Unavailable),
}

/// What keeps the trail from being written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The file or the disk.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Too many entries wait already.
    #[error("too many records wait for the disk")]
    Busy,
    /// The disk is slower than the deadline.
    #[error("the disk did not take the record in time")]
    Deadline,
    /// The trail is closed, as at shutdown.
    #[error("the trail is closed")]
    Closed,
    /// This record alone is not accepted, such as one whose id is on record already; a defect of ours.
    #[error("the record is not accepted: {0}")]
    Entry(String),
}

impl AuditError {
    /// The problem for people who are not the administrator: without paths and details.
    pub const fn summary(&self) -> &'static str {
        let Self::Unavailable(reason) = self;
        match reason {
            Unavailable::Store(error) => error.summary(),
            Unavailable::Busy => "too many records wait for the disk",
            Unavailable::Deadline => "the disk is too slow",
            Unavailable::Closed => "wharfinger is shutting down",
            Unavailable::Entry(_) => "the record is not accepted",
        }
    }
}

/// What the handle and the writer both see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Decisions that were never handed to the writer since it last told of some.
    pub(super) unqueued: AtomicU64,
    /// What keeps the trail from being written now.
    pub(super) failing: Mutex<Option<AuditError>>,
}

/// The trail, open for writing; one for each file.
#[derive(Debug)]
pub struct Trail {
    queue: mpsc::Sender<Message>,
    deadline: Duration,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Trail {
    /// Opens or creates the file and starts the writer.
    pub fn open(settings: Settings) -> Result<Self, AuditError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let deadline = settings.deadline;
        let path = settings.path.clone();
        let writer = Writer::new(Ledger::open(settings).map_err(unavailable)?, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(|error| unavailable(StoreError::from_io(&path, &error)))?;
        Ok(Self { queue, deadline, shared, thread: Mutex::new(Some(thread)) })
    }

    /// Writes a decision and returns when it is durable, or after the deadline.
    ///
    /// On an error the caller has to answer with a denial and need not record that again: the
    /// trail notes on its own what was denied for its sake, as soon as it can be written. If the
    /// caller's task is dropped while it waits, the record can say `permit` although no answer
    /// left; such a call has no response.
    pub async fn record(&self, entry: DecisionEntry) -> Result<Recorded, AuditError> {
        let (id, verdict) = (entry.id, entry.decision);
        let result = self.write(Entry::Decision(Box::new(entry))).await;
        result.map(|()| Recorded { id, verdict })
    }

    /// Writes what an administrator asked for and returns when it is durable, or after the deadline.
    ///
    /// On an error, nothing of it may be done: as with [`Trail::record`].
    pub async fn admin(&self, entry: AdminEntry) -> Result<Recorded, AuditError> {
        let (id, verdict) = (entry.id, entry.decision);
        let result = self.write(Entry::Admin(Box::new(entry))).await;
        result.map(|()| Recorded { id, verdict })
    }

    /// Writes the end of a call that was let through, and returns when it is durable.
    ///
    /// The effect has happened by then: an error changes nothing for the caller but that the
    /// outcome stays unknown.
    pub async fn response(&self, entry: ResponseEntry) -> Result<(), AuditError> {
        self.write(Entry::Response(Box::new(entry))).await
    }

    /// What keeps the trail from being written at the moment.
    pub fn failing(&self) -> Option<AuditError> {
        self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what is queued, refuses what comes later, and closes the file.
    pub async fn close(&self) {
        // An error means that the writer has ended already.
        self.queue.send(Message::Close).await.ok();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A writer that panicked has nothing left to wait for.
            tokio::task::spawn_blocking(move || thread.join().ok()).await.ok();
        }
    }

    async fn write(&self, entry: Entry) -> Result<(), AuditError> {
        let deadline = Instant::now() + self.deadline;
        let place = match timeout_at(deadline, self.queue.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(AuditError::Unavailable(Unavailable::Closed)),
            Err(_) => {
                if matches!(entry, Entry::Decision(_)) {
                    self.shared.unqueued.fetch_add(1, Ordering::Relaxed);
                }
                return Err(AuditError::Unavailable(Unavailable::Busy));
            }
        };
        let (reply, mut answer) = oneshot::channel();
        place.send(Message::Write(Job { entry, reply }));
        let answered = if let Ok(answered) = timeout_at(deadline, &mut answer).await {
            answered.ok()
        } else {
            // From here the writer cannot answer any more, and notes that it could not: both
            // sides agree on whether this record counts.
            answer.close();
            match answer.try_recv() {
                Ok(answered) => Some(answered),
                Err(_) => return Err(AuditError::Unavailable(Unavailable::Deadline)),
            }
        };
        // No answer at all: the writer has ended. Nothing is known to be on record, so nothing is allowed.
        answered.unwrap_or(Err(AuditError::Unavailable(Unavailable::Closed)))
    }
}

pub(super) fn unavailable(error: StoreError) -> AuditError {
    AuditError::Unavailable(Unavailable::Store(error))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::sample::{self, decision, entries, records, response, settings};
    use super::super::{Event, Record};
    use super::*;

    fn ids(path: &std::path::Path) -> Vec<DecisionId> {
        entries(path).iter().map(Entry::id).collect()
    }

    #[tokio::test]
    async fn what_is_acknowledged_is_in_the_file_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let trail = Trail::open(settings(&path)).unwrap();
        let (permit, deny, end) = (decision(1, Verdict::Permit), decision(2, Verdict::Deny), response(3, 1));
        let recorded = trail.record(permit.clone()).await.unwrap();
        assert_eq!((recorded.id(), recorded.verdict()), (permit.id, Verdict::Permit));
        assert_eq!(trail.record(deny.clone()).await.unwrap().verdict(), Verdict::Deny);
        trail.response(end.clone()).await.unwrap();
        let expected =
            [Entry::Decision(permit.into()), Entry::Decision(deny.into()), Entry::Response(end.into())];
        let expected: Vec<_> = (1..).zip(expected).map(|(seq, entry)| Record { v: 1, seq, entry }).collect();
        assert_eq!(records(&path), expected);
    }

    #[tokio::test]
    async fn a_batch_is_on_record_in_the_order_in_which_it_was_handed_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let trail = Arc::new(Trail::open(settings(&path)).unwrap());
        // More than one batch, and all of it queued before the writer can be done with the first.
        let calls: Vec<_> = (0..600).map(|n| decision(n, Verdict::Permit)).collect();
        let all: Vec<_> = calls.iter().map(|call| trail.record(call.clone())).collect();
        let mut running: Vec<_> =
            all.into_iter().map(|call| Box::pin(tokio::task::unconstrained(call))).collect();
        for call in &mut running {
            // One poll each hands them in, in this order.
            let ready =
                std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
            assert!(ready.is_pending() || ready.is_ready());
        }
        trail.close().await;
        assert_eq!(ids(&path), calls.iter().map(|call| call.id).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_id_that_is_on_record_is_refused_without_hurting_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let trail = Trail::open(settings(&path)).unwrap();
        drop(trail.record(decision(1, Verdict::Permit)).await.unwrap());
        let error = trail.record(decision(1, Verdict::Deny)).await.unwrap_err();
        assert!(matches!(error, AuditError::Unavailable(Unavailable::Entry(_))), "{error}");
        drop(trail.record(decision(2, Verdict::Permit)).await.unwrap());
        assert_eq!(ids(&path), [sample::id(1), sample::id(2)]);
    }

    #[tokio::test]
    async fn a_closed_trail_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let trail = Trail::open(settings(&dir.path().join("audit.db"))).unwrap();
        trail.close().await;
        let error = trail.record(decision(1, Verdict::Permit)).await.unwrap_err();
        assert_eq!(error, AuditError::Unavailable(Unavailable::Closed));
        trail.close().await;
    }

    #[tokio::test]
    async fn no_caller_waits_beyond_the_deadline_for_the_writer_or_for_a_place() {
        // A queue of one, and nobody who serves it.
        let (queue, _jobs) = mpsc::channel(1);
        let trail =
            Trail { queue, deadline: Duration::ZERO, shared: Arc::default(), thread: Mutex::new(None) };
        let error = trail.record(decision(1, Verdict::Permit)).await.unwrap_err();
        assert_eq!(error, AuditError::Unavailable(Unavailable::Deadline));
        let error = trail.record(decision(2, Verdict::Permit)).await.unwrap_err();
        assert_eq!(error, AuditError::Unavailable(Unavailable::Busy));
        assert_eq!(trail.shared.unqueued.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_removed_file_means_denial_and_a_new_one_says_what_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let trail = Trail::open(settings(&path)).unwrap();
        drop(trail.record(decision(1, Verdict::Permit)).await.unwrap());
        std::fs::remove_file(&path).unwrap();
        let error = trail.record(decision(2, Verdict::Permit)).await.unwrap_err();
        assert_eq!(error, unavailable(StoreError::Replaced(path.clone())));
        drop(trail.record(decision(3, Verdict::Permit)).await.unwrap());
        let records = records(&path);
        let told: Vec<_> = records
            .iter()
            .map(|record| match &record.entry {
                Entry::System(entry) => (record.seq, Some((entry.event, entry.count))),
                Entry::Decision(_) | Entry::Response(_) | Entry::Admin(_) => (record.seq, None),
            })
            .collect();
        assert_eq!(told, [(2, Some((Event::Lost, 1))), (3, Some((Event::Gap, 1))), (4, None)]);
    }

    #[tokio::test]
    async fn a_file_of_yesterday_put_in_place_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let yesterday = dir.path().join("yesterday.db");
        let trail = Trail::open(settings(&path)).unwrap();
        drop(trail.record(decision(1, Verdict::Permit)).await.unwrap());
        Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [yesterday.to_str().unwrap()]).unwrap();
        drop(trail.record(decision(2, Verdict::Permit)).await.unwrap());
        for log in ["audit.db-wal", "audit.db-shm"] {
            std::fs::remove_file(dir.path().join(log)).unwrap();
        }
        std::fs::rename(&yesterday, &path).unwrap();
        let error = trail.record(decision(3, Verdict::Permit)).await.unwrap_err();
        assert_eq!(error, unavailable(StoreError::Replaced(path.clone())));
        // A copy is as open as its maker left it; the trail does not write what others can.
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        drop(trail.record(decision(4, Verdict::Permit)).await.unwrap());
        let records = records(&path);
        let lost = records.iter().find_map(|record| match &record.entry {
            Entry::System(entry) if entry.event == Event::Lost => Some(entry.count),
            Entry::Decision(_) | Entry::Response(_) | Entry::Admin(_) | Entry::System(_) => None,
        });
        assert_eq!(lost, Some(1));
        assert_eq!(records.last().unwrap().entry.id(), sample::id(4));
    }

    #[tokio::test]
    async fn the_table_takes_no_change_no_removal_and_no_insertion_in_between() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let trail = Trail::open(settings(&path)).unwrap();
        drop(trail.record(decision(1, Verdict::Permit)).await.unwrap());
        drop(trail.record(decision(2, Verdict::Permit)).await.unwrap());
        let before = records(&path);
        let connection = Connection::open(&path).unwrap();
        for sql in [
            "UPDATE record SET user = 'mallory'",
            "UPDATE record SET body = x'00' WHERE seq = 1",
            "DELETE FROM record WHERE seq = 2",
            "INSERT OR REPLACE INTO record SELECT * FROM record WHERE seq = 1",
            "INSERT INTO record SELECT 0, x'01', ref, time, phase, user, operation, object, decision, cause, body FROM record WHERE seq = 1",
            "REPLACE INTO record SELECT 9, id, ref, time, phase, user, operation, object, decision, cause, body FROM record WHERE seq = 1",
        ] {
            let error = connection.execute(sql, []).unwrap_err();
            assert!(error.to_string().contains("append-only"), "{sql}: {error}");
        }
        assert_eq!(records(&path), before);
    }

    #[tokio::test]
    async fn places_continue_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        for n in 1..=3 {
            let trail = Trail::open(settings(&path)).unwrap();
            drop(trail.record(decision(n, Verdict::Permit)).await.unwrap());
            trail.close().await;
        }
        assert_eq!(records(&path).iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
