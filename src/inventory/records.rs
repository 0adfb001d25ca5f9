//! The file that remembers who created what: one row an object.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::objects::Key;
use crate::authz::{Kind, Owner};
use crate::store::{self, Schema, StoreError};

const SCHEMA: Schema = Schema {
    what: "an inventory",
    // `WFin`
    application_id: 0x5746_696e,
    migrations: &["CREATE TABLE objects (
        kind    TEXT NOT NULL,      -- as in resources: container, volume, ...
        id      TEXT NOT NULL,      -- the daemon's full ID; of a volume, its name
        name    TEXT,               -- what it was called when it was created
        user    TEXT NOT NULL,      -- the creator's canonical name
        groups  TEXT NOT NULL,      -- the creator's groups then, as a JSON array
        created INTEGER NOT NULL,   -- milliseconds since 1970, UTC
        PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID"],
};

/// How long another program's lock on the file is waited for.
const BUSY: Duration = Duration::from_secs(1);

/// The open file.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    connection: Connection,
}

/// One object, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) name: Option<String>,
    pub(super) owner: Owner,
    /// Milliseconds since 1970, UTC.
    pub(super) created: i64,
}

impl Records {
    /// Opens the file, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: path.to_owned(), connection: store::open(path, &SCHEMA, BUSY)? })
    }

    /// How many objects the file at `path` knows; nothing is made or changed.
    pub(super) fn count(path: &Path) -> Result<i64, StoreError> {
        let connection = store::open_read_only(path, &SCHEMA, BUSY)?;
        connection
            .query_row("SELECT count(*) FROM objects", [], |row| row.get(0))
            .map_err(|error| StoreError::from_sqlite(path, &error))
    }

    /// Every object, oldest first.
    pub(super) fn all(&self) -> Result<Vec<Row>, StoreError> {
        self.read().map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    /// Writes an object down; it survives power loss once this returns.
    pub(super) fn insert(&self, row: &Row) -> Result<(), StoreError> {
        let groups = serde_json::json!(row.owner.groups).to_string();
        let Row { key, name, owner, created } = row;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO objects (kind, id, name, user, groups, created) VALUES (?, ?, ?, ?, ?, ?)")
            .and_then(|mut insert| insert.execute(params![key.kind.name(), key.id, name, owner.user, groups, created]))
            .map(drop)
            .map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    /// Strikes objects out, all in one transaction.
    pub(super) fn remove(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        self.strike(keys).map_err(|error| StoreError::from_sqlite(&self.path, &error))
    }

    fn strike(&mut self, keys: &[Key]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for key in keys {
            transaction
                .prepare_cached("DELETE FROM objects WHERE kind = ? AND id = ?")?
                .execute(params![key.kind.name(), key.id])?;
        }
        transaction.commit()
    }

    fn read(&self) -> rusqlite::Result<Vec<Row>> {
        let mut query = self.connection.prepare(
            "SELECT kind, id, name, user, groups, created FROM objects ORDER BY created, kind, id",
        )?;
        let mut rows = query.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let (kind, groups): (String, String) = (row.get(0)?, row.get(4)?);
            // A row that makes no sense gives nobody anything.
            let (Some(kind), Ok(groups)) = (Kind::parse(&kind), serde_json::from_str(&groups)) else {
                continue;
            };
            all.push(Row {
                key: Key { kind, id: row.get(1)? },
                name: row.get(2)?,
                owner: Owner { user: row.get(3)?, groups },
                created: row.get(5)?,
            });
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, id: &str, created: i64) -> Row {
        let owner = Owner { user: "alice".to_owned(), groups: vec!["devs".to_owned(), "a \"b\"".to_owned()] };
        Row { key: Key { kind, id: id.to_owned() }, name: Some("web".to_owned()), owner, created }
    }

    #[test]
    fn what_is_written_down_is_there_after_opening_again_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inventory.db");
        let (late, early) = (row(Kind::Container, "a", 2), row(Kind::Volume, "b", 1));
        let records = Records::open(&path).unwrap();
        records.insert(&late).unwrap();
        records.insert(&early).unwrap();
        drop(records);
        assert_eq!(Records::open(&path).unwrap().all().unwrap(), [early, late]);
    }

    #[test]
    fn what_is_struck_out_is_gone_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = Records::open(&dir.path().join("inventory.db")).unwrap();
        let (stays, goes) = (row(Kind::Volume, "a", 1), row(Kind::Network, "a", 1));
        records.insert(&stays).unwrap();
        records.insert(&goes).unwrap();
        records.remove(&[goes.key]).unwrap();
        assert_eq!(records.all().unwrap(), [stays]);
    }

    #[test]
    fn a_row_that_makes_no_sense_gives_nobody_anything() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(&dir.path().join("inventory.db")).unwrap();
        records
            .connection
            .execute_batch(
                "INSERT INTO objects VALUES ('nothing', 'a', NULL, 'alice', '[]', 1);
                 INSERT INTO objects VALUES ('volume', 'a', NULL, 'alice', 'devs', 1);",
            )
            .unwrap();
        assert_eq!(records.all().unwrap(), []);
    }
}
