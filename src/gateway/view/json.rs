//! Editing JSON in its own bytes: what is not changed stays as the daemon or the client wrote it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::ViewError;

/// What becomes of one item of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It stays as it is.
    AsIs,
    /// It is left out.
    Not,
    /// It is replaced.
    Changed(String),
}

/// The members of an object, in order: key (unescaped) and value (as written).
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// Reads a value of a known shape; what it does not name is passed over.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ViewError> {
    serde_json::from_str(text).map_err(|error| ViewError::unreadable(&error))
}

/// The members of an object: key (unescaped) and value (as written); none of `null`.
pub(super) fn members(text: &str) -> Result<Vec<(String, &str)>, ViewError> {
    if is_null(text) {
        return Ok(Vec::new());
    }
    let Members(members) = read(text)?;
    Ok(members.into_iter().map(|(key, value)| (key, value.get())).collect())
}

/// The items of a list, as written; none of `null`.
pub(super) fn items(text: &str) -> Result<Vec<&str>, ViewError> {
    let items: Option<Vec<&RawValue>> = read(text)?;
    Ok(items.unwrap_or_default().into_iter().map(RawValue::get).collect())
}

/// The same list with each item as `edit` says; `null` stays.
pub(super) fn edit_list(
    text: &str,
    mut edit: impl FnMut(&str) -> Result<Kept, ViewError>,
) -> Result<String, ViewError> {
    if is_null(text) {
        return Ok(text.to_owned());
    }
    let mut kept = Vec::new();
    let mut changed = false;
    for item in items(text)? {
        match edit(item)? {
            Kept::AsIs => kept.push(item.to_owned()),
            Kept::Not => changed = true,
            Kept::Changed(other) => {
                changed |= other != item;
                kept.push(other);
            }
        }
    }
    // The daemon ends an answer with a line end.
    let end = text.get(text.trim_end().len()..).unwrap_or_default();
    Ok(if changed { format!("[{}]{end}", kept.join(",")) } else { text.to_owned() })
}

/// The same object with those values replaced for which `edit` gives others; `null` stays.
pub(super) fn edit_values(
    text: &str,
    mut edit: impl FnMut(&str, &str) -> Result<Option<String>, ViewError>,
) -> Result<String, ViewError> {
    let mut edited = String::with_capacity(text.len());
    let mut rest = text;
    for (key, value) in members(text)? {
        let Some(other) = edit(&key, value)? else { continue };
        let (before, after) = around(rest, value).ok_or_else(ViewError::internal)?;
        edited.push_str(before);
        edited.push_str(&other);
        rest = after;
    }
    edited.push_str(rest);
    Ok(edited)
}

/// The same object with only those members that `keep` names.
pub(super) fn keep_members(
    text: &str,
    mut keep: impl FnMut(&str, &str) -> Result<bool, ViewError>,
) -> Result<String, ViewError> {
    let all = members(text)?;
    let mut kept = Vec::new();
    for (key, value) in &all {
        if keep(key, value)? {
            kept.push(format!("{}:{value}", quoted(key)));
        }
    }
    Ok(if kept.len() == all.len() { text.to_owned() } else { format!("{{{}}}", kept.join(",")) })
}

/// A string as JSON writes it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether it is one JSON value, and `null`.
pub(super) fn is_null(text: &str) -> bool {
    text.trim() == "null"
}

/// What stands before and behind `part`, which is a piece of `text` itself and not only equal to one.
fn around<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some((text.get(..start)?, text.get(start + part.len()..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        let text = r#" { "a" : 1e0, "\u003cb" : "\u003c" , "c":[ 1, 2 ] } "#;
        let edited = edit_values(text, |key, _| Ok((key == "<b").then(|| "0".to_owned()))).unwrap();
        assert_eq!(edited, r#" { "a" : 1e0, "\u003cb" : 0 , "c":[ 1, 2 ] } "#);
        assert_eq!(edit_list("[ 1, 2 ]", |_| Ok(Kept::AsIs)).unwrap(), "[ 1, 2 ]");
    }

    #[test]
    fn items_are_left_out_and_replaced() {
        let edit = |item: &str| {
            Ok(match item {
                "1" => Kept::Not,
                "2" => Kept::Changed("{}".to_owned()),
                _ => Kept::AsIs,
            })
        };
        assert_eq!(edit_list("[1,2,3]", edit).unwrap(), "[{},3]");
        assert_eq!(edit_list("[1]\n", edit).unwrap(), "[]\n");
        assert_eq!(edit_list("null", edit).unwrap(), "null");
        assert!(edit_list("{}", edit).is_err());
        assert!(edit_list("[1", edit).is_err());
    }

    #[test]
    fn members_are_kept_by_key() {
        let text = r#"{"a":1,"b<":{"c":2}}"#;
        assert_eq!(keep_members(text, |key, _| Ok(key == "b<")).unwrap(), r#"{"b<":{"c":2}}"#);
        assert_eq!(keep_members(text, |_, _| Ok(true)).unwrap(), text);
        assert_eq!(keep_members("null", |_, _| Ok(true)).unwrap(), "null");
        assert_eq!(members("null").unwrap(), []);
        assert!(members("[]").is_err());
    }

    proptest! {
        #[test]
        fn replacing_every_value_by_itself_changes_nothing(value in any_json()) {
            let text = value.to_string();
            let same = edit_values(&text, |_, value| Ok(Some(value.to_owned())));
            if value.is_object() {
                prop_assert_eq!(same.unwrap(), text);
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(Into::into),
            ".{0,4}".prop_map(Into::into)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::vec((".{0,3}", inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
