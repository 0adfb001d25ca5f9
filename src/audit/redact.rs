//! What of a request may be written down: names and paths, never values that could be secrets.

use std::collections::BTreeSet;

/// Longest path, name or sentence that is kept, in bytes.
const LONGEST: usize = 1024;
/// Longest user agent that is kept, in bytes.
const LONGEST_AGENT: usize = 200;
/// How many names of query parameters are kept.
const MOST_KEYS: usize = 32;
/// Stands for the name of a query parameter that is not one of the Engine API's kind.
const ODD_KEY: &str = "?";

/// The path of a request target: without query, scheme, user, password and host.
pub(super) fn path(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let path = match path.split_once("://") {
        // Absolute form: what stands before the path can hold a password.
        Some((scheme, rest)) if !scheme.contains('/') => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        Some(_) | None => path,
    };
    text(path)
}

/// The names of the query's parameters, sorted, each once; their values can be secrets.
pub(super) fn query_keys(target: &str) -> Vec<String> {
    let Some((_, query)) = target.split_once('?') else {
        return Vec::new();
    };
    let keys = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let key = pair.split('=').next().unwrap_or_default();
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if plain && !key.is_empty() && key.len() <= 32 { key } else { ODD_KEY }
    });
    keys.collect::<BTreeSet<_>>().into_iter().take(MOST_KEYS).map(str::to_owned).collect()
}

/// The client's own name, cut.
pub(super) fn user_agent(agent: &str) -> String {
    let plain: String = agent.chars().filter(|c| !c.is_control()).collect();
    cut(&text(&plain), LONGEST_AGENT)
}

/// A name or sentence, cut, in which addresses have lost user, password and query.
pub(super) fn text(text: &str) -> String {
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let end = after.find(ends_address).unwrap_or(after.len());
        let (address, tail) = after.split_at_checked(end).unwrap_or((after, ""));
        clean.push_str(&bare(address));
        rest = tail;
    }
    clean.push_str(rest);
    cut(&clean, LONGEST)
}

/// An address after its scheme, without user, password, query and fragment.
fn bare(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match address.find('/').and_then(|at| address.split_at_checked(at)) {
        Some((authority, path)) => (authority, path),
        None => (address, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{host}{path}")
}

fn ends_address(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "`\"'<>)]},;".contains(c)
}

fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_neither_query_nor_host_nor_password() {
        for (target, expected) in [
            ("/v1.41/containers/json?filters=secret", "/v1.41/containers/json"),
            ("http://user:secret@host:1/v1.41/info?x=1", "/v1.41/info"),
            ("unix://secret", "/"),
            ("/images/https://me:secret@host/app/json", "/images/https://host/app/json"),
            ("/a?b=c://d", "/a"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(path(target), expected);
        }
    }

    #[test]
    fn of_a_query_only_the_names_are_kept() {
        assert_eq!(query_keys("/build?t=x&buildargs=%7B%22T%22:%22secret%22%7D&t=y"), ["buildargs", "t"]);
        assert_eq!(query_keys("/build?sec%20ret&=v&&a=1"), ["?", "a"]);
        assert_eq!(query_keys("/build"), Vec::<String>::new());
        let many: Vec<_> = (0..100).map(|n| format!("k{n}=v")).collect();
        assert_eq!(query_keys(&format!("/build?{}", many.join("&"))).len(), MOST_KEYS);
    }

    #[test]
    fn addresses_in_a_text_lose_user_password_and_query() {
        for (given, expected) in [
            (
                "alice may not image.build on `https://me:secret@git.example.com/a.git?token=secret#main` (docker build)",
                "alice may not image.build on `https://git.example.com/a.git` (docker build)",
            ),
            ("https://a@b@host:8/x, ftp://c:d@e", "https://host:8/x, ftp://e"),
            ("container:web-1", "container:web-1"),
            ("://", "://"),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("aéé", 2), "a…");
        assert_eq!(text(&"a".repeat(5000)).len(), LONGEST + "…".len());
        assert_eq!(user_agent(&"a".repeat(5000)).len(), LONGEST_AGENT + "…".len());
        assert_eq!(user_agent("Docker\u{1b}[2J-Client"), "Docker[2J-Client");
    }
}
