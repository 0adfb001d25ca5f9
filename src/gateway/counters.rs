//! What the gateway has taken in since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts; all but `open` only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections of clients that are open now.
    pub open: AtomicU64,
    /// Connections of clients since the start.
    pub connections: AtomicU64,
    /// Requests since the start.
    pub requests: AtomicU64,
    /// Requests that were refused before they were forwarded.
    pub refused: AtomicU64,
    /// Connections that became streams of their own: attach, exec, builds.
    pub upgraded: AtomicU64,
    /// Calls that the daemon did not answer.
    pub unanswered: AtomicU64,
    /// Calls that the daemon carried out without asking for a decision.
    pub unasked: AtomicU64,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
