//! The members of an object as Go fills a struct from them: whatever the case of their keys.

use super::{Json, Object};
use crate::engine::{Refusal, RefusalCode};

/// The fields of a struct-typed object, and where in the body it stands.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    object: &'a Object,
    path: String,
    known: &'static [&'static str],
}

impl<'a> Fields<'a> {
    pub(super) fn read(
        object: &'a Object,
        path: String,
        known: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        let mut folded: Vec<(String, &str)> = object.entries().map(|(key, _)| (fold(key), key)).collect();
        folded.sort_unstable();
        let fields = Self { object, path, known };
        for pair in folded.array_windows() {
            let [(first, _), (second, key)] = pair;
            if first == second {
                // Go would merge the two, or let the later one win, depending on their type.
                return Err(ambiguous(format!(
                    "the field `{}` of the body is given twice",
                    fields.path_of(key)
                )));
            }
        }
        for (name, key) in &folded {
            if !key.is_ascii() && known.iter().any(|field| fold(field) == *name) {
                return Err(ambiguous(format!(
                    "the body has a look-alike of the field `{}`",
                    fields.path_of(name)
                )));
            }
        }
        Ok(fields)
    }

    /// The value of a field; [`Json::Null`] if it is absent.
    pub(crate) fn get(&self, name: &str) -> &'a Json {
        let name = fold(name);
        self.object.entries().find(|(key, _)| fold(key) == name).map_or(&Json::Null, |(_, value)| value)
    }

    /// The fields that are not known and that say something: their value is not a zero value.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (&'a str, &'a Json)> {
        self.object.entries().filter(|(key, value)| {
            let key = fold(key);
            !value.is_zero() && !self.known.iter().any(|field| fold(field) == key)
        })
    }

    /// Where a field stands in the body, such as `HostConfig.Binds`.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A string field.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, Refusal> {
        self.get(name).as_text(&self.path_of(name))
    }

    /// A boolean field.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.get(name).as_bool(&self.path_of(name))
    }

    /// A whole-number field.
    pub(crate) fn number(&self, name: &str) -> Result<i64, Refusal> {
        self.get(name).as_i64(&self.path_of(name))
    }

    /// A field that is an array of strings.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        self.get(name).as_texts(&self.path_of(name))
    }

    /// A field that is an array of strings or one string.
    pub(crate) fn texts_or_one(&self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        self.get(name).as_texts_or_one(&self.path_of(name))
    }

    /// A field that is an array.
    pub(crate) fn list(&self, name: &str) -> Result<&'a [Json], Refusal> {
        self.get(name).as_list(&self.path_of(name))
    }

    /// A field that is a map: its keys count exactly.
    pub(crate) fn map(&self, name: &str) -> Result<&'a Object, Refusal> {
        self.get(name).as_object(&self.path_of(name))
    }

    /// A field that is a map of strings.
    pub(crate) fn text_map(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>, Refusal> {
        self.get(name).as_text_map(&self.path_of(name))
    }

    /// A field that is a struct.
    pub(crate) fn within(&self, name: &str, known: &'static [&'static str]) -> Result<Fields<'a>, Refusal> {
        self.get(name).as_fields(&self.path_of(name), known)
    }

    /// A field that is an array of structs.
    pub(crate) fn each(
        &self,
        name: &str,
        known: &'static [&'static str],
    ) -> Result<Vec<Fields<'a>>, Refusal> {
        let path = self.path_of(name);
        let items = self.get(name).as_list(&path)?;
        items.iter().enumerate().map(|(at, item)| item.as_fields(&format!("{path}[{at}]"), known)).collect()
    }
}

/// Folds a key as far as a Go field name, which is ASCII, can tell: two characters outside
/// ASCII fold onto ASCII letters, the long s and the Kelvin sign.
fn fold(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            other => other.to_ascii_lowercase(),
        })
        .collect()
}

fn ambiguous(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::BodyAmbiguous, message)
}
