//! The request target as dockerd's router reads it: version prefix, path decoded once, raw query.

use std::fmt;

use super::{Refusal, RefusalCode};

/// The oldest API version that is let through: before it, `start` takes a `HostConfig`.
pub(crate) const MINIMUM_VERSION: ApiVersion = ApiVersion { major: 1, minor: 24 };

/// The longest target that is read; dockerd itself takes a megabyte of headers.
pub(crate) const TARGET_LIMIT: usize = 16 * 1024;

/// A version of the Engine API, as in the prefix `/v1.41`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ApiVersion {
    pub(crate) major: u32,
    pub(crate) minor: u32,
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

/// Reads a target, demanding at least [`MINIMUM_VERSION`].
pub(crate) fn read(target: &str) -> Result<Target, Refusal> {
    read_since(target, MINIMUM_VERSION)
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
