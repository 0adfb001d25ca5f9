//! Tokens: a signed JWT of a configured issuer, checked claim by claim.

mod attacks;
mod cache;
mod claims;
mod denied;
mod error;
mod fetched;
mod keys;
mod local;
mod object;
mod ring;

pub use error::TokenError;
pub use local::{ALGORITHM as LOCAL_ALGORITHM, Issued, Local};

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;

use super::{JwtSettings, SettingsError};
use cache::{Cache, Known};
use claims::Rules;
use denied::Denied;
use object::Object;
use ring::Keyring;

/// Longer tokens are refused unread.
const MAX_BYTES: usize = 16 << 10;

/// Members of a token's header that would change what is verified, or with what (RFC 7515 §4.1, RFC 7797).
const REFUSED_MEMBERS: [&str; 6] = ["crit", "b64", "jku", "jwk", "x5u", "x5c"];

/// Types that a token for us may say it has (RFC 7519 §5.1, RFC 9068 §2.1); none is fine too.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// A user named by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
    /// The only roles that it holds, where this host itself says so.
    pub(super) roles: Option<Vec<String>>,
    pub(super) issuer: String,
    pub(super) id: Option<String>,
}

/// The trusted issuers, with their keys and what is known of their tokens.
#[derive(Debug)]
pub(super) struct Issuers {
    all: Vec<Issuer>,
    /// This host itself.
    local: Option<Local>,
    cache: Cache,
}

#[derive(Debug)]
struct Issuer {
    rules: Rules,
    ring: Arc<Keyring>,
    denied: Denied,
}

/// The three parts of a compact JWS, and what of it is signed.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signed: &'a str,
}

impl Issuers {
    /// Checks the settings and reads the files that they name; what has to be fetched is not there yet.
    pub(super) fn load(settings: &[JwtSettings], local: Option<Local>) -> Result<Self, SettingsError> {
        // Which provider is in use must not hang on what other packages switch on; a second call changes nothing.
        let (Ok(()) | Err(_)) = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut issuers: Vec<Issuer> = Vec::new();
        for settings in settings {
            let ring = Arc::new(Keyring::open(settings)?);
            let denied = Denied::open(settings.denied_ids_file.clone())?;
            let rules = Rules::new(settings.clone())?;
            if issuers.iter().any(|other| other.rules.issuer() == rules.issuer()) {
                let message = format!("`{}` is there twice: keep one", rules.issuer().escape_debug());
                return Err(SettingsError::new("identity.jwt.issuer", message));
            }
            issuers.push(Issuer { rules, ring, denied });
        }
        Ok(Self { all: issuers, local, cache: Cache::default() })
    }

    /// Whether nobody is trusted to issue anything.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.local.is_none()
    }

    /// Reads the files again: all of them, or nothing changes. Keys that were fetched stay.
    pub(super) fn reload(&self) -> Result<(), SettingsError> {
        let read = self.all.iter().map(|issuer| Ok((issuer.ring.read()?, issuer.denied.read()?)));
        let read: Vec<_> = read.collect::<Result<_, SettingsError>>()?;
        for (issuer, (keys, denied)) in self.all.iter().zip(read) {
            issuer.denied.replace(denied);
            issuer.ring.replace(keys);
        }
        self.cache.clear();
        Ok(())
    }

    /// The user whom the token names, once its signature and every claim hold.
    pub(super) fn read(&self, token: &str, now: jiff::Timestamp) -> Result<Named, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::TooLong);
        }
        let seconds = now.as_second();
        if let Some(known) = self.cache.get(token, seconds)
            && let Some(issuer) = self.all.get(known.issuer)
            && issuer.ring.version() == known.version
        {
            // What does not hang on the token alone is asked each time.
            issuer.ring.keys(now)?;
            issuer.denied.check(known.named.id.as_deref())?;
            return Ok(known.named.clone());
        }
        let parts = parts(token)?;
        let header = decode(parts.header).ok_or(TokenError::NotJws)?;
        let (algorithm, kid) = header_of(&header)?;
        let claims = decode(parts.payload).ok_or(TokenError::NotJws)?;
        if let Some(local) = self.local.as_ref().filter(|local| claims.text("iss") == Some(local.host())) {
            return local.read(&parts, (algorithm, kid), &claims, now);
        }
        let (number, issuer) = self.issuer(&claims)?;
        // Before the keys: where they change meanwhile, what is remembered is of the old ones and does not count.
        let version = issuer.ring.version();
        let keys = issuer.ring.keys(now)?;
        let (key, algorithm) = keys.find(algorithm, kid)?;
        match crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature),
        }
        let named = issuer.rules.apply(&claims, now)?;
        issuer.denied.check(named.id.as_deref())?;
        let until = claims::last_second(&claims)?;
        self.cache.put(token, Known { named: named.clone(), issuer: number, version, until }, seconds);
        Ok(named)
    }

    /// Fetches the keys of the token's issuer anew, where that may help; whether they are other ones now.
    ///
    /// Nothing in the token is believed for that: anybody can make an issuer be asked, so that is limited.
    pub(super) async fn refetch(&self, token: &str, now: jiff::Timestamp) -> bool {
        let issuer = parts(token).ok().and_then(|parts| decode(parts.payload));
        let issuer = issuer.and_then(|claims| self.issuer(&claims).ok().map(|(_, issuer)| &issuer.ring));
        match issuer {
            Some(ring) => ring.refetch(now).await,
            None => false,
        }
    }

    /// Fetches the keys of every issuer that has any to fetch; what came of it, by issuer.
    pub(super) async fn fetch(&self, now: jiff::Timestamp) -> Vec<(String, Result<(), String>)> {
        let mut fetched = Vec::new();
        for issuer in self.all.iter().filter(|issuer| issuer.ring.is_fetched()) {
            fetched.push((issuer.rules.issuer().to_owned(), issuer.ring.fetch(now).await.map(drop)));
        }
        fetched
    }

    /// Keeps fetched keys fresh, for ever.
    pub(super) async fn keep(&self, now: fn() -> jiff::Timestamp) {
        let mut tasks: tokio::task::JoinSet<()> =
            self.all.iter().map(|issuer| Arc::clone(&issuer.ring).keep(now)).collect();
        while tasks.join_next().await.is_some() {}
    }

    /// The issuer only says whose keys to try: nothing is believed before the signature holds.
    fn issuer(&self, claims: &Object) -> Result<(usize, &Issuer), TokenError> {
        let issuer = claims.text("iss").ok_or(TokenError::Claim("iss"))?;
        let mut all = self.all.iter().enumerate();
        all.find(|(_, known)| known.rules.issuer() == issuer).ok_or(TokenError::UnknownIssuer)
    }
}

/// Exactly three parts of unpadded base64url, so that no two texts are the same token.
fn parts(token: &str) -> Result<Parts<'_>, TokenError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::NotJws)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::NotJws)?;
    if payload.contains('.') || signature.is_empty() || !token.bytes().all(is_plain) {
        return Err(TokenError::NotJws);
    }
    Ok(Parts { header, payload, signature, signed })
}

fn decode(part: &str) -> Option<Object> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The algorithm and the key id that the header names.
fn header_of(header: &Object) -> Result<(&str, Option<&str>), TokenError> {
    if REFUSED_MEMBERS.iter().any(|name| header.get(name).is_some()) {
        return Err(TokenError::Header);
    }
    if header.get("typ").is_some() {
        let kind = header.text("typ").ok_or(TokenError::Header)?;
        if !TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(TokenError::Header);
        }
    }
    let kid = match header.get("kid") {
        None => None,
        Some(_) => Some(header.text("kid").ok_or(TokenError::Header)?),
    };
    Ok((header.text("alg").ok_or(TokenError::Header)?, kid))
}
