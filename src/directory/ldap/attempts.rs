//! Wrong passwords are counted here first: a directory would lock the account, for everything that it is used for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many wrong passwords of one account are passed on; directories lock it after five or more, as a rule.
const TRIES: u32 = 3;

/// After them, none is passed on until the last is so old.
const REST: Duration = Duration::from_mins(1);

/// The largest number of accounts that are counted; the one that was tried longest ago is forgotten.
const MAX_ACCOUNTS: usize = 10_000;

/// Wrong passwords by account.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<String, Tried>>);

#[derive(Debug)]
struct Tried {
    count: u32,
    last: Instant,
}

impl Attempts {
    /// Whether a password may be tried for the account. It counts as wrong from here on, so that tries at the
    /// same time are no way around, until [`Self::right`] or [`Self::untried`] says otherwise.
    pub(super) fn may_try(&self, account: &str, now: Instant) -> bool {
        let mut accounts = self.lock();
        if !accounts.contains_key(account) && accounts.len() >= MAX_ACCOUNTS {
            let oldest = accounts.iter().min_by_key(|(_, tried)| tried.last).map(|(name, _)| name.clone());
            oldest.and_then(|name| accounts.remove(&name));
        }
        let tried = accounts.entry(account.to_owned()).or_insert(Tried { count: 0, last: now });
        if now.saturating_duration_since(tried.last) >= REST {
            tried.count = 0;
        }
        if tried.count >= TRIES {
            return false;
        }
        tried.count += 1;
        tried.last = now;
        true
    }

    /// The password was right: what was wrong before is forgotten.
    pub(super) fn right(&self, account: &str) {
        self.lock().remove(account);
    }

    /// Nobody could be asked whether it was right.
    pub(super) fn untried(&self, account: &str) {
        if let Some(tried) = self.lock().get_mut(account) {
            tried.count = tried.count.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Tried>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_wrong_passwords_none_is_tried_for_a_minute() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        assert_eq!([(); 4].map(|()| attempts.may_try("a", now)), [true, true, true, false]);
        assert!(attempts.may_try("b", now));
        assert!(!attempts.may_try("a", now + Duration::from_secs(59)));
        assert!(attempts.may_try("a", now + REST));
        assert!(attempts.may_try("a", now + REST));
    }

    #[test]
    fn a_right_password_clears_the_count_and_one_that_was_not_tried_does_not_count() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..TRIES {
            assert!(attempts.may_try("a", now));
        }
        attempts.untried("a");
        assert!(attempts.may_try("a", now));
        assert!(!attempts.may_try("a", now));
        attempts.right("a");
        assert!(attempts.may_try("a", now));
    }

    #[test]
    fn the_number_of_accounts_is_bounded() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..=MAX_ACCOUNTS {
            assert!(attempts.may_try(&number.to_string(), now));
        }
        assert_eq!(attempts.lock().len(), MAX_ACCOUNTS);
    }
}
