//! Image references in canonical form, by the grammar of the distribution project.

use super::{Refusal, RefusalCode};

/// What a text that names an image can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A name with a tag or digest, such as `docker.io/library/nginx:latest`.
    Named {
        /// The full name.
        canonical: String,
    },
    /// The ID of a local image, `sha256:<64 hex>`.
    Id(String),
    /// A name that the daemon also tries as the beginning of a local ID: `b7e1d4` is any image
    /// on the host. Both must be granted, so that no rule about official images lets it through.
    NameOrIdPrefix {
        /// The full name.
        canonical: String,
        /// The beginning of an ID, `sha256:<hex>`.
        prefix: String,
    },
}

/// The parts of an image name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// Registry and repository, such as `docker.io/library/nginx`.
    pub(crate) repository: String,
    /// The tag, where one is written.
    pub(crate) tag: Option<String>,
    /// The digest, where one is written.
    pub(crate) digest: Option<String>,
}

impl Name {
    /// `repository@digest`, or `repository:tag` with `latest` for no tag.
    ///
    /// A tag beside a digest is dropped, as the daemon does: it proves nothing about the image.
    pub(crate) fn canonical(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.repository),
            (None, tag) => format!("{}:{}", self.repository, tag.as_deref().unwrap_or("latest")),
        }
    }
}

/// Reads what names an image that is there: a reference, an ID, or the beginning of one.
pub(crate) fn normalize(text: &str) -> Result<Reference, Refusal> {
    if is_hex(text) && text.len() == 64 {
        return Ok(Reference::Id(format!("sha256:{text}")));
    }
    if is_digest(text) {
        return Ok(Reference::Id(text.to_owned()));
    }
    let canonical = parse(text)?.canonical();
    let prefix = text.strip_prefix("sha256:").unwrap_or(text);
    if is_hex(prefix) && prefix.len() < 64 {
        return Ok(Reference::NameOrIdPrefix { canonical, prefix: format!("sha256:{prefix}") });
    }
    Ok(Reference::Named { canonical })
}

/// Reads what can only be a name, such as what to pull, push or tag as.
pub(crate) fn parse(text: &str) -> Result<Name, Refusal> {
    if is_hex(text) && text.len() == 64 {
        return Err(invalid(text, "64 hexadecimal digits are an ID"));
    }
    let (domain, remainder) = split_domain(text)?;
    let (rest, digest) = match remainder.split_once('@') {
        Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
        Some(_) => return Err(invalid(text, "what follows `@` is no digest")),
        None => (remainder.as_str(), None),
    };
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) if is_tag(tag) => (path, Some(tag.to_owned())),
        Some(_) => return Err(invalid(text, "what follows `:` is no tag")),
        None => (rest, None),
    };
    if !path.split('/').all(is_path_component) {
        return Err(invalid(text, "a repository has lower case letters, digits and single separators"));
    }
    let repository = format!("{domain}/{path}");
    if repository.len() > NAME_LIMIT {
        return Err(invalid(text, "its name is longer than 255 characters"));
    }
    Ok(Name { repository, tag, digest })
}

/// The longest name without tag and digest.
const NAME_LIMIT: usize = 255;

/// The registry, with the defaults that the docker client knows, and what follows it.
fn split_domain(text: &str) -> Result<(String, String), Refusal> {
    let (domain, remainder) = match text.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first =>
        {
            (first, rest)
        }
        _ => ("docker.io", text),
    };
    if !is_domain(domain) {
        return Err(invalid(text, "what precedes the first `/` is no host name"));
    }
    // Host names know no case, so a rule on the plain form must see the other spellings too.
    let lower = domain.to_ascii_lowercase();
    let hub = matches!(lower.as_str(), "docker.io" | "index.docker.io");
    if hub && lower != domain {
        // The daemon would not take this spelling for Docker Hub.
        return Err(invalid(text, "write the registry in lower case"));
    }
    let remainder =
        if hub && !remainder.contains('/') { format!("library/{remainder}") } else { remainder.to_owned() };
    Ok((if hub { "docker.io".to_owned() } else { lower }, remainder))
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, rest)) = rest.split_once(']') else { return false };
            let colons = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
            if address.is_empty() || !address.bytes().all(colons) {
                return false;
            }
            return rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    port.is_none_or(is_port) && host.split('.').all(is_domain_component)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_domain_component(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Runs of lower case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.split(alphanumeric).all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// A digest of an algorithm that the daemon knows, in the length that it has.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && is_hex(hex)
}

/// Lower case, as IDs are written.
fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn invalid(text: &str, reason: &str) -> Refusal {
    let shown: String = text.chars().take(120).collect();
    Refusal::new(RefusalCode::ReferenceInvalid, format!("`{shown}` is no image reference: {reason}"))
}
