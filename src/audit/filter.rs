//! Filters: which records somebody wants to see, and the SQL condition for that.

use std::borrow::Cow;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use crate::authz::Kind;

use super::{DecisionId, Phase, Verdict};

/// Most `*` in a pattern: each can multiply the work of a comparison.
const MOST_STARS: usize = 4;

/// Which records are wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// The canonical user name, or `anonymous`.
    pub user: Option<String>,
    /// An operation such as `container.create`, or a pattern such as `container.*`.
    pub operation: Option<String>,
    /// An object such as `container:web-1`; without a kind, any kind; `*` stands for any text.
    pub object: Option<String>,
    /// Permits or denials.
    pub decision: Option<Verdict>,
    /// One phase only.
    pub phase: Option<Phase>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// An id, or the first characters of one.
    pub id: Option<String>,
    /// Records before this place: the `next` of the page before.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not a moment.
    #[error(
        "`{}` is not a time: write a span back from now such as `7d` or `2h30m`, a date such as `2026-03-01`, or RFC 3339 such as `2026-03-01T12:00:00Z`",
        .0.escape_debug()
    )]
    Moment(String),
    /// Not the beginning of an id.
    #[error("`{}` cannot begin an id: write characters of a decision id such as `01JQ2Z6Y7E`", .0.escape_debug())]
    Id(String),
    /// A pattern that would take too long.
    #[error("`{}` has more than {MOST_STARS} `*`", .0.escape_debug())]
    Stars(String),
}

/// The moment that a text names: a span back from `now` (`7d`, `2h30m`; a day has 24 hours), a date
/// (its beginning in UTC) or a time in RFC 3339.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, FilterError> {
    let bad = || FilterError::Moment(text.to_owned());
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return date.to_zoned(jiff::tz::TimeZone::UTC).map(|day| day.timestamp()).map_err(|_| bad());
    }
    let span: Span = text.parse().map_err(|_| bad())?;
    let back: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
    if back.is_negative() {
        return Err(bad());
    }
    now.checked_sub(back).map_err(|_| bad())
}

/// A condition of SQL with the values of its `?`.
#[derive(Debug, Default)]
pub(super) struct Condition {
    terms: Vec<Cow<'static, str>>,
    pub(super) values: Vec<Value>,
}

impl Condition {
    /// Adds a term that has to hold as well; it has one `?` for each value.
    pub(super) fn and(
        &mut self,
        term: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = Value>,
    ) {
        self.terms.push(term.into());
        self.values.extend(values);
    }

    /// The text for behind `WHERE`.
    pub(super) fn sql(&self) -> String {
        if self.terms.is_empty() { "1".to_owned() } else { self.terms.join(" AND ") }
    }
}

impl Filter {
    /// The condition, without the limit.
    pub(super) fn condition(&self) -> Result<Condition, FilterError> {
        let mut condition = Condition::default();
        match self.user.as_deref() {
            // The trail's own records have no user either.
            Some("anonymous") => condition.and("user IS NULL AND phase <> 'system'", []),
            Some(user) => condition.and("user = ?", [text(user)]),
            None => {}
        }
        if let Some(pattern) = &self.operation {
            // Patterns of operations are mostly common: from the newest on, some are found soon. The plus
            // keeps SQLite from collecting and sorting all of them.
            like(&mut condition, "operation = ?", "+operation GLOB ?", pattern)?;
        }
        if let Some(pattern) = &self.object {
            object(&mut condition, pattern)?;
        }
        match self.decision {
            // A constant, so that the index of denials is used.
            Some(Verdict::Deny) => condition.and("decision = 'deny'", []),
            Some(Verdict::Permit) => condition.and("decision = 'permit'", []),
            None => {}
        }
        if let Some(phase) = self.phase {
            condition.and("phase = ?", [text(phase.name())]);
        }
        let micros = |time: Timestamp| Value::Integer(time.as_microsecond());
        match (self.since, self.until) {
            // Places do not follow the clock where that was set back, so a place alone says nothing; but
            // no record before the first that is young enough has to be looked at.
            (Some(since), None) => condition.and(
                "+time >= ? AND seq >= (SELECT min(seq) FROM record WHERE time >= ?)",
                [micros(since), micros(since)],
            ),
            (Some(since), Some(until)) => {
                condition.and("time >= ? AND time < ?", [micros(since), micros(until)]);
            }
            (None, Some(until)) => condition.and("+time < ?", [micros(until)]),
            (None, None) => {}
        }
        if let Some(id) = &self.id {
            let (low, high) = DecisionId::range(id).map_err(|_| FilterError::Id(id.clone()))?;
            let bytes = |id: DecisionId| Value::Blob(id.as_bytes().to_vec());
            condition.and("id BETWEEN ? AND ?", [bytes(low), bytes(high)]);
        }
        if let Some(before) = self.before {
            condition.and("seq < ?", [place(before)]);
        }
        Ok(condition)
    }
}

/// A place as SQL knows it.
pub(super) fn place(seq: u64) -> Value {
    Value::Integer(i64::try_from(seq).unwrap_or(i64::MAX))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Adds a comparison with an object; one without a kind means every kind of that name.
fn object(condition: &mut Condition, pattern: &str) -> Result<(), FilterError> {
    let has_kind =
        pattern.split_once(':').is_some_and(|(kind, _)| kind.contains('*') || Kind::parse(kind).is_some());
    if has_kind {
        return like(condition, "object = ?", "object GLOB ?", pattern);
    }
    if pattern.contains('*') {
        return like(condition, "object = ?", "object GLOB ?", &format!("*:{pattern}"));
    }
    // Each of these is a look-up in the index; a pattern would be a walk through the whole trail.
    let marks = vec!["?"; Kind::ALL.len()].join(", ");
    let names = Kind::ALL.iter().map(|kind| Value::Text(format!("{}:{pattern}", kind.name())));
    condition.and(format!("object IN ({marks})"), names);
    Ok(())
}

/// Adds a comparison with a pattern in which only `*` means something.
fn like(
    condition: &mut Condition,
    equals: &'static str,
    matches: &'static str,
    pattern: &str,
) -> Result<(), FilterError> {
    match pattern.matches('*').count() {
        0 => condition.and(equals, [text(pattern)]),
        1..=MOST_STARS => {
            // Brackets make SQLite take its other special characters as they are.
            let glob = pattern.replace('[', "[[]").replace('?', "[?]");
            condition.and(matches, [Value::Text(glob)]);
        }
        _ => return Err(FilterError::Stars(pattern.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-08T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn moments_are_spans_back_dates_and_times() {
        for (text, expected) in [
            ("7d", "2026-03-01T12:00:00Z"),
            ("1w", "2026-03-01T12:00:00Z"),
            ("2h30m", "2026-03-08T09:30:00Z"),
            ("0s", "2026-03-08T12:00:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026-03-01T12:00:00+01:00", "2026-03-01T11:00:00Z"),
        ] {
            assert_eq!(moment(text, now()), Ok(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_examples() {
        for text in ["", "7", "yesterday", "-2h", "1mo", "1y", "2026-13-01", "99999999999w"] {
            assert_eq!(moment(text, now()), Err(FilterError::Moment(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn only_the_star_is_special_in_a_pattern() {
        let filter = Filter { object: Some("container:[w]?b*".to_owned()), ..Filter::default() };
        let condition = filter.condition().unwrap();
        assert_eq!(condition.sql(), "object GLOB ?");
        assert_eq!(condition.values, [Value::Text("container:[[]w][?]b*".to_owned())]);
    }

    #[test]
    fn an_object_without_kind_means_any_kind() {
        for (object, sql, value) in [
            ("web*", "object GLOB ?", "*:web*"),
            ("nginx:1.*", "object GLOB ?", "*:nginx:1.*"),
            ("image:nginx:1.25", "object = ?", "image:nginx:1.25"),
            ("*:web", "object GLOB ?", "*:web"),
        ] {
            let condition =
                Filter { object: Some(object.to_owned()), ..Filter::default() }.condition().unwrap();
            let expected = [Value::Text(value.to_owned())];
            assert_eq!((condition.sql().as_str(), &condition.values[..]), (sql, &expected[..]));
        }
        let exact =
            Filter { object: Some("nginx:1.25".to_owned()), ..Filter::default() }.condition().unwrap();
        assert!(exact.sql().starts_with("object IN (?, ?, "), "{}", exact.sql());
        assert_eq!(exact.values.len(), Kind::ALL.len());
        assert!(exact.values.contains(&Value::Text("image:nginx:1.25".to_owned())));
    }

    #[test]
    fn what_cannot_be_searched_for_is_refused() {
        let stars = Filter { operation: Some("*a*b*c*d*".to_owned()), ..Filter::default() };
        assert_eq!(stars.condition().unwrap_err(), FilterError::Stars("*a*b*c*d*".to_owned()));
        let id = Filter { id: Some("01J!".to_owned()), ..Filter::default() };
        assert_eq!(id.condition().unwrap_err(), FilterError::Id("01J!".to_owned()));
    }
}
