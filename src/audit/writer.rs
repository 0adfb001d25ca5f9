//! The one writer: takes what is queued as a batch, puts it on disk, then answers everyone in it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::authz::Cause;

use super::ledger::Ledger;
use super::trail::{Shared, unavailable};
use super::{AuditError, Entry, Verdict};

/// Most entries in one transaction.
const BATCH: usize = 256;

/// One entry, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) entry: Entry,
    pub(super) reply: oneshot::Sender<Result<(), AuditError>>,
}

/// What the handle sends to the writer.
#[derive(Debug)]
pub(super) enum Message {
    /// Write this.
    Write(Job),
    /// Write what is queued, and end.
    Close,
}

/// The state of the writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    ledger: Ledger,
    shared: Arc<Shared>,
}

impl Writer {
    pub(super) fn new(ledger: Ledger, shared: Arc<Shared>) -> Self {
        Self { ledger, shared }
    }

    /// Serves the queue until it is closed.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut open = true;
        while open && let Some(first) = queue.blocking_recv() {
            let mut batch = Vec::with_capacity(BATCH);
            let mut message = Some(first);
            while let Some(next) = message.take() {
                match next {
                    Message::Write(job) => batch.push(job),
                    Message::Close => {
                        queue.close();
                        open = false;
                    }
                }
                // A closing trail still takes all that was queued before, in a batch of any size.
                if batch.len() < BATCH || !open {
                    message = queue.try_recv().ok();
                }
            }
            self.serve(batch);
        }
    }

    /// Writes a batch and answers everyone in it.
    fn serve(&mut self, mut batch: Vec<Job>) {
        for job in &mut batch {
            if job.reply.is_closed() {
                answered_late(&mut job.entry);
            }
        }
        self.ledger.note_denied(
            self.shared.unqueued.swap(0, Ordering::Relaxed),
            "too many records waited for the disk",
        );
        let entries: Vec<&Entry> = batch.iter().map(|job| &job.entry).collect();
        match self.ledger.append(&entries) {
            Ok(results) => {
                self.set_failing(None);
                for (job, result) in batch.into_iter().zip(results) {
                    self.release(job, result);
                }
                if self.ledger.has_notes()
                    && let Err(error) = self.ledger.append(&[])
                {
                    self.set_failing(Some(unavailable(error)));
                }
            }
            Err(error) => {
                let decisions = batch.iter().filter(|job| matches!(job.entry, Entry::Decision(_))).count();
                self.ledger.note_denied(decisions as u64, &error.to_string());
                let error = unavailable(error);
                self.set_failing(Some(error.clone()));
                for job in batch {
                    // Who does not wait any more has answered with a denial as well.
                    job.reply.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// Tells a caller that its record is durable, or notes that the caller has answered without it.
    fn release(&mut self, job: Job, result: Result<(), AuditError>) {
        let written = result.is_ok();
        if job.reply.send(result).is_err() && written && is_permit(&job.entry) {
            self.ledger.note_withdrawn(job.entry.id(), "the disk did not take the record in time");
        }
    }

    fn set_failing(&self, now: Option<AuditError>) {
        let mut failing = self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match &now {
            Some(error) if *failing != now => {
                tracing::error!(%error, "the audit trail cannot be written: every call is denied");
            }
            None if failing.is_some() => tracing::info!("the audit trail is written again"),
            Some(_) | None => {}
        }
        *failing = now;
    }
}

/// Whether the entry says that a call was let through.
pub(super) fn is_permit(entry: &Entry) -> bool {
    match entry {
        Entry::Decision(entry) => entry.decision == Verdict::Permit,
        Entry::Admin(entry) => entry.decision == Verdict::Permit,
        Entry::Response(_) | Entry::System(_) => false,
    }
}

/// Makes an entry say what was answered when its caller could not wait for it: a denial.
fn answered_late(entry: &mut Entry) {
    match entry {
        Entry::Decision(entry) => {
            entry.decision = Verdict::Deny;
            entry.cause = Some(Cause::AuditUnavailable.name().to_owned());
            entry.code = None;
            entry.message = Some("the audit trail did not take the record in time".to_owned());
        }
        Entry::Admin(entry) => {
            entry.decision = Verdict::Deny;
            entry.cause = Some(Cause::AuditUnavailable.name().to_owned());
            "the audit trail did not take the record in time".clone_into(&mut entry.message);
        }
        // What happened has happened, whoever waits for its record.
        Entry::Response(_) | Entry::System(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::{self, decision, settings};
    use super::super::{Event, Settings};
    use crate::store::StoreError;

    use super::*;

    type Answer = oneshot::Receiver<Result<(), AuditError>>;

    fn writer(path: &std::path::Path) -> Writer {
        Writer::new(Ledger::open(settings(path)).unwrap(), Arc::new(Shared::default()))
    }

    fn job(n: u16) -> (Job, Answer) {
        let (reply, answer) = oneshot::channel();
        (Job { entry: Entry::Decision(decision(n, Verdict::Permit).into()), reply }, answer)
    }

    #[test]
    fn who_gave_up_before_the_record_was_written_is_on_record_as_denied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let mut writer = writer(&path);
        let (patient, mut answer) = job(1);
        let (late, _) = job(2);
        writer.serve(vec![patient, late]);
        assert_eq!(answer.try_recv(), Ok(Ok(())));
        let entries = sample::entries(&path);
        let [Entry::Decision(first), Entry::Decision(second)] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!((first.decision, first.cause.as_deref()), (Verdict::Permit, None));
        assert_eq!((second.decision, second.cause.as_deref()), (Verdict::Deny, Some("audit_unavailable")));
    }

    #[test]
    fn a_permit_is_withdrawn_if_its_caller_gave_up_while_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let mut writer = writer(&path);
        let (late, _) = job(1);
        let written = writer.ledger.append(&[&late.entry]).unwrap();
        assert_eq!(written, [Ok(())]);
        writer.release(late, Ok(()));
        writer.serve(Vec::new());
        let entries = sample::entries(&path);
        let [Entry::Decision(_), Entry::System(note)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((note.event, note.about), (Event::Withdrawn, Some(sample::id(1))));
    }

    #[test]
    fn a_locked_file_means_denial_and_the_trail_tells_of_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let impatient = Settings { deadline: Duration::from_millis(250), ..settings(&path) };
        let mut writer = Writer::new(Ledger::open(impatient).unwrap(), Arc::new(Shared::default()));
        let failing = |writer: &Writer| writer.shared.failing.lock().unwrap().clone();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let (refused, mut answer) = job(1);
        writer.serve(vec![refused]);
        let error = unavailable(StoreError::Locked(path.clone()));
        assert_eq!((answer.try_recv(), failing(&writer)), (Ok(Err(error.clone())), Some(error)));
        other.execute_batch("ROLLBACK").unwrap();
        let (next, mut answer) = job(2);
        writer.serve(vec![next]);
        assert_eq!((answer.try_recv(), failing(&writer)), (Ok(Ok(())), None));
        let entries = sample::entries(&path);
        let [Entry::System(gap), Entry::Decision(kept)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((gap.event, gap.count, kept.id), (Event::Gap, 1, sample::id(2)));
    }

    #[test]
    fn decisions_that_found_no_place_in_the_queue_are_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let mut writer = writer(&path);
        writer.shared.unqueued.store(3, Ordering::Relaxed);
        let (next, _answer) = job(1);
        writer.serve(vec![next]);
        let entries = sample::entries(&path);
        let [Entry::System(note), Entry::Decision(_)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((note.event, note.count), (Event::Gap, 3));
    }
}
