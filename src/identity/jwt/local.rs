//! Tokens that this host's own daemon signs: good only while the daemon itself knows them as issued and not revoked.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use jsonwebtoken::crypto;

use super::keys::{Allowed, Keys};
use super::object::Object;
use super::{Named, Parts, TokenError, claims};

/// The algorithm of these tokens, and the only one.
pub const ALGORITHM: &str = "EdDSA";

/// A token that was issued, as the daemon wrote it down; the token itself only proves which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Whom it names.
    pub user: String,
    /// The groups that it adds to those of the directory.
    pub groups: Vec<String>,
    /// The only roles that it holds; `None` means those of its user.
    pub roles: Option<Vec<String>>,
    /// When it ends.
    pub expires: Timestamp,
}

/// The keys and tokens of this host: the issuer of tokens keeps them current, and evidence is held against them.
///
/// Clones are the same one.
#[derive(Clone)]
pub struct Local(Arc<Inner>);

struct Inner {
    /// What these tokens have as issuer and as audience: nobody else issues them, and they are for no other host.
    host: String,
    keys: ArcSwapOption<Keys>,
    live: RwLock<HashMap<String, Issued>>,
}

impl Local {
    /// For the host of that name; without keys, and so without any good token, until they are told.
    pub fn new(host: impl Into<String>) -> Self {
        let (keys, live) = (ArcSwapOption::empty(), RwLock::default());
        Self(Arc::new(Inner { host: host.into(), keys, live }))
    }

    /// What these tokens have as issuer and as audience.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Verifies by this JSON Web Key Set from now on.
    ///
    /// # Errors
    /// What is wrong with it; the keys before it stay.
    pub fn trust(&self, keys: &str) -> Result<(), String> {
        let allowed = Allowed::new(&[ALGORITHM.to_owned()]).map_err(|error| error.to_string())?;
        self.0.keys.store(Some(Arc::new(Keys::parse(keys.as_bytes(), &allowed)?)));
        Ok(())
    }

    /// The tokens that are good from now on, by their ids, and no others.
    pub fn replace(&self, live: HashMap<String, Issued>) {
        *self.0.live.write().unwrap_or_else(std::sync::PoisonError::into_inner) = live;
    }

    /// The user whom a token of this host names.
    pub(super) fn read(
        &self,
        parts: &Parts<'_>,
        (algorithm, kid): (&str, Option<&str>),
        claims: &Object,
        now: Timestamp,
    ) -> Result<Named, TokenError> {
        let keys = self.0.keys.load();
        let keys = keys.as_ref().ok_or(TokenError::UnknownKey)?;
        let (key, algorithm) = keys.find(algorithm, Some(kid.ok_or(TokenError::UnknownKey)?))?;
        match crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature),
        }
        if claims.text("aud") != Some(self.host()) {
            return Err(TokenError::Audience);
        }
        if now.as_second() > claims::last_second(claims)? {
            return Err(TokenError::Expired);
        }
        let id = claims.text("jti").ok_or(TokenError::Claim("jti"))?;
        let live = self.0.live.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Revoked, or issued by a daemon whose database is gone: nobody vouches for it any more.
        let issued = live.get(id).ok_or(TokenError::Revoked)?;
        if claims.text("sub") != Some(&issued.user) {
            return Err(TokenError::Claim("sub"));
        }
        if now > issued.expires {
            return Err(TokenError::Expired);
        }
        Ok(Named {
            user: issued.user.clone(),
            groups: issued.groups.clone(),
            roles: issued.roles.clone(),
            issuer: self.host().to_owned(),
            id: Some(id.to_owned()),
        })
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("host", &self.0.host).finish_non_exhaustive()
    }
}
