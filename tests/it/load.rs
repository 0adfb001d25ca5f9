//! The arithmetic of the load generator: percentiles, schedule, what is asked, how answers are read.

#[path = "../../benches/load/http.rs"]
mod http;
#[path = "../../benches/load/questions.rs"]
mod questions;
#[path = "../../benches/load/report.rs"]
mod report;
#[path = "../../benches/load/schedule.rs"]
mod schedule;
#[path = "../../benches/load/stats.rs"]
mod stats;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use http::{Answer, answer, body, question};
use questions::{Call, Caller, Kind, calls};
use report::{Row, Sample, Used, Window, table};
use schedule::Schedule;
use stats::{Latency, cpu_micros, percentile};

#[test]
fn percentiles_are_by_nearest_rank() {
    let samples: Vec<u64> = (1..=1000).collect();

    let found = [500, 900, 990, 999, 1000].map(|per_mille| percentile(&samples, per_mille));

    assert_eq!(found, [500, 900, 990, 999, 1000]);
}

#[test]
fn one_slow_answer_in_ten_is_the_99th_percentile_and_not_the_median() {
    let samples = [1, 1, 1, 1, 1, 1, 1, 1, 1, 70];

    assert_eq!((percentile(&samples, 500), percentile(&samples, 900), percentile(&samples, 990)), (1, 1, 70));
}

#[test]
fn no_sample_is_zero_and_one_sample_is_every_percentile() {
    assert_eq!((percentile(&[], 990), percentile(&[7], 1), percentile(&[7], 999)), (0, 7, 7));
}

#[test]
fn latencies_are_summed_up_in_microseconds_whatever_their_order() {
    let expected = Latency { count: 4, mean: 2.5, p50: 2.0, p90: 4.0, p99: 4.0, p999: 4.0, max: 4.0 };

    assert_eq!(Latency::of(vec![4000, 1000, 3000, 2000]), expected);
}

#[test]
fn cpu_time_is_read_behind_a_command_name_with_spaces_and_brackets() {
    let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1";

    assert_eq!(cpu_micros(stat), Some(3_000_000));
}

#[test]
fn a_stat_line_that_is_cut_short_has_no_cpu_time() {
    assert_eq!(cpu_micros("42 (wharfinger) S 1 2 3"), None);
}

#[test]
fn calls_are_due_at_even_distances_from_the_start_to_the_end() {
    let schedule = Schedule { rate: 4, length: Duration::from_secs(1) };

    let due: Vec<u128> = (0..).map_while(|number| schedule.due(number)).map(|due| due.as_millis()).collect();

    assert_eq!(due, [0, 250, 500, 750]);
}

#[test]
fn a_rate_that_does_not_divide_a_second_does_not_drift() {
    let schedule = Schedule { rate: 3, length: Duration::from_hours(24) };

    assert_eq!(schedule.due(3 * 86_399), Some(Duration::from_secs(86_399)));
}

#[test]
fn a_question_has_the_head_that_dockerd_sends() {
    let expected = "POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: plugin.moby.localhost\r\n\
        User-Agent: Go-http-client/1.1\r\nContent-Length: 2\r\n\
        Accept: application/vnd.docker.plugins.v1.2+json\r\n\r\n{}";

    assert_eq!(String::from_utf8_lossy(&question("AuthZPlugin.AuthZReq", "{}")), expected);
}

#[test]
fn an_answer_is_complete_with_its_last_byte_and_not_before() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";

    let found: Vec<Option<&[u8]>> =
        [10, whole.len() - 1, whole.len()].iter().map(|n| body(&whole[..*n]).unwrap()).collect();

    assert_eq!(found, [None, None, Some(&b"abc"[..])]);
}

#[test]
fn anything_but_200_is_an_error_with_the_text_of_the_answer() {
    let told = body(b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nwhy?").unwrap_err().to_string();

    assert_eq!(told, "answered `HTTP/1.1 500 Oops`: why?");
}

fn payload(question: &[u8]) -> Value {
    serde_json::from_slice(&question[question.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4..])
        .unwrap()
}

fn mix() -> Vec<Call> {
    calls(&Caller { name: "carol".to_owned(), certificate: "PEM".to_owned() }, 2)
}

#[test]
fn a_round_has_three_pings_three_lists_a_create_a_start_and_two_logs() {
    let count = |kind| mix().iter().filter(|call| call.kind == kind).count() / 2;

    let found = [Kind::Ping, Kind::List, Kind::Create, Kind::Start, Kind::Logs].map(count);

    assert_eq!(found, [3, 3, 1, 1, 2]);
}

#[test]
fn a_create_carries_a_body_of_about_three_kibibytes_whose_length_it_states() {
    let create = mix().into_iter().find(|call| call.kind == Kind::Create).unwrap();

    let asked = payload(&create.request);
    let body = BASE64.decode(asked["RequestBody"].as_str().unwrap()).unwrap();

    assert!((3000..=3200).contains(&body.len()), "{}", body.len());
    assert_eq!(asked["RequestHeaders"]["Content-Length"], body.len().to_string());
}

#[test]
fn a_response_repeats_its_question_and_each_round_is_about_another_container() {
    let starts: Vec<Call> = mix().into_iter().filter(|call| call.kind == Kind::Start).collect();

    let uris: Vec<Value> = starts
        .iter()
        .flat_map(|call| [&call.request, &call.response])
        .map(|q| payload(q)["RequestUri"].take())
        .collect();

    assert_eq!(uris[0], uris[1]);
    assert_eq!(uris[2], uris[3]);
    assert_ne!(uris[0], uris[2]);
}

const WINDOW: Window = Window { warm_up: Duration::from_secs(1), seconds: 2 };

fn sample(due_ms: u64, request_ms: u64, allowed: bool) -> Sample {
    Sample {
        kind: Kind::Ping,
        due: Duration::from_millis(due_ms),
        request: Duration::from_millis(request_ms),
        response: Duration::ZERO,
        late: Duration::ZERO,
        allowed,
    }
}

#[test]
fn what_was_due_in_the_warm_up_is_not_measured() {
    let row =
        Row::of("open", 1, Some(1), WINDOW, &[sample(999, 0, true), sample(1000, 0, true)], Used::default());

    assert_eq!((row.call.count, row.questions_per_second), (1, 1.0));
}

#[test]
fn an_answer_after_the_end_counts_as_latency_but_not_as_throughput() {
    let row = Row::of("open", 1, Some(1), WINDOW, &[sample(2900, 400, true)], Used::default());

    assert_eq!((row.request.max, row.questions_per_second), (400_000.0, 0.0));
}

#[test]
fn cpu_time_is_shared_among_the_questions_of_which_a_denied_call_has_one() {
    let used = Used { cpu_micros: Some(300), rss_kib: None };

    let row = Row::of("closed", 1, None, WINDOW, &[sample(1000, 1, true), sample(1500, 1, false)], used);

    assert_eq!((row.cpu_us_per_question, row.calls_allowed, row.calls_denied), (Some(100.0), 1, 1));
}

#[test]
fn an_answer_says_allow_or_not_and_anything_else_is_an_error() {
    let found = [r#"{"Allow":true}"#, r#"{"Allow":false,"Msg":"no"}"#, "{}", "yes"]
        .map(|body| answer(body.as_bytes()).ok());

    assert_eq!(found, [Some(Answer::Allowed), Some(Answer::Denied), None, None]);
}

#[test]
fn the_table_has_a_line_for_each_measurement() {
    let used = Used { cpu_micros: None, rss_kib: Some(2048) };
    let row = Row::of("closed", 16, None, WINDOW, &[sample(1000, 1, true)], used);

    let text = table(&[row]);

    let line = text.lines().find(|line| line.contains("closed")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells, ["closed", "16", "1", "1000", "1000", "1000", "1000", "0", "–", "2.0", "0"]);
}
