//! The trail's table: the exact bytes of each record, and columns derived from them to search by.

use rusqlite::{Connection, params};

use crate::store::Schema;

use super::{Entry, Record};

/// The trail's file.
///
/// Nothing in it is ever changed or removed; triggers refuse both. They keep honest programs
/// honest: whoever owns the file can drop them.
pub(super) const TRAIL: Schema =
    Schema { what: "an audit trail", application_id: 0x5748_6172, migrations: &[VERSION_1] };

const VERSION_1: &str = "
    CREATE TABLE record (
        seq       INTEGER PRIMARY KEY,
        id        BLOB    NOT NULL UNIQUE, -- 16 bytes, ordered by time
        ref       BLOB,                    -- the decision that this record is about
        time      INTEGER NOT NULL,        -- microseconds since 1970-01-01 UTC
        phase     TEXT    NOT NULL,
        user      TEXT,                    -- NULL: anonymous
        operation TEXT,
        object    TEXT,                    -- kind:name
        decision  TEXT,
        cause     TEXT,
        body      BLOB    NOT NULL         -- the record's JSON: the truth, the columns follow from it
    ) STRICT;
    CREATE INDEX record_time      ON record (time);
    CREATE INDEX record_user      ON record (user);
    CREATE INDEX record_operation ON record (operation);
    CREATE INDEX record_object    ON record (object);
    CREATE INDEX record_denied    ON record (seq) WHERE decision = 'deny';
    CREATE INDEX record_ref       ON record (ref) WHERE ref IS NOT NULL;
    CREATE TRIGGER record_no_update BEFORE UPDATE ON record
        BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER record_no_delete BEFORE DELETE ON record
        BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER record_in_order BEFORE INSERT ON record
        WHEN NEW.seq <= (SELECT max(seq) FROM record) OR EXISTS (SELECT 1 FROM record WHERE id = NEW.id)
        BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
";

const INSERT: &str = "
    INSERT INTO record (seq, id, ref, time, phase, user, operation, object, decision, cause, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// Adds an entry at its place to the open transaction.
pub(super) fn insert(connection: &Connection, seq: u64, entry: &Entry) -> rusqlite::Result<()> {
    let body = Record::encode(seq, entry)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let (about, user, operation, object) = match entry {
        Entry::Decision(entry) => (None, &entry.actor.user, &entry.operation, &entry.object),
        Entry::Response(entry) => (entry.decision, &entry.user, &entry.operation, &entry.object),
        Entry::Admin(entry) => (None, &entry.actor.user, &Some(entry.operation.clone()), &entry.object),
        Entry::System(entry) => (entry.about, &None, &None, &None),
    };
    let (decision, cause) = match entry {
        Entry::Decision(entry) => (Some(entry.decision.name()), entry.cause.as_deref()),
        Entry::Admin(entry) => (Some(entry.decision.name()), entry.cause.as_deref()),
        Entry::Response(_) | Entry::System(_) => (None, None),
    };
    connection.prepare_cached(INSERT)?.execute(params![
        i64::try_from(seq).unwrap_or(i64::MAX),
        entry.id().as_bytes(),
        about.as_ref().map(super::DecisionId::as_bytes),
        entry.time().as_microsecond(),
        entry.phase().name(),
        user,
        operation,
        object.as_ref().map(ToString::to_string),
        decision,
        cause,
        body,
    ])?;
    Ok(())
}

/// Whether the record of that id is in the file.
pub(super) fn holds(connection: &Connection, id: super::DecisionId) -> rusqlite::Result<bool> {
    connection
        .query_row("SELECT EXISTS (SELECT 1 FROM record WHERE id = ?1)", [id.as_bytes()], |row| row.get(0))
}

/// The place of the newest record; 0 in an empty trail.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<u64> {
    let last: i64 = connection.query_row("SELECT coalesce(max(seq), 0) FROM record", [], |row| row.get(0))?;
    Ok(last.unsigned_abs())
}
