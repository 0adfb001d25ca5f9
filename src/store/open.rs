//! Opening a database file: created with a closed mode, brought to the current schema, or read only.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;

/// What a kind of database file holds, and how it came to its present form.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What the file is, with its article, such as `an audit trail`; for messages.
    pub what: &'static str,
    /// SQLite's `application_id`, by which a file of another kind is recognised.
    pub application_id: i32,
    /// SQL from each schema number to the next; the current number is their count. Never edited, only added to.
    pub migrations: &'static [&'static str],
}

impl Schema {
    fn current(&self) -> u32 {
        u32::try_from(self.migrations.len()).unwrap_or(u32::MAX)
    }
}

/// Which file a path leads to at one moment: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// The file that `path` leads to now; `None` if there is none.
///
/// By path and never by opening it: closing any descriptor of a database file would drop
/// SQLite's locks on it in the whole process.
pub fn identity(path: &Path) -> Result<Option<Identity>, StoreError> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(Identity { device: found.dev(), inode: found.ino() })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::from_io(path, &error)),
    }
}

/// Opens for writing; creates the file with mode 0600 and brings it to the current schema.
///
/// A commit on the connection survives power loss (write-ahead log, `synchronous` FULL).
/// `busy` is how long a statement waits for another program's lock.
pub fn open(path: &Path, schema: &Schema, busy: Duration) -> Result<Connection, StoreError> {
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(at(path))?;
    let found = version(&connection, path, schema)?;
    if found > schema.current() {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known: schema.current() });
    }
    connection.busy_timeout(busy).map_err(at(path))?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = 4000;
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(at(path))?;
    // SQLite runs on without the log where it cannot have one; that would not be what was promised.
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(at(path))?;
    if mode != "wal" {
        return Err(StoreError::Other {
            path: path.to_owned(),
            detail: "this file system supports no write-ahead log: put the file on a local disk".to_owned(),
        });
    }
    migrate(&mut connection, schema).map_err(at(path))?;
    Ok(connection)
}

/// Opens for reading only; also a copy that nobody writes, in a directory that takes no writes.
pub fn open_read_only(path: &Path, schema: &Schema, busy: Duration) -> Result<Connection, StoreError> {
    std::fs::metadata(path).map_err(|error| StoreError::from_io(path, &error)).and_then(|found| {
        if found.is_file() { Ok(()) } else { Err(StoreError::NotAFile(path.to_owned())) }
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(at(path))?;
    connection.busy_timeout(busy).map_err(at(path))?;
    let (connection, found) = match version(&connection, path, schema) {
        // The log's index cannot be made there. Without a log there is nothing that it would index,
        // and a file with a living writer always has one.
        Err(StoreError::Permission(_) | StoreError::ReadOnly(_)) if !has_log(path) => {
            let immutable = Connection::open_with_flags(uri(path), flags | OpenFlags::SQLITE_OPEN_URI)
                .map_err(at(path))?;
            let found = version(&immutable, path, schema)?;
            (immutable, found)
        }
        Err(error) => return Err(error),
        Ok(found) => (connection, found),
    };
    let known = schema.current();
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    if found < known {
        return Err(StoreError::OlderSchema { path: path.to_owned(), found, known });
    }
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")
        .map_err(at(path))?;
    Ok(connection)
}

/// Makes the file if it is not there, and looks at what is there.
fn create(path: &Path) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    if !directory.is_dir() {
        return Err(match std::fs::metadata(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                StoreError::Permission(path.to_owned())
            }
            Ok(_) | Err(_) => StoreError::DirectoryMissing(directory.to_owned()),
        });
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // The name itself has to survive power loss as well.
        Ok(_) => File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| StoreError::from_io(path, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = std::fs::metadata(path).map_err(|error| StoreError::from_io(path, &error))?;
            if !found.is_file() {
                return Err(StoreError::NotAFile(path.to_owned()));
            }
            if found.mode() & 0o022 != 0 {
                return Err(StoreError::WritableByOthers(path.to_owned()));
            }
            Ok(())
        }
        Err(error) => Err(StoreError::from_io(path, &error)),
    }
}

/// The schema number of the file, once it is known to be one of this kind; 0 for an empty file.
fn version(connection: &Connection, path: &Path, schema: &Schema) -> Result<u32, StoreError> {
    let number =
        |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(at(path));
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != i64::from(schema.application_id) && (application != 0 || tables != 0) {
        return Err(StoreError::Foreign { path: path.to_owned(), what: schema.what });
    }
    Ok(u32::try_from(number("PRAGMA user_version")?).unwrap_or(u32::MAX))
}

/// Runs the migrations that the file has not seen, all in one transaction.
fn migrate(connection: &mut Connection, schema: &Schema) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found < schema.current() {
        for sql in schema.migrations.iter().skip(found as usize) {
            transaction.execute_batch(sql)?;
        }
        transaction.pragma_update(None, "application_id", schema.application_id)?;
        transaction.pragma_update(None, "user_version", schema.current())?;
    }
    transaction.commit()
}

/// Whether a write-ahead log with something in it lies beside the file.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// The path as SQLite's URI for a file that does not change.
fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push('%');
            uri.extend(std::char::from_digit(u32::from(byte >> 4), 16));
            uri.extend(std::char::from_digit(u32::from(byte & 15), 16));
        }
    }
    uri.push_str("?immutable=1");
    uri
}

fn at(path: &Path) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| StoreError::from_sqlite(path, &error)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SCHEMA: Schema = Schema {
        what: "a test file",
        application_id: 0x5748_7431,
        migrations: &["CREATE TABLE a (x INTEGER) STRICT", "CREATE TABLE b (y INTEGER) STRICT"],
    };
    const BUSY: Duration = Duration::from_millis(50);

    fn opened(path: &Path) -> Result<(), StoreError> {
        open(path, &SCHEMA, BUSY).map(drop)
    }

    fn read(path: &Path) -> Result<(), StoreError> {
        open_read_only(path, &SCHEMA, BUSY).map(drop)
    }

    #[test]
    fn a_new_file_is_closed_to_others_and_has_the_current_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = open(&path, &SCHEMA, BUSY).unwrap();
        connection.execute("INSERT INTO b VALUES (1)", []).unwrap();
        for file in ["a.db", "a.db-wal", "a.db-shm"] {
            let mode = std::fs::metadata(dir.path().join(file)).unwrap().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert_eq!(version(&connection, &path, &SCHEMA), Ok(2));
        let full: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!(full, 2);
    }

    #[test]
    fn an_older_file_gets_only_the_migrations_that_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let older = Schema { migrations: &["CREATE TABLE a (x INTEGER) STRICT"], ..SCHEMA };
        open(&path, &older, BUSY).unwrap().execute("INSERT INTO a VALUES (7)", []).unwrap();
        assert_eq!(read(&path), Err(StoreError::OlderSchema { path: path.clone(), found: 1, known: 2 }));
        let connection = open(&path, &SCHEMA, BUSY).unwrap();
        let kept: i64 = connection.query_row("SELECT x FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 7);
        assert_eq!(read(&path), Ok(()));
    }

    #[test]
    fn a_file_of_a_newer_program_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let newer = Schema { migrations: &["SELECT 1", "SELECT 1", "SELECT 1"], ..SCHEMA };
        open(&path, &newer, BUSY).unwrap();
        let error = StoreError::NewerSchema { path: path.clone(), found: 3, known: 2 };
        assert_eq!(opened(&path), Err(error.clone()));
        assert_eq!(read(&path), Err(error));
    }

    #[test]
    fn what_is_not_ours_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text");
        std::fs::write(
            &text,
            "this is not a database, but it is long enough to be looked at by SQLite. ".repeat(9),
        )
        .unwrap();
        std::fs::set_permissions(&text, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(opened(&text), Err(StoreError::NotADatabase(text.clone())));
        assert_eq!(read(&text), Err(StoreError::NotADatabase(text)));

        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
        std::fs::set_permissions(&foreign, Permissions::from_mode(0o600)).unwrap();
        let error = StoreError::Foreign { path: foreign.clone(), what: "a test file" };
        assert_eq!(opened(&foreign), Err(error.clone()));
        assert_eq!(read(&foreign), Err(error));

        assert_eq!(opened(dir.path()), Err(StoreError::NotAFile(dir.path().to_owned())));
        assert_eq!(read(dir.path()), Err(StoreError::NotAFile(dir.path().to_owned())));
    }

    #[test]
    fn a_missing_directory_or_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no");
        assert_eq!(opened(&missing.join("a.db")), Err(StoreError::DirectoryMissing(missing.clone())));
        assert_eq!(read(&missing), Err(StoreError::Missing(missing)));
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        opened(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o620)).unwrap();
        assert_eq!(opened(&path), Err(StoreError::WritableByOthers(path)));
    }

    #[test]
    fn a_reader_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        opened(&path).unwrap();
        let reader = open_read_only(&path, &SCHEMA, BUSY).unwrap();
        let error = reader.execute("INSERT INTO a VALUES (1)", []).unwrap_err();
        assert_eq!(StoreError::from_sqlite(&path, &error), StoreError::ReadOnly(path));
    }

    #[test]
    fn a_lock_of_another_program_is_waited_for_no_longer_than_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let other = open(&path, &SCHEMA, BUSY).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(opened(&path), Err(StoreError::Locked(path)));
    }

    #[test]
    fn the_identity_of_a_path_changes_with_the_file_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        assert_eq!(identity(&path), Ok(None));
        opened(&path).unwrap();
        let first = identity(&path).unwrap();
        std::fs::rename(&path, dir.path().join("b.db")).unwrap();
        assert_eq!(identity(&path), Ok(None));
        opened(&path).unwrap();
        assert_ne!(identity(&path).unwrap(), first);
    }
}
