//! The query string as dockerd reads it: split, decoded once, and no key that could count twice.

use super::uri::percent_decode;
use super::{Refusal, RefusalCode};

/// The parameters of a request, decoded, in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what follows the `?` of a target.
    pub(crate) fn read(raw: &str) -> Result<Self, Refusal> {
        // Engines built with an old Go split here too, newer ones drop the pair or answer 400.
        if raw.contains(';') {
            return Err(ambiguous("the query holds `;`; write it as `%3B`"));
        }
        let mut pairs = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = percent_decode(key, true).map_err(|fault| ambiguous(format!("a query key {fault}")))?;
            if key.chars().any(char::is_control) {
                return Err(ambiguous("a query key holds a control character"));
            }
            let value = percent_decode(value, true)
                .map_err(|fault| ambiguous(format!("the query parameter `{key}` {fault}")))?;
            // Line breaks and tabs are white space in JSON filters and legal in commit messages;
            // no other control character has a use, and NUL ends a string for half the world.
            if value.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
                return Err(ambiguous(format!("the query parameter `{key}` holds a control character")));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    /// The value that the daemon reads where it reads one: the first; `None` if the key is absent.
    pub(crate) fn one(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of a key that the daemon reads as a list.
    pub(crate) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The daemon's rule for booleans: true unless absent, empty, `0`, `no`, `false` or `none`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        let value = self.one(key).unwrap_or("").trim().to_lowercase();
        !matches!(value.as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// Refuses every repeated key that is not in `multi`: where the daemon reads one value, a
    /// second one is there to be read by somebody else. `single` only makes the message clearer.
    pub(crate) fn check(&self, single: &[&str], multi: &[&str]) -> Result<(), Refusal> {
        let mut seen: Vec<&str> = self.0.iter().map(|(key, _)| key.as_str()).collect();
        seen.sort_unstable();
        let repeated = seen.array_windows().find(|[first, second]| first == second && !multi.contains(first));
        match repeated {
            None => Ok(()),
            Some([key, _]) if single.contains(key) => Err(ambiguous(format!(
                "the query parameter `{key}` is repeated, and only one value counts; send it once"
            ))),
            Some([key, _]) => {
                Err(ambiguous(format!("the query parameter `{key}` is repeated; send it once")))
            }
        }
    }

    /// The keys that are not in `known`, for a reader that must not overlook any.
    pub(crate) fn unknown<'a>(&'a self, known: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(key, _)| key.as_str()).filter(move |key| !known.contains(key))
    }
}

fn ambiguous(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::QueryAmbiguous, message)
}
