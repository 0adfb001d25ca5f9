//! Feeds any call to classification, written as `METHOD target`, header lines, an empty line and the body.
#![no_main]

use std::collections::BTreeMap;

use wharfinger::engine::{Call, Classified, Door, Refusal, classify};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
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
    let plain = classified(method, uri, &headers, body, Door::Plugin);
    if let Ok(classified) = &plain {
        let first = classified.requirements.iter().next();
        assert_eq!(first.map(|first| first.action), Some(classified.operation));
        // The same call in another spelling of its path is the same call.
        if let Some(respelled) = respelled(uri) {
            let again = self::classified(method, &respelled, &headers, body, Door::Plugin);
            assert_eq!(again.as_ref(), Ok(classified), "`{respelled}`");
        }
        // Through the gateway a call needs the same or less.
        let gateway = self::classified(method, uri, &headers, body, Door::Gateway);
        let gateway = gateway.expect("the door that shows less is the stricter one");
        for requirement in &gateway.requirements {
            assert!(classified.requirements.iter().any(|other| other == requirement), "{requirement}");
        }
    }
});

fn classified(
    method: &str,
    uri: &str,
    headers: &BTreeMap<String, String>,
    body: Option<&[u8]>,
    door: Door,
) -> Result<Classified, Refusal> {
    classify(&Call { method, uri, headers, body, door })
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
    (text.len() < 16 * 1024).then_some(text)
}
