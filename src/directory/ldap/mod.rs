//! LDAP: look-ups that give a complete set of groups or an error, within a deadline, whatever a server does.

mod attempts;
mod ber;
mod connection;
mod dial;
mod dn;
mod entry;
mod explain;
mod filter;
mod lookup;
mod member_of;
mod person;
mod pool;
mod preset;
mod profile;
mod refusal;
mod server;
mod settings;
mod sid;
mod tls;
mod token_groups;
mod walk;

pub use preset::Preset;
pub use settings::{LdapSettings, Nested};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::cache::{Cache, Limits, MAX_NAMES};
use super::{
    Canonical, DirectoryError, DirectoryStatus, Explained, Looked, Now, Password, Refused, SettingsError,
};
use attempts::Attempts;
use connection::Connection;
use lookup::{Asking, Trace};
use person::Person;
use pool::Pool;
use profile::Profile;

/// How many look-ups are under way at once. Servers close connections that ask for more
/// (OpenLDAP's `conn_max_pending_auth`), and a stopped server must not collect a queue.
const IN_FLIGHT: usize = 64;

/// How many logins are under way at once; each has a connection of its own.
const LOGINS: usize = 8;

/// The longest time to explain an answer.
const EXPLAINED: Duration = Duration::from_secs(20);

/// Codes of a bind that say that the password is not the account's, or that it has none (RFC 4511 appendix A).
const WRONG_PASSWORD: [u32; 4] = [19, 48, 49, 50];

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
    now: Now,
    /// Replaced whole when the files that the settings name were read again.
    ldap: Arc<ArcSwap<Ldap>>,
    cache: Cache,
    /// Outlives a reload: new settings are no new tries.
    attempts: Attempts,
    logins: Semaphore,
}

impl LdapDirectory {
    /// Checks the settings and reads the certificates that they name; connects to nothing.
    pub(super) fn new(settings: LdapSettings, now: Now) -> Result<Self, SettingsError> {
        let limits = limits(&settings).map_err(named)?;
        let ldap = Arc::new(ArcSwap::from_pointee(Ldap::new(&settings, now).map_err(named)?));
        let asked = Arc::clone(&ldap);
        let source = Box::new(move |user| -> Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(asked.load_full().look_up(user))
        });
        Ok(Self {
            settings,
            now,
            ldap,
            cache: Cache::new(limits, source, Cache::monotonic()),
            attempts: Attempts::default(),
            logins: Semaphore::new(LOGINS),
        })
    }

    pub(super) async fn groups(&self, user: &str) -> Result<Looked, DirectoryError> {
        self.cache.groups(user).await
    }

    /// A bind as the user's entry, which is looked up for it: an account that was locked since counts as locked.
    pub(super) async fn authenticate(
        &self,
        user: &str,
        password: &Password,
    ) -> Result<Canonical, DirectoryError> {
        let closed = |_| unavailable("the daemon is shutting down");
        let _slot = self.logins.acquire().await.map_err(closed)?;
        let ldap = self.ldap.load_full();
        let (person, server) = Arc::clone(&ldap).find(user.to_owned()).await?;
        let dn = person.entry.dn;
        if !self.attempts.may_try(&dn, Instant::now()) {
            return Err(DirectoryError::Refused(Refused::Password));
        }
        match ldap.bind_as(server, dn.clone(), password.reveal().to_owned()).await {
            Ok(0) => {
                self.attempts.right(&dn);
                Ok(Canonical(person.name))
            }
            Ok(code) if WRONG_PASSWORD.contains(&code) => Err(DirectoryError::Refused(Refused::Password)),
            Ok(code) => {
                self.attempts.untried(&dn);
                Err(unavailable(&format!("the server answers the bind with code {code}")))
            }
            Err(error) => {
                self.attempts.untried(&dn);
                Err(error)
            }
        }
    }

    /// What the directory says now, past the cache, and how it comes to it.
    pub(super) async fn explain(&self, user: &str) -> Explained {
        self.ldap.load_full().explain(user.to_owned()).await
    }

    pub(super) fn reload(&self) -> Result<(), SettingsError> {
        let ldap = Ldap::new(&self.settings, self.now).map_err(named)?;
        self.ldap.store(Arc::new(ldap));
        self.cache.expire();
        Ok(())
    }

    pub(super) fn flush(&self, user: Option<&str>) -> usize {
        self.cache.flush(user)
    }

    /// How servers, service account and cache are doing.
    pub(super) fn status(&self) -> DirectoryStatus {
        let ldap = self.ldap.load();
        let (servers, account_refused) = ldap.pool.status();
        let kind = format!("ldap ({})", ldap.profile.preset);
        DirectoryStatus { kind, servers, account_refused, cache: Some(self.cache.status()) }
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
        max_names: MAX_NAMES,
    })
}

/// The directory without its cache.
#[derive(Debug)]
struct Ldap {
    profile: Profile,
    pool: Pool,
    slots: Semaphore,
    deadline: Duration,
    now: Now,
}

impl Ldap {
    /// Checks the settings and reads the certificates that they name; connects to nothing.
    fn new(settings: &LdapSettings, now: Now) -> Result<Self, SettingsError> {
        Ok(Self {
            profile: profile::profile(settings)?,
            pool: Pool::new(settings)?,
            slots: Semaphore::new(IN_FLIGHT),
            deadline: settings.lookup_deadline,
            now,
        })
    }

    /// One look-up of the user's groups.
    async fn look_up(self: Arc<Self>, user: String) -> Result<Looked, DirectoryError> {
        contained(self.deadline, async move {
            let (ldap, user) = (&*self, user.as_str());
            let ask = |connection: Arc<Connection>| async move {
                lookup::look_up(ldap.asking(&connection), user).await
            };
            ldap.attempt(ask).await.map(|(looked, _)| looked)
        })
        .await
    }

    /// One look-up of the user's entry alone, and which server gave it.
    async fn find(self: Arc<Self>, user: String) -> Result<(Person, usize), DirectoryError> {
        contained(self.deadline, async move {
            let (ldap, user) = (&*self, user.as_str());
            let ask = |connection: Arc<Connection>| async move {
                person::person(ldap.asking(&connection), user).await
            };
            ldap.attempt(ask).await
        })
        .await
    }

    /// One look-up that tells how it went; it takes many more searches, so it has more time.
    async fn explain(self: Arc<Self>, user: String) -> Explained {
        let presented = user.clone();
        let explained = contained(EXPLAINED, async move {
            let (ldap, user, began) = (&*self, user.as_str(), Instant::now());
            let ask = |connection: Arc<Connection>| async move {
                let trace = Trace::default();
                let told = explain::explain(ldap.asking(&connection), &trace, began, user).await?;
                Ok(Explained { steps: trace.into_steps(), ..told })
            };
            let (told, server) = ldap.attempt(ask).await?;
            Ok(Explained { source: ldap.pool.url(server), ..told })
        });
        let failed = |error: DirectoryError| Explained {
            presented,
            error: Some(error.to_string()),
            ..Explained::default()
        };
        explained.await.unwrap_or_else(failed)
    }

    fn asking<'a>(&'a self, connection: &'a Connection) -> Asking<'a> {
        Asking { connection, profile: &self.profile, now: (self.now)(), trace: None }
    }

    /// The result code of a bind as an entry.
    async fn bind_as(
        self: Arc<Self>,
        server: usize,
        dn: String,
        password: String,
    ) -> Result<u32, DirectoryError> {
        contained(self.deadline, async move {
            self.pool.bind_as(server, &dn, &password).await.map_err(DirectoryError::Unavailable)
        })
        .await
    }

    /// Tries connections until one gives an answer; says of which server it is.
    async fn attempt<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        ask: impl Fn(Arc<Connection>) -> F,
    ) -> Result<(T, usize), DirectoryError> {
        let closed = |_| unavailable("the daemon is shutting down");
        let _slot = self.slots.acquire().await.map_err(closed)?;
        let (mut last, mut lost) = (None, None);
        // Each server once, and once more for a connection that had grown stale.
        for _ in 0..=self.pool.servers() {
            let connection = match self.pool.connection().await {
                Ok(connection) => connection,
                Err(reason) => return Err(DirectoryError::Unavailable(last.unwrap_or(reason))),
            };
            match ask(Arc::clone(&connection)).await {
                Ok(answer) => return Ok((answer, connection.server)),
                Err(Failure::Answer(error)) => return Err(error),
                Err(Failure::Account(reason)) => return Err(DirectoryError::Unavailable(reason)),
                // Why there is no new connection says more than how the old one ended.
                Err(Failure::Lost(reason)) => {
                    connection.retire();
                    lost = Some(reason);
                }
                Err(Failure::Server(reason)) => {
                    connection.retire();
                    self.pool.rest(connection.server);
                    last = Some(reason);
                }
            }
        }
        Err(DirectoryError::Unavailable(last.or(lost).unwrap_or_else(|| "no server answers".to_owned())))
    }
}

/// Runs in a task of its own, since the library panics on some answers, and within the deadline.
async fn contained<T: Send + 'static>(
    deadline: Duration,
    ask: impl Future<Output = Result<T, DirectoryError>> + Send + 'static,
) -> Result<T, DirectoryError> {
    match tokio::spawn(timeout(deadline, ask)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(unavailable("the directory did not answer in time")),
        // A panic says nothing about the user: never "no groups".
        Err(_) => Err(unavailable("the directory's answer could not be read")),
    }
}

fn unavailable(reason: &str) -> DirectoryError {
    DirectoryError::Unavailable(reason.to_owned())
}
