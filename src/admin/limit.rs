//! How many questions somebody may ask: so many a second for long, ten times as many at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Names that are remembered; when there are more, those who may ask freely are forgotten.
const MOST: usize = 10_000;

/// What everybody has left.
#[derive(Debug)]
pub(super) struct Limit {
    rate: f64,
    left: Mutex<HashMap<String, (Timestamp, f64)>>,
}

impl Limit {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate: f64::from(rate.max(1)), left: Mutex::default() }
    }

    /// Takes one question off what somebody has left; no if nothing is.
    pub(super) fn takes(&self, name: &str, now: Timestamp) -> bool {
        let most = self.rate * 10.0;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let refilled = |(since, had): (Timestamp, f64)| {
            (had + now.duration_since(since).as_secs_f64().max(0.0) * self.rate).min(most)
        };
        if left.len() >= MOST {
            left.retain(|_, entry| refilled(*entry) < most);
        }
        let has = left.get(name).copied().map_or(most, refilled);
        let takes = has >= 1.0;
        left.insert(name.to_owned(), (now, if takes { has - 1.0 } else { has }));
        takes
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Limit;

    #[test]
    fn a_burst_is_taken_and_then_so_many_a_second_for_each() {
        let limit = Limit::new(2);
        let at = |second| Timestamp::from_second(second).unwrap();
        let taken =
            |name: &str, second, asked: usize| (0..asked).filter(|_| limit.takes(name, at(second))).count();
        assert_eq!(taken("alice", 100, 50), 20);
        assert_eq!(taken("bob", 100, 1), 1);
        assert_eq!(taken("alice", 101, 50), 2);
        assert_eq!(taken("alice", 99, 50), 0, "a clock that was set back gives nothing");
        assert_eq!(taken("alice", 1_000, 50), 20);
    }
}
