//! Reading the trail: pages of records, newest first, and one decision with all that belongs to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde::{Deserialize, Serialize};

use crate::store::{self, StoreError};

use super::filter::{Condition, place};
use super::schema::TRAIL;
use super::{DecisionId, Entry, Event, Filter, FilterError, Outcome, Phase, Record, ResponseEntry, Verdict};

/// Records on a page unless told otherwise.
const PAGE: u32 = 100;
/// Most records on a page.
const LONGEST_PAGE: u32 = 1000;
/// How long a reader waits for a lock; readers and the writer do not block each other.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection that only reads; also for a copy of the file on another machine.
///
/// It stays with the file that it opened: take a new one for each question.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// A record with what was recorded about it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The record itself.
    #[serde(flatten)]
    pub record: Record,
    /// The end of the call; `None` if none was reported (yet).
    pub response: Option<Record>,
    /// The note that takes the permit back, if there is one.
    pub withdrawn: Option<Record>,
}

/// Some records, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The records.
    pub records: Vec<Found>,
    /// What to ask for as `before` to get the page behind; `None` at the end.
    pub next: Option<u64>,
}

/// How a decided call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// It was denied.
    Denied,
    /// It was denied because the trail was too slow, after the permit had been written.
    Withdrawn,
    /// dockerd reported its end.
    Reported(&'a ResponseEntry),
    /// It was let through, and no end was reported: it still runs, or Wharfinger or dockerd was
    /// restarted meanwhile, or another plugin denied it.
    Unknown,
}

/// Why the trail does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The question makes no sense.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A record that this version cannot read.
    #[error("record {seq} cannot be read: {detail}; was it written by a newer wharfinger?")]
    Record {
        /// Its place.
        seq: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// No such id.
    #[error("no record has the id `{}`: `wharfinger audit list` shows the latest", .0.escape_debug())]
    NotFound(String),
    /// Several ids begin so.
    #[error("several records have ids that begin with `{}`: write more of it", .0.escape_debug())]
    Ambiguous(String),
}

impl Reader {
    /// Opens the file for reading only.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        Ok(Self { connection: store::open_read_only(&path, &TRAIL, PATIENCE)?, path })
    }

    /// The newest records that the filter lets through.
    ///
    /// Responses stand with their decisions; on their own only if the filter asks for their phase.
    pub fn list(&self, filter: &Filter) -> Result<Page, QueryError> {
        let mut condition = filter.condition()?;
        if filter.phase.is_none() {
            condition.and("phase <> 'response'", []);
        }
        let limit = filter.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        // One moment for all that is read here; it ends when nothing was changed.
        let _moment = self.connection.unchecked_transaction().map_err(|error| self.error(&error))?;
        let mut records = self.select(&condition, "seq DESC", limit + 1)?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next = records.last().filter(|_| more).map(|record| record.seq);
        let records = records.into_iter().map(|record| self.with_sequel(record)).collect::<Result<_, _>>()?;
        Ok(Page { records, next })
    }

    /// The record whose id begins so, if it is only one.
    pub fn get(&self, id: &str) -> Result<Found, QueryError> {
        let filter = Filter { id: Some(id.to_owned()), ..Filter::default() };
        let _moment = self.connection.unchecked_transaction().map_err(|error| self.error(&error))?;
        let mut found = self.select(&filter.condition()?, "seq", 2)?;
        match (found.pop(), found.pop()) {
            (Some(record), None) => self.with_sequel(record),
            (Some(_), Some(_)) => Err(QueryError::Ambiguous(id.to_owned())),
            (None, _) => Err(QueryError::NotFound(id.to_owned())),
        }
    }

    /// The place of the newest record.
    pub(super) fn last(&self) -> Result<u64, QueryError> {
        super::schema::last_seq(&self.connection).map_err(|error| self.error(&error))
    }

    /// The exact bytes of at most `limit` records after a place, with their places, in their order.
    pub(super) fn bodies_after(
        &self,
        condition: &Condition,
        after: u64,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, QueryError> {
        let sql = format!(
            "SELECT seq, body FROM record WHERE ({}) AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            condition.sql()
        );
        let bounds = [place(after), place(up_to), Value::Integer(i64::from(limit))];
        self.rows(&sql, condition.values.iter().cloned().chain(bounds))
    }

    fn select(&self, condition: &Condition, order: &str, limit: u32) -> Result<Vec<Record>, QueryError> {
        let sql = format!("SELECT seq, body FROM record WHERE {} ORDER BY {order} LIMIT ?", condition.sql());
        let values = condition.values.iter().cloned().chain([Value::Integer(i64::from(limit))]);
        let rows = self.rows(&sql, values)?;
        rows.into_iter().map(|(seq, body)| decode(seq, &body)).collect()
    }

    /// Looks up what was recorded about a decision later.
    fn with_sequel(&self, record: Record) -> Result<Found, QueryError> {
        let mut found = Found { record, response: None, withdrawn: None };
        if found.record.entry.phase() == Phase::Decision {
            let id = Value::Blob(found.record.entry.id().as_bytes().to_vec());
            for (seq, body) in self.rows("SELECT seq, body FROM record WHERE ref = ? ORDER BY seq", [id])? {
                let sequel = decode(seq, &body)?;
                match &sequel.entry {
                    Entry::Response(_) => found.response = Some(sequel),
                    Entry::System(entry) => match entry.event {
                        Event::Withdrawn => found.withdrawn = Some(sequel),
                        Event::Gap | Event::Lost => {}
                    },
                    Entry::Decision(_) | Entry::Admin(_) => {}
                }
            }
        }
        Ok(found)
    }

    fn rows(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<(u64, Vec<u8>)>, QueryError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| {
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
            })?;
            rows.collect::<Result<_, _>>()
        };
        read().map_err(|error: rusqlite::Error| self.error(&error))
    }

    fn error(&self, error: &rusqlite::Error) -> QueryError {
        QueryError::Store(StoreError::from_sqlite(&self.path, error))
    }

    /// The file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Found {
    /// How the call ended; `None` for a record that is no decision.
    pub fn ending(&self) -> Option<Ending<'_>> {
        let Entry::Decision(decision) = &self.record.entry else { return None };
        let reported = self.response.as_ref().and_then(|response| match &response.entry {
            Entry::Response(entry) => Some(entry.as_ref()),
            Entry::Decision(_) | Entry::Admin(_) | Entry::System(_) => None,
        });
        Some(match (decision.decision, &self.withdrawn, reported) {
            (Verdict::Deny, _, _) => Ending::Denied,
            (Verdict::Permit, Some(_), _) => Ending::Withdrawn,
            (Verdict::Permit, None, Some(response)) => Ending::Reported(response),
            (Verdict::Permit, None, None) => Ending::Unknown,
        })
    }

    /// What became of the call, where it was reported.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.ending() {
            Some(Ending::Reported(response)) => Some(response.outcome),
            Some(Ending::Denied | Ending::Withdrawn | Ending::Unknown) | None => None,
        }
    }

    /// The id of the record.
    pub fn id(&self) -> DecisionId {
        self.record.entry.id()
    }
}

/// The record of the bytes at a place.
pub(super) fn decode(seq: u64, body: &[u8]) -> Result<Record, QueryError> {
    Record::decode(body).map_err(|error| QueryError::Record { seq, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::super::sample::{self, decision, response, settings, time};
    use super::super::{DecisionEntry, Object};
    use super::*;

    /// 1 alice's permit, 2 her denial, 3 bob's permit on `image:nginx`, 4 anonymous, 5 the response to 1, 6 a gap.
    fn trail(path: &Path) -> Reader {
        let bob = DecisionEntry {
            actor: super::super::Actor { user: Some("bob".to_owned()), ..Default::default() },
            operation: Some("image.inspect".to_owned()),
            object: Some(Object { kind: "image".to_owned(), name: "nginx".to_owned() }),
            ..decision(3, Verdict::Permit)
        };
        let nobody = DecisionEntry { actor: super::super::Actor::default(), ..decision(4, Verdict::Deny) };
        let entries = [
            Entry::Decision(decision(1, Verdict::Permit).into()),
            Entry::Decision(decision(2, Verdict::Deny).into()),
            Entry::Decision(bob.into()),
            Entry::Decision(nobody.into()),
            Entry::Response(response(5, 1).into()),
        ];
        let mut ledger = Ledger::open(settings(path)).unwrap();
        ledger.append(&entries.iter().collect::<Vec<_>>()).unwrap();
        ledger.note_denied(2, "the disk is full");
        ledger.append(&[]).unwrap();
        Reader::open(path).unwrap()
    }

    fn places(page: &Page) -> Vec<u64> {
        page.records.iter().map(|found| found.record.seq).collect()
    }

    #[test]
    fn each_filter_lets_through_what_it_names_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let reader = trail(&dir.path().join("audit.db"));
        let all = Filter::default;
        let text = |text: &str| Some(text.to_owned());
        for (filter, expected) in [
            (all(), vec![6, 4, 3, 2, 1]),
            (Filter { user: text("alice"), ..all() }, vec![2, 1]),
            (Filter { user: text("anonymous"), ..all() }, vec![4]),
            (Filter { user: text("al"), ..all() }, vec![]),
            (Filter { operation: text("container.list"), ..all() }, vec![1]),
            (Filter { operation: text("container.*"), ..all() }, vec![4, 2, 1]),
            (Filter { object: text("nginx"), ..all() }, vec![3]),
            (Filter { object: text("image:*"), ..all() }, vec![3]),
            (Filter { object: text("ng*x"), ..all() }, vec![3]),
            (Filter { since: Some(time(3)), ..all() }, vec![6, 4, 3]),
            (Filter { until: Some(time(3)), ..all() }, vec![2, 1]),
            (Filter { since: Some(time(2000)), ..all() }, vec![]),
            (Filter { decision: Some(Verdict::Deny), ..all() }, vec![4, 2]),
            (Filter { decision: Some(Verdict::Permit), ..all() }, vec![3, 1]),
            (Filter { phase: Some(Phase::Response), ..all() }, vec![5]),
            (Filter { phase: Some(Phase::System), ..all() }, vec![6]),
            (Filter { since: Some(time(2)), until: Some(time(4)), ..all() }, vec![3, 2]),
            (Filter { id: text(&sample::id(3).to_string()), ..all() }, vec![3]),
            (Filter { user: text("alice"), decision: Some(Verdict::Permit), ..all() }, vec![1]),
            (Filter { before: Some(4), ..all() }, vec![3, 2, 1]),
        ] {
            assert_eq!(places(&reader.list(&filter).unwrap()), expected, "{filter:?}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_double() {
        let dir = tempfile::tempdir().unwrap();
        let reader = trail(&dir.path().join("audit.db"));
        let mut filter = Filter { limit: Some(2), ..Filter::default() };
        let mut pages = Vec::new();
        loop {
            let page = reader.list(&filter).unwrap();
            pages.push(places(&page));
            filter.before = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(pages, [vec![6, 4], vec![3, 2], vec![1]]);
    }

    #[test]
    fn a_decision_is_found_by_the_beginning_of_its_id_and_comes_with_its_response() {
        let dir = tempfile::tempdir().unwrap();
        let reader = trail(&dir.path().join("audit.db"));
        let id = sample::id(1).to_string();
        assert_eq!(reader.get("01KJMMA"), Err(QueryError::Ambiguous("01KJMMA".to_owned())));
        assert_eq!(reader.get("01kjmma3f").unwrap().id(), sample::id(1));
        let found = reader.get(&id).unwrap();
        assert_eq!(found, reader.get(&sample::id(1).as_uuid().to_string()).unwrap());
        assert_eq!(found.outcome(), Some(Outcome::Success));
        let denied = reader.get(&sample::id(2).to_string()).unwrap();
        assert_eq!((denied.ending(), &denied.response), (Some(Ending::Denied), &None));
        let open = reader.get(&sample::id(3).to_string()).unwrap();
        assert_eq!(open.ending(), Some(Ending::Unknown));
        let missing = sample::id(9).to_string();
        assert_eq!(reader.get(&missing), Err(QueryError::NotFound(missing.clone())));
    }

    #[test]
    fn what_is_found_survives_its_json_form() {
        let dir = tempfile::tempdir().unwrap();
        let reader = trail(&dir.path().join("audit.db"));
        let page = reader.list(&Filter::default()).unwrap();
        let json = serde_json::to_string(&page).unwrap();
        assert_eq!(serde_json::from_str::<Page>(&json).unwrap(), page);
    }

    #[test]
    fn filters_use_their_indexes() {
        let dir = tempfile::tempdir().unwrap();
        let reader = trail(&dir.path().join("audit.db"));
        let all = Filter::default;
        let text = |text: &str| Some(text.to_owned());
        for (filter, index) in [
            (Filter { user: text("alice"), ..all() }, "record_user (user=?)"),
            (Filter { operation: text("container.list"), ..all() }, "record_operation (operation=?)"),
            (Filter { object: text("container:web"), ..all() }, "record_object (object=?)"),
            (Filter { decision: Some(Verdict::Deny), ..all() }, "record_denied"),
            (Filter { since: Some(time(1)), ..all() }, "record USING INTEGER PRIMARY KEY (rowid>?)"),
            (Filter { operation: text("container.*"), ..all() }, "SCAN record"),
        ] {
            let condition = filter.condition().unwrap();
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT seq, body FROM record WHERE {} AND phase <> 'response' ORDER BY seq DESC LIMIT 10",
                condition.sql()
            );
            let mut statement = reader.connection.prepare(&sql).unwrap();
            let plan: Vec<String> = statement
                .query_map(params_from_iter(condition.values), |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert!(plan[0].contains(index) && !plan.concat().contains("TEMP"), "{filter:?}: {plan:?}");
        }
    }

    #[test]
    fn a_copy_is_read_as_the_file_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let reader = trail(&path);
        let copy = dir.path().join("copy of 7%.db");
        Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        let read = Reader::open(&copy).unwrap().list(&Filter::default()).unwrap();
        assert_eq!(read, reader.list(&Filter::default()).unwrap());
    }
}
