//! Who created which containers, volumes, networks and other objects: learned from the daemon's answers.
//!
//! An object is remembered by its full ID (a volume by its name, which is its ID), with the user and the groups
//! that its creation was decided for. Names are looked up when they are asked for and never kept, labels prove
//! nothing. What was created before Wharfinger, past it, or while it could not learn, is nobody's.

mod check;
mod daemon;
mod expected;
mod identify;
mod images;
mod learn;
mod lookup;
mod meanings;
mod mounts;
mod objects;
mod passes;
mod pending;
mod records;
mod resolve;
mod settings;
mod sweep;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

pub use check::check;
pub use expected::Expected;
pub use identify::Found;
pub use passes::HEADER as SELF_HEADER;
pub use settings::{DOCKER_SOCKET, FILE, Settings};

use crate::authz::{Kind, Owner};
use crate::store::StoreError;
use daemon::Daemon;
use objects::{Key, Objects};
use records::Records;

/// Who created what; cheap to ask, durable before a creation is reported to its client.
#[derive(Debug)]
pub struct Inventory {
    settings: Settings,
    daemon: Arc<Daemon>,
    ledger: Arc<Ledger>,
    now: fn() -> Timestamp,
    counts: Counts,
    pending: Arc<pending::Pending>,
}

/// The file and its copy in memory. Whoever changes them holds the file's lock, and is on no asynchronous path.
#[derive(Debug)]
struct Ledger {
    records: Mutex<Records>,
    objects: Mutex<Objects>,
}

/// What the inventory has done since the start; each only grows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Questions of dockerd about our own look-ups, which are in no trail.
    pub own_calls: AtomicU64,
    /// Names that were looked up.
    pub looked_up: AtomicU64,
    /// Look-ups without a usable answer: what was asked for was nobody's.
    pub failed: AtomicU64,
    /// Objects that could not be remembered for good.
    pub unlearned: AtomicU64,
}

/// A question of dockerd that is about a look-up of ours; only the inventory can tell.
#[derive(Debug)]
#[must_use]
pub struct OwnCall(());

impl Inventory {
    /// Opens the file and reads it into memory.
    ///
    /// `trail` is the trail's file, beside which the inventory's is where the settings name none; `now` is the wall
    /// clock; `secret` gives sixteen bytes that nobody can foresee.
    pub fn open(
        settings: Settings,
        trail: &Path,
        now: fn() -> Timestamp,
        secret: fn() -> [u8; 16],
    ) -> Result<Self, StoreError> {
        let path = settings.database.clone().unwrap_or_else(|| trail.with_file_name(FILE));
        let records = Records::open(&path)?;
        let mut objects = Objects::default();
        for row in records.all()? {
            objects.add(row.key, row.owner);
        }
        Ok(Self {
            daemon: Arc::new(Daemon::new(settings.docker_socket.clone(), secret)),
            ledger: Arc::new(Ledger { records: Mutex::new(records), objects: Mutex::new(objects) }),
            now,
            counts: Counts::default(),
            pending: Arc::default(),
            settings,
        })
    }

    /// Who created the object of that full ID; of a volume, its name.
    pub fn owner(&self, kind: Kind, id: &str) -> Option<Arc<Owner>> {
        let key = Key { kind, id: id.to_owned() };
        self.ledger.objects().get(&key).map(|(owner, _)| owner)
    }

    /// Who created the object of that full ID, also of one that went not long ago.
    pub fn owner_ever(&self, kind: Kind, id: &str) -> Option<Arc<Owner>> {
        self.ledger.objects().get_ever(&Key { kind, id: id.to_owned() })
    }

    /// Whether dockerd's question is about a look-up of ours, which needs no decision and no record.
    ///
    /// dockerd asks about our own `GET` as about any other. It cannot be decided like the others, as it comes from
    /// nobody, and a look-up for each of its own questions would never end. It reads names and IDs, for us and with
    /// our own rights; a record of it would say nothing that the record of the call it was made for does not, and
    /// double the trail. So it is counted and answered at once.
    ///
    /// Nobody else can get this answer: the header's value is 128 random bits made for this one look-up, it is in
    /// no log, it opens exactly the target that we sent, and this use is its last. With any other value the header
    /// is bad evidence, and the call is denied.
    pub fn own_call(
        &self,
        method: &str,
        target: &str,
        headers: &BTreeMap<String, String>,
    ) -> Option<OwnCall> {
        let token = headers.get(SELF_HEADER)?;
        self.daemon.passes.admit(method, target, token).then(|| {
            self.counts.own_calls.fetch_add(1, Ordering::Relaxed);
            OwnCall(())
        })
    }

    /// Whether dockerd reports the end of a look-up of ours.
    pub fn own_call_ended(&self, method: &str, target: &str, headers: &BTreeMap<String, String>) -> bool {
        headers.get(SELF_HEADER).is_some_and(|token| self.daemon.passes.end(method, target, token))
    }

    /// What the inventory has done since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many objects have a known creator.
    pub fn len(&self) -> usize {
        self.ledger.objects().len()
    }

    /// Whether no object has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Ledger {
    /// What is known; held for moments only.
    fn objects(&self) -> MutexGuard<'_, Objects> {
        // Nothing between lock and unlock can leave the table half changed.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file; whoever holds it is the one that changes anything.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod fake;
