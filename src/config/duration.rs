//! Durations in settings: `"1.5s"`, `"10m"`, `"1h 30m"`; for `#[serde(with = "crate::config::duration")]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Reads a duration that must be a string with a unit, and not negative.
///
/// A bare number is refused: a reader could take it for seconds or for milliseconds.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(de::Error::custom)
}

/// The duration that the text names.
///
/// # Errors
/// A message for the administrator where it is no duration, has no unit or is negative.
pub fn parse(text: &str) -> Result<Duration, String> {
    let bad =
        |why: &str| format!("`{}` is not a duration ({why}): write `1.5s` or `10m`", text.escape_debug());
    let signed: jiff::SignedDuration = text.parse().map_err(|_| bad("a number and a unit are needed"))?;
    Duration::try_from(signed).map_err(|_| bad("it is negative"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_with_a_unit_are_read() {
        for (text, millis) in [
            ("1.5s", 1500),
            ("60s", 60_000),
            ("10m", 600_000),
            ("1h 30m", 5_400_000),
            ("0s", 0),
            ("250ms", 250),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", "5", "1.5", "s", "5 apples", "1y"] {
            assert_eq!(
                parse(text),
                Err(format!(
                    "`{text}` is not a duration (a number and a unit are needed): write `1.5s` or `10m`"
                ))
            );
        }
        assert_eq!(
            parse("-1s"),
            Err("`-1s` is not a duration (it is negative): write `1.5s` or `10m`".to_owned())
        );
    }
}
