//! Percentiles of latencies, and CPU time a question.

use serde::Serialize;

/// Latencies of one kind, in microseconds. All zero when there were none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Latency {
    /// How many were measured.
    pub(crate) count: usize,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// From nanoseconds in any order. Every sample is kept, so the percentiles are exact.
    pub(crate) fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let total: u128 = nanos.iter().map(|n| u128::from(*n)).sum();
        Self {
            count: nanos.len(),
            mean: micros(u64::try_from(total / nanos.len().max(1) as u128).unwrap_or(u64::MAX)),
            p50: micros(percentile(&nanos, 500)),
            p90: micros(percentile(&nanos, 900)),
            p99: micros(percentile(&nanos, 990)),
            p999: micros(percentile(&nanos, 999)),
            max: micros(nanos.last().copied().unwrap_or(0)),
        }
    }
}

/// The smallest sample that at least `per_mille` of 1,000 samples do not exceed (nearest rank); `sorted` is.
pub(crate) fn percentile(sorted: &[u64], per_mille: usize) -> u64 {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// User and system time of a process in microseconds, from the text of `/proc/PID/stat`.
///
/// The fields count after the last `)`, since the command name before it may hold anything. A tick is 10 ms
/// on every Linux that Docker runs on.
pub(crate) fn cpu_micros(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 10_000)
}

#[expect(clippy::cast_precision_loss, reason = "a latency of 2^53 ns is 104 days")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
