//! The request target as dockerd's router reads it: version prefix, path decoded once, raw query.

use std::fmt;

use super::{Refusal, RefusalCode};

/// The longest target that is read; dockerd itself takes a megabyte of headers.
pub(crate) const TARGET_LIMIT: usize = 16 * 1024;

/// A version of the Engine API, as in the prefix `/v1.41`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl ApiVersion {
    /// The oldest that is read: before it, `start` takes a `HostConfig`.
    pub const OLDEST: Self = Self { major: 1, minor: 24 };

    /// The version that is written `1.44`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        let number = |digits: &str| {
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        Some(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A request target in its one normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The version asked for; `None` means the daemon's newest.
    pub(crate) version: Option<ApiVersion>,
    /// The path after the version prefix, percent-decoded once; starts with `/`, is clean,
    /// and may hold `?`, `#` or `%` that were written as escapes.
    pub(crate) path: String,
    /// What follows the first `?`, undecoded; empty where there is none.
    pub(crate) raw_query: String,
}

/// Reads a target, demanding at least [`ApiVersion::OLDEST`].
pub(crate) fn read(target: &str) -> Result<Target, Refusal> {
    read_since(target, ApiVersion::OLDEST)
}

/// Reads a target, demanding at least the version `minimum` where one is named.
pub(crate) fn read_since(target: &str, minimum: ApiVersion) -> Result<Target, Refusal> {
    if target.len() > TARGET_LIMIT {
        return Err(ambiguous(format!("the request target is longer than {TARGET_LIMIT} bytes")));
    }
    // The door shows bytes that are no UTF-8 as U+FFFD, while the daemon reads the bytes: only
    // what is printable ASCII is surely the same on both sides. Clients escape the rest.
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ambiguous("the request target holds a character that must be percent-encoded"));
    }
    // dockerd's router takes `#` for an ordinary character, its authorization code for a fragment.
    if target.contains('#') {
        return Err(ambiguous("the request target holds `#`; write it as `%23`"));
    }
    let (location, raw_query) = target.split_once('?').unwrap_or((target, ""));
    let encoded = path_of(location)?;
    let path = percent_decode(encoded, false).map_err(|fault| ambiguous(format!("the path {fault}")))?;
    if path.chars().any(char::is_control) {
        return Err(ambiguous("the path holds a control character"));
    }
    // dockerd answers an unclean path with a redirect and asks nobody, so whoever asks about
    // one is not dockerd or reads otherwise than we do.
    if !is_clean(&path) {
        return Err(ambiguous("the path has an empty, `.` or `..` segment; send the clean path"));
    }
    let (version, path) = split_version(&path, minimum)?;
    Ok(Target { version, path: path.to_owned(), raw_query: raw_query.to_owned() })
}

/// Decodes percent escapes once, and `+` as a space where `plus_is_space`.
///
/// The error is the rest of a sentence about the thing that was decoded.
pub(super) fn percent_decode(text: &str, plus_is_space: bool) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let (Some(high), Some(low)) = (hex_digit(bytes.next()), hex_digit(bytes.next())) else {
                    return Err("holds `%` without two hexadecimal digits; write it as `%25`");
                };
                high * 16 + low
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| "does not decode to UTF-8")
}

fn hex_digit(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The still encoded path of an origin-form or absolute-form target without its query.
fn path_of(location: &str) -> Result<&str, Refusal> {
    if location.starts_with('/') {
        return Ok(location);
    }
    // Go's url.ParseRequestURI: a scheme of any name; then `//authority`, or a path at once.
    let after_scheme = location
        .split_once(':')
        .filter(|(scheme, _)| is_scheme(scheme))
        .map(|(_, rest)| rest)
        .ok_or_else(|| ambiguous("the request target is neither a path nor an absolute URL"))?;
    let Some(rest) = after_scheme.strip_prefix("//") else {
        return if after_scheme.starts_with('/') {
            Ok(after_scheme)
        } else {
            Err(ambiguous("the request target has a scheme but no path"))
        };
    };
    let Some((authority, path)) = rest.find('/').and_then(|at| rest.split_at_checked(at)) else {
        return Err(ambiguous("the request target is an absolute URL without a path"));
    };
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    // Escapes in the host could hide a slash from one reader and show it to another.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte);
    if !user.bytes().all(|byte| plain(byte) || byte == b'@' || byte == b'%')
        || !host.bytes().all(|byte| plain(byte) || byte == b'[' || byte == b']')
    {
        return Err(ambiguous("the host part of the request target holds an unusual character"));
    }
    Ok(path)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether Go's `path.Clean` would leave the path as it is, one trailing slash aside.
fn is_clean(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let body = rest.strip_suffix('/').unwrap_or(rest);
    rest.is_empty() || body.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Splits off the prefix that the daemon's routes know as `/v{version:[0-9.]+}`.
fn split_version(path: &str, minimum: ApiVersion) -> Result<(Option<ApiVersion>, &str), Refusal> {
    let prefixed = path.strip_prefix("/v").and_then(|rest| {
        let (digits, rest) = rest.split_at_checked(rest.find('/')?)?;
        let numeric = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        (!digits.is_empty() && digits.bytes().all(numeric)).then_some((digits, rest))
    });
    let Some((digits, rest)) = prefixed else { return Ok((None, path)) };
    let version = parse_version(digits)?;
    if version < minimum {
        return Err(version_refused(format!(
            "API version {version} is older than {minimum}; use a newer client"
        )));
    }
    Ok((Some(version), rest))
}

/// Compares as dockerd does: number by number, a missing or empty one being 0.
fn parse_version(digits: &str) -> Result<ApiVersion, Refusal> {
    let not_a_version =
        || version_refused("the path names no API version that a daemon serves; use one like `/v1.41/`");
    let mut numbers = Vec::new();
    for part in digits.split('.') {
        let number: u32 = if part.is_empty() { 0 } else { part.parse().map_err(|_| not_a_version())? };
        numbers.push(number);
    }
    let mut numbers = numbers.into_iter();
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    // A third number makes the version newer than 1.41 and older than 1.42, which no client means;
    // a second generation of the API would mean what we cannot know. Both are refused.
    if major > 1 || numbers.any(|number| number != 0) {
        return Err(not_a_version());
    }
    Ok(ApiVersion { major, minor })
}

fn ambiguous(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::UriAmbiguous, message)
}

fn version_refused(message: impl AsRef<str>) -> Refusal {
    Refusal::new(RefusalCode::ApiVersion, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V141: Option<ApiVersion> = Some(ApiVersion { major: 1, minor: 41 });

    fn target(version: Option<ApiVersion>, path: &str, raw_query: &str) -> Target {
        Target { version, path: path.to_owned(), raw_query: raw_query.to_owned() }
    }

    fn code(text: &str) -> RefusalCode {
        match read(text) {
            Err(refusal) => refusal.code,
            Ok(target) => panic!("`{text}` was read as {target:?}"),
        }
    }

    #[test]
    fn a_plain_target_is_version_path_and_query() {
        assert_eq!(
            read("/v1.41/containers/json?all=1&size=%31"),
            Ok(target(V141, "/containers/json", "all=1&size=%31"))
        );
    }

    #[test]
    fn a_target_without_a_version_asks_for_the_newest() {
        assert_eq!(read("/_ping"), Ok(target(None, "/_ping", "")));
        assert_eq!(read("/version"), Ok(target(None, "/version", "")));
        assert_eq!(read("/volumes"), Ok(target(None, "/volumes", "")));
    }

    #[test]
    fn every_spelling_of_a_version_that_dockerd_takes_is_that_version() {
        for prefix in
            ["v1.41", "v01.041", "v1.41.0", "v1.41.", "v1.41.0.0.", "v001.0041..", "%76%31%2e%34%31"]
        {
            assert_eq!(read(&format!("/{prefix}/info")), Ok(target(V141, "/info", "")), "{prefix}");
        }
    }

    #[test]
    fn what_dockerd_takes_for_an_ancient_version_is_refused() {
        for prefix in ["v1..41", "v.1.41", "v.", "v..", "v1", "v0", "v1.23", "v1.0", "v0.41", "v1.23.9"] {
            assert_eq!(code(&format!("/{prefix}/info")), RefusalCode::ApiVersion, "{prefix}");
        }
        assert_eq!(
            read("/v1.23/info").unwrap_err().message,
            "API version 1.23 is older than 1.24; use a newer client"
        );
    }

    #[test]
    fn what_no_client_means_by_a_version_is_refused() {
        for prefix in ["v1.41.1", "v2.0", "v1.99999999999999999999", "v4294967296.41", "v1.41.0.1"] {
            assert_eq!(code(&format!("/{prefix}/info")), RefusalCode::ApiVersion, "{prefix}");
        }
    }

    #[test]
    fn the_oldest_version_is_a_setting() {
        let minimum = ApiVersion { major: 1, minor: 40 };
        assert!(read_since("/v1.40/info", minimum).is_ok());
        assert_eq!(read_since("/v1.39/info", minimum).unwrap_err().code, RefusalCode::ApiVersion);
        assert_eq!(read_since("/info", minimum), Ok(target(None, "/info", "")));
    }

    #[test]
    fn only_one_version_prefix_is_taken_off() {
        assert_eq!(read("/v1.41/v1.41/info"), Ok(target(V141, "/v1.41/info", "")));
    }

    #[test]
    fn what_is_no_version_prefix_to_dockerd_is_part_of_the_path() {
        for path in
            ["/v1.41", "/V1.41/info", "/v1.41a/info", "/v1_41/info", "/v/info", "/vx/info", "/v1.41%20/info"]
        {
            assert_eq!(read(path).unwrap().version, None, "{path}");
        }
    }

    #[test]
    fn the_path_is_decoded_once() {
        assert_eq!(read("/v1.41/%63ontainers%2Fcreate"), Ok(target(V141, "/containers/create", "")));
        assert_eq!(read("/containers/%2563reate"), Ok(target(None, "/containers/%63reate", "")));
        assert_eq!(read("/containers/a+b%2Bc/json"), Ok(target(None, "/containers/a+b+c/json", "")));
    }

    #[test]
    fn escaped_marks_belong_to_the_name() {
        assert_eq!(
            read("/containers/a%3Fb%23c;d/json?x=%23"),
            Ok(target(None, "/containers/a?b#c;d/json", "x=%23"))
        );
    }

    #[test]
    fn case_and_a_trailing_slash_are_kept_because_they_make_another_route() {
        assert_eq!(read("/Containers/JSON"), Ok(target(None, "/Containers/JSON", "")));
        assert_eq!(read("/networks/"), Ok(target(None, "/networks/", "")));
        assert_eq!(read("/v1.41/"), Ok(target(V141, "/", "")));
    }

    #[test]
    fn the_query_starts_at_the_first_question_mark() {
        assert_eq!(read("/info?a=?b?"), Ok(target(None, "/info", "a=?b?")));
        assert_eq!(read("/info?"), Ok(target(None, "/info", "")));
        assert_eq!(read("/info??"), Ok(target(None, "/info", "?")));
    }

    #[test]
    fn the_absolute_form_is_read_past_scheme_and_host() {
        for prefix in [
            "http://localhost",
            "http://docker:2375",
            "HTTPS://a:b@host:1",
            "unix://x",
            "unix://",
            "unix:",
            "http://[::1]:80",
            "http://u%40v@h",
            "x+y-z.1://h",
        ] {
            assert_eq!(
                read(&format!("{prefix}/v1.41/containers/create?name=a")),
                Ok(target(V141, "/containers/create", "name=a")),
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_target_that_is_not_surely_a_path_is_refused() {
        for text in [
            "",
            "*",
            "info",
            "host:80",
            "http:info",
            "http://host",
            "http://host?/v1.41/info",
            "http:",
            "://h/info",
            "1http://h/info",
            "ht/tp://h/info",
            "http://h%2Finfo/x",
            "http://h\\x/info",
            "http://h<x/info",
            "?/info",
        ] {
            assert_eq!(code(text), RefusalCode::UriAmbiguous, "{text}");
        }
    }

    #[test]
    fn an_unclean_path_never_comes_from_dockerd_and_is_refused() {
        for path in [
            "//info",
            "/./info",
            "/../info",
            "/a/..",
            "/a/.",
            "/a//",
            "/a/../info",
            "/containers//json",
            "/%2e/info",
            "/%2e%2e/info",
            "/a%2f%2fb",
            "/a/%2E%2E/info",
            "/v1.41//info",
            "/v1.41/../v1.41/info",
            "http:////info",
        ] {
            assert_eq!(code(path), RefusalCode::UriAmbiguous, "{path}");
        }
    }

    #[test]
    fn dots_within_a_name_are_clean() {
        for path in ["/containers/.../json", "/containers/.a/json", "/containers/a../json", "/a/b/"] {
            assert_eq!(read(path), Ok(target(None, path, "")));
        }
    }

    #[test]
    fn bad_escapes_are_refused() {
        for path in ["/%", "/%4", "/%zz", "/%4g", "/%%41", "/%u0041", "/%+1", "/% 1"] {
            assert_eq!(code(path), RefusalCode::UriAmbiguous, "{path}");
        }
    }

    #[test]
    fn control_characters_are_refused_raw_and_escaped() {
        for path in
            ["/a%00", "/a%0a/json", "/a%7f", "/a%C2%85b", "/a\0", "/a\n", "/a\tb", "/a b", "/info?a\0"]
        {
            assert_eq!(code(path), RefusalCode::UriAmbiguous, "{path:?}");
        }
    }

    #[test]
    fn what_is_no_text_or_not_escaped_is_refused() {
        for path in ["/containers/é/json", "/info?a=\u{fffd}", "/%ff", "/%c3", "/%ed%a0%80", "/%c0%af"] {
            assert_eq!(code(path), RefusalCode::UriAmbiguous, "{path}");
        }
        assert_eq!(read("/containers/%C3%A9/json"), Ok(target(None, "/containers/é/json", "")));
    }

    #[test]
    fn a_fragment_mark_is_refused_because_the_daemon_itself_reads_it_in_two_ways() {
        for text in ["/services/create?x=#%zz", "/info#", "/#/info", "http://h#/info"] {
            assert_eq!(code(text), RefusalCode::UriAmbiguous, "{text}");
        }
    }

    #[test]
    fn the_longest_target_is_read_and_one_byte_more_is_refused() {
        let longest = format!("/{}", "a".repeat(TARGET_LIMIT - 1));
        assert!(read(&longest).is_ok());
        assert_eq!(code(&format!("{longest}a")), RefusalCode::UriAmbiguous);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            drop(read(&text));
        }

        #[test]
        fn whatever_is_read_is_clean(text in "(http://h)?/?(v1[.]41/)?[a-c/.%2eEfF0]{0,12}[?]?[a=%]{0,3}") {
            if let Ok(target) = read(&text) {
                prop_assert!(target.path.starts_with('/'));
                prop_assert!(!target.path.contains("//"));
                prop_assert!(!target.path.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }

        #[test]
        fn no_spelling_of_a_route_is_read_as_another(
            route in prop::sample::select(vec!["/containers/create", "/exec/a/start", "/images/x/y:1/tag", "/networks/"]),
            escaped in prop::collection::vec(any::<bool>(), 24),
            upper in any::<bool>(),
            host in prop::sample::select(vec!["", "http://h", "unix://x:y@z", "a:"]),
            version in prop::sample::select(vec!["/v1.41", "/v01.41.0", "/v1.041."]),
        ) {
            let spelling: String = format!("{version}{route}")
                .chars()
                .enumerate()
                .map(|(at, c)| match (escaped.get(at).copied().unwrap_or(at % 3 == 0), upper) {
                    // The first slash says where the path begins.
                    (true, true) if at > 0 => format!("%{:02X}", u32::from(c)),
                    (true, false) if at > 0 => format!("%{:02x}", u32::from(c)),
                    _ => c.to_string(),
                })
                .collect();
            prop_assert_eq!(read(&format!("{host}{spelling}?a=1")), Ok(target(V141, route, "a=1")));
        }
    }
}
