//! Doors for the fuzz targets, each with the properties that any input must leave true; for them and for tests.
#![expect(clippy::missing_panics_doc, reason = "a panic is what the fuzzer looks for")]
#![expect(clippy::format_push_string, reason = "the shorter form, where nothing ships")]

use std::collections::BTreeMap;

use super::json::{self, Json, Object};
use super::query::Query;
use super::{Call, Classified, Door, Refusal, classify, hostpath, reference, uri};

/// A request target is read or refused, and what is read is clean and has one spelling that reads the same.
pub fn target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(target) = uri::read(text) else { return };
    assert!(target.path.starts_with('/') && !target.path.contains("//"));
    assert!(!target.path.split('/').any(|segment| segment == "." || segment == ".."));
    assert!(!target.path.chars().any(char::is_control));
    let version = target.version.map(|version| format!("/v{version}")).unwrap_or_default();
    // A path that begins like a version is only told from one by the prefix before it.
    if target.version.is_some() || !target.path.starts_with("/v") {
        let plain = format!("{version}{}?{}", escaped(&target.path), target.raw_query);
        if plain.len() <= uri::TARGET_LIMIT {
            assert_eq!(uri::read(&plain), Ok(target.clone()));
        }
    }
    if let Ok(query) = Query::read(&target.raw_query) {
        let mut keys: Vec<&str> = query.unknown(&[]).collect();
        let before = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(query.check(&[], &[]).is_err(), keys.len() < before);
    }
}

/// A body is read or refused, and what is read is the same when written down again.
pub fn body(bytes: &[u8]) {
    let Ok(value) = json::read(bytes) else { return };
    let mut text = String::new();
    write(&value, &mut text);
    assert_eq!(json::read(text.as_bytes()), Ok(value.clone()));
    if let Ok(fields) = value.as_fields("", &["HostConfig", "Image", "Binds", "Kelvin"]) {
        assert!(fields.unknown().all(|(key, value)| key != "HostConfig" && !value.is_zero()));
    }
}

/// An image reference or host path is read or refused, and its canonical form is its own.
pub fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(path) = hostpath::canonical(text) {
        assert_eq!(hostpath::canonical(&path).as_ref(), Ok(&path));
        let _: bool = hostpath::is_sensitive(&path);
    }
    let Ok(read) = reference::normalize(text) else { return };
    match &read {
        reference::Reference::Id(id) => assert_eq!(reference::normalize(id), Ok(read)),
        reference::Reference::Named { canonical }
        | reference::Reference::NameOrIdPrefix { canonical, .. } => {
            let named = reference::Reference::Named { canonical: canonical.clone() };
            assert_eq!(reference::normalize(canonical), Ok(named));
        }
    }
}

/// A call, written as `METHOD target`, header lines, an empty line and the body, is classified or refused.
pub fn call(bytes: &[u8]) {
    let at = bytes.windows(2).position(|end| end == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(at);
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let Some((method, uri)) = lines.next().and_then(|first| first.split_once(' ')) else { return };
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = body.get(2..).filter(|body| !body.is_empty());
    classification(&Call { method, uri, headers: &headers, body, door: Door::Plugin });
}

/// What a call needs is sane, the same however its path is spelled, and no more through the gateway, which sees better.
pub fn classification(call: &Call<'_>) {
    let classified = match through(call, Door::Plugin, call.uri) {
        Ok(classified) => classified,
        Err(refusal) => {
            assert!(!refusal.message.chars().any(char::is_control), "{refusal}");
            return;
        }
    };
    let first = classified.requirements.iter().next();
    assert_eq!(first.map(|first| first.action), Some(classified.operation));
    for requirement in &classified.requirements {
        let name = &requirement.resource.name;
        assert!(!name.is_empty() && !name.chars().any(char::is_control), "{requirement}");
    }
    if let Some(respelled) = respelled(call.uri) {
        assert_eq!(through(call, Door::Plugin, &respelled).as_ref(), Ok(&classified), "`{respelled}`");
    }
    assert!(covers(&classified, &through(call, Door::Gateway, call.uri)), "the gateway's call needs more");
}

fn through(call: &Call<'_>, door: Door, uri: &str) -> Result<Classified, Refusal> {
    classify(&Call { method: call.method, uri, headers: call.headers, body: call.body, door })
}

/// Whether a call that is classified needs all that the other reading of it needs.
fn covers(classified: &Classified, other: &Result<Classified, Refusal>) -> bool {
    let listed = |wanted| classified.requirements.iter().any(|requirement| requirement == wanted);
    other.as_ref().is_ok_and(|other| other.requirements.iter().all(listed))
}

/// The target with every byte of its path escaped that can be, or `None` where that is too long.
fn respelled(uri: &str) -> Option<String> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut text = String::from("/");
    let mut bytes = path.strip_prefix('/')?.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            text.push('%');
            text.push(char::from(bytes.next()?));
            text.push(char::from(bytes.next()?));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text.push('?');
    text.push_str(query);
    (text.len() < uri::TARGET_LIMIT).then_some(text)
}

fn escaped(path: &str) -> String {
    path.bytes().map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02x}") }).collect()
}

fn write(value: &Json, text: &mut String) {
    match value {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(digits) => text.push_str(digits),
        Json::Text(string) => write_string(string, text),
        Json::List(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                write(item, text);
            }
            text.push(']');
        }
        Json::Object(object) => write_object(object, text),
    }
}

fn write_object(object: &Object, text: &mut String) {
    text.push('{');
    for (at, (key, value)) in object.entries().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        write_string(key, text);
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for unit in string.encode_utf16() {
        text.push_str(&format!("\\u{unit:04x}"));
    }
    text.push('"');
}
