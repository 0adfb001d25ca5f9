//! The book of policies: every version in an SQLite file, who made it, when and why; versions are only ever added.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::diff::{self, Hunk};
use super::document::Document;
use crate::store::{self, Schema, StoreError};

/// The book's file name, where the config names none: beside the trail.
pub const FILE: &str = "policy.db";

const SCHEMA: Schema = Schema {
    what: "a policy store",
    // `WFpo`
    application_id: 0x5746_706f,
    migrations: &["
        CREATE TABLE version (
            number INTEGER PRIMARY KEY,  -- 1, 2, 3, … without gaps
            time   INTEGER NOT NULL,     -- microseconds since 1970-01-01 UTC
            author TEXT    NOT NULL,
            how    TEXT    NOT NULL,     -- what the author's identity rests on
            reason TEXT    NOT NULL,
            digest TEXT    NOT NULL,     -- of the whole text, as decisions name it
            whole  INTEGER NOT NULL,     -- 1: body is the text; 0: what differs from the version before, as JSON
            body   TEXT    NOT NULL
        ) STRICT;
        CREATE TRIGGER version_no_update BEFORE UPDATE ON version
            BEGIN SELECT raise(ABORT, 'versions are only added'); END;
        CREATE TRIGGER version_no_delete BEFORE DELETE ON version
            BEGIN SELECT raise(ABORT, 'versions are only added'); END;
    "],
};

/// How long another program's lock on the file is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// Versions after a whole one that say only what differs.
const LONGEST_CHAIN: u64 = 100;

/// Who made a version, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The user, or `wharfinger` itself.
    pub name: String,
    /// What the identity rests on.
    pub how: String,
    /// Why; may be empty.
    pub reason: String,
}

/// One version, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// 1, 2, 3, …
    pub number: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Who made it.
    pub author: String,
    /// What the author's identity rests on.
    pub how: String,
    /// Why.
    pub reason: String,
    /// Of the whole text, as decisions name it.
    pub digest: String,
}

/// The open file, with the newest version at hand.
#[derive(Debug)]
pub(super) struct Book {
    path: PathBuf,
    connection: Connection,
    latest: Option<(u64, Document)>,
    /// Bytes and number of the differences since the last whole text.
    chain: (usize, u64),
}

impl Book {
    /// Opens the file, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, store::open(path, &SCHEMA, BUSY)?)
    }

    /// Opens the file for reading only.
    pub(super) fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, store::open_read_only(path, &SCHEMA, BUSY)?)
    }

    fn over(path: &Path, connection: Connection) -> Result<Self, StoreError> {
        let mut book = Self { path: path.to_owned(), connection, latest: None, chain: (0, 0) };
        let last = book.last().map_err(|error| book.error(&error))?;
        if let Some(number) = last {
            let document = book.document(number)?;
            book.chain = book.chain_of(number).map_err(|error| book.error(&error))?;
            book.latest = document.map(|document| (number, document));
        }
        Ok(book)
    }

    /// The newest version.
    pub(super) fn latest(&self) -> Option<&(u64, Document)> {
        self.latest.as_ref()
    }

    /// Adds a version; it survives power loss once this returns, and before that there is nothing of it.
    pub(super) fn append(
        &mut self,
        document: Document,
        digest: &str,
        author: &Author,
        time: Timestamp,
    ) -> Result<u64, StoreError> {
        let text = document.text();
        let (before, hunks) = match &self.latest {
            Some((number, old)) => (*number, Some(diff::hunks(old.lines(), document.lines()))),
            None => (0, None),
        };
        let delta = hunks
            .and_then(|hunks| serde_json::to_string(&hunks).ok())
            .filter(|delta| self.chain.0 + delta.len() < text.len() && self.chain.1 < LONGEST_CHAIN);
        let number = before + 1;
        let (whole, body) = delta.as_ref().map_or((true, &text), |delta| (false, delta));
        self.insert(number, time, author, digest, whole, body).map_err(|error| self.error(&error))?;
        self.chain = delta.map_or((0, 0), |delta| (self.chain.0 + delta.len(), self.chain.1 + 1));
        self.latest = Some((number, document));
        Ok(number)
    }

    /// The text of a version; `None` if there is none of that number.
    pub(super) fn document(&self, number: u64) -> Result<Option<Document>, StoreError> {
        if let Some((latest, document)) = &self.latest
            && *latest == number
        {
            return Ok(Some(document.clone()));
        }
        let parts = self.parts(number).map_err(|error| self.error(&error))?;
        let mut parts = parts.into_iter();
        let Some((last, true, text)) = parts.next() else { return Ok(None) };
        let mut document = Document::parse(&text);
        let mut reached = last;
        for (at, _, body) in parts {
            let hunks: Vec<Hunk> = serde_json::from_str(&body).map_err(|error| StoreError::Other {
                path: self.path.clone(),
                detail: format!("version {at} cannot be read: {error}"),
            })?;
            document = Document::from_lines(diff::patched(document.lines(), &hunks));
            reached = at;
        }
        Ok((reached == number).then_some(document))
    }

    /// Versions before a number, newest first.
    pub(super) fn versions(&self, before: Option<u64>, limit: u32) -> Result<Vec<Version>, StoreError> {
        self.list(before, limit).map_err(|error| self.error(&error))
    }

    fn insert(
        &mut self,
        number: u64,
        time: Timestamp,
        author: &Author,
        digest: &str,
        whole: bool,
        body: &str,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .prepare_cached(
                "INSERT INTO version (number, time, author, how, reason, digest, whole, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                place(number),
                time.as_microsecond(),
                author.name,
                author.how,
                author.reason,
                digest,
                whole,
                body
            ])?;
        transaction.commit()
    }

    fn last(&self) -> rusqlite::Result<Option<u64>> {
        let last: Option<i64> =
            self.connection.query_row("SELECT max(number) FROM version", [], |row| row.get(0))?;
        Ok(last.map(i64::unsigned_abs))
    }

    /// The last whole text up to a version, and the differences from there on.
    fn parts(&self, number: u64) -> rusqlite::Result<Vec<(u64, bool, String)>> {
        let mut query = self.connection.prepare_cached(
            "SELECT number, whole, body FROM version
             WHERE number <= ?1 AND number >= (SELECT max(number) FROM version WHERE whole = 1 AND number <= ?1)
             ORDER BY number",
        )?;
        let rows = query.query_map([place(number)], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?))
        })?;
        rows.collect()
    }

    fn chain_of(&self, number: u64) -> rusqlite::Result<(usize, u64)> {
        self.connection
            .query_row(
                "SELECT coalesce(sum(length(body)), 0), count(*) FROM version
                 WHERE number <= ?1 AND whole = 0 AND number > (SELECT max(number) FROM version WHERE whole = 1)",
                [place(number)],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )
            .map(|(bytes, count)| (usize::try_from(bytes).unwrap_or(usize::MAX), count.unsigned_abs()))
    }

    fn list(&self, before: Option<u64>, limit: u32) -> rusqlite::Result<Vec<Version>> {
        let mut query = self.connection.prepare_cached(
            "SELECT number, time, author, how, reason, digest FROM version
             WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![before.map_or(i64::MAX, place), limit], version)?;
        rows.collect()
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, error)
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        time: Timestamp::from_microsecond(row.get(1)?).unwrap_or_default(),
        author: row.get(2)?,
        how: row.get(3)?,
        reason: row.get(4)?,
        digest: row.get(5)?,
    })
}

fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Author, Book};
    use crate::policy::document::Document;

    fn author() -> Author {
        Author { name: "carol".to_owned(), how: "test".to_owned(), reason: "because".to_owned() }
    }

    fn text(number: u64) -> String {
        let lines =
            (0..60).map(|n| format!("g, user:u{n}, role:r{}\n", if n == number % 60 { number } else { 0 }));
        lines.collect()
    }

    #[test]
    fn every_version_is_read_back_as_it_was_also_after_the_file_was_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.db");
        for first in [1, 151] {
            let mut book = Book::open(&path).unwrap();
            for number in first..first + 150 {
                let made = book.append(
                    Document::parse(&text(number)),
                    &number.to_string(),
                    &author(),
                    Timestamp::UNIX_EPOCH,
                );
                assert_eq!(made, Ok(number));
            }
        }
        let book = Book::open_read_only(&path).unwrap();
        for number in 1..=300 {
            assert_eq!(book.document(number).unwrap().unwrap().text(), text(number), "{number}");
        }
        assert_eq!(book.document(0).unwrap(), None);
        assert_eq!(book.document(301).unwrap(), None);
        assert_eq!(book.latest().unwrap().0, 300);
        let page: Vec<(u64, String)> = book
            .versions(Some(300), 2)
            .unwrap()
            .into_iter()
            .map(|version| (version.number, version.digest))
            .collect();
        assert_eq!(page, [(299, "299".to_owned()), (298, "298".to_owned())]);
        let bytes: i64 =
            book.connection.query_row("SELECT sum(length(body)) FROM version", [], |row| row.get(0)).unwrap();
        assert!(bytes < 300 * 1200 / 3, "{bytes} bytes for 300 versions");
    }

    #[test]
    fn a_version_is_never_changed_or_removed() {
        let directory = tempfile::tempdir().unwrap();
        let mut book = Book::open(&directory.path().join("policy.db")).unwrap();
        book.append(Document::parse("a"), "x", &author(), Timestamp::UNIX_EPOCH).unwrap();
        for sql in ["UPDATE version SET author = 'mallory'", "DELETE FROM version"] {
            let error = book.connection.execute(sql, []).unwrap_err().to_string();
            assert!(error.contains("versions are only added"), "{sql}: {error}");
        }
    }
}
