//! The signing key: Ed25519, and the compact form of what it signs.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::TokensError;
use crate::identity::LOCAL_ALGORITHM;

/// The length of a private key, in bytes (RFC 8032 §5.1.5).
pub(super) const SEED: usize = 32;

/// A private key with its id.
pub(super) struct Key {
    id: String,
    seed: [u8; SEED],
}

impl Key {
    pub(super) const fn new(id: String, seed: [u8; SEED]) -> Self {
        Self { id, seed }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn seed(&self) -> &[u8; SEED] {
        &self.seed
    }

    /// The public key as a JSON Web Key (RFC 8037 §2).
    pub(super) fn public(&self) -> Value {
        let public = self.pair().map(|pair| URL_SAFE_NO_PAD.encode(pair.public_key()));
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": LOCAL_ALGORITHM, "kid": self.id,
            "x": public.unwrap_or_default(),
        })
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, TokensError> {
        let header = json!({"alg": LOCAL_ALGORITHM, "typ": "JWT", "kid": self.id});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair()?.sign(message.as_bytes());
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn pair(&self) -> Result<Ed25519KeyPair, TokensError> {
        Ed25519KeyPair::from_seed_unchecked(&self.seed).map_err(|error| TokensError::Key(error.to_string()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}
