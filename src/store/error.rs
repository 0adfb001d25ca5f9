//! What can go wrong with a database file, in words that say what to do.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a database cannot be opened, read or written.
///
/// The messages are for the administrator: they name the file and the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The directory that should hold the file does not exist.
    #[error("directory `{}` does not exist: create it with mode 0700", .0.display())]
    DirectoryMissing(PathBuf),
    /// There is nothing to read.
    #[error("there is no database at `{}`: check the path", .0.display())]
    Missing(PathBuf),
    /// The path names a directory, a device or something else that is not a file.
    #[error("`{}` is not a regular file: move it away, or configure another path", .0.display())]
    NotAFile(PathBuf),
    /// The operating system refuses access.
    #[error("no permission for `{}`: give the user that runs wharfinger access to the file and its directory", .0.display())]
    Permission(PathBuf),
    /// Others than the owner could write the file.
    #[error("`{}` can be written by others: chmod it to 0600", .0.display())]
    WritableByOthers(PathBuf),
    /// The bytes are not SQLite's.
    #[error("`{}` is not a SQLite database: move it away or restore a copy", .0.display())]
    NotADatabase(PathBuf),
    /// A SQLite database that is not one of this kind.
    #[error("`{}` is a SQLite database, but not {what}: configure another path", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was expected, with its article.
        what: &'static str,
    },
    /// The file was written by a newer program.
    #[error("`{}` has schema {found}, this wharfinger knows {known}: upgrade wharfinger, or restore a copy from before the upgrade", .path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema number in the file.
        found: u32,
        /// The newest schema number that this binary knows.
        known: u32,
    },
    /// The file has a schema that only a writing connection can bring up to date.
    #[error("`{}` has schema {found}, this wharfinger reads {known}: let the daemon open it once", .path.display())]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// The schema number in the file.
        found: u32,
        /// The schema number that this binary reads.
        known: u32,
    },
    /// SQLite finds the file inconsistent.
    #[error("`{}` is damaged: stop wharfinger, keep the file, and restore a copy", .0.display())]
    Damaged(PathBuf),
    /// No space.
    #[error("no space left for `{}`: free some on that file system", .0.display())]
    Full(PathBuf),
    /// The file or its file system takes no writes.
    #[error("`{}` is read-only: remount the file system for writing, or mend the file's mode", .0.display())]
    ReadOnly(PathBuf),
    /// Another program holds the lock.
    #[error("`{}` is locked by another program: close what has it open", .0.display())]
    Locked(PathBuf),
    /// The file is no longer the one that was opened.
    #[error("`{}` was removed or replaced while in use: find out by whom", .0.display())]
    Replaced(PathBuf),
    /// The disk or the kernel reports an error.
    #[error("reading or writing `{}` failed: {detail}; look at the kernel's log for the disk", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Anything else that SQLite reports.
    #[error("SQLite failed on `{}`: {detail}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
}

impl StoreError {
    /// The meaning of an error that SQLite reports about the file.
    pub fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let detail = error.to_string();
        let Some(code) = error.sqlite_error_code() else {
            return Self::Other { path, detail };
        };
        match code {
            ErrorCode::PermissionDenied | ErrorCode::CannotOpen => Self::Permission(path),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                Self::Locked(path)
            }
            ErrorCode::ReadOnly => Self::ReadOnly(path),
            ErrorCode::DiskFull => Self::Full(path),
            ErrorCode::DatabaseCorrupt => Self::Damaged(path),
            ErrorCode::NotADatabase => Self::NotADatabase(path),
            ErrorCode::SystemIoFailure => Self::Io { path, detail },
            // SQLite's own set, which grows without us: the rest speaks for itself.
            _ => Self::Other { path, detail },
        }
    }

    /// The meaning of an error that the operating system reports about the file.
    pub fn from_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing(path),
            std::io::ErrorKind::PermissionDenied => Self::Permission(path),
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full(path),
            // The operating system's set, which grows without us.
            _ => Self::Io { path, detail: error.to_string() },
        }
    }

    /// The problem in a few words, without paths: for people who are not the administrator.
    pub const fn summary(&self) -> &'static str {
        match self {
            Self::DirectoryMissing(_) | Self::Missing(_) => "its file is missing",
            Self::NotAFile(_) | Self::NotADatabase(_) | Self::Foreign { .. } => "its file is something else",
            Self::Permission(_) => "access to its file is refused",
            Self::WritableByOthers(_) => "its file can be written by others",
            Self::NewerSchema { .. } | Self::OlderSchema { .. } => "its file has another version's schema",
            Self::Damaged(_) => "its file is damaged",
            Self::Full(_) => "the disk is full",
            Self::ReadOnly(_) => "its file system is read-only",
            Self::Locked(_) => "its file is locked by another program",
            Self::Replaced(_) => "its file was removed or replaced",
            Self::Io { .. } => "the disk reports an error",
            Self::Other { .. } => "the database reports an error",
        }
    }
}
