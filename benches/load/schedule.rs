//! When a call is meant to be made, whether or not the ones before it have been answered.

use std::time::Duration;

/// Calls at even distances.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// Calls a second, at least one.
    pub(crate) rate: u32,
    /// How long calls are made.
    pub(crate) length: Duration,
}

impl Schedule {
    /// The time from the start at which call `number` (from 0) is due; none once the schedule is over.
    pub(crate) fn due(&self, number: u64) -> Option<Duration> {
        // From the number each time: a distance added up would drift by its rounding.
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.rate.max(1));
        let due = Duration::from_nanos(u64::try_from(nanos).ok()?);
        (due < self.length).then_some(due)
    }
}
