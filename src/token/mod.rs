//! Tokens of this host's own: issued, listed and revoked here, and signed with keys that nobody else has.

mod error;
mod ledger;
mod settings;
mod sign;

pub use error::TokensError;
pub use settings::Settings;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ulid::Ulid;

use self::ledger::Ledger;
use self::sign::Key;
use crate::identity::{Issued, Local, check_name};

/// What the ids of hosts begin with.
const HOST: &str = "wharfinger:";

/// Where randomness comes from: sixteen bytes that nobody can foresee.
pub type Random = fn() -> [u8; 16];

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A program's, issued by an administrator.
    Service,
    /// A person's, in exchange for a password.
    Login,
}

/// The token that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Whom it is to name.
    pub user: String,
    /// The groups that it is to have.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The only roles that it is to hold; `None` means those of its user and of the groups.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// How long it is to live, such as `1h`.
    #[serde(with = "ttl")]
    pub ttl: Duration,
    /// What for.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A token as it is kept: everything but the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, by which it is revoked.
    pub id: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whom it names.
    pub user: String,
    /// The groups that it has.
    pub groups: Vec<String>,
    /// The only roles that it holds; `None` means those of its user and of the groups.
    pub roles: Option<Vec<String>>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Who issued it.
    pub by: String,
    /// What for.
    pub reason: Option<String>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// A new token, on its way to whoever asked for it; it is nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fresh {
    /// Its id.
    pub id: String,
    /// The host that it is good for.
    pub host: String,
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fresh").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Issues and revokes; what it knows is held against evidence at once.
#[derive(Debug)]
pub struct Tokens {
    settings: Settings,
    local: Local,
    ledger: Mutex<Ledger>,
    random: Random,
}

impl Tokens {
    /// Opens the database, or makes one with the host's id and its first key, beside the trail unless told otherwise.
    ///
    /// # Errors
    /// [`TokensError`]: the database.
    pub fn open(
        settings: Settings,
        trail: &Path,
        now: Timestamp,
        random: Random,
    ) -> Result<Self, TokensError> {
        let path = settings.database.clone().unwrap_or_else(|| beside(trail));
        let mut ledger = Ledger::open(&path)?;
        let host = ledger.host(|| format!("{HOST}{}", id(now, random())))?;
        if ledger.newest_key()?.is_none() {
            ledger.add_key(&new_key(now, random), now)?;
        }
        let tokens = Self { settings, local: Local::new(host), ledger: Mutex::new(ledger), random };
        tokens.publish(&tokens.lock(), now)?;
        Ok(tokens)
    }

    /// What evidence is held against.
    pub fn local(&self) -> Local {
        self.local.clone()
    }

    /// How long a token lives that is given for a password.
    pub const fn login_ttl(&self) -> Duration {
        self.settings.login_ttl
    }

    /// The id that a token of now would have.
    pub fn next_id(&self, now: Timestamp) -> String {
        id(now, (self.random)())
    }

    /// Checks what is wanted, before anything is decided or written down about it.
    ///
    /// # Errors
    /// [`TokensError::Name`], [`TokensError::Lifetime`].
    pub fn check(&self, wanted: &Wanted) -> Result<(), TokensError> {
        for name in std::iter::once(&wanted.user).chain(&wanted.groups) {
            check_name(name)
                .map_err(|error| TokensError::Name { name: name.escape_debug().to_string(), error })?;
        }
        if wanted.ttl < Duration::from_secs(1) || wanted.ttl > self.settings.max_ttl {
            return Err(TokensError::Lifetime(self.settings.max_ttl.as_secs() / 3600));
        }
        Ok(())
    }

    /// Issues a token under that id; it is good when this returns.
    ///
    /// # Errors
    /// [`TokensError`]; there is no token then.
    pub fn issue(
        &self,
        id: &str,
        wanted: Wanted,
        purpose: Purpose,
        by: &str,
        now: Timestamp,
    ) -> Result<Fresh, TokensError> {
        self.check(&wanted)?;
        let lifetime = jiff::SignedDuration::try_from(wanted.ttl).unwrap_or(jiff::SignedDuration::MAX);
        let expires = now.checked_add(lifetime).map_err(|_| TokensError::Lifetime(0))?;
        // Whole seconds, as the token itself says them.
        let expires = Timestamp::from_second(expires.as_second()).unwrap_or(expires);
        let mut ledger = self.lock();
        let (key, made) = ledger.newest_key()?.ok_or(TokensError::NoKey)?;
        let is_old = now.duration_since(made).unsigned_abs() > self.settings.key_lifetime;
        let key = if is_old {
            let key = new_key(now, self.random);
            ledger.add_key(&key, now)?;
            key
        } else {
            key
        };
        let host = self.local.host();
        let token = key.sign(&json!({
            "iss": host, "aud": host, "sub": wanted.user, "jti": id,
            "iat": now.as_second(), "exp": expires.as_second(),
        }))?;
        let entry = Entry {
            id: id.to_owned(),
            purpose,
            user: wanted.user,
            groups: wanted.groups,
            roles: wanted.roles,
            issued: now,
            expires,
            by: by.to_owned(),
            reason: wanted.reason,
            revoked: None,
        };
        ledger.add_token(&entry, key.id())?;
        self.publish(&ledger, now)?;
        Ok(Fresh { id: entry.id, host: host.to_owned(), token, expires })
    }

    /// The token of that id, or of the only one that begins so.
    ///
    /// # Errors
    /// [`TokensError::NotFound`], [`TokensError::Ambiguous`], or the database.
    pub fn find(&self, id: &str) -> Result<Entry, TokensError> {
        self.lock().find(id)
    }

    /// Revokes a token: the next call that shows it is denied.
    ///
    /// # Errors
    /// As for [`Tokens::find`].
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<Entry, TokensError> {
        let ledger = self.lock();
        let entry = ledger.find(id)?;
        ledger.revoke(&entry.id, now)?;
        self.publish(&ledger, now)?;
        ledger.find(&entry.id)
    }

    /// The tokens that are good, newest first; with `all`, those too that have ended or were revoked lately.
    ///
    /// # Errors
    /// The database.
    pub fn list(&self, all: bool, now: Timestamp) -> Result<Vec<Entry>, TokensError> {
        let mut entries = self.lock().tokens()?;
        entries.retain(|entry| all || (entry.revoked.is_none() && entry.expires >= now));
        Ok(entries)
    }

    /// Signs with a new key from now on; the ones before serve their tokens to the end.
    ///
    /// # Errors
    /// The database.
    pub fn rotate(&self, now: Timestamp) -> Result<String, TokensError> {
        let mut ledger = self.lock();
        let key = new_key(now, self.random);
        ledger.add_key(&key, now)?;
        self.publish(&ledger, now)?;
        Ok(key.id().to_owned())
    }

    /// Tells those who hold evidence against it what is good now.
    fn publish(&self, ledger: &Ledger, now: Timestamp) -> Result<(), TokensError> {
        ledger.forget_the_old(now)?;
        let keys: Vec<_> = ledger.keys()?.iter().map(Key::public).collect();
        self.local.trust(&json!({ "keys": keys }).to_string()).map_err(TokensError::Key)?;
        let good =
            ledger.tokens()?.into_iter().filter(|entry| entry.revoked.is_none() && entry.expires >= now);
        let issued = |entry: Entry| {
            let Entry { id, user, groups, roles, expires, .. } = entry;
            (id, Issued { user, groups, roles, expires })
        };
        self.local.replace(good.map(issued).collect());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // What another thread left undone was not committed.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `tokens.db` beside the trail.
fn beside(trail: &Path) -> PathBuf {
    trail.with_file_name("tokens.db")
}

fn id(now: Timestamp, random: [u8; 16]) -> String {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ulid::from_parts(millis, u128::from_be_bytes(random)).to_string()
}

fn new_key(now: Timestamp, random: Random) -> Key {
    let mut seed = [0; sign::SEED];
    seed.iter_mut().zip(random().into_iter().chain(random())).for_each(|(to, from)| *to = from);
    Key::new(id(now, random()), seed)
}

/// A lifetime as people write it.
mod ttl {
    use std::time::Duration;

    use serde::Serializer;

    pub(super) use crate::config::duration::deserialize;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(ttl: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}s", ttl.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;
    use crate::identity::{
        Evidence, Identified, Identifier, IdentityError, Settings as Identity, TokenError,
    };

    fn random() -> [u8; 16] {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        [NEXT.fetch_add(1, Ordering::Relaxed); 16]
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn open(dir: &tempfile::TempDir) -> Tokens {
        Tokens::open(Settings::default(), &dir.path().join("audit.db"), at(0), random).unwrap()
    }

    fn wanted(user: &str, roles: Option<&[&str]>) -> Wanted {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Wanted {
            user: user.to_owned(),
            groups: vec!["builders".to_owned()],
            roles: roles.map(list),
            ttl: Duration::from_hours(1),
            reason: Some("nightly".to_owned()),
        }
    }

    fn issue(tokens: &Tokens, seconds: i64) -> Fresh {
        let id = tokens.next_id(at(seconds));
        tokens.issue(&id, wanted("ci", Some(&["deployer"])), Purpose::Service, "root", at(seconds)).unwrap()
    }

    fn identify(tokens: &Tokens, token: &str, seconds: i64) -> Result<Identified, IdentityError> {
        let identifier = Identifier::with_local(Identity::default(), tokens.local()).unwrap();
        let headers = [("X-Wharfinger-Token".to_owned(), token.to_owned())].into();
        identifier.identify(
            Evidence { user: "", auth_method: "", peer_certificates: &[], headers: &headers, attested: None },
            at(seconds),
        )
    }

    fn refused(error: TokenError) -> Result<Identified, IdentityError> {
        Err(IdentityError::Token(error))
    }

    #[test]
    fn a_token_names_its_user_with_the_roles_and_groups_that_were_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(&dir);
        let fresh = issue(&tokens, 0);
        let identified = identify(&tokens, &fresh.token, 10).unwrap();
        assert_eq!(identified.user.as_deref(), Some("ci"));
        assert_eq!(identified.groups, ["builders"]);
        assert_eq!(identified.roles.as_deref(), Some(&["deployer".to_owned()][..]));
        assert_eq!(identified.how.to_string(), format!("jwt {} {}", fresh.host, fresh.id));
        assert_eq!(std::fs::metadata(dir.path().join("tokens.db")).unwrap().mode() & 0o777, 0o600);
        assert!(!format!("{fresh:?}").contains(&fresh.token));
    }

    #[test]
    fn a_token_ends_with_its_time_and_at_once_when_it_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(&dir);
        let (first, second) = (issue(&tokens, 0), issue(&tokens, 0));
        assert_eq!(identify(&tokens, &first.token, 3601), refused(TokenError::Expired));
        let revoked = tokens.revoke(&first.id.to_lowercase(), at(5)).unwrap();
        assert_eq!(revoked.revoked, Some(at(5)));
        assert_eq!(identify(&tokens, &first.token, 6), refused(TokenError::Revoked));
        assert!(identify(&tokens, &second.token, 6).is_ok());
        let ids = |all| -> Vec<String> {
            tokens.list(all, at(6)).unwrap().into_iter().map(|entry| entry.id).collect()
        };
        assert_eq!(ids(false), std::slice::from_ref(&second.id));
        assert_eq!(ids(true), [second.id, first.id]);
    }

    #[test]
    fn everything_survives_a_restart_and_a_token_of_another_host_means_nothing_here() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (fresh, gone) = {
            let tokens = open(&dir);
            let gone = issue(&tokens, 0);
            tokens.revoke(&gone.id, at(1)).unwrap();
            (issue(&tokens, 0), gone)
        };
        let tokens = open(&dir);
        assert!(identify(&tokens, &fresh.token, 2).is_ok());
        assert_eq!(identify(&tokens, &gone.token, 2), refused(TokenError::Revoked));
        assert_eq!(identify(&open(&other), &fresh.token, 2), refused(TokenError::UnknownIssuer));
    }

    #[test]
    fn after_a_rotation_old_tokens_are_good_to_their_end_and_the_old_key_goes_with_the_last_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(&dir);
        let (old, before) = (issue(&tokens, 0), kid(&tokens));
        assert_ne!(tokens.rotate(at(10)).unwrap(), before);
        let new = issue(&tokens, 20);
        for token in [&old.token, &new.token] {
            assert!(identify(&tokens, token, 30).is_ok());
        }
        assert_eq!(tokens.lock().keys().unwrap().len(), 2);
        // By itself, with the first token after a key's time.
        issue(&tokens, 31 * 24 * 3600);
        assert_eq!(tokens.lock().keys().unwrap().len(), 1);
        assert_eq!(identify(&tokens, &new.token, 30), refused(TokenError::UnknownKey));
    }

    fn kid(tokens: &Tokens) -> String {
        tokens.lock().newest_key().unwrap().unwrap().0.id().to_owned()
    }

    #[test]
    fn a_token_that_was_changed_or_is_signed_by_anybody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(&dir);
        let fresh = issue(&tokens, 0);
        let claims = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut claims = json!({
                "iss": fresh.host, "aud": fresh.host, "sub": "ci", "jti": fresh.id, "exp": at(600).as_second(),
            });
            change(&mut claims);
            claims
        };
        let real = tokens.lock().newest_key().unwrap().unwrap().0;
        let forged = Key::new(real.id().to_owned(), [9; sign::SEED]);
        let stranger = Key::new("x".to_owned(), [9; sign::SEED]);
        let same = claims(&|_| {});
        assert!(identify(&tokens, &real.sign(&same).unwrap(), 1).is_ok());
        for (token, error) in [
            (forged.sign(&same), TokenError::Signature),
            (stranger.sign(&same), TokenError::UnknownKey),
            (real.sign(&claims(&|claims| claims["sub"] = json!("root"))), TokenError::Claim("sub")),
            (real.sign(&claims(&|claims| claims["jti"] = json!("7"))), TokenError::Revoked),
            (real.sign(&claims(&|claims| claims["aud"] = json!("other"))), TokenError::Audience),
            (real.sign(&claims(&|claims| claims["aud"] = json!(["other"]))), TokenError::Audience),
            (real.sign(&claims(&|claims| claims["exp"] = json!(at(-60).as_second()))), TokenError::Expired),
            (real.sign(&claims(&|claims| claims["exp"] = json!("x"))), TokenError::Claim("exp")),
        ] {
            assert_eq!(identify(&tokens, &token.unwrap(), 1), refused(error));
        }
        // The end that was written down counts, whatever a token says.
        let longer = real.sign(&claims(&|claims| claims["exp"] = json!(at(99_999).as_second()))).unwrap();
        assert_eq!(identify(&tokens, &longer, 3601), refused(TokenError::Expired));
    }

    #[test]
    fn what_nobody_should_have_is_not_issued() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(&dir);
        let error = |change: &dyn Fn(&mut Wanted)| {
            let mut wanted = wanted("ci", None);
            change(&mut wanted);
            tokens.issue("x", wanted, Purpose::Service, "root", at(0)).unwrap_err().to_string()
        };
        let lifetime =
            "a token lives a second at least and 2160 h at most; ask for that, or set `max_ttl` in `[token]`";
        assert_eq!(error(&|wanted| wanted.ttl = Duration::ZERO), lifetime);
        assert_eq!(error(&|wanted| wanted.ttl = Duration::from_hours(2161)), lifetime);
        assert_eq!(
            error(&|wanted| wanted.user = "ci\n".to_owned()),
            "`ci\\n` cannot be named: it holds a control or invisible character"
        );
        assert_eq!(error(&|wanted| wanted.groups = vec![String::new()]), "`` cannot be named: it is empty");
        assert!(tokens.list(true, at(0)).unwrap().is_empty());
    }

    #[test]
    fn a_token_is_found_by_the_beginning_of_its_id_where_that_is_clear() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = open(&dir);
        let (one, _) = (issue(&tokens, 0), issue(&tokens, 0));
        assert_eq!(tokens.find(&one.id).unwrap().user, "ci");
        let begin = one.id.get(..8).unwrap();
        assert_eq!(tokens.find(begin), Err(TokensError::Ambiguous(begin.to_owned())));
        for nobody in ["", "7", "%"] {
            assert_eq!(tokens.find(nobody), Err(TokensError::NotFound(nobody.to_owned())));
        }
    }
}
