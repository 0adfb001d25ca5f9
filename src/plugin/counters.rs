//! What has been answered since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of answers; each only grows.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls permitted.
    pub permitted: AtomicU64,
    /// Calls denied, for whatever cause.
    pub denied: AtomicU64,
    /// Denials whose record could not be written.
    pub unrecorded: AtomicU64,
    /// Requests that panicked; each was denied.
    pub panics: AtomicU64,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
