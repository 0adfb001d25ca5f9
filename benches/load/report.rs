//! What was measured, as a table and as JSON.

use std::time::Duration;

use serde::Serialize;

use super::questions::Kind;
use super::stats::Latency;

/// What one call took; both questions of it were answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    /// When it was due (open loop) or sent (closed loop), from the start of the loop.
    pub(crate) due: Duration,
    /// From when it was due until the answer to its request.
    pub(crate) request: Duration,
    /// From the answer to its request until the answer to its response, as dockerd would wait for it.
    pub(crate) response: Duration,
    /// How late the generator itself sent it: waiting for a free connection, or for a CPU.
    pub(crate) late: Duration,
    pub(crate) allowed: bool,
}

/// One measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    #[serde(rename = "loop")]
    pub(crate) mode: &'static str,
    pub(crate) connections: u16,
    /// Docker calls a second that were due; none in a closed loop.
    pub(crate) rate: Option<u32>,
    pub(crate) seconds: u64,
    /// Questions answered a second: each allowed call is two.
    pub(crate) questions_per_second: f64,
    /// Microseconds of user and system time of the server a question.
    pub(crate) cpu_us_per_question: Option<f64>,
    /// Resident memory of the server at the end.
    pub(crate) rss_kib: Option<u64>,
    pub(crate) calls_allowed: usize,
    pub(crate) calls_denied: usize,
    /// Microseconds until the answer to the question before a call; in an open loop from when it was due.
    pub(crate) request: Latency,
    /// Microseconds until the answer to the question after a call.
    pub(crate) response: Latency,
    /// Both together: what the plugin adds to a Docker call.
    pub(crate) call: Latency,
    /// How late the generator was. In an open loop, what exceeds this is the server's.
    pub(crate) late: Latency,
    /// `request`, kind by kind.
    pub(crate) kinds: Vec<(Kind, Latency)>,
}

/// What the server used during the measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) cpu_micros: Option<u64>,
    pub(crate) rss_kib: Option<u64>,
}

/// The measured part of a run: from `warm_up` on, for `seconds`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) warm_up: Duration,
    pub(crate) seconds: u64,
}

impl Window {
    fn holds(self, moment: Duration) -> bool {
        moment >= self.warm_up && moment < self.warm_up + Duration::from_secs(self.seconds)
    }
}

impl Row {
    pub(crate) fn of(
        mode: &'static str,
        connections: u16,
        rate: Option<u32>,
        window: Window,
        samples: &[Sample],
        used: Used,
    ) -> Self {
        let due: Vec<&Sample> = samples.iter().filter(|sample| window.holds(sample.due)).collect();
        let questions = samples
            .iter()
            .filter(|sample| window.holds(sample.due + sample.request + sample.response))
            .map(|sample| if sample.allowed { 2 } else { 1 })
            .sum::<u32>();
        let latency =
            |of: fn(&Sample) -> Duration| Latency::of(due.iter().map(|sample| nanos(of(sample))).collect());
        let allowed = due.iter().filter(|sample| sample.allowed).count();
        let kinds = [Kind::Ping, Kind::List, Kind::Create, Kind::Start, Kind::Logs].map(|kind| {
            let of_kind = due.iter().filter(|sample| sample.kind == kind).map(|sample| nanos(sample.request));
            (kind, Latency::of(of_kind.collect()))
        });
        Self {
            mode,
            connections,
            rate,
            seconds: window.seconds,
            questions_per_second: f64::from(questions) / Duration::from_secs(window.seconds).as_secs_f64(),
            cpu_us_per_question: used
                .cpu_micros
                .map(|cpu| Duration::from_micros(cpu).as_secs_f64() * 1e6 / f64::from(questions.max(1))),
            rss_kib: used.rss_kib,
            calls_allowed: allowed,
            calls_denied: due.len() - allowed,
            request: latency(|sample| sample.request),
            response: latency(|sample| sample.response),
            call: latency(|sample| sample.request + sample.response),
            late: latency(|sample| sample.late),
            kinds: kinds.to_vec(),
        }
    }
}

/// A table for people. Latencies are of the question before a call, in microseconds.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "loop",
        "conns",
        "questions/s",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "max µs",
        "late p99",
        "CPU µs",
        "RSS MiB",
        "denied",
    ]);
    for row in rows {
        let some = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
        table.add_row([
            row.mode.to_owned(),
            row.connections.to_string(),
            format!("{:.0}", row.questions_per_second),
            format!("{:.0}", row.request.p50),
            format!("{:.0}", row.request.p99),
            format!("{:.0}", row.request.p999),
            format!("{:.0}", row.request.max),
            format!("{:.0}", row.late.p99),
            some(row.cpu_us_per_question),
            some(row.rss_kib.map(|kib| Duration::from_millis(kib).as_secs_f64() * 1000.0 / 1024.0)),
            row.calls_denied.to_string(),
        ]);
    }
    table.to_string()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
