//! One bound connection: many look-ups at a time, until it is too old or something was odd.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ldap3::controls::{Control, PagedResults, RawControl};
use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchOptions, StdStream};
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::dial::{Guarded, dial};
use super::entry::Entry;
use super::server::Server;
use super::{Failure, ber};

/// The library never forgets the ids of searches, so a connection is replaced after so many.
const MAX_SEARCHES: u32 = 50_000;

/// A connection is replaced after so long, so that a moved server name or a new password is noticed.
const MAX_AGE: Duration = Duration::from_mins(15);

/// The control for pages (RFC 2696).
const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// Servers send no more entries at once: 1000 is the usual limit of Active Directory, 500 that of OpenLDAP.
const PAGE: usize = 500;

/// Codes that say that the service account is refused (RFC 4511 appendix A).
const ACCOUNT_CODES: [u32; 5] = [7, 8, 13, 48, 49];

/// The service account.
#[derive(Clone, Debug)]
pub(super) enum Account {
    /// A DN and a file with its password.
    Simple { dn: String, password_file: PathBuf },
    /// What TLS or the Unix socket already proved.
    External,
}

/// A bound connection.
pub(super) struct Connection {
    /// Which of the servers it is to.
    pub(super) server: usize,
    ldap: ldap3::Ldap,
    opened: Instant,
    /// The longest time for one search. The library's own timeout starts again with every entry.
    search_timeout: Duration,
    searches: AtomicU32,
    retired: AtomicBool,
    served: AtomicBool,
    reason: Arc<OnceLock<String>>,
    pump: JoinHandle<()>,
    driver: JoinHandle<Result<(), LdapError>>,
}

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a str,
    pub(super) attributes: &'a [&'a str],
    /// More entries are an error. Where so many could be more than one page, the answer comes in pages.
    pub(super) limit: usize,
}

/// What a search gave.
#[derive(Debug)]
pub(super) struct Found {
    /// The entries, whole as far as the code says so.
    pub(super) entries: Vec<Entry>,
    /// The search's result code; anything but 0 means that entries may be missing.
    pub(super) code: u32,
    /// The server's words for the code.
    pub(super) text: String,
}

impl Connection {
    /// Connects and binds as the service account; the caller bounds the time.
    pub(super) async fn open(
        index: usize,
        server: &Server,
        tls: &Arc<ClientConfig>,
        account: &Account,
        password: Option<&str>,
        search_timeout: Duration,
    ) -> Result<Self, Failure> {
        let opened = Self::connect(index, server, tls, search_timeout).await?;
        let code = match account {
            Account::External => {
                let answer = opened.ldap.clone().sasl_external_bind().await;
                answer.map_err(|error| opened.lost(&error))?.rc
            }
            Account::Simple { dn, .. } => opened.bind(dn, password.unwrap_or_default()).await?,
        };
        match code {
            0 => Ok(opened),
            code if ACCOUNT_CODES.contains(&code) => {
                Err(Failure::Account(format!("the server refuses the service account with code {code}")))
            }
            code => Err(Failure::Server(format!("the server answers the bind with code {code}"))),
        }
    }

    /// Connects; nobody is bound yet. The caller bounds the time.
    pub(super) async fn connect(
        index: usize,
        server: &Server,
        tls: &Arc<ClientConfig>,
        search_timeout: Duration,
    ) -> Result<Self, Failure> {
        let Guarded { stream, reason, pump } = dial(server, tls).await.map_err(Failure::Server)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(stream));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
            .await
            .map_err(|error| Failure::Server(error.to_string()))?;
        let driver = tokio::spawn(connection.drive());
        Ok(Self {
            server: index,
            ldap,
            opened: Instant::now(),
            search_timeout,
            searches: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            served: AtomicBool::new(false),
            reason,
            pump,
            driver,
        })
    }

    /// The result code of a bind with a password, which must not be empty.
    pub(super) async fn bind(&self, dn: &str, password: &str) -> Result<u32, Failure> {
        let answer = self.ldap.clone().simple_bind(dn, password).await;
        answer.map(|answer| answer.rc).map_err(|error| self.lost(&error))
    }

    /// Whether new look-ups may use it.
    pub(super) fn is_usable(&self) -> bool {
        !self.retired.load(Ordering::Relaxed)
            && !self.driver.is_finished()
            && self.searches.load(Ordering::Relaxed) < MAX_SEARCHES
            && self.opened.elapsed() < MAX_AGE
    }

    /// How long it has been in use, and for how many searches.
    pub(super) fn use_so_far(&self) -> (Duration, u32) {
        (self.opened.elapsed(), self.searches.load(Ordering::Relaxed))
    }

    /// Takes it from use; look-ups that are under way may end on it.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Whether it ever answered a search.
    pub(super) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Searches, and collects everything before anything is used: a stream that breaks has given entries.
    ///
    /// # Errors
    /// [`Failure::Server`] where the answer does not come to its end in time, or is longer than the limit.
    pub(super) async fn search(&self, search: &Search<'_>) -> Result<Found, Failure> {
        match timeout(self.search_timeout, self.collect(search)).await {
            Ok(Ok(entries)) => {
                self.served.store(true, Ordering::Relaxed);
                Ok(entries)
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Server("the server did not answer in time".to_owned())),
        }
    }

    /// All pages of an answer, where it comes in pages.
    async fn collect(&self, search: &Search<'_>) -> Result<Found, Failure> {
        let mut entries = Vec::new();
        let mut cookie = Vec::new();
        loop {
            let before = entries.len();
            let outcome = self.page(search, cookie, &mut entries).await?;
            cookie = match &outcome.ctrls {
                _ if outcome.rc != 0 => Vec::new(),
                controls => cookie_of(controls).map_err(|bad| Failure::Server(bad.to_string()))?,
            };
            if cookie.is_empty() {
                return Ok(Found { entries, code: outcome.rc, text: outcome.text });
            }
            if entries.len() == before {
                return Err(Failure::Server("the server sent a page of nothing".to_owned()));
            }
        }
    }

    async fn page(
        &self,
        search: &Search<'_>,
        cookie: Vec<u8>,
        entries: &mut Vec<Entry>,
    ) -> Result<LdapResult, Failure> {
        self.searches.fetch_add(1, Ordering::Relaxed);
        let Search { base, scope, filter, attributes, limit } = *search;
        let mut ldap = self.ldap.clone();
        // The server stops one after the limit, which tells "just so many" from "more".
        let size_limit = i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX);
        ldap.with_search_options(SearchOptions::new().sizelimit(size_limit));
        if limit > PAGE {
            let size = i32::try_from(PAGE).unwrap_or(i32::MAX);
            ldap.with_controls(RawControl::from(PagedResults { size, cookie }));
        }
        let mut stream = ldap
            .streaming_search(base, scope, filter, attributes)
            .await
            .map_err(|error| self.lost(&error))?;
        while let Some(found) = stream.next().await.map_err(|error| self.lost(&error))? {
            // References lead to other servers, where our password is not known and must not go.
            if found.is_ref() || found.is_intermediate() {
                continue;
            }
            if entries.len() > limit {
                return Err(Failure::Server(format!("the server sent more than {limit} entries")));
            }
            let entry = Entry::read(found)
                .ok_or_else(|| Failure::Server("the server sent a malformed entry".to_owned()))?;
            entries.push(entry);
        }
        Ok(stream.finish().await)
    }

    /// What a broken connection is called: the guard knows better than the library.
    fn lost(&self, error: &LdapError) -> Failure {
        let reason = self.reason.get().cloned().unwrap_or_else(|| format!("the connection is lost: {error}"));
        if self.has_served() { Failure::Lost(reason) } else { Failure::Server(reason) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
        self.pump.abort();
    }
}

/// The cookie that asks for the next page; empty after the last one, and where the server knows no pages.
fn cookie_of(controls: &[Control]) -> Result<Vec<u8>, ber::Bad> {
    let paged = controls.iter().find(|Control(_, control)| control.ctype == PAGED_RESULTS);
    match paged.and_then(|Control(_, control)| control.val.as_deref()) {
        None => Ok(Vec::new()),
        Some(value) => ber::cookie(value),
    }
}

/// The password as it is now: its file is what changes when it is rotated.
pub(super) async fn password(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let text = tokio::fs::read_to_string(path).await.map_err(|error| {
        Failure::Account(format!("`bind_password_file` `{shown}` cannot be read: {error}"))
    })?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    // A bind with a name and no password succeeds, as nobody (RFC 4513 §5.1.2).
    if password.is_empty() {
        return Err(Failure::Account(format!("`bind_password_file` `{shown}` is empty")));
    }
    Ok(password.to_owned())
}
