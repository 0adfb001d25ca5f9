//! The strict JSON parser: bytes in, one value out, without recursion.

use super::{Json, Object};
use crate::engine::{Refusal, RefusalCode};

/// The deepest nesting that is read. Go reads 10000 levels, no client sends 20.
pub(crate) const DEPTH_LIMIT: usize = 512;

/// The most values in one body: a bound on memory and time, far above what any client sends.
pub(crate) const VALUE_LIMIT: usize = 50_000;

/// Reads the one JSON value of a body, and nothing after it but white space.
///
/// # Errors
/// `body-missing` for no bytes at all; `body-ambiguous` for what Go reads and another reader
/// would read otherwise (duplicate keys, a second value, broken UTF-8 and surrogates, a
/// byte-order mark, excessive size or depth); `body-invalid` for what is no JSON.
pub(crate) fn read(bytes: &[u8]) -> Result<Json, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::new(RefusalCode::BodyMissing, "the body is empty"));
    }
    document(
        bytes,
        &Place { name: "the body", ambiguous: RefusalCode::BodyAmbiguous, invalid: RefusalCode::BodyInvalid },
    )
}

/// Reads the JSON value of the query parameter `key`, such as `filters`.
///
/// # Errors
/// As [`read`], with `query-ambiguous` and `query-invalid`.
pub(crate) fn read_parameter(key: &str, text: &str) -> Result<Json, Refusal> {
    document(
        text.as_bytes(),
        &Place {
            name: &format!("the query parameter `{key}`"),
            ambiguous: RefusalCode::QueryAmbiguous,
            invalid: RefusalCode::QueryInvalid,
        },
    )
}

fn document(bytes: &[u8], place: &Place<'_>) -> Result<Json, Refusal> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(place.ambiguous("starts with a byte-order mark"));
    }
    // Go replaces broken bytes silently, so that two different keys can become the same.
    let text = std::str::from_utf8(bytes).map_err(|_| place.ambiguous("is not UTF-8"))?;
    let mut parser = Parser { place, text, at: 0, values: 0 };
    let value = parser.document()?;
    parser.skip_space();
    if parser.peek().is_some() {
        // An old engine takes the first value and ignores the rest; all of them ignore `}` and `]`.
        return Err(place.ambiguous(format!("goes on after its JSON value, at byte {}", parser.at)));
    }
    Ok(value)
}

/// Where the JSON stands, for the refusals.
struct Place<'a> {
    name: &'a str,
    ambiguous: RefusalCode,
    invalid: RefusalCode,
}

impl Place<'_> {
    fn ambiguous(&self, message: impl AsRef<str>) -> Refusal {
        Refusal::new(self.ambiguous, format!("{} {}", self.name, message.as_ref()))
    }

    fn invalid(&self, message: impl AsRef<str>) -> Refusal {
        Refusal::new(self.invalid, format!("{} {}", self.name, message.as_ref()))
    }
}

struct Parser<'a> {
    place: &'a Place<'a>,
    text: &'a str,
    at: usize,
    values: usize,
}

/// A container whose end has not been seen yet.
enum Open {
    List(Vec<Json>),
    /// The members so far, and the key whose value comes next.
    Object(Vec<(String, Json)>, String),
}

/// What stands where a value is wanted.
enum Start {
    Whole(Json),
    Opened(Open),
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Json, Refusal> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut value = match self.start()? {
                Start::Opened(container) => {
                    if open.len() >= DEPTH_LIMIT {
                        return Err(self
                            .place
                            .ambiguous(format!("is nested deeper than {DEPTH_LIMIT} levels")));
                    }
                    open.push(container);
                    continue;
                }
                Start::Whole(value) => value,
            };
            // The value may be the last of its container, and that of the next one out.
            loop {
                let Some(container) = open.pop() else { return Ok(value) };
                match self.add(container, value)? {
                    Start::Whole(closed) => value = closed,
                    Start::Opened(container) => {
                        open.push(container);
                        break;
                    }
                }
            }
        }
    }

    /// Reads up to the next scalar, empty container, or first place for a value inside one.
    fn start(&mut self) -> Result<Start, Refusal> {
        self.values += 1;
        if self.values > VALUE_LIMIT {
            return Err(self.place.ambiguous(format!("holds more than {VALUE_LIMIT} values")));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.skip_space();
                if self.take(b'}') {
                    return Ok(Start::Whole(Json::Object(Object::default())));
                }
                Ok(Start::Opened(Open::Object(Vec::new(), self.key()?)))
            }
            Some(b'[') => {
                self.at += 1;
                self.skip_space();
                if self.take(b']') {
                    return Ok(Start::Whole(Json::List(Vec::new())));
                }
                Ok(Start::Opened(Open::List(Vec::new())))
            }
            Some(b'"') => Ok(Start::Whole(Json::Text(self.string()?))),
            Some(b'-' | b'0'..=b'9') => Ok(Start::Whole(Json::Number(self.number()?))),
            Some(_) => {
                for (word, value) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        return Ok(Start::Whole(value));
                    }
                }
                Err(self.unexpected("a value"))
            }
            None => Err(self.unexpected("a value")),
        }
    }

    /// Puts a value into its container and reads the `,` or end that follows.
    fn add(&mut self, container: Open, value: Json) -> Result<Start, Refusal> {
        self.skip_space();
        match container {
            Open::List(mut items) => {
                items.push(value);
                if self.take(b',') {
                    Ok(Start::Opened(Open::List(items)))
                } else if self.take(b']') {
                    Ok(Start::Whole(Json::List(items)))
                } else {
                    Err(self.unexpected("`,` or `]`"))
                }
            }
            Open::Object(mut members, key) => {
                members.push((key, value));
                if self.take(b',') {
                    self.skip_space();
                    Ok(Start::Opened(Open::Object(members, self.key()?)))
                } else if self.take(b'}') {
                    self.refuse_duplicates(&members)?;
                    Ok(Start::Whole(Json::Object(Object(members))))
                } else {
                    Err(self.unexpected("`,` or `}`"))
                }
            }
        }
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Result<String, Refusal> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key in quotes"));
        }
        let key = self.string()?;
        self.skip_space();
        if self.take(b':') { Ok(key) } else { Err(self.unexpected("`:`")) }
    }

    fn string(&mut self) -> Result<String, Refusal> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            let (literal, _) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            text.push_str(literal);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => {
                    {
                        let message = format!("has a raw control character in a string, at byte {}", self.at);
                        return Err(self.place.invalid(message));
                    };
                }
                None => return Err(self.unexpected("the end of a string")),
            }
        }
    }

    /// The character that an escape stands for, the backslash being read already.
    fn escape(&mut self) -> Result<char, Refusal> {
        let Some(letter) = self.peek() else { return Err(self.unexpected("an escape")) };
        let plain = match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(self.unexpected("an escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// `uXXXX`, or a pair of them for a character beyond the first plane.
    fn unicode_escape(&mut self) -> Result<char, Refusal> {
        let start = self.at;
        let first = self.code_unit()?;
        let code = match first {
            0xd800..=0xdbff if self.rest().starts_with("\\u") => {
                self.at += 1;
                let second = self.code_unit()?;
                // Go makes U+FFFD of a surrogate without its other half, other readers fail.
                match second {
                    0xdc00..=0xdfff => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => first,
                }
            }
            other => other,
        };
        char::from_u32(code)
            .ok_or_else(|| self.place.ambiguous(format!("has half of a surrogate pair, at byte {start}")))
    }

    /// The number of `uXXXX`.
    fn code_unit(&mut self) -> Result<u32, Refusal> {
        let digits =
            self.rest().get(1..5).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(unit) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.unexpected("four hexadecimal digits"));
        };
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<String, Refusal> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(self.text.get(start..self.at).unwrap_or_default().to_owned())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Refusal> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected("a digit"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self, wanted: &str) -> Refusal {
        self.place.invalid(format!("is not JSON: {wanted} expected at byte {}", self.at))
    }

    /// Refuses two equal keys: Go merges their values, other readers take the first or the last.
    fn refuse_duplicates(&self, members: &[(String, Json)]) -> Result<(), Refusal> {
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        match keys.array_windows().find(|[first, second]| first == second) {
            Some([key, _]) => {
                Err(self.place.ambiguous(format!("gives the key `{key}` twice in one object; give it once")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(bytes: &[u8]) -> (RefusalCode, String) {
        let refusal = read(bytes).unwrap_err();
        (refusal.code, refusal.message)
    }

    fn ambiguous(bytes: &[u8], message: &str) {
        assert_eq!(refused(bytes), (RefusalCode::BodyAmbiguous, message.to_owned()));
    }

    #[test]
    fn a_body_is_read_as_it_is_written() {
        let body = br#" {"Image":"a\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t","N":-1.5e+3,"L":[null,true,[],{}]} "#;
        let members = vec![
            ("Image".to_owned(), Json::Text("aé😀\"\\/\u{8}\u{c}\n\r\t".to_owned())),
            ("N".to_owned(), Json::Number("-1.5e+3".to_owned())),
            (
                "L".to_owned(),
                Json::List(vec![
                    Json::Null,
                    Json::Bool(true),
                    Json::List(vec![]),
                    Json::Object(Object::default()),
                ]),
            ),
        ];
        assert_eq!(read(body), Ok(Json::Object(Object(members))));
    }

    #[test]
    fn no_bytes_are_a_missing_body() {
        assert_eq!(refused(b""), (RefusalCode::BodyMissing, "the body is empty".to_owned()));
    }

    #[test]
    fn a_key_given_twice_is_refused_at_any_depth_and_spelling() {
        ambiguous(br#"{"a":1,"a":1}"#, "the body gives the key `a` twice in one object; give it once");
        ambiguous(
            br#"[{"x":{"a":1,"b":2,"\u0061":{}}}]"#,
            "the body gives the key `a` twice in one object; give it once",
        );
    }

    #[test]
    fn one_key_in_two_objects_is_no_duplicate() {
        assert!(read(br#"[{"a":{"a":1}},{"a":2}]"#).is_ok());
    }

    #[test]
    fn anything_after_the_value_is_refused() {
        for rest in ["{}", "}", "]", "]]xyz", "null", "x", "1", "\u{feff}", "\0"] {
            ambiguous(format!("{{}} {rest}").as_bytes(), "the body goes on after its JSON value, at byte 3");
        }
    }

    #[test]
    fn white_space_around_and_between_is_free() {
        assert_eq!(read(b"\r\n\t { \"a\" : [ 1 , 2 ] } \n"), read(b"{\"a\":[1,2]}"));
    }

    #[test]
    fn a_byte_order_mark_is_refused() {
        ambiguous(b"\xef\xbb\xbf{}", "the body starts with a byte-order mark");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused() {
        for bytes in
            [&b"{\"a\xff\":1}"[..], b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"\xff\xfe{\0}\0", b"\"\xc0\xaf\""]
        {
            ambiguous(bytes, "the body is not UTF-8");
        }
    }

    #[test]
    fn half_of_a_surrogate_pair_is_refused() {
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#""\ud800\n""#] {
            ambiguous(text.as_bytes(), "the body has half of a surrogate pair, at byte 2");
        }
        assert!(read(br#"{"\ud800":1}"#).is_err());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            " ",
            "{",
            "}",
            "[",
            "]",
            "{]",
            "[}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{'a':1}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "nul",
            "NULL",
            "True",
            "tru",
            "NaN",
            "Infinity",
            "+1",
            "-",
            "-a",
            "1.",
            ".5",
            "1e",
            "1e+",
            "--1",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x41\"",
            "\"\\'\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\"\\u00é\"",
            "// c\n1",
            "/**/1",
            "\"\t\"",
            "\"\n\"",
            "\"\0\"",
            "\u{a0}1",
            "\u{2028}1",
            "\u{c}1",
        ] {
            assert_eq!(refused(text.as_bytes()).0, RefusalCode::BodyInvalid, "{text}");
        }
    }

    #[test]
    fn numbers_are_kept_as_they_are_written() {
        for digits in ["0", "-0", "10", "9223372036854775808", "0.10", "1E400", "1e-0", "-1.5e+3", "1e9999"] {
            assert_eq!(read(digits.as_bytes()), Ok(Json::Number(digits.to_owned())));
        }
    }

    #[test]
    fn a_syntax_error_says_where_and_shows_nothing() {
        let refusal =
            (RefusalCode::BodyInvalid, "the body is not JSON: `,` or `}` expected at byte 14".to_owned());
        assert_eq!(refused(br#"{"a":"secret" "b":1}"#), refusal);
    }

    #[test]
    fn the_deepest_nesting_is_read_and_one_more_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(
            read(nested(DEPTH_LIMIT + 1).as_bytes()).is_ok(),
            "the innermost is empty and needs no level"
        );
        ambiguous(nested(DEPTH_LIMIT + 2).as_bytes(), "the body is nested deeper than 512 levels");
    }

    #[test]
    fn a_megabyte_of_opening_brackets_is_refused_without_falling_over() {
        ambiguous(&vec![b'['; 1 << 20], "the body is nested deeper than 512 levels");
        ambiguous("{\"a\":".repeat(1 << 18).as_bytes(), "the body is nested deeper than 512 levels");
    }

    #[test]
    fn too_many_values_are_refused() {
        ambiguous(
            format!("[{}0]", "0,".repeat(VALUE_LIMIT)).as_bytes(),
            "the body holds more than 50000 values",
        );
    }

    #[test]
    fn a_query_parameter_is_refused_as_such() {
        let message = "the query parameter `filters` gives the key `a` twice in one object; give it once";
        let refusal = read_parameter("filters", r#"{"a":[],"a":[]}"#).unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (RefusalCode::QueryAmbiguous, message));
        assert_eq!(read_parameter("filters", "").unwrap_err().code, RefusalCode::QueryInvalid);
    }

    /// Any value that serde can write, with white space where it is free.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn plain(json: &Json) -> serde_json::Value {
        match json {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(digits) => digits.parse::<i64>().unwrap().into(),
            Json::Text(text) => text.as_str().into(),
            Json::List(items) => items.iter().map(plain).collect(),
            Json::Object(object) => {
                object.entries().map(|(key, value)| (key.to_owned(), plain(value))).collect()
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
            drop(read(&bytes));
        }

        #[test]
        fn what_is_read_is_json_to_others_too(text in r#"[\[\]{}",:\\u0-9a-fnrtl .e+-]{0,60}"#) {
            if read(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
            }
        }

        #[test]
        fn what_others_write_is_read_unchanged(value in value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let json = read(text.unwrap().as_bytes());
            prop_assert_eq!(json.as_ref().map(plain), Ok(value));
        }
    }
}
