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
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        // Engines disagree whether `Name/image` is a host `Name`, so it fails as a path below.
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
    // `docker inspect` goes on to look for a volume or network of that name only after these words.
    Refusal::new(RefusalCode::ReferenceInvalid, format!("invalid reference format: `{shown}`: {reason}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn named(canonical: &str) -> Reference {
        Reference::Named { canonical: canonical.to_owned() }
    }

    fn either(canonical: &str, prefix: &str) -> Reference {
        Reference::NameOrIdPrefix { canonical: canonical.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn short_names_are_given_their_registry_and_tag() {
        for (text, canonical) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.25", "docker.io/library/nginx:1.25"),
            ("library/nginx", "docker.io/library/nginx:latest"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("docker.io/library/nginx:1", "docker.io/library/nginx:1"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io/a/b", "docker.io/a/b:latest"),
            ("bitnami/redis", "docker.io/bitnami/redis:latest"),
            ("a/b/c", "docker.io/a/b/c:latest"),
            ("docker.io/a/b/c:Tag_1.0-x", "docker.io/a/b/c:Tag_1.0-x"),
            ("localhost", "docker.io/library/localhost:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:1", "localhost:5000/app:1"),
            ("registry.example.com/app", "registry.example.com/app:latest"),
            ("registry.example.com:443/team/app:1", "registry.example.com:443/team/app:1"),
            ("host:5000/app", "host:5000/app:latest"),
            ("host:5000", "docker.io/library/host:5000"),
            ("10.0.0.1/app", "10.0.0.1/app:latest"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("a.b", "docker.io/library/a.b:latest"),
            ("a--b__c.d_e", "docker.io/library/a--b__c.d_e:latest"),
        ] {
            assert_eq!(normalize(text), Ok(named(canonical)), "{text}");
        }
    }

    #[test]
    fn host_names_know_no_case() {
        assert_eq!(normalize("Registry.Example.COM/app:A"), Ok(named("registry.example.com/app:A")));
    }

    #[test]
    fn a_spelling_of_docker_hub_that_the_daemon_does_not_know_is_refused() {
        for text in ["Docker.io/nginx", "INDEX.docker.io/nginx"] {
            assert_eq!(normalize(text).unwrap_err().code, RefusalCode::ReferenceInvalid, "{text}");
        }
    }

    #[test]
    fn a_digest_counts_and_the_tag_beside_it_does_not() {
        let canonical = format!("docker.io/library/nginx@sha256:{HEX}");
        assert_eq!(normalize(&format!("nginx@sha256:{HEX}")), Ok(named(&canonical)));
        assert_eq!(normalize(&format!("nginx:1.25@sha256:{HEX}")), Ok(named(&canonical)));
        let long = format!("nginx@sha512:{HEX}{HEX}");
        assert_eq!(normalize(&long), Ok(named(&format!("docker.io/library/{long}"))));
    }

    #[test]
    fn an_id_is_an_id_and_never_an_official_image() {
        assert_eq!(normalize(HEX), Ok(Reference::Id(format!("sha256:{HEX}"))));
        assert_eq!(normalize(&format!("sha256:{HEX}")), Ok(Reference::Id(format!("sha256:{HEX}"))));
    }

    #[test]
    fn what_could_begin_an_id_is_both() {
        for (text, canonical, prefix) in [
            ("b7e1d4", "docker.io/library/b7e1d4:latest", "sha256:b7e1d4"),
            ("a", "docker.io/library/a:latest", "sha256:a"),
            ("cafe", "docker.io/library/cafe:latest", "sha256:cafe"),
            ("0", "docker.io/library/0:latest", "sha256:0"),
            ("sha256:b7e1", "docker.io/library/sha256:b7e1", "sha256:b7e1"),
        ] {
            assert_eq!(normalize(text), Ok(either(canonical, prefix)), "{text}");
        }
        let almost = HEX.get(1..).unwrap();
        assert_eq!(
            normalize(almost),
            Ok(either(&format!("docker.io/library/{almost}:latest"), &format!("sha256:{almost}")))
        );
    }

    #[test]
    fn what_cannot_begin_an_id_is_a_name() {
        for (text, canonical) in [
            ("cafe:latest", "docker.io/library/cafe:latest"),
            ("library/cafe", "docker.io/library/cafe:latest"),
            ("docker.io/cafe", "docker.io/library/cafe:latest"),
            ("cafes", "docker.io/library/cafes:latest"),
            ("sha256", "docker.io/library/sha256:latest"),
            ("sha256:B7E1", "docker.io/library/sha256:B7E1"),
            ("sha512:b7e1", "docker.io/library/sha512:b7e1"),
        ] {
            assert_eq!(normalize(text), Ok(named(canonical)), "{text}");
        }
        assert_eq!(normalize(&format!("{HEX}0")), Ok(named(&format!("docker.io/library/{HEX}0:latest"))));
    }

    #[test]
    fn a_name_alone_is_never_an_id() {
        assert_eq!(
            parse("cafe").map(|name| name.canonical()),
            Ok("docker.io/library/cafe:latest".to_owned())
        );
        assert_eq!(parse(HEX).unwrap_err().code, RefusalCode::ReferenceInvalid);
    }

    #[test]
    fn the_parts_of_a_name_are_told_apart() {
        let digest = format!("sha256:{HEX}");
        assert_eq!(
            parse(&format!("h:1/a:2@{digest}")),
            Ok(Name { repository: "h:1/a".to_owned(), tag: Some("2".to_owned()), digest: Some(digest) })
        );
        assert_eq!(
            parse("a"),
            Ok(Name { repository: "docker.io/library/a".to_owned(), tag: None, digest: None })
        );
    }

    #[test]
    fn what_the_grammar_does_not_take_is_refused() {
        for text in [
            "",
            " ",
            "NGINX",
            "Library/nginx",
            "Name/image",
            "docker.io/Nginx",
            "registry.example.com/App",
            "nginx:",
            "nginx:a b",
            "nginx:-a",
            "nginx:.a",
            "nginx:a:b",
            "nginx@",
            "nginx@sha256:",
            "nginx@sha256:abc",
            "nginx@md5:d41d8cd98f00b204e9800998ecf8427e",
            "/nginx",
            "nginx/",
            "a//b",
            "-a",
            "a-",
            "_a",
            "a_",
            ".a",
            "a.",
            "a..b",
            "a___b",
            "a._b",
            "a-_b",
            "a b",
            "a\nb",
            "a\0",
            "é",
            "host-.com/a",
            "-host.com/a",
            "host..com/a",
            "host_x.com/a",
            ".com/a",
            "host:/a",
            "host:port/a",
            "a:1:2/b",
            "[::1/a",
            "[]/a",
            "[::g]/a",
            "[::1]x/a",
            "[::1]:/a",
            "docker.io/",
            "docker.io//a",
            "http://docker.io/nginx",
            "a?b",
            "a%2fb",
            "a\\b",
        ] {
            assert_eq!(normalize(text).unwrap_err().code, RefusalCode::ReferenceInvalid, "{text:?}");
        }
        let upper = HEX.to_uppercase();
        assert!(normalize(&upper).is_err());
        assert!(normalize(&format!("nginx@sha256:{upper}")).is_err());
    }

    #[test]
    fn the_longest_name_and_tag_are_read_and_one_more_character_is_refused() {
        let path = "z".repeat(255 - "docker.io/library/".len());
        assert_eq!(normalize(&path), Ok(named(&format!("docker.io/library/{path}:latest"))));
        assert!(normalize(&format!("{path}z")).is_err());
        let tag = "t".repeat(128);
        assert_eq!(normalize(&format!("a:{tag}")), Ok(named(&format!("docker.io/library/a:{tag}"))));
        assert!(normalize(&format!("a:{tag}t")).is_err());
    }

    #[test]
    fn a_refusal_shows_no_control_characters_and_no_end_of_an_endless_name() {
        let refusal = normalize(&format!("a\u{1b}[1m{}", "b".repeat(1000))).unwrap_err();
        let start = "invalid reference format: `a\u{fffd}[1mbbb";
        assert!(refusal.message.starts_with(start) && refusal.message.len() < 250, "{refusal}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            drop(normalize(&text));
        }

        #[test]
        fn the_canonical_form_is_its_own(text in "([a-zA-Z.:0-9-]{1,8}/)?[a-z0-9._-]{1,8}(/[a-z0-9]{1,3})?(:[a-zA-Z0-9._-]{1,5})?") {
            let canonical = match normalize(&text) {
                Ok(Reference::Named { canonical } | Reference::NameOrIdPrefix { canonical, .. }) => canonical,
                Ok(Reference::Id(_)) | Err(_) => return Ok(()),
            };
            prop_assert_eq!(normalize(&canonical), Ok(named(&canonical)));
        }

        #[test]
        fn no_beginning_of_an_id_passes_for_a_mere_name(length in 1_usize..=64, algorithm in any::<bool>()) {
            let text = format!("{}{}", if algorithm { "sha256:" } else { "" }, HEX.get(..length).unwrap());
            let alone = matches!(normalize(&text), Ok(Reference::Named { .. }) | Err(_));
            prop_assert!(!alone, "{}", text);
        }
    }
}
