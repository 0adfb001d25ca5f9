//! One entry of a search's answer: all values of all attributes, as the server sent them.

use std::collections::HashMap;

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

use super::Failure;
use super::lookup::incomplete;

/// An entry. The library's own reading keeps only the last of an attribute's parts, and a server may send
/// one in several.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    /// By the name in lower case: servers spell names as they like.
    attributes: HashMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// Reads a `SearchResultEntry` (RFC 4511 §4.5.2); `None` where it is none.
    pub(super) fn read(found: ResultEntry) -> Option<Self> {
        let mut parts = children(found.0)?.into_iter();
        let dn = text(parts.next()?)?;
        let mut attributes: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
        for attribute in children(parts.next()?)? {
            let mut parts = children(attribute)?.into_iter();
            let name = text(parts.next()?)?.to_ascii_lowercase();
            let values: Option<Vec<_>> = children(parts.next()?)?.into_iter().map(bytes).collect();
            attributes.entry(name).or_default().extend(values?);
        }
        Some(Self { dn, attributes })
    }

    /// Whether the attribute has a value, or is there without one.
    pub(super) fn has(&self, attribute: &str) -> bool {
        self.attributes.contains_key(&attribute.to_ascii_lowercase())
    }

    /// The attribute's values, all of them.
    ///
    /// # Errors
    /// Where a value is not text, or the server sends only a range of the values.
    pub(super) fn texts(&self, attribute: &str) -> Result<Vec<&str>, Failure> {
        let wanted = attribute.to_ascii_lowercase();
        let range = format!("{wanted};range=");
        // A part of the values must not pass for all of them.
        if self.attributes.keys().any(|name| name.starts_with(&range)) {
            return Err(incomplete(format!(
                "the server sent only a part of `{attribute}` of `{}`",
                self.shown()
            )));
        }
        let values = self.attributes.get(&wanted).map(Vec::as_slice).unwrap_or_default();
        let texts: Result<Vec<&str>, _> = values.iter().map(|value| std::str::from_utf8(value)).collect();
        texts.map_err(|_| incomplete(format!("`{attribute}` of `{}` is not text", self.shown())))
    }

    /// The attribute's values as bytes, as far as the server sent them, and the place of the first one after them.
    ///
    /// # Errors
    /// Where a range of the values begins anywhere but at `from`, or is said in a way that cannot be read.
    pub(super) fn part(&self, attribute: &str, from: usize) -> Result<(Vec<&[u8]>, Option<usize>), Failure> {
        let wanted = attribute.to_ascii_lowercase();
        let option = format!("{wanted};range=");
        let mut ranges =
            self.attributes.iter().filter_map(|(name, values)| Some((name.strip_prefix(&option)?, values)));
        match (ranges.next(), ranges.next()) {
            (None, _) if from == 0 => {
                Ok((self.attributes.get(&wanted).map(|values| slices(values)).unwrap_or_default(), None))
            }
            (Some((range, values)), None) => match range.split_once('-') {
                Some((first, last)) if first.parse() == Ok(from) => match (last, last.parse::<usize>()) {
                    ("*", _) => Ok((slices(values), None)),
                    (_, Ok(last)) if last.checked_sub(from).map(|n| n + 1) == Some(values.len()) => {
                        Ok((slices(values), Some(last + 1)))
                    }
                    (_, _) => Err(self.broken(attribute)),
                },
                Some(_) | None => Err(self.broken(attribute)),
            },
            (_, _) => Err(self.broken(attribute)),
        }
    }

    fn broken(&self, attribute: &str) -> Failure {
        incomplete(format!("the server sent a broken range of `{attribute}` of `{}`", self.shown()))
    }

    /// The DN for messages.
    fn shown(&self) -> impl std::fmt::Display {
        self.dn.escape_debug()
    }
}

fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

fn children(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(children) => Some(children),
        PL::P(_) => None,
    }
}

fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(bytes(tag)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::asn1::TagClass;

    fn primitive(bytes: &[u8]) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(bytes.to_vec()) }
    }

    fn constructed(children: Vec<StructureTag>) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 16, payload: PL::C(children) }
    }

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let attributes = attributes
            .iter()
            .map(|(name, values)| {
                let values = values.iter().map(|value| primitive(value)).collect();
                constructed(vec![primitive(name.as_bytes()), constructed(values)])
            })
            .collect();
        Entry::read(ResultEntry::new(constructed(vec![primitive(b"cn=x"), constructed(attributes)]))).unwrap()
    }

    fn error(result: Result<Vec<&str>, Failure>) -> String {
        match result {
            Err(Failure::Answer(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn attributes_are_found_whatever_their_spelling_and_in_all_their_parts() {
        let entry = entry(&[("uid", &[b"a"]), ("CN", &[b"c"]), ("UID", &[b"b"]), ("empty", &[])]);
        assert_eq!(entry.texts("uid").unwrap(), ["a", "b"]);
        assert_eq!(entry.texts("cn").unwrap(), ["c"]);
        assert_eq!(entry.texts("sn").unwrap(), Vec::<&str>::new());
        assert!(entry.has("EMPTY") && !entry.has("sn"));
    }

    #[test]
    fn values_come_whole_or_in_ranges_that_follow_each_other() {
        let entry = entry(&[
            ("whole", &[b"a", b"b"]),
            ("first;range=0-1", &[b"a", b"b"]),
            ("first", &[]),
            ("last;Range=2-*", &[b"c"]),
            ("short;range=0-5", &[b"a"]),
            ("odd;range=x", &[b"a"]),
            ("two;range=0-0", &[b"a"]),
            ("two;range=1-1", &[b"a"]),
        ]);
        assert_eq!(entry.part("whole", 0).unwrap(), (vec![b"a".as_slice(), b"b"], None));
        assert_eq!(entry.part("none", 0).unwrap(), (vec![], None));
        assert_eq!(entry.part("first", 0).unwrap(), (vec![b"a".as_slice(), b"b"], Some(2)));
        assert_eq!(entry.part("last", 2).unwrap(), (vec![b"c".as_slice()], None));
        for (attribute, from) in
            [("whole", 2), ("none", 2), ("last", 0), ("short", 0), ("odd", 0), ("two", 0)]
        {
            assert_eq!(
                error(entry.part(attribute, from).map(|_| Vec::new())),
                format!("identity incomplete: the server sent a broken range of `{attribute}` of `cn=x`")
            );
        }
    }

    #[test]
    fn attributes_with_options_are_others() {
        let entry = entry(&[("cn;lang-de", &[b"d"]), ("cn", &[b"c"])]);
        assert_eq!(entry.texts("cn").unwrap(), ["c"]);
    }

    #[test]
    fn a_range_and_what_is_not_text_are_errors() {
        let entry =
            entry(&[("memberOf;Range=0-1499", &[b"a"]), ("memberOf", &[]), ("sid", &[b"a", b"\xff"])]);
        assert_eq!(
            error(entry.texts("memberof")),
            "identity incomplete: the server sent only a part of `memberof` of `cn=x`"
        );
        assert_eq!(error(entry.texts("sid")), "identity incomplete: `sid` of `cn=x` is not text");
    }
}
