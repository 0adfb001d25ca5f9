//! An issuer's keys: public ones from a JSON Web Key Set, each only for the algorithms that fit it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::TokenError;
use crate::identity::SettingsError;

/// The largest number of keys.
const MAX_KEYS: usize = 64;

/// The smallest RSA modulus, in bytes (RFC 7518 §3.3).
const MIN_RSA: usize = 256;

/// The algorithms that can be allowed: name, family. Those with a shared secret are not among them, since who
/// could verify a token could make one.
const ALGORITHMS: [(Algorithm, &str, Family); 9] = [
    (Algorithm::RS256, "RS256", Family::Rs),
    (Algorithm::RS384, "RS384", Family::Rs),
    (Algorithm::RS512, "RS512", Family::Rs),
    (Algorithm::PS256, "PS256", Family::Ps),
    (Algorithm::PS384, "PS384", Family::Ps),
    (Algorithm::PS512, "PS512", Family::Ps),
    (Algorithm::ES256, "ES256", Family::Es),
    (Algorithm::ES384, "ES384", Family::Es),
    (Algorithm::EdDSA, "EdDSA", Family::Ed),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rs,
    Ps,
    Es,
    Ed,
}

/// The usable keys of an issuer.
#[derive(Debug)]
pub(super) struct Keys {
    allowed: Allowed,
    keys: Vec<Key>,
}

/// The algorithms that the settings allow.
#[derive(Clone, Debug)]
pub(super) struct Allowed(Vec<(Algorithm, &'static str)>);

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys of a key set. None that fits is no error: an issuer may take all of its keys back.
    ///
    /// # Errors
    /// What is wrong with the set; nothing of it is used then.
    pub(super) fn parse(text: &[u8], allowed: &Allowed) -> Result<Self, String> {
        parse(text, &allowed.0).map(|keys| Self { allowed: allowed.clone(), keys })
    }

    /// Whether no key can verify anything.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key for a header's algorithm and key id.
    ///
    /// # Errors
    /// [`TokenError::Algorithm`], or [`TokenError::UnknownKey`] where none or, without a key id, several fit.
    pub(super) fn find(
        &self,
        algorithm: &str,
        kid: Option<&str>,
    ) -> Result<(&DecodingKey, Algorithm), TokenError> {
        let algorithm = self.allowed.find(algorithm)?;
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithms.contains(&algorithm) && kid.is_none_or(|kid| key.id.as_deref() == Some(kid))
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok((&key.decoding, algorithm)),
            (None, _) | (Some(_), Some(_)) => Err(TokenError::UnknownKey),
        }
    }
}

impl Allowed {
    /// The settings' algorithms, all of one family: a key must not serve two ways of signing.
    pub(super) fn new(names: &[String]) -> Result<Self, SettingsError> {
        allowed(names).map(Self)
    }

    fn find(&self, algorithm: &str) -> Result<Algorithm, TokenError> {
        let found = self.0.iter().find(|(_, name)| *name == algorithm);
        found.map(|(algorithm, _)| *algorithm).ok_or(TokenError::Algorithm)
    }
}

fn allowed(names: &[String]) -> Result<Vec<(Algorithm, &'static str)>, SettingsError> {
    let fail = |message: String| SettingsError::new("identity.jwt.algorithms", message);
    let rows: Vec<_> = names
        .iter()
        .map(|name| {
            ALGORITHMS.iter().find(|(_, known, _)| known == name).ok_or_else(|| {
                let known: Vec<&str> = ALGORITHMS.iter().map(|(_, name, _)| *name).collect();
                fail(format!("`{}` is not one of {}", name.escape_debug(), known.join(", ")))
            })
        })
        .collect::<Result<_, _>>()?;
    match rows.as_slice() {
        [] => Err(fail("is empty: name at least one, such as `RS256`".to_owned())),
        [(_, _, first), rest @ ..] if rest.iter().any(|(_, _, family)| family != first) => {
            Err(fail("are of more than one family: keep to `RS…`, `PS…`, `ES…` or `EdDSA`".to_owned()))
        }
        [_, ..] => Ok(rows.iter().map(|(algorithm, name, _)| (*algorithm, *name)).collect()),
    }
}

/// The keys that can verify with an allowed algorithm. Others are passed over, as RFC 7517 §5 wants it, so
/// that an issuer can add kinds of keys; what must never be there is an error.
fn parse(text: &[u8], allowed: &[(Algorithm, &'static str)]) -> Result<Vec<Key>, String> {
    let set: Value = serde_json::from_slice(text).map_err(|error| format!("is not JSON: {error}"))?;
    let Some(entries) = set.get("keys").and_then(Value::as_array) else {
        return Err("is not a key set: there is no list `keys`".to_owned());
    };
    if entries.len() > MAX_KEYS {
        return Err(format!("holds more than {MAX_KEYS} keys"));
    }
    let mut keys: Vec<Key> = Vec::new();
    for entry in entries {
        if entry.get("d").is_some() {
            return Err("holds a private key: take it out of the file, and out of use".to_owned());
        }
        let Ok(jwk) = serde_json::from_value::<Jwk>(entry.clone()) else { continue };
        let Some(key) = key(&jwk, allowed)? else { continue };
        if key.id.is_some() && keys.iter().any(|other| other.id == key.id) {
            return Err("holds two keys with the same `kid`".to_owned());
        }
        keys.push(key);
    }
    Ok(keys)
}

fn key(jwk: &Jwk, allowed: &[(Algorithm, &'static str)]) -> Result<Option<Key>, String> {
    let common = &jwk.common;
    let is_for_signatures =
        common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let said: Option<Option<Algorithm>> =
        common.key_algorithm.map(|algorithm| Algorithm::try_from(algorithm).ok());
    let algorithms: Vec<Algorithm> = allowed
        .iter()
        .map(|(algorithm, _)| *algorithm)
        .filter(|algorithm| {
            fits(&jwk.algorithm, *algorithm) && said.is_none_or(|said| said == Some(*algorithm))
        })
        .collect();
    if algorithms.is_empty() || !is_for_signatures {
        return Ok(None);
    }
    if let AlgorithmParameters::RSA(parameters) = &jwk.algorithm {
        let modulus =
            URL_SAFE_NO_PAD.decode(&parameters.n).map_err(|_| "holds a damaged RSA key".to_owned())?;
        if modulus.len() < MIN_RSA {
            return Err("holds an RSA key of less than 2048 bits".to_owned());
        }
    }
    let decoding = DecodingKey::from_jwk(jwk).map_err(|error| format!("holds a damaged key: {error}"))?;
    Ok(Some(Key { id: common.key_id.clone(), algorithms, decoding }))
}

/// Whether the algorithm is one for this kind of key. A shared secret fits none: taken from a public file, it
/// would let anybody sign.
fn fits(parameters: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    let family = ALGORITHMS.iter().find(|(known, _, _)| *known == algorithm).map(|(_, _, family)| *family);
    match parameters {
        AlgorithmParameters::RSA(_) => matches!(family, Some(Family::Rs | Family::Ps)),
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => algorithm == Algorithm::ES256,
            EllipticCurve::P384 => algorithm == Algorithm::ES384,
            // Curves that are not signed with here, and those that the library learns later.
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(parameters) => {
            parameters.curve == EllipticCurve::Ed25519 && algorithm == Algorithm::EdDSA
        }
        // Shared secrets, unknown kinds, and those that the library learns later.
        _ => false,
    }
}
