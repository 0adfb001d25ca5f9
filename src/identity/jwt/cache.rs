//! Tokens that were found good, by the digest of their text: checking a signature again finds nothing new.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::Named;

/// How many tokens are remembered.
const MAX: usize = 4096;

/// What is known of a token that was good.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) named: Named,
    /// Whose it is: the place among the issuers.
    pub(super) issuer: usize,
    /// The version of the keys by which it was verified.
    pub(super) version: u64,
    /// The last second in which it is taken.
    pub(super) until: i64,
}

/// The tokens; never their text, which would be worth stealing.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<[u8; 32], Known>>);

impl Cache {
    pub(super) fn get(&self, token: &str, now: i64) -> Option<Known> {
        let known = self.lock().get(&digest(token)).cloned();
        known.filter(|known| now <= known.until)
    }

    pub(super) fn put(&self, token: &str, known: Known, now: i64) {
        let mut all = self.lock();
        if all.len() >= MAX {
            all.retain(|_, known| now <= known.until);
        }
        // Whoever has so many good tokens is served as before, only slower.
        if all.len() < MAX {
            all.insert(digest(token), known);
        }
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(until: i64) -> Known {
        let named =
            Named { user: "a".to_owned(), groups: vec![], roles: None, issuer: "i".to_owned(), id: None };
        Known { named, issuer: 0, version: 1, until }
    }

    #[test]
    fn a_token_is_remembered_to_its_last_second_and_under_its_own_text() {
        let cache = Cache::default();
        cache.put("t", known(10), 1);
        assert!(cache.get("t", 10).is_some());
        assert!(cache.get("t", 11).is_none());
        assert!(cache.get("T", 10).is_none());
        cache.clear();
        assert!(cache.get("t", 10).is_none());
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered_and_the_old_makes_room() {
        let cache = Cache::default();
        for n in 0..=MAX {
            cache.put(&n.to_string(), known(10), 1);
        }
        assert_eq!(cache.lock().len(), MAX);
        assert!(cache.get(&MAX.to_string(), 1).is_none());
        cache.put("new", known(20), 11);
        assert_eq!(cache.lock().len(), 1);
    }
}
