//! LDAP: look-ups that give a complete set of groups or an error, within a deadline, whatever a server does.

mod ber;
mod connection;
mod dial;
mod entry;
mod filter;
mod lookup;
mod pool;
mod preset;
mod profile;
mod server;
mod settings;
mod tls;

pub use preset::Preset;
pub use settings::{LdapSettings, Nested};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::cache::{Cache, Limits};
use super::{DirectoryError, Looked, SettingsError};
use lookup::Profile;
use pool::Pool;

/// How many look-ups are under way at once. Servers close connections that ask for more
/// (OpenLDAP's `conn_max_pending_auth`), and a stopped server must not collect a queue.
const IN_FLIGHT: usize = 64;

/// Why a look-up gave no groups.
#[derive(Debug)]
enum Failure {
    /// This server cannot be used now; another one may.
    Server(String),
    /// A connection that had worked is gone; the same server may take a new one.
    Lost(String),
    /// The service account is refused; asking the next server could lock it.
    Account(String),
    /// No server would say otherwise.
    Answer(DirectoryError),
}

/// A configured LDAP directory, behind its cache.
#[derive(Debug)]
pub struct LdapDirectory {
    settings: LdapSettings,
    /// Replaced whole when the files that the settings name were read again.
    ldap: Arc<ArcSwap<Ldap>>,
    cache: Cache,
}

impl LdapDirectory {
    /// Checks the settings and reads the certificates that they name; connects to nothing.
    pub(super) fn new(settings: LdapSettings) -> Result<Self, SettingsError> {
        let limits = limits(&settings).map_err(named)?;
        let ldap = Arc::new(ArcSwap::from_pointee(Ldap::new(&settings).map_err(named)?));
        let asked = Arc::clone(&ldap);
        let source = Box::new(move |user| -> Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(asked.load_full().look_up(user))
        });
        Ok(Self { settings, ldap, cache: Cache::new(limits, source, Cache::monotonic()) })
    }

    pub(super) async fn groups(&self, user: &str) -> Result<Looked, DirectoryError> {
        self.cache.groups(user).await
    }

    pub(super) fn reload(&self) -> Result<(), SettingsError> {
        let ldap = Ldap::new(&self.settings).map_err(named)?;
        self.ldap.store(Arc::new(ldap));
        self.cache.expire();
        Ok(())
    }

    pub(super) fn flush(&self, user: Option<&str>) {
        self.cache.flush(user);
    }
}

/// The error with the whole name of its setting.
fn named(error: SettingsError) -> SettingsError {
    SettingsError { place: format!("directory.ldap.{}", error.place), ..error }
}

/// Checks everything that is about time and number.
fn limits(settings: &LdapSettings) -> Result<Limits, SettingsError> {
    let positive = [
        ("connect_timeout", settings.connect_timeout),
        ("lookup_deadline", settings.lookup_deadline),
        ("call_deadline", settings.call_deadline),
        ("cache_ttl", settings.cache_ttl),
    ];
    if let Some((key, _)) = positive.iter().find(|(_, duration)| duration.is_zero()) {
        return Err(SettingsError::new(*key, "is zero: no directory answers in no time"));
    }
    if settings.stale_grace < settings.cache_ttl {
        return Err(SettingsError::new(
            "stale_grace",
            "is shorter than `cache_ttl`: make it as long at least",
        ));
    }
    if settings.max_entries == 0 {
        return Err(SettingsError::new("max_entries", "is zero: nobody could be looked up"));
    }
    Ok(Limits {
        ttl: settings.cache_ttl,
        negative_ttl: settings.negative_ttl,
        grace: settings.stale_grace,
        call_deadline: settings.call_deadline,
        max_entries: settings.max_entries,
    })
}

/// The directory without its cache.
#[derive(Debug)]
struct Ldap {
    profile: Profile,
    pool: Pool,
    slots: Semaphore,
    deadline: Duration,
}

impl Ldap {
    /// Checks the settings and reads the certificates that they name; connects to nothing.
    fn new(settings: &LdapSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            profile: profile::profile(settings)?,
            pool: Pool::new(settings)?,
            slots: Semaphore::new(IN_FLIGHT),
            deadline: settings.lookup_deadline,
        })
    }

    /// One look-up: in a task of its own, since the library panics on some answers, and within the deadline.
    async fn look_up(self: Arc<Self>, user: String) -> Result<Looked, DirectoryError> {
        let deadline = self.deadline;
        let task = tokio::spawn(async move { timeout(deadline, self.attempt(&user)).await });
        match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(DirectoryError::Unavailable("the directory did not answer in time".to_owned())),
            // A panic says nothing about the user: never "no groups".
            Err(_) => Err(DirectoryError::Unavailable("the directory's answer could not be read".to_owned())),
        }
    }

    /// Tries connections until one gives an answer.
    async fn attempt(&self, user: &str) -> Result<Looked, DirectoryError> {
        let closed = |_| DirectoryError::Unavailable("the daemon is shutting down".to_owned());
        let _slot = self.slots.acquire().await.map_err(closed)?;
        let mut last = None;
        // Each server once, and once more for a connection that had grown stale.
        for _ in 0..=self.pool.servers() {
            let connection = match self.pool.connection().await {
                Ok(connection) => connection,
                Err(reason) => return Err(DirectoryError::Unavailable(last.unwrap_or(reason))),
            };
            match lookup::look_up(&connection, &self.profile, user).await {
                Ok(looked) => return Ok(looked),
                Err(Failure::Answer(error)) => return Err(error),
                Err(Failure::Account(reason)) => return Err(DirectoryError::Unavailable(reason)),
                Err(Failure::Lost(reason)) => {
                    connection.retire();
                    last = Some(reason);
                }
                Err(Failure::Server(reason)) => {
                    connection.retire();
                    self.pool.rest(connection.server);
                    last = Some(reason);
                }
            }
        }
        Err(DirectoryError::Unavailable(last.unwrap_or_else(|| "no server answers".to_owned())))
    }
}
