//! Security identifiers: what Active Directory's groups are known by.

use std::fmt;

/// The relative identifiers of one domain begin with this and three numbers (S-1-5-21-…).
const DOMAIN: u32 = 21;

/// A security identifier, of a well-formed value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sid(Vec<u8>);

impl Sid {
    /// Reads the value of `objectSid` or `tokenGroups`: revision, count, authority, and so many numbers.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [1, count, _, _, _, _, _, _, numbers @ ..]
                if (1..=15).contains(count) && numbers.len() == 4 * usize::from(*count) =>
            {
                Some(Self(bytes.to_vec()))
            }
            _ => None,
        }
    }

    /// Whether it is of the same domain as the other one, or built into every domain: then there is an entry.
    pub(super) fn has_entry_beside(&self, other: &Self) -> bool {
        let numbers = self.numbers();
        match (numbers.as_slice(), other.numbers().as_slice()) {
            ([DOMAIN, ours @ .., _], [DOMAIN, theirs @ .., _]) => ours == theirs,
            ([first, ..], _) => *first == 32,
            ([], _) => false,
        }
    }

    /// Its number within its domain.
    pub(super) fn last(&self) -> u32 {
        self.numbers().last().copied().unwrap_or_default()
    }

    /// The filter that finds its entry.
    pub(super) fn filter(&self) -> String {
        let bytes: Vec<String> = self.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(objectSid={})", bytes.concat())
    }

    fn numbers(&self) -> Vec<u32> {
        let (chunks, _) = self.0.get(8..).unwrap_or_default().as_chunks::<4>();
        chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.get(2..8).unwrap_or_default();
        let authority = authority.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        write!(f, "S-1-{authority}")?;
        self.numbers().iter().try_for_each(|number| write!(f, "-{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(numbers: &[u32]) -> Sid {
        let mut bytes = vec![1, u8::try_from(numbers.len()).unwrap(), 0, 0, 0, 0, 0, 5];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        Sid::read(&bytes).unwrap()
    }

    #[test]
    fn a_value_has_its_usual_text_and_a_filter_that_finds_it() {
        assert_eq!(sid(&[21, 1, 256, 4_055_987_033, 512]).to_string(), "S-1-5-21-1-256-4055987033-512");
        let filter = sid(&[32, 545]).filter();
        assert_eq!(filter, r"(objectSid=\01\02\00\00\00\00\00\05\20\00\00\00\21\02\00\00)");
        assert!(ldap3::parse_filter(&filter).is_ok());
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        for bytes in [
            &[][..],
            &[1, 1, 0, 0, 0, 0, 0, 5],
            &[1, 1, 0, 0, 0, 0, 0, 5, 1, 0, 0],
            &[2, 1, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0],
            &[1, 0, 0, 0, 0, 0, 0, 5],
        ] {
            assert_eq!(Sid::read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn groups_of_the_own_domain_and_built_in_ones_have_an_entry() {
        let user = sid(&[21, 1, 2, 3, 1000]);
        assert!(sid(&[21, 1, 2, 3, 513]).has_entry_beside(&user));
        assert!(sid(&[32, 545]).has_entry_beside(&user));
        assert!(!sid(&[21, 1, 2, 4, 513]).has_entry_beside(&user));
        assert!(!sid(&[18]).has_entry_beside(&user));
    }
}
