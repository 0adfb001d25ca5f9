//! What the cache did so far, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::{Answer, is_failure};

/// What is in the cache now, and what it did since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Names with groups.
    pub users: usize,
    /// Names without: unknown, refused, or being asked for.
    pub others: usize,
    /// Names of groups in all answers.
    pub names: usize,
    /// The age of the oldest groups.
    pub oldest_seconds: Option<u64>,
    /// Why the directory cannot be asked, if it cannot.
    pub down: Option<String>,
    /// Look-ups answered from what was fresh.
    pub at_once: u64,
    /// Look-ups that waited for the directory, and had its answer.
    pub waited: u64,
    /// Look-ups answered with old groups, since the directory could not be asked.
    pub stale: u64,
    /// Look-ups without an answer: denials.
    pub unanswered: u64,
    /// Questions to the directory.
    pub asked: u64,
    /// Questions that it did not answer.
    pub failed: u64,
    /// Answers given up for newer ones, for want of room.
    pub forgotten: u64,
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    at_once: AtomicU64,
    waited: AtomicU64,
    stale: AtomicU64,
    unanswered: AtomicU64,
    asked: AtomicU64,
    failed: AtomicU64,
    forgotten: AtomicU64,
}

impl Tally {
    /// A look-up that did not wait.
    pub(super) fn at_once(&self, answer: &Answer) {
        self.answered(answer, &self.at_once);
    }

    /// A look-up that waited.
    pub(super) fn waited(&self, answer: &Answer) {
        self.answered(answer, &self.waited);
    }

    /// A question to the directory.
    pub(super) fn asked(&self) {
        count(&self.asked);
    }

    /// The end of a question.
    pub(super) fn landed(&self, answer: &Answer) {
        if answer.as_ref().is_err_and(is_failure) {
            count(&self.failed);
        }
    }

    /// An answer that had to go.
    pub(super) fn forgotten(&self) {
        count(&self.forgotten);
    }

    /// The numbers, and nothing of what is in the cache.
    pub(super) fn status(&self) -> CacheStatus {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStatus {
            at_once: now(&self.at_once),
            waited: now(&self.waited),
            stale: now(&self.stale),
            unanswered: now(&self.unanswered),
            asked: now(&self.asked),
            failed: now(&self.failed),
            forgotten: now(&self.forgotten),
            ..CacheStatus::default()
        }
    }

    fn answered(&self, answer: &Answer, good: &AtomicU64) {
        count(match answer {
            Ok(looked) if looked.stale => &self.stale,
            Err(error) if is_failure(error) => &self.unanswered,
            Ok(_) | Err(_) => good,
        });
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
