//! The query string as dockerd reads it: split, decoded once, and no key that could count twice.

use super::json::{self, Json};
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

    /// A parameter that is JSON, such as `filters`; [`Json::Null`] if it is absent or empty.
    pub(crate) fn json(&self, key: &str) -> Result<Json, Refusal> {
        match self.one(key) {
            None | Some("") => Ok(Json::Null),
            Some(text) => json::read_parameter(key, text),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(raw: &str) -> Query {
        Query::read(raw).unwrap()
    }

    fn refused(raw: &str) -> String {
        let refusal = Query::read(raw).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::QueryAmbiguous);
        refusal.message
    }

    #[test]
    fn keys_and_values_are_decoded_once() {
        let query = query("n%61me=a%20b+c%2Bd%2525&x=%26y%3D1");
        assert_eq!(query.one("name"), Some("a b c+d%25"));
        assert_eq!(query.one("x"), Some("&y=1"));
        assert_eq!(query.one("y"), None);
    }

    #[test]
    fn a_key_without_a_value_has_the_empty_one_and_empty_pairs_are_nothing() {
        assert_eq!(query("&&a&=b&c=&"), Query(vec![pair("a", ""), pair("", "b"), pair("c", "")]));
        assert_eq!(query(""), Query::default());
    }

    #[test]
    fn a_value_may_hold_the_equals_sign() {
        assert_eq!(query("a=b=c").one("a"), Some("b=c"));
    }

    #[test]
    fn keys_are_case_sensitive() {
        assert_eq!(query("Name=a&name=b").one("name"), Some("b"));
        assert_eq!(query("Name=a").one("name"), None);
    }

    #[test]
    fn a_list_gives_every_value_in_order() {
        assert_eq!(query("t=a&x=1&t=b").all("t").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_the_daemon_could_drop_or_split_is_refused() {
        assert_eq!(refused("a=1;b=2"), "the query holds `;`; write it as `%3B`");
        assert_eq!(
            refused("t=a&remote=%zz"),
            "the query parameter `remote` holds `%` without two hexadecimal digits; write it as `%25`"
        );
        assert_eq!(refused("%=1"), "a query key holds `%` without two hexadecimal digits; write it as `%25`");
        assert_eq!(refused("name=%ff"), "the query parameter `name` does not decode to UTF-8");
        assert_eq!(refused("%00a=1"), "a query key holds a control character");
        assert_eq!(refused("name=a%00"), "the query parameter `name` holds a control character");
        assert_eq!(refused("name=a%1b%5b1m"), "the query parameter `name` holds a control character");
    }

    #[test]
    fn white_space_of_json_and_messages_is_kept() {
        assert_eq!(query("comment=a%0D%0A%09b").one("comment"), Some("a\r\n\tb"));
    }

    #[test]
    fn a_repeated_key_is_refused_unless_the_daemon_reads_all_of_it() {
        let check = |raw: &str| {
            query(raw).check(&["name"], &["t"]).map_err(|refusal| (refusal.code, refusal.message))
        };
        assert_eq!(check("t=a&t=b&name=x&other=1"), Ok(()));
        assert_eq!(
            check("name=a&t=1&n%61me=a"),
            Err((
                RefusalCode::QueryAmbiguous,
                "the query parameter `name` is repeated, and only one value counts; send it once".to_owned()
            ))
        );
        assert_eq!(
            check("new=a&t=1&new="),
            Err((
                RefusalCode::QueryAmbiguous,
                "the query parameter `new` is repeated; send it once".to_owned()
            ))
        );
    }

    #[test]
    fn unknown_keys_are_listed() {
        assert_eq!(query("a=1&b=2&A=3").unknown(&["a"]).collect::<Vec<_>>(), ["b", "A"]);
    }

    #[test]
    fn json_in_a_parameter_is_read_by_the_rules_of_bodies() {
        let text = query(r#"filters={"a":["b"]}"#);
        let entries = text.json("filters").unwrap();
        assert_eq!(entries.as_fields("", &["A"]).unwrap().texts("A"), Ok(vec!["b"]));
        assert_eq!(query("filters=").json("filters"), Ok(Json::Null));
        assert_eq!(query("").json("filters"), Ok(Json::Null));
        assert_eq!(query("filters={").json("filters").unwrap_err().code, RefusalCode::QueryInvalid);
        assert_eq!(
            query(r#"filters={"a":1,"a":2}"#).json("filters").unwrap_err().code,
            RefusalCode::QueryAmbiguous
        );
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(raw in any::<String>()) {
            drop(Query::read(&raw));
        }

        #[test]
        fn any_escaping_of_a_parameter_is_read_as_the_plain_one(
            value in "[a-zA-Z0-9&=;+#?/%. é]{0,12}",
            upper in any::<bool>(),
        ) {
            let escaped: String = value
                .bytes()
                .map(|byte| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") })
                .collect();
            let read = Query::read(&format!("a=1&name={escaped}&b"));
            prop_assert_eq!(read.as_ref().map(|query| query.one("name")), Ok(Some(value.as_str())));
        }

        #[test]
        fn repeating_any_parameter_is_refused(keys in prop::collection::vec("[a-d]", 2..6)) {
            let raw: String = keys.iter().flat_map(|key| [key, "=1&"]).collect();
            let repeated = keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key));
            prop_assert_eq!(Query::read(&raw).unwrap().check(&["a", "b"], &[]).is_err(), repeated);
        }
    }
}
