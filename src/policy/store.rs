//! The policy in force, replaced whole or not at all, and the book of its versions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::book::{Author, Book, Version};
use super::change::{ChangeError, Prepared, Proposal};
use super::document::Document;
use super::{Loaded, MODEL, PolicyError, PolicySource, diff, load};
use crate::store::StoreError;

/// Holds the policy that decides, for all threads.
#[derive(Debug)]
pub struct Store {
    source: PolicySource,
    current: ArcSwap<Loaded>,
    book: Option<Mutex<Book>>,
    now: fn() -> Timestamp,
}

impl Store {
    /// Loads a policy without a book of its versions: it can be read, and not changed.
    ///
    /// There is no clock either, so grants with an end count as ended.
    pub fn open(source: PolicySource) -> Result<Self, PolicyError> {
        let now: fn() -> Timestamp = || Timestamp::MAX;
        let current = ArcSwap::from_pointee(source.load()?.at(now()));
        Ok(Self { source, current, book: None, now })
    }

    /// Loads the policy with the book of its versions.
    ///
    /// A source of files is the truth: what it says now becomes a version if the newest one says something else. Any
    /// other source is only the first version, where there is none yet.
    pub fn with_book(source: PolicySource, book: &Path, now: fn() -> Timestamp) -> Result<Self, PolicyError> {
        let mut book = Book::open(book)?;
        let from_source = |reason: &str| Author {
            name: "wharfinger".to_owned(),
            how: source.name(),
            reason: reason.to_owned(),
        };
        let loaded = match (book.latest(), source.is_truth()) {
            (Some((number, document)), false) => Loaded { number: *number, ..load(MODEL, &document.text())? },
            (None, _) => note(&mut book, &source, &from_source("first start"), now())?,
            (Some(_), true) => note(&mut book, &source, &from_source("start"), now())?,
        };
        let current = ArcSwap::from_pointee(loaded.at(now()));
        Ok(Self { source, current, book: Some(Mutex::new(book)), now })
    }

    /// The policy in force. A request takes it once and decides by it to its end.
    ///
    /// Grants that have ended are not in it.
    pub fn current(&self) -> Arc<Loaded> {
        let loaded = self.current.load_full();
        let now = (self.now)();
        if loaded.next_end.is_none_or(|end| now.as_second() < end) {
            return loaded;
        }
        self.current.rcu(|loaded| loaded.at(now));
        self.current.load_full()
    }

    /// Reads the source again, where it is the truth, and returns the policy that is now in force.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one stays in force.
    pub fn reload(&self) -> Result<Arc<Loaded>, PolicyError> {
        let new = match (&self.book, self.source.is_truth()) {
            (Some(book), true) => {
                let author = Author {
                    name: "wharfinger".to_owned(),
                    how: self.source.name(),
                    reason: "reload".to_owned(),
                };
                let mut book = lock(book);
                let loaded = note(&mut book, &self.source, &author, (self.now)())?;
                // Swapped under the lock, so that the newest version is the one in force.
                self.current.store(Arc::new(loaded.at((self.now)())));
                return Ok(self.current());
            }
            (Some(_), false) => return Ok(self.current()),
            (None, _) => Arc::new(self.source.load()?.at((self.now)())),
        };
        self.current.store(Arc::clone(&new));
        Ok(new)
    }

    /// The file that is the truth, if the policy is not kept in the book.
    pub fn file(&self) -> Option<&Path> {
        self.source.file()
    }

    /// Works a change out and checks it whole; nothing is changed yet.
    ///
    /// # Errors
    /// What is wrong with it, or with the policy that it would make.
    pub fn prepare(&self, proposal: &Proposal) -> Result<Prepared, ChangeError> {
        let (number, old) = self.newest()?;
        if let Some(asked) = proposal.base
            && asked != number
        {
            return Err(ChangeError::Conflict { asked, current: number });
        }
        let new = match &proposal.change {
            super::change::What::Edits(edits) => {
                let edits = edits.iter().map(super::EditRequest::read).collect::<Result<Vec<_>, _>>()?;
                old.edited(&edits)?
            }
            super::change::What::Text(text) => Document::parse(text),
            super::change::What::Version(wanted) => self.document(*wanted)?,
        };
        Prepared::new(number, &old, new, &self.current(), (self.now)())
    }

    /// Puts a change in force: written first, then for all threads at once.
    ///
    /// # Errors
    /// Where another change came first, or the disk does not take it; the old policy stays in force.
    pub fn commit(&self, prepared: Prepared, author: &Author) -> Result<Arc<Loaded>, ChangeError> {
        if let Some(path) = self.file() {
            return Err(ChangeError::FileIsTruth(path.to_owned()));
        }
        let mut book = lock(self.book.as_ref().ok_or(ChangeError::NoBook)?);
        let current = book.latest().map_or(0, |(number, _)| *number);
        if current != prepared.base {
            return Err(ChangeError::Conflict { asked: prepared.base, current });
        }
        let Prepared { document, mut loaded, .. } = prepared;
        loaded.number = book.append(document, &loaded.digest, author, (self.now)())?;
        self.current.store(Arc::new(loaded));
        Ok(self.current.load_full())
    }

    /// Versions before a number, newest first.
    pub fn versions(&self, before: Option<u64>, limit: u32) -> Result<Vec<Version>, ChangeError> {
        Ok(lock(self.book.as_ref().ok_or(ChangeError::NoBook)?).versions(before, limit)?)
    }

    /// The text of a version, with its comments.
    pub fn text(&self, number: u64) -> Result<String, ChangeError> {
        Ok(self.document(number)?.text())
    }

    /// What differs between two versions: lines taken out begin with `- `, lines put in with `+ `.
    pub fn diff(&self, from: u64, to: u64) -> Result<Vec<String>, ChangeError> {
        Ok(diff::shown(self.document(from)?.lines(), self.document(to)?.lines()))
    }

    /// What each role is for, where the policy's comments say so.
    pub fn descriptions(&self) -> Result<std::collections::BTreeMap<String, String>, ChangeError> {
        Ok(self.newest()?.1.descriptions())
    }

    /// Grants of the newest version that have ended.
    pub fn ended(&self) -> Vec<crate::authz::Grant> {
        let now = (self.now)().as_second();
        let current = self.current();
        current.rules.grants.iter().filter(|grant| !grant.holds_at(now)).cloned().collect()
    }

    /// What is hardly meant in the policy in force.
    pub fn flaws(&self) -> BTreeSet<super::Flaw> {
        super::lint::flaws(&self.current())
    }

    fn newest(&self) -> Result<(u64, Document), ChangeError> {
        lock(self.book.as_ref().ok_or(ChangeError::NoBook)?).latest().cloned().ok_or(ChangeError::NoBook)
    }

    /// A version; 0 is the shipped policy.
    fn document(&self, number: u64) -> Result<Document, ChangeError> {
        if number == 0 {
            return Ok(Document::parse(super::POLICY));
        }
        let book = lock(self.book.as_ref().ok_or(ChangeError::NoBook)?);
        book.document(number)?.ok_or(ChangeError::NoSuchVersion(number))
    }
}

/// The newest policy in a book that nobody changes meanwhile, such as one of a daemon that does not run.
pub fn newest_in(book: &Path) -> Result<Loaded, PolicyError> {
    let book = Book::open_read_only(book)?;
    let (number, text) = book.latest().map_or((0, super::POLICY.to_owned()), |(n, d)| (*n, d.text()));
    Ok(Loaded { number, ..load(MODEL, &text)? })
}

/// Loads the source, and makes a version of it if the newest one says something else.
fn note(
    book: &mut Book,
    source: &PolicySource,
    author: &Author,
    now: Timestamp,
) -> Result<Loaded, PolicyError> {
    let (loaded, text) = source.read()?;
    let document = Document::parse(&text);
    let number = match book.latest() {
        Some((number, latest)) if *latest == document => *number,
        Some(_) | None => book.append(document, &loaded.digest, author, now)?,
    };
    Ok(Loaded { number, ..loaded })
}

/// A panic while it was held can have left nothing half done: the file has transactions.
fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the book is: as configured, or beside the trail.
pub fn book_path(configured: Option<&Path>, trail: &Path) -> PathBuf {
    configured.map_or_else(|| trail.with_file_name(super::BOOK_FILE), Path::to_owned)
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::Store;
    use crate::policy::PolicySource;

    fn source(policy: &Path) -> PolicySource {
        PolicySource::Files { model: None, policy: policy.to_owned() }
    }

    fn write(path: &Path, policy: &str) {
        fs::write(path, policy).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    #[test]
    fn a_good_policy_replaces_the_old_one_and_a_bad_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.csv");
        write(&path, "p, role:a, *, *, allow");
        let store = Store::open(source(&path)).unwrap();
        let first = store.current();

        write(&path, "p, role:a, *, *, alow");
        let error = store.reload().unwrap_err().to_string();
        assert_eq!(
            error,
            "the policy is not accepted:\n  line 1, effect: `alow` is neither `allow` nor `deny`"
        );
        assert_eq!(store.current().digest, first.digest);

        write(&path, "p, role:b, *, *, allow");
        let second = store.reload().unwrap();
        assert_ne!(second.digest, first.digest);
        assert_eq!(store.current().digest, second.digest);
    }

    #[test]
    fn a_file_that_cannot_be_trusted_or_read_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.csv");
        let message = || Store::open(source(&path)).unwrap_err().to_string();
        let about = format!("cannot read the policy `{}`: ", path.display());

        assert_eq!(message(), format!("{about}No such file or directory (os error 2); is the path right?"));
        write(&path, "");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(
            message(),
            format!("{about}everybody on this host may write it; take that away with `chmod o-w`")
        );
        write(&path, "");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(message(), format!("{about}it is not UTF-8 text; save it as UTF-8"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(message(), format!("{about}it is not a regular file"));
    }
}
