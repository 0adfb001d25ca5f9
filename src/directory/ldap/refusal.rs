//! Which values of a user's entry mean that the account may not be used, now.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::Failure;
use super::entry::Entry;
use super::lookup::incomplete;
use crate::directory::{DirectoryError, Refused};

/// An attribute that refuses an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The attribute; operational ones are asked for by name.
    pub(super) attribute: &'static str,
    /// Whether every account has it.
    pub(super) needed: Needed,
    /// Which values refuse.
    pub(super) when: When,
    /// What the user is told.
    pub(super) reason: Refused,
}

/// Whether every account has an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// Where it is missing, we may not read it, and nobody is let in.
    Yes,
    /// Where it is missing, it refuses nobody.
    No,
}

/// Which values of an attribute refuse an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Any value at all.
    Present,
    /// `TRUE`.
    True,
    /// A number with this bit.
    Bit(i64),
    /// A time that is over (RFC 4517 §3.3.13).
    TimePast,
    /// A time that is not over, or the beginning of 1970, which stands for ever.
    TimeAhead,
    /// A day that has come, counted from the beginning of 1970; -1 is never.
    DayPast,
    /// A time that is over, in 100 ns from the beginning of 1601; 0 and 2⁶³ - 1 are never.
    FileTimePast,
}

/// Seconds from the beginning of 1601 to that of 1970.
const FILE_TIME_EPOCH: i64 = 11_644_473_600;

/// Refuses an account that an attribute of its entry refuses.
///
/// # Errors
/// The first reason; [`DirectoryError::Incomplete`] where a value cannot be told.
pub(super) fn check(entry: &Entry, refusals: &[Refusal], now: Timestamp) -> Result<(), Failure> {
    for refusal in refusals {
        let Refusal { attribute, needed, when, reason } = refusal;
        if *needed == Needed::Yes && entry.texts(attribute)?.is_empty() {
            return Err(incomplete(format!(
                "the entry of the user shows no `{attribute}`: let the service account read it"
            )));
        }
        let refuses = match when {
            When::Present => entry.has(attribute),
            When::True
            | When::Bit(_)
            | When::TimePast
            | When::TimeAhead
            | When::DayPast
            | When::FileTimePast => {
                let mut refuses = false;
                for value in entry.texts(attribute)? {
                    // What we cannot read could be the value that refuses.
                    refuses |= matches(*when, value, now).ok_or_else(|| {
                        incomplete(format!("`{attribute}` of the user's entry has a value that is none"))
                    })?;
                }
                refuses
            }
        };
        if refuses {
            return Err(Failure::Answer(DirectoryError::Refused(*reason)));
        }
    }
    Ok(())
}

/// Whether the value refuses; `None` where it is none of its kind.
fn matches(when: When, value: &str, now: Timestamp) -> Option<bool> {
    let seconds = now.as_second();
    match when {
        When::Present => Some(true),
        When::True => match value.to_ascii_uppercase().as_str() {
            "TRUE" => Some(true),
            "FALSE" => Some(false),
            _ => None,
        },
        When::Bit(bit) => Some(value.parse::<i64>().ok()? & bit != 0),
        When::TimePast => Some(generalized_time(value)? <= seconds),
        When::TimeAhead => generalized_time(value).map(|time| time > seconds || time == 0),
        When::DayPast => match value.parse::<i64>().ok()? {
            -1 => Some(false),
            day => Some(day <= seconds.div_euclid(24 * 60 * 60)),
        },
        When::FileTimePast => match value.parse::<i64>().ok()? {
            0 | i64::MAX => Some(false),
            time => Some(time.div_euclid(10_000_000) - FILE_TIME_EPOCH <= seconds),
        },
    }
}

/// Seconds since 1970 of `20260102030405Z`, with or without minutes, seconds and a fraction.
fn generalized_time(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let (digits, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(digits) || !is_number(fraction) {
        return None;
    }
    let pad = match digits.len() {
        10 => "0000",
        12 => "00",
        14 => "",
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", format!("{digits}{pad}")).ok()?;
    // Some directories write the last second of the year 9999, which is no timestamp everywhere.
    Some(time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_refuse_or_not_at_a_given_moment() {
        // The first of February 2026, noon: day 20485 since 1970.
        let now: Timestamp = "2026-02-01T12:00:00Z".parse().unwrap();
        for (when, value, expected) in [
            (When::True, "TRUE", Some(true)),
            (When::True, "true", Some(true)),
            (When::True, "FALSE", Some(false)),
            (When::True, "yes", None),
            (When::Bit(2), "514", Some(true)),
            (When::Bit(2), "512", Some(false)),
            (When::Bit(2), "-2147483646", Some(true)),
            (When::Bit(2), "0x202", None),
            (When::TimePast, "20260201120000Z", Some(true)),
            (When::TimePast, "20260201120001Z", Some(false)),
            (When::TimePast, "20260201120001.5Z", Some(false)),
            (When::TimePast, "202602011200Z", Some(true)),
            (When::TimePast, "2026020113Z", Some(false)),
            (When::TimePast, "99991231235959Z", Some(false)),
            (When::TimePast, "20260201120001", None),
            (When::TimePast, "20260201120001+0100", None),
            (When::TimePast, "20261301000000Z", None),
            (When::TimePast, "2026é20112Z", None),
            (When::TimeAhead, "20260201120001Z", Some(true)),
            (When::TimeAhead, "20260201120000Z", Some(false)),
            (When::TimeAhead, "19700101000000Z", Some(true)),
            (When::DayPast, "20485", Some(true)),
            (When::DayPast, "20486", Some(false)),
            (When::DayPast, "-1", Some(false)),
            (When::DayPast, "0", Some(true)),
            (When::DayPast, "", None),
            (When::FileTimePast, "0", Some(false)),
            (When::FileTimePast, "9223372036854775807", Some(false)),
            (When::FileTimePast, "134144208000000000", Some(true)),
            (When::FileTimePast, "134144208010000000", Some(false)),
            (When::FileTimePast, "never", None),
        ] {
            assert_eq!(matches(when, value, now), expected, "{when:?} {value}");
        }
    }
}
