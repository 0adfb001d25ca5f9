//! The database of keys and tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::sign::{Key, SEED};
use super::{Entry, Purpose, TokensError};
use crate::store::{self, Schema, StoreError};

const TOKENS: Schema =
    Schema { what: "a database of tokens", application_id: 0x5748_546b, migrations: &[VERSION_1] };

const VERSION_1: &str = "
    CREATE TABLE host (id TEXT NOT NULL) STRICT; -- one row: whom tokens are for
    CREATE TABLE key (
        id   TEXT    PRIMARY KEY,
        seed BLOB    NOT NULL,                   -- the private key
        made INTEGER NOT NULL                    -- seconds since 1970-01-01 UTC, as all times here
    ) STRICT;
    CREATE TABLE token (
        id      TEXT    PRIMARY KEY,
        key     TEXT    NOT NULL,                -- which one signed it
        purpose TEXT    NOT NULL,
        user    TEXT    NOT NULL,
        groups  TEXT    NOT NULL,                -- a list in JSON
        roles   TEXT    NOT NULL,                -- a list in JSON, or null
        issued  INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        by      TEXT    NOT NULL,
        reason  TEXT,
        revoked INTEGER
    ) STRICT;
";

/// How long a statement waits for another program's lock.
const BUSY: Duration = Duration::from_secs(2);

/// How long tokens that have ended stay in the list, in seconds.
const REMEMBERED: i64 = 30 * 24 * 3600;

const COLUMNS: &str = "id, purpose, user, groups, roles, issued, expires, by, reason, revoked";

#[derive(Debug)]
pub(super) struct Ledger {
    connection: Connection,
    path: PathBuf,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> Result<Self, TokensError> {
        Ok(Self { connection: store::open(path, &TOKENS, BUSY)?, path: path.to_owned() })
    }

    /// The host's id; the first time, a new one.
    pub(super) fn host(&mut self, new: impl FnOnce() -> String) -> Result<String, TokensError> {
        let query = "SELECT id FROM host";
        let found = self.connection.query_row(query, [], |row| row.get(0)).optional();
        if let Some(host) = found.map_err(|error| self.error(&error))? {
            return Ok(host);
        }
        let host = new();
        self.change("INSERT INTO host (id) VALUES (?1)", [&host])?;
        Ok(host)
    }

    pub(super) fn add_key(&mut self, key: &Key, now: Timestamp) -> Result<(), TokensError> {
        self.change(
            "INSERT INTO key (id, seed, made) VALUES (?1, ?2, ?3)",
            params![key.id(), key.seed().as_slice(), now.as_second()],
        )
    }

    /// The key that signs, and when it was made.
    pub(super) fn newest_key(&self) -> Result<Option<(Key, Timestamp)>, TokensError> {
        let query = "SELECT id, seed, made FROM key ORDER BY made DESC, id DESC LIMIT 1";
        let found = self.connection.query_row(query, [], |row| Ok((key(row)?, time(row.get(2)?))));
        found.optional().map_err(|error| self.error(&error))
    }

    pub(super) fn keys(&self) -> Result<Vec<Key>, TokensError> {
        self.all("SELECT id, seed FROM key", key)
    }

    pub(super) fn add_token(&self, entry: &Entry, key: &str) -> Result<(), TokensError> {
        self.change(
            "INSERT INTO token (key, id, purpose, user, groups, roles, issued, expires, by, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                key,
                entry.id,
                entry.purpose.name(),
                entry.user,
                serde_json::json!(entry.groups).to_string(),
                serde_json::json!(entry.roles).to_string(),
                entry.issued.as_second(),
                entry.expires.as_second(),
                entry.by,
                entry.reason,
            ],
        )
    }

    /// All tokens that are remembered, newest first.
    pub(super) fn tokens(&self) -> Result<Vec<Entry>, TokensError> {
        self.all(&format!("SELECT {COLUMNS} FROM token ORDER BY id DESC"), entry)
    }

    /// The only token whose id begins so.
    pub(super) fn find(&self, id: &str) -> Result<Entry, TokensError> {
        let wanted = id.to_ascii_uppercase();
        let mut found =
            self.tokens()?.into_iter().filter(|entry| !wanted.is_empty() && entry.id.starts_with(&wanted));
        let shown = || id.escape_debug().to_string();
        match (found.next(), found.next()) {
            (None, _) => Err(TokensError::NotFound(shown())),
            (Some(entry), None) => Ok(entry),
            (Some(_), Some(_)) => Err(TokensError::Ambiguous(shown())),
        }
    }

    /// The first revocation is the one that counts.
    pub(super) fn revoke(&self, id: &str, now: Timestamp) -> Result<(), TokensError> {
        let sql = "UPDATE token SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL";
        self.change(sql, params![id, now.as_second()])
    }

    /// Drops tokens that ended long ago, and keys that neither sign nor have a token left to verify.
    pub(super) fn forget_the_old(&self, now: Timestamp) -> Result<(), TokensError> {
        self.change("DELETE FROM token WHERE expires < ?1", [now.as_second() - REMEMBERED])?;
        self.change(
            "DELETE FROM key WHERE id NOT IN (SELECT key FROM token WHERE expires >= ?1)
             AND id <> (SELECT id FROM key ORDER BY made DESC, id DESC LIMIT 1)",
            [now.as_second()],
        )
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), TokensError> {
        self.connection.execute(sql, values).map(drop).map_err(|error| self.error(&error))
    }

    fn all<T>(
        &self,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, TokensError> {
        let rows = || -> rusqlite::Result<Vec<T>> {
            self.connection.prepare_cached(sql)?.query_map([], read)?.collect()
        };
        rows().map_err(|error| self.error(&error))
    }

    fn error(&self, error: &rusqlite::Error) -> TokensError {
        TokensError::Store(StoreError::from_sqlite(&self.path, error))
    }
}

impl Purpose {
    /// The word in the database, in lists and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Login => "login",
        }
    }
}

fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    let seed: [u8; SEED] = row.get(1)?;
    Ok(Key::new(row.get(0)?, seed))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let purpose: String = row.get(1)?;
    Ok(Entry {
        id: row.get(0)?,
        purpose: if purpose == Purpose::Login.name() { Purpose::Login } else { Purpose::Service },
        user: row.get(2)?,
        groups: list(row, 3)?,
        roles: list(row, 4)?,
        issued: time(row.get(5)?),
        expires: time(row.get(6)?),
        by: row.get(7)?,
        reason: row.get(8)?,
        revoked: row.get::<_, Option<i64>>(9)?.map(time),
    })
}

/// A column in JSON. What cannot be read is an error: roles that are lost would make a token mightier.
fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
