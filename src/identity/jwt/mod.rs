//! Tokens: a signed JWT of a configured issuer, checked claim by claim.

mod attacks;
mod claims;
mod error;
mod keys;
mod object;

pub use error::TokenError;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;

use super::{JwtSettings, SettingsError, check_name};
use claims::Rules;
use keys::Keys;
use object::Object;

/// Longer tokens are refused unread.
const MAX_BYTES: usize = 16 << 10;

/// Members of a token's header that would change what is verified, or with what (RFC 7515 §4.1, RFC 7797).
const REFUSED_MEMBERS: [&str; 6] = ["crit", "b64", "jku", "jwk", "x5u", "x5c"];

/// Types that a token for us may say it has (RFC 7519 §5.1, RFC 9068 §2.1); none is fine too.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// A user named by a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
    pub(super) issuer: String,
    pub(super) id: Option<String>,
}

/// The trusted issuers, with their keys.
#[derive(Debug)]
pub(super) struct Issuers(Vec<Issuer>);

#[derive(Debug)]
struct Issuer {
    rules: Rules,
    keys: Keys,
}

/// The three parts of a compact JWS, and what of it is signed.
struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signed: &'a str,
}

impl Issuers {
    /// Checks the settings and reads the key files.
    pub(super) fn load(settings: &[JwtSettings]) -> Result<Self, SettingsError> {
        // Which provider is in use must not hang on what other packages switch on; a second call changes nothing.
        let (Ok(()) | Err(_)) = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut issuers: Vec<Issuer> = Vec::new();
        for settings in settings {
            let keys = Keys::load(settings)?;
            let rules = Rules::new(settings.clone())?;
            if issuers.iter().any(|other| other.rules.issuer() == rules.issuer()) {
                let message = format!("`{}` is there twice: keep one", rules.issuer().escape_debug());
                return Err(SettingsError::new("identity.jwt.issuer", message));
            }
            issuers.push(Issuer { rules, keys });
        }
        Ok(Self(issuers))
    }

    /// The user whom the token names, once its signature and every claim hold.
    pub(super) fn read(&self, token: &str, now: jiff::Timestamp) -> Result<Named, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::TooLong);
        }
        let parts = parts(token)?;
        let header = decode(parts.header).ok_or(TokenError::NotJws)?;
        let (algorithm, kid) = header_of(&header)?;
        // The issuer only says whose keys to try: nothing else is believed before the signature holds.
        let claims = decode(parts.payload).ok_or(TokenError::NotJws)?;
        let issuer = claims.text("iss").ok_or(TokenError::Claim("iss"))?;
        let issuer =
            self.0.iter().find(|known| known.rules.issuer() == issuer).ok_or(TokenError::UnknownIssuer)?;
        let (key, algorithm) = issuer.keys.find(algorithm, kid)?;
        match crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm) {
            Ok(true) => issuer.rules.apply(&claims, now),
            Ok(false) | Err(_) => Err(TokenError::Signature),
        }
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

/// Refuses a prefix that could never be part of a good name.
fn check_prefix(setting: &str, prefix: &str) -> Result<(), SettingsError> {
    if prefix.is_empty() {
        return Ok(());
    }
    check_name(&format!("{prefix}x")).map_err(|error| SettingsError::new(setting, error.to_string()))
}
