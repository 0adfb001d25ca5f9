//! Where an issuer's keys come from, and how long they are good: a file, an address, or the issuer's discovery.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::TokenError;
use super::keys::{Allowed, Keys};
use crate::identity::{JwtSettings, SettingsError};
use crate::web::{Address, Web, WebError};

/// The largest key file, in bytes.
const MAX_FILE: u64 = 256 << 10;

/// How long fetched keys serve while their issuer cannot be reached, in seconds.
const LAST_GOOD: i64 = 24 * 3600;

/// How often an issuer is asked for the sake of unknown keys, in seconds: whoever sends tokens chooses the key ids.
const UNKNOWN: i64 = 30;

/// How long a call waits for that; dockerd waits for the call.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often keys are fetched where the issuer does not say, and the bounds of what it may say.
const FRESH: Duration = Duration::from_hours(1);
const FRESH_BOUNDS: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(24));

/// The pauses after fetches that failed, doubled from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What follows an issuer's address (OpenID Connect Discovery §4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The keys of an issuer, and where the next ones come from.
#[derive(Debug)]
pub(super) struct Keyring {
    allowed: Allowed,
    source: Source,
    held: ArcSwapOption<Held>,
    /// Counts the sets that were held.
    version: AtomicU64,
    /// Held while a fetch is under way; the second of the last one for the sake of an unknown key.
    fetching: Mutex<Option<i64>>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Address(Web, Address),
    /// The issuer as configured, and where it describes itself.
    Discovery(Web, String, Address),
}

#[derive(Debug)]
struct Held {
    keys: Arc<Keys>,
    /// When they were fetched; keys of a file are good until the next reload.
    fetched: Option<Timestamp>,
}

impl Keyring {
    /// Checks the settings; reads the key file, and fetches nothing.
    pub(super) fn open(settings: &JwtSettings) -> Result<Self, SettingsError> {
        let allowed = Allowed::new(&settings.algorithms)?;
        let source = Source::new(settings)?;
        let (held, version, fetching) = (ArcSwapOption::empty(), AtomicU64::new(0), Mutex::new(None));
        let ring = Self { allowed, source, held, version, fetching };
        ring.replace(ring.read()?);
        Ok(ring)
    }

    /// The keys that are good now.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`]: there were none yet, or they were fetched too long ago to be relied on.
    pub(super) fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, TokenError> {
        let held = self.held.load();
        let held = held.as_ref().ok_or(TokenError::Unavailable)?;
        match held.fetched {
            Some(at) if now.as_second().saturating_sub(at.as_second()) > LAST_GOOD => {
                Err(TokenError::Unavailable)
            }
            Some(_) | None => Ok(Arc::clone(&held.keys)),
        }
    }

    /// Whether the keys come over the network.
    pub(super) const fn is_fetched(&self) -> bool {
        match self.source {
            Source::File(_) => false,
            Source::Address(..) | Source::Discovery(..) => true,
        }
    }

    /// Another number for every set of keys.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// The keys in the file; nothing where they come from elsewhere.
    pub(super) fn read(&self) -> Result<Option<Keys>, SettingsError> {
        let Source::File(path) = &self.source else { return Ok(None) };
        let fail = |message: String| {
            SettingsError::new("identity.jwt.jwks_file", format!("`{}` {message}", path.display()))
        };
        let keys = Keys::parse(&read(path).map_err(fail)?, &self.allowed).map_err(fail)?;
        if keys.is_empty() {
            return Err(fail("holds no key for the configured `algorithms`".to_owned()));
        }
        Ok(Some(keys))
    }

    /// Holds what [`Keyring::read`] found from now on.
    pub(super) fn replace(&self, keys: Option<Keys>) {
        if let Some(keys) = keys {
            self.hold(keys, None);
        }
    }

    /// Fetches anew for the sake of an unknown key; whether there are other keys now.
    ///
    /// However many calls ask, one fetch is under way at a time, and one in 30 seconds at most.
    pub(super) async fn refetch(self: &Arc<Self>, now: Timestamp) -> bool {
        if !self.is_fetched() {
            return false;
        }
        let (ring, seen) = (Arc::clone(self), self.version());
        // A task of its own: a call that is given up must not take the fetch of the others with it.
        let fetched = tokio::spawn(async move {
            let mut last = ring.fetching.lock().await;
            if ring.version() != seen {
                return true;
            }
            let second = now.as_second();
            if last.is_some_and(|last| (last..last.saturating_add(UNKNOWN)).contains(&second)) {
                return false;
            }
            *last = Some(second);
            ring.fetch(now).await.inspect_err(|error| warn!(%error, "keys not fetched")).is_ok()
        });
        // Too late is as good as not at all: the call is denied, and the next one finds the keys.
        matches!(tokio::time::timeout(PATIENCE, fetched).await, Ok(Ok(true)))
    }

    /// Fetches the keys now and whenever they are due, for ever; keys of a file are never due.
    pub(super) async fn keep(self: Arc<Self>, now: fn() -> Timestamp) {
        if !self.is_fetched() {
            return;
        }
        let mut pause = RETRY.0;
        loop {
            let fetched = {
                let _one_at_a_time = self.fetching.lock().await;
                self.fetch(now()).await
            };
            let next = match fetched {
                Ok(max_age) => {
                    pause = RETRY.0;
                    max_age.unwrap_or(FRESH).clamp(FRESH_BOUNDS.0, FRESH_BOUNDS.1)
                }
                Err(error) => {
                    warn!(%error, "keys not fetched; those before serve for 24 h at most");
                    let next = pause;
                    pause = (pause * 2).min(RETRY.1);
                    next
                }
            };
            tokio::time::sleep(next).await;
        }
    }

    /// Fetches the keys and holds them; how long the issuer says that they are good.
    pub(super) async fn fetch(&self, now: Timestamp) -> Result<Option<Duration>, String> {
        let said = |error: WebError| error.to_string();
        let (web, address) = match &self.source {
            Source::File(_) => return Ok(None),
            Source::Address(web, address) => (web, address.clone()),
            Source::Discovery(web, issuer, address) => {
                let described = web.get(address).await.map_err(said)?;
                if described.status != 200 {
                    return Err(format!("{address:?} answered with status {}", described.status));
                }
                let keys = keys_of(&described.body, issuer).map_err(|why| format!("{address:?} {why}"))?;
                (web, Address::parse(&keys, address.is_plain()).map_err(said)?)
            }
        };
        let answer = web.get(&address).await.map_err(said)?;
        if answer.status != 200 {
            return Err(format!("{address:?} answered with status {}", answer.status));
        }
        let keys = Keys::parse(&answer.body, &self.allowed).map_err(|why| format!("{address:?} {why}"))?;
        info!(issuer = ?address, "keys fetched");
        self.hold(keys, Some(now));
        Ok(answer.max_age)
    }

    fn hold(&self, keys: Keys, fetched: Option<Timestamp>) {
        self.held.store(Some(Arc::new(Held { keys: Arc::new(keys), fetched })));
        self.version.fetch_add(1, Ordering::SeqCst);
    }
}

impl Source {
    fn new(settings: &JwtSettings) -> Result<Self, SettingsError> {
        let web = || {
            let bad = |error: WebError| SettingsError::new("identity.jwt.ca_file", error.to_string());
            Web::new(settings.ca_file.as_deref()).map_err(bad)
        };
        let address = |setting: &str, text: &str| {
            Address::parse(text, settings.allow_http)
                .map_err(|error| SettingsError::new(format!("identity.jwt.{setting}"), error.to_string()))
        };
        match (&settings.jwks_file, &settings.jwks_url, settings.discovery) {
            (Some(file), None, false) => Ok(Self::File(file.clone())),
            (None, Some(url), false) => Ok(Self::Address(web()?, address("jwks_url", url)?)),
            (None, None, true) => {
                let issuer = &settings.issuer;
                let at = address("issuer", &format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')))?;
                Ok(Self::Discovery(web()?, issuer.clone(), at))
            }
            (None, None, false) | (Some(_), ..) | (None, Some(_), true) => Err(SettingsError::new(
                "identity.jwt",
                "needs exactly one of `jwks_file`, `jwks_url` and `discovery = true`: where the issuer's keys are",
            )),
        }
    }
}

/// Where the keys are, by what an issuer says of itself.
fn keys_of(description: &[u8], issuer: &str) -> Result<String, &'static str> {
    #[derive(serde::Deserialize)]
    struct Description {
        issuer: String,
        jwks_uri: String,
    }
    let described: Description =
        serde_json::from_slice(description).map_err(|_| "is no description of an issuer")?;
    // Another name would be another issuer's description, whoever put it there.
    if described.issuer != issuer {
        return Err("describes another issuer than the configured one");
    }
    Ok(described.jwks_uri)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    if std::fs::metadata(path).map_err(unread)?.len() > MAX_FILE {
        return Err("is larger than 256 KiB".to_owned());
    }
    std::fs::read(path).map_err(unread)
}
