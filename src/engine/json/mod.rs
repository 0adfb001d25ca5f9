//! JSON as Go's `encoding/json` reads it, less everything that could be read in two ways.

use super::{Refusal, RefusalCode};

mod fields;
mod parse;

pub(crate) use fields::{Fields, fold as folded};
pub(crate) use parse::{read, read_parameter};

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// `null`, and what [`Fields::get`] gives for an absent field: to Go both leave the zero value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written, in the grammar of RFC 8259.
    Number(String),
    /// A string, unescaped.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Object),
}

/// A JSON object: no two of its keys are equal, in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object(Vec<(String, Json)>);

impl Object {
    /// Its members as Go fills a map, such as labels: keys count exactly as they are.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether it has no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the Go type of a field would make of a value; `path` names the field in the refusal.
impl Json {
    /// A string; null is the empty one.
    pub(crate) fn as_text(&self, path: &str) -> Result<&str, Refusal> {
        match self {
            Json::Null => Ok(""),
            Json::Text(text) => Ok(text),
            Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => {
                Err(mismatch(path, "a string"))
            }
        }
    }

    /// A boolean; null is false.
    pub(crate) fn as_bool(&self, path: &str) -> Result<bool, Refusal> {
        match self {
            Json::Null => Ok(false),
            Json::Bool(value) => Ok(*value),
            Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
                Err(mismatch(path, "`true` or `false`"))
            }
        }
    }

    /// A whole number of 64 bits, without fraction or exponent; null is 0.
    pub(crate) fn as_i64(&self, path: &str) -> Result<i64, Refusal> {
        match self {
            Json::Null => Ok(0),
            Json::Number(digits) => digits.parse().map_err(|_| mismatch(path, "a whole number of 64 bits")),
            Json::Bool(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
                Err(mismatch(path, "a number"))
            }
        }
    }

    /// An array; null is the empty one.
    pub(crate) fn as_list(&self, path: &str) -> Result<&[Json], Refusal> {
        match self {
            Json::Null => Ok(&[]),
            Json::List(items) => Ok(items),
            Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) => {
                Err(mismatch(path, "an array"))
            }
        }
    }

    /// An object; null is the empty one.
    pub(crate) fn as_object(&self, path: &str) -> Result<&Object, Refusal> {
        static EMPTY: Object = Object(Vec::new());
        match self {
            Json::Null => Ok(&EMPTY),
            Json::Object(object) => Ok(object),
            Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
                Err(mismatch(path, "an object"))
            }
        }
    }

    /// An array of strings; null is the empty one, and a null in it the empty string.
    pub(crate) fn as_texts(&self, path: &str) -> Result<Vec<&str>, Refusal> {
        self.as_list(path)?
            .iter()
            .enumerate()
            .map(|(at, item)| item.as_text(&format!("{path}[{at}]")))
            .collect()
    }

    /// An array of strings, or one string in its place: the daemon's `StrSlice`, up to 28.x.
    pub(crate) fn as_texts_or_one(&self, path: &str) -> Result<Vec<&str>, Refusal> {
        match self {
            Json::Text(text) => Ok(vec![text]),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => {
                self.as_texts(path)
            }
        }
    }

    /// An object of strings, such as labels; null is the empty one, and a null in it the empty string.
    pub(crate) fn as_text_map(&self, path: &str) -> Result<Vec<(&str, &str)>, Refusal> {
        // Keys of a map are the sender's own words, so the path names the map alone.
        self.as_object(path)?.entries().map(|(key, value)| Ok((key, value.as_text(path)?))).collect()
    }

    /// A struct; null is the empty one.
    pub(crate) fn as_fields(
        &self,
        path: &str,
        known: &'static [&'static str],
    ) -> Result<Fields<'_>, Refusal> {
        Fields::read(self.as_object(path)?, path.to_owned(), known)
    }

    /// Whether Go's client leaves such a value out under `omitempty`, so that sending it says
    /// no more than not sending it.
    ///
    /// An object with members is a value even if each of them is zero: it may be a map, where
    /// a key counts whatever it maps to.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Json::Null => true,
            Json::Bool(value) => !value,
            Json::Number(digits) => matches!(digits.as_str(), "0" | "-0" | "0.0"),
            Json::Text(text) => text.is_empty(),
            Json::List(items) => items.is_empty(),
            Json::Object(object) => object.is_empty(),
        }
    }
}

fn mismatch(path: &str, wanted: &str) -> Refusal {
    let place = if path.is_empty() { "the body".to_owned() } else { format!("`{path}` of the body") };
    Refusal::new(RefusalCode::BodyInvalid, format!("{place} is not {wanted}"))
}
