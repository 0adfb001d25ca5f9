//! URLs that the daemon is to fetch, in a form that a pattern can be held against.

use crate::engine::{Refusal, RefusalCode};

/// `scheme://host/path` in canonical case, without user, password, query and fragment: those may
/// be secrets, and a pattern for one host must not match another one's user name.
///
/// A text without a scheme is completed with `default_scheme`, as the daemon does.
pub(super) fn canonical(text: &str, default_scheme: &str) -> Result<String, Refusal> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.chars().any(odd) {
        return Err(invalid("holds white space or a backslash"));
    }
    let (scheme, rest) = text.split_once("://").unwrap_or((default_scheme, text));
    if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return Err(invalid("has no scheme such as `https`"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return Err(invalid("has no host"));
    }
    // The daemon decodes escapes in a host, so that one host would have many spellings.
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)) {
        return Err(invalid("has an unusual character in its host"));
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let dots =
        |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if path.split('/').any(dots) {
        return Err(invalid("has a `.` or `..` segment; write it without"));
    }
    let path = if path.is_empty() { "/" } else { path };
    Ok(format!("{}://{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase()))
}

fn invalid(what: &str) -> Refusal {
    Refusal::new(RefusalCode::QueryInvalid, format!("the URL that the daemon is to fetch {what}"))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn a_url_is_named_by_what_is_contacted() {
        for (text, wanted) in [
            ("https://Example.com", "https://example.com/"),
            ("example.com/a.tar", "http://example.com/a.tar"),
            ("http://files.example.com@evil.example/x?token=1#y", "http://evil.example/x"),
            ("HTTP://h:80?x=/y", "http://h:80/"),
        ] {
            assert_eq!(canonical(text, "http").as_deref(), Ok(wanted), "{text}");
        }
        for text in [
            "http://",
            "http://h/a/../b",
            "http://h/%2E%2e/b",
            "http://h\\@e/",
            "http://h /",
            "http://%68/",
            "http://\u{e9}/",
            "://h",
            "",
        ] {
            assert!(canonical(text, "http").is_err(), "{text}");
        }
    }
}
