//! The strict JSON parser: bytes in, one value out, without recursion.

use super::{Json, Object};
use crate::engine::{Refusal, RefusalCode};

/// The deepest nesting that is read. Go reads 10000 levels, no client sends 20.
pub(crate) const DEPTH_LIMIT: usize = 512;

/// The most values in one body: a bound on memory, far above what any client sends.
pub(crate) const VALUE_LIMIT: usize = 200_000;

/// Reads one JSON value, and nothing after it but white space.
///
/// # Errors
/// `body-missing` for no bytes at all; `body-ambiguous` for what Go reads and another reader
/// would read otherwise (duplicate keys, a second value, broken UTF-8 and surrogates, a
/// byte-order mark, excessive depth); `body-invalid` for what is no JSON.
pub(crate) fn read(bytes: &[u8]) -> Result<Json, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::new(RefusalCode::BodyMissing, "the body is empty"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(ambiguous("the body starts with a byte-order mark"));
    }
    // Go replaces broken bytes silently, so that two different keys can become the same.
    let text = std::str::from_utf8(bytes).map_err(|_| ambiguous("the body is not UTF-8"))?;
    let mut parser = Parser { text, at: 0, values: 0 };
    let value = parser.document()?;
    parser.skip_space();
    if parser.peek().is_some() {
        return Err(ambiguous(format!("the body goes on after its JSON value, at byte {}", parser.at)));
    }
    Ok(value)
}

struct Parser<'a> {
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
                        return Err(ambiguous(format!(
                            "the body is nested deeper than {DEPTH_LIMIT} levels"
                        )));
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
            return Err(ambiguous(format!("the body holds more than {VALUE_LIMIT} values")));
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
                    refuse_duplicates(&members)?;
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
                    return Err(invalid(format!("a raw control character in a string, at byte {}", self.at)));
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
            .ok_or_else(|| ambiguous(format!("half of a surrogate pair in a string, at byte {}", start - 1)))
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
        invalid(format!("the body is not JSON: {wanted} expected at byte {}", self.at))
    }
}

/// Refuses two equal keys: Go merges their values, other readers take the first or the last.
fn refuse_duplicates(members: &[(String, Json)]) -> Result<(), Refusal> {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    match keys.array_windows().find(|[first, second]| first == second) {
        Some([key, _]) => Err(ambiguous(format!("the body gives the key `{key}` twice in one object"))),
        None => Ok(()),
    }
}

fn ambiguous(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::BodyAmbiguous, message)
}

fn invalid(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::BodyInvalid, message)
}
