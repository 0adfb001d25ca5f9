//! Decision ids: UUIDs of version 7, so ordered by time, written as 26 characters of Crockford's base 32.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ulid::Ulid;
use uuid::Uuid;

/// The id of one record, by which people refer to a decision.
///
/// A UUID of version 7 (RFC 9562). Displayed as the ULID of the same 128 bits, such as
/// `01JQ2Z6Y7E8M3T5V9W0X1Y2Z3A`; both forms are read, in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId(Uuid);

/// A text that is no decision id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a decision id has 26 characters such as `01JQ2Z6Y7E8M3T5V9W0X1Y2Z3A`, or the form of a UUID")]
pub struct DecisionIdError;

impl DecisionId {
    /// The id of a moment (its milliseconds count) and ten random bytes, six bits of which are not used.
    pub fn new(time: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(time.as_millisecond()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The 16 bytes in network order, which sort as the ids do.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The same id in the form of a UUID.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// The lowest and the highest id whose text begins with `prefix`.
    pub fn range(prefix: &str) -> Result<(Self, Self), DecisionIdError> {
        let whole = |fill: char| -> Result<Self, DecisionIdError> {
            // A UUID is taken whole: its first digits could as well be those of the other form.
            if prefix.contains('-') {
                return prefix.parse();
            }
            let missing = ulid::ULID_LEN.saturating_sub(prefix.len());
            prefix.chars().chain(std::iter::repeat_n(fill, missing)).collect::<String>().parse()
        };
        Ok((whole('0')?, whole('Z')?))
    }
}

impl From<Uuid> for DecisionId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Ulid::from(self.0).array_to_str(&mut [0; ulid::ULID_LEN]))
    }
}

impl FromStr for DecisionId {
    type Err = DecisionIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == ulid::ULID_LEN {
            // 26 characters hold 130 bits: a first one above 7 would be cut without notice.
            return match text.as_bytes().first() {
                Some(b'0'..=b'7') => {
                    Ulid::from_string(text).map(|id| Self(id.into())).map_err(|_| DecisionIdError)
                }
                Some(_) | None => Err(DecisionIdError),
            };
        }
        Uuid::try_parse(text).map(Self).map_err(|_| DecisionIdError)
    }
}

impl Serialize for DecisionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Ulid::from(self.0).array_to_str(&mut [0; ulid::ULID_LEN]))
    }
}

impl<'de> Deserialize<'de> for DecisionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> DecisionId {
        DecisionId::new(Timestamp::from_millisecond(1_742_900_000_000).unwrap(), [7; 10])
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_that_holds_the_time() {
        assert_eq!(id().as_uuid().get_version_num(), 7);
        assert_eq!(id().as_uuid().to_string(), "0195ccef-7500-7707-8707-070707070707");
    }

    #[test]
    fn both_text_forms_lead_back_to_the_same_id() {
        let text = id().to_string();
        assert_eq!(text, "01JQ6EYX80EW3RE1R70W3GE1R7");
        assert_eq!(text.parse(), Ok(id()));
        assert_eq!(text.to_lowercase().parse(), Ok(id()));
        assert_eq!(id().as_uuid().to_string().parse(), Ok(id()));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "01JQ",
            "81JQ6EYX80EW3RE1R70W3GE1R7",
            "01JQ6EYX80EW3RE1R70W3GE1RU",
            "é1JQ6EYX80EW3RE1R70W3GE1",
        ] {
            assert_eq!(text.parse::<DecisionId>(), Err(DecisionIdError), "{text}");
        }
    }

    #[test]
    fn later_ids_are_greater_in_every_form() {
        let later = DecisionId::new(Timestamp::from_millisecond(1_742_900_000_001).unwrap(), [0; 10]);
        assert!(id() < later);
        assert!(id().to_string() < later.to_string());
        assert!(id().as_bytes() < later.as_bytes());
    }

    #[test]
    fn a_prefix_covers_the_ids_that_begin_with_it() {
        let (low, high) = DecisionId::range("01JQ6E").unwrap();
        assert!(low < id() && id() < high);
        let text = id().to_string();
        assert_eq!(DecisionId::range(&text), Ok((id(), id())));
        let (low, high) = DecisionId::range("01JQ6F").unwrap();
        assert!(id() < low && low < high);
        assert_eq!(DecisionId::range("not!"), Err(DecisionIdError));
    }
}
