//! Signed calls: how the gateway of another process says who asks, to a plugin that has the same key.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ticket::{Holder, Ticket};
use crate::audit::DecisionId;
use crate::identity::Attested;

/// What is signed begins so: a signature is good for nothing else.
const PURPOSE: &[u8] = b"wharfinger gateway call, version 1";

/// How far the two clocks, and the way of the call, may be apart.
const WINDOW: SignedDuration = SignedDuration::from_secs(30);

/// The shortest key, in bytes.
const KEY_LENGTH: usize = 32;

/// Calls of one window that are remembered, so that none is taken twice.
const REMEMBERED: usize = 65_536;

/// The key that a gateway and a plugin share.
#[derive(Clone)]
pub struct Key(Arc<hmac::Key>);

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("cannot read the gateway's key `{0}`: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// Others could read it.
    #[error("the gateway's key `{0}` can be read by others than its owner: `chmod 600 {0}`")]
    Open(PathBuf),
    /// It is too short to be one.
    #[error(
        "the gateway's key `{0}` has fewer than {KEY_LENGTH} bytes: `head -c 32 /dev/urandom | base64 > {0}` makes one"
    )]
    Short(PathBuf),
}

impl Key {
    /// Reads a key file; white space around the key is not part of it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let error = |error| KeyError::Read(path.to_owned(), error);
        if std::fs::metadata(path).map_err(error)?.mode() & 0o077 != 0 {
            return Err(KeyError::Open(path.to_owned()));
        }
        let bytes = std::fs::read(path).map_err(error)?;
        Self::of(bytes.trim_ascii()).ok_or_else(|| KeyError::Short(path.to_owned()))
    }

    /// The key of these bytes, if they are enough.
    fn of(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= KEY_LENGTH).then(|| Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes))))
    }

    /// The header's value for one call of a known user.
    pub fn sign(&self, attested: &Attested, method: &str, uri: &str, call: Call) -> Option<String> {
        let claims = Claims {
            user: attested.user.clone(),
            uid: attested.uid,
            login_uid: attested.login_uid,
            pid: attested.pid,
            id: call.id,
            millis: call.time.as_millisecond(),
            nonce: u128::from_be_bytes(call.nonce),
        };
        let claims = serde_json::to_vec(&claims).ok()?;
        let tag = hmac::sign(&self.0, &signed(method, uri, &claims));
        Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(tag.as_ref())))
    }
}

/// What makes a signed call different from every other.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The id that its decision has.
    pub id: DecisionId,
    /// When it is sent on.
    pub time: Timestamp,
    /// Sixteen bytes that nobody can foresee.
    pub nonce: [u8; 16],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    user: String,
    uid: u32,
    login_uid: Option<u32>,
    pid: Option<i32>,
    id: DecisionId,
    millis: i64,
    nonce: u128,
}

/// Checks signed calls.
pub(super) struct Verifier {
    key: Key,
    /// The nonces of the window, and when each may be forgotten.
    seen: Mutex<HashMap<u128, Timestamp>>,
}

impl Verifier {
    pub(super) fn new(key: Key) -> Self {
        Self { key, seen: Mutex::default() }
    }

    /// The ticket of a signed call, once; nothing for any other.
    pub(super) fn admit(&self, value: &str, method: &str, uri: &str, now: Timestamp) -> Option<Ticket> {
        let (claims, tag) = value.split_once('.')?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.key.0, &signed(method, uri, &claims), &tag).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        let time = Timestamp::from_millisecond(claims.millis).ok()?;
        if now.duration_since(time).abs() > WINDOW || !self.first(claims.nonce, now) {
            return None;
        }
        let Claims { user, uid, login_uid, pid, id, .. } = claims;
        let holder = Holder::Known(Attested { user, uid, login_uid, pid });
        Some(Ticket::new(holder, method, uri, id, None))
    }

    /// Whether nobody has shown this nonce before; where too many are remembered, none is believed.
    fn first(&self, nonce: u128, now: Timestamp) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.retain(|_, until| *until >= now);
        }
        // Fail closed: a nonce that cannot be remembered could come again.
        if seen.len() >= REMEMBERED || seen.contains_key(&nonce) {
            return false;
        }
        // A call that is as early as it may be is good for two windows.
        let until = now.checked_add(WINDOW * 2).unwrap_or(Timestamp::MAX);
        seen.insert(nonce, until);
        true
    }
}

/// The bytes that the signature is over: each part with its length before it.
fn signed(method: &str, uri: &str, claims: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(claims.len() + uri.len() + 80);
    for part in [PURPOSE, method.as_bytes(), uri.as_bytes(), claims] {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    }
    bytes
}

/// Without the key, which is in no log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Without key and nonces.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn key(byte: u8) -> Key {
        Key::of(&[byte; 32]).unwrap()
    }

    fn alice() -> Attested {
        Attested { user: "alice".to_owned(), uid: 1000, login_uid: Some(7), pid: None }
    }

    fn at(seconds: i64, nonce: u8) -> Call {
        let time = Timestamp::from_second(seconds).unwrap();
        Call { id: DecisionId::new(NOW, [3; 10]), time, nonce: [nonce; 16] }
    }

    fn value(key: &Key) -> String {
        key.sign(&alice(), "GET", "/info", at(0, 1)).unwrap()
    }

    #[test]
    fn a_signed_call_is_the_users_and_keeps_its_id_and_is_taken_once() {
        let verifier = Verifier::new(key(1));
        let value = value(&key(1));
        let ticket = verifier.admit(&value, "GET", "/info", NOW).unwrap();
        assert_eq!(ticket.holder, Holder::Known(alice()));
        assert_eq!(ticket.id, DecisionId::new(NOW, [3; 10]));
        assert!(verifier.admit(&value, "GET", "/info", NOW).is_none());
    }

    #[test]
    fn a_signature_is_good_for_its_own_call_and_key_alone() {
        let verifier = Verifier::new(key(1));
        let good = value(&key(1));
        for (value, method, uri) in [
            (good.clone(), "POST", "/info"),
            (good.clone(), "GET", "/info?x=1"),
            (value(&key(2)), "GET", "/info"),
            (good.replace('.', ""), "GET", "/info"),
            (format!("{good}A"), "GET", "/info"),
            (good.split('.').next().unwrap().to_owned() + ".", "GET", "/info"),
            (String::new(), "GET", "/info"),
        ] {
            assert!(verifier.admit(&value, method, uri, NOW).is_none(), "{value} {method} {uri}");
        }
        assert!(verifier.admit(&good, "GET", "/info", NOW).is_some());
    }

    #[test]
    fn what_was_changed_by_a_single_character_is_no_signed_call() {
        let verifier = Verifier::new(key(1));
        let good = value(&key(1));
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verifier.admit(&changed, "GET", "/info", NOW).is_none(), "{at}");
        }
    }

    #[test]
    fn a_call_is_taken_within_half_a_minute_of_its_time() {
        for (seconds, taken) in [(-31, false), (-30, true), (30, true), (31, false)] {
            let verifier = Verifier::new(key(1));
            let value = key(1).sign(&alice(), "GET", "/info", at(seconds, 1)).unwrap();
            assert_eq!(verifier.admit(&value, "GET", "/info", NOW).is_some(), taken, "{seconds}");
        }
    }

    #[test]
    fn a_nonce_is_remembered_for_as_long_as_its_call_is_good() {
        let verifier = Verifier::new(key(1));
        assert!(verifier.first(1, NOW));
        for nonce in 2..=REMEMBERED as u128 {
            assert!(verifier.first(nonce, NOW));
        }
        let later = |seconds| Timestamp::from_second(seconds).unwrap();
        assert!(!verifier.first(0, later(59)), "no room for another");
        assert!(verifier.first(0, later(61)));
    }

    #[test]
    fn a_key_is_long_enough_and_nobody_elses_to_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        assert!(matches!(Key::read(&path), Err(KeyError::Read(..))));
        std::fs::write(&path, "x".repeat(31) + " \n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(matches!(Key::read(&path), Err(KeyError::Short(_))));
        std::fs::write(&path, "x".repeat(32)).unwrap();
        assert_eq!(format!("{:?}", Key::read(&path).unwrap()), "Key(..)");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(Key::read(&path), Err(KeyError::Open(_))));
    }
}
