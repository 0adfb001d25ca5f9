//! How long answers serve, how many are kept, and when they are asked for again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

/// After a failure, this long passes until the next question: while the directory is down, for all users
/// together, and otherwise for the user whose answer was not whole.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Once the directory answers again, users with old answers are asked for over so long, each at a moment of its
/// own, and not all at once.
pub(super) const RECOVERY: Duration = Duration::from_secs(5);

/// How long answers serve.
#[derive(Clone, Debug)]
pub(in crate::directory) struct Limits {
    /// How long a good answer is fresh.
    pub(in crate::directory) ttl: Duration,
    /// How long "no such user" and "refused" serve.
    pub(in crate::directory) negative_ttl: Duration,
    /// How old a good answer may get while the directory is down.
    pub(in crate::directory) grace: Duration,
    /// The longest time that a caller waits.
    pub(in crate::directory) call_deadline: Duration,
    /// The largest number of users.
    pub(in crate::directory) max_entries: usize,
    /// The largest number of group names in all answers together.
    pub(in crate::directory) max_names: usize,
}

/// How many group names are kept, unless it is to be another number; with 24 letters each they take some 50 MiB.
pub(in crate::directory) const MAX_NAMES: usize = 1_000_000;

/// Half of the time to live and up to an eighth more, by the name, so that users who came together are not
/// asked for together for ever.
pub(super) fn refresh_at(user: &str, ttl: Duration) -> Duration {
    ttl / 2 + moment_of(user, ttl / 8)
}

/// A moment in the span that is the name's own.
pub(super) fn moment_of(user: &str, span: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 64).unwrap_or_default();
    span * part / 64
}
