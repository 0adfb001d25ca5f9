//! The ledger: appends batches of entries to the file, each whole and durable or not at all, and mends itself.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::store::{self, StoreError};

use super::schema::{self, TRAIL};
use super::trail::{Settings, Unavailable};
use super::writer::is_permit;
use super::{AuditError, DecisionId, Entry, Event, Phase, SystemEntry};

/// The file, the next place in it, and what the trail has to tell about itself.
#[derive(Debug)]
pub(super) struct Ledger {
    settings: Settings,
    /// `None` after an error that the connection cannot be trusted to have survived.
    file: Option<File>,
    /// The place of the next record.
    next: u64,
    /// Decisions of a failed commit that could be in the file all the same, and whether they are permits.
    unsure: Vec<(DecisionId, bool)>,
    notes: Vec<Note>,
    denied: Option<Note>,
}

#[derive(Debug)]
struct File {
    connection: Connection,
    identity: store::Identity,
    /// The place of its newest record.
    last: u64,
}

/// What the trail tells about itself; gets its id and time when it is written.
#[derive(Clone, Debug)]
struct Note {
    event: Event,
    about: Option<DecisionId>,
    count: u64,
    message: String,
}

/// Why a batch is not on record, and what that means for the connection.
struct Failure {
    error: StoreError,
    /// Whether the connection must not be used again.
    reopen: bool,
    /// Whether the batch can be in the file all the same.
    unsure: bool,
}

/// What one entry came to within a batch that is on record.
type Written = Result<(), AuditError>;

impl Ledger {
    /// Opens or creates the file.
    pub(super) fn open(settings: Settings) -> Result<Self, StoreError> {
        let mut ledger =
            Self { settings, file: None, next: 1, unsure: Vec::new(), notes: Vec::new(), denied: None };
        ledger.reopen()?;
        Ok(ledger)
    }

    /// Appends notes and entries in one durable transaction.
    ///
    /// An error means that nobody may rely on any of it. A single entry that cannot be written
    /// does not hinder the others.
    pub(super) fn append(&mut self, entries: &[&Entry]) -> Result<Vec<Written>, StoreError> {
        if self.file.is_none() {
            self.reopen()?;
        }
        match self.transact(entries) {
            Ok((next, written)) => {
                self.next = next;
                if let Some(file) = &mut self.file {
                    file.last = next - 1;
                }
                self.notes.clear();
                self.denied = None;
                Ok(written)
            }
            Err(failure) => {
                if failure.unsure {
                    let decisions = entries.iter().filter(|entry| entry.phase() == Phase::Decision);
                    self.unsure.extend(decisions.map(|entry| (entry.id(), is_permit(entry))));
                }
                if failure.reopen {
                    self.file = None;
                }
                Err(failure.error)
            }
        }
    }

    /// Counts decisions that were answered with a denial and are not on record.
    pub(super) fn note_denied(&mut self, count: u64, reason: &str) {
        if count > 0 {
            let before = self.denied.as_ref().map_or(0, |note| note.count);
            let message = format!("calls were denied without a record: {reason}");
            self.denied = Some(Note { event: Event::Gap, about: None, count: before + count, message });
        }
    }

    /// Takes back a permit that is on record and was answered with a denial.
    pub(super) fn note_withdrawn(&mut self, id: DecisionId, reason: &str) {
        let message = format!("the call was denied: {reason}");
        self.notes.push(Note { event: Event::Withdrawn, about: Some(id), count: 1, message });
    }

    /// Whether there is something to tell that is not written yet.
    pub(super) fn has_notes(&self) -> bool {
        !self.notes.is_empty() || self.denied.is_some()
    }

    /// Opens the file again and finds out what became of what was written.
    fn reopen(&mut self) -> Result<(), StoreError> {
        let path = self.settings.path.clone();
        // Half of the caller's patience, so that the caller still hears the reason.
        let connection = store::open(&path, &TRAIL, self.settings.deadline / 2)?;
        let identity = store::identity(&path)?.ok_or_else(|| StoreError::Replaced(path.clone()))?;
        let sqlite = |error: rusqlite::Error| StoreError::from_sqlite(&path, &error);
        let last = schema::last_seq(&connection).map_err(sqlite)?;
        let mut kept = Vec::new();
        for (id, permit) in &self.unsure {
            if schema::holds(&connection, *id).map_err(sqlite)? {
                kept.push((*id, *permit));
            }
        }
        self.unsure.clear();
        for (id, permit) in kept {
            // It was counted as denied without a record, and has one.
            self.denied = self
                .denied
                .take()
                .filter(|note| note.count > 1)
                .map(|note| Note { count: note.count - 1, ..note });
            if permit {
                self.note_withdrawn(id, "the disk reported an error, and kept the record all the same");
            }
        }
        if last + 1 < self.next {
            let message = format!("records {} to {} are not in the file any more", last + 1, self.next - 1);
            let count = self.next - 1 - last;
            tracing::error!(path = %path.display(), "{message}");
            self.notes.push(Note { event: Event::Lost, about: None, count, message });
        }
        // Places are never given twice, whatever became of the file.
        self.next = self.next.max(last + 1);
        self.file = Some(File { connection, identity, last });
        Ok(())
    }

    fn transact(&mut self, entries: &[&Entry]) -> Result<(u64, Vec<Written>), Failure> {
        let path = &self.settings.path;
        let failed = |error: &rusqlite::Error| {
            let error = StoreError::from_sqlite(path, error);
            // A full disk or another program's lock says nothing against the connection.
            let reopen = !matches!(error, StoreError::Full(_) | StoreError::Locked(_));
            Failure { error, reopen, unsure: false }
        };
        let unsure = |error: StoreError| Failure { error, reopen: true, unsure: true };
        let Some(file) = &mut self.file else {
            return Err(Failure { error: StoreError::Missing(path.clone()), reopen: true, unsure: false });
        };
        let transaction = file
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failed(&error))?;
        if schema::last_seq(&transaction).map_err(|error| failed(&error))? != file.last {
            let detail = "another program writes to the trail: stop it".to_owned();
            let error = StoreError::Other { path: path.clone(), detail };
            return Err(Failure { error, reopen: true, unsure: false });
        }
        let mut next = self.next;
        for note in self.notes.iter().chain(&self.denied) {
            schema::insert(&transaction, next, &note.entry(&self.settings))
                .map_err(|error| failed(&error))?;
            next += 1;
        }
        let mut written = Vec::with_capacity(entries.len());
        for entry in entries {
            written.push(match schema::insert(&transaction, next, entry) {
                Ok(()) => {
                    next += 1;
                    Ok(())
                }
                Err(error) if is_of_the_entry(&error) => {
                    Err(AuditError::Unavailable(Unavailable::Entry(error.to_string())))
                }
                Err(error) => return Err(failed(&error)),
            });
        }
        transaction.commit().map_err(|error| unsure(StoreError::from_sqlite(path, &error)))?;
        // A file that nobody can find any more is no record: those who wait are told before they rely on it.
        match store::identity(path) {
            Ok(Some(found)) if found == file.identity => Ok((next, written)),
            Ok(_) => Err(unsure(StoreError::Replaced(path.clone()))),
            Err(error) => Err(unsure(error)),
        }
    }
}

impl Note {
    fn entry(&self, settings: &Settings) -> Entry {
        let (time, random) = (settings.stamp)();
        Entry::System(Box::new(SystemEntry {
            id: DecisionId::new(time, random),
            time,
            event: self.event,
            about: self.about,
            count: self.count,
            message: self.message.clone(),
        }))
    }
}

/// Whether an error is the fault of one entry, such as an id that is on record already.
fn is_of_the_entry(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::ToSqlConversionFailure(_) => true,
        // Not ours, and open-ended: whatever else there is, the batch is not on record.
        _ => error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::sample::{self, decision, records, settings};
    use super::*;

    fn entry(n: u16) -> Entry {
        Entry::Decision(decision(n, Verdict::Permit).into())
    }

    #[test]
    fn a_second_writer_is_noticed_before_anything_is_written_over_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let mut ledger = Ledger::open(settings(&path)).unwrap();
        let mut other = Ledger::open(settings(&path)).unwrap();
        other.append(&[&entry(1)]).unwrap();
        let error = ledger.append(&[&entry(2)]).unwrap_err();
        assert!(error.to_string().contains("another program writes to the trail"), "{error}");
        ledger.append(&[&entry(3)]).unwrap();
        let places: Vec<_> = records(&path).iter().map(|record| (record.seq, record.entry.id())).collect();
        assert_eq!(places, [(1, sample::id(1)), (2, sample::id(3))]);
    }

    #[test]
    fn a_commit_that_failed_and_is_on_disk_all_the_same_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let mut ledger = Ledger::open(settings(&path)).unwrap();
        ledger.append(&[&entry(1)]).unwrap();
        // As after an error of the last write to disk: the caller was told so, the record is there.
        ledger.next = 1;
        ledger.unsure.push((sample::id(1), true));
        ledger.note_denied(1, "the disk reports an error");
        ledger.file = None;
        ledger.append(&[&entry(2)]).unwrap();
        let entries: Vec<_> = records(&path).into_iter().map(|record| record.entry).collect();
        let [Entry::Decision(_), Entry::System(note), Entry::Decision(_)] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!((note.event, note.about), (Event::Withdrawn, Some(sample::id(1))));
    }
}
