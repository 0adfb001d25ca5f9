//! Which objects the daemon could take a text for: by name, by ID, by the beginning of an ID.

use serde::Deserialize;

use super::daemon::{ANSWER_LIMIT, AskError, Daemon};
use super::mounts::Mount;
use crate::authz::Kind;

/// How the daemon lists a kind of object, and how its filters are written.
struct Listing {
    kind: Kind,
    path: &'static str,
    /// The value of the filter `name`; `{}` is the name.
    name: &'static str,
    /// The value of the filter `id`; `{}` is the beginning of an ID.
    id: &'static str,
    /// What IDs are made of.
    digits: &'static str,
    syntax: Syntax,
}

/// Digits of what one daemon knows.
const HEX: &str = "0123456789abcdef";

/// Digits of what a swarm knows; networks can be either.
const BASE36: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// How the daemon reads the value of a filter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// A regular expression of Go's.
    Regex,
    /// The beginning of a name.
    Beginning,
}

/// Lists and not `inspect`: inspecting waits for the lock that a container holds while it starts.
#[rustfmt::skip]
const LISTINGS: &[Listing] = &[
    Listing { kind: Kind::Container, path: "/containers/json?all=1&", name: "^/{}$", id: "{}",  digits: HEX,    syntax: Syntax::Regex },
    Listing { kind: Kind::Network,   path: "/networks?",              name: "^{}$",  id: "^{}", digits: BASE36, syntax: Syntax::Regex },
    Listing { kind: Kind::Service,   path: "/services?",              name: "{}",    id: "{}",  digits: BASE36, syntax: Syntax::Beginning },
    Listing { kind: Kind::Secret,    path: "/secrets?",               name: "{}",    id: "{}",  digits: BASE36, syntax: Syntax::Beginning },
    Listing { kind: Kind::Config,    path: "/configs?",               name: "{}",    id: "{}",  digits: BASE36, syntax: Syntax::Beginning },
];

/// An object of a list, in the spellings of all kinds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Listed {
    #[serde(alias = "ID")]
    id: String,
    name: String,
    names: Option<Vec<String>>,
    spec: Option<Spec>,
    mounts: Option<Vec<Mount>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Spec {
    name: String,
}

/// Whether names of the kind can be looked up.
pub(super) fn has_names(kind: Kind) -> bool {
    listing(kind).is_some()
}

/// Whether a text can mean nothing but the object of that name: no ID, no beginning of one, no link's alias.
pub(super) fn is_plain_name(kind: Kind, text: &str) -> bool {
    listing(kind).is_none_or(|listing| !text.contains('/') && !is_beginning_of_id(listing, text))
}

/// An object that a text could mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The full ID.
    pub(super) id: String,
    /// Its names; those of a container also as links call it, `other/alias`.
    pub(super) names: Vec<String>,
    /// What is mounted in a container.
    pub(super) mounts: Vec<Mount>,
}

/// All objects that the daemon could take `text` for, in whatever order it tries.
///
/// All of them, and not only the one it takes now: a name can be freed between our question and the daemon's own
/// look-up, and then the beginning of another object's ID counts.
pub(super) async fn candidates(daemon: &Daemon, kind: Kind, text: &str) -> Result<Vec<Candidate>, AskError> {
    let Some(listing) = listing(kind) else { return Ok(Vec::new()) };
    // The daemon gives no object another name than of these characters.
    if !is_name(text) {
        return Ok(Vec::new());
    }
    if text.contains('/') {
        return through_link(daemon, listing, text).await;
    }
    let by_name = list(daemon, listing, "name", listing.name.replace("{}", &literal(listing.syntax, text)));
    let mut found = if is_beginning_of_id(listing, text) {
        let by_id = list(daemon, listing, "id", listing.id.replace("{}", text));
        let (mut named, identified) = tokio::try_join!(by_name, by_id)?;
        named.extend(identified);
        named
    } else {
        by_name.await?
    };
    // A filter may say more than was asked.
    found.retain(|object| object.could_be(text));
    let mut candidates: Vec<Candidate> = found.into_iter().map(Listed::into_candidate).collect();
    candidates.sort();
    candidates.dedup();
    Ok(candidates)
}

/// The container in which a command was prepared, if it may be whose the container is: one with all privileges may
/// not, for it can do more than its container.
pub(super) async fn container_of_exec(daemon: &Daemon, id: &str) -> Result<Option<String>, AskError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Exec {
        #[serde(rename = "ContainerID")]
        container: String,
        process_config: Process,
    }
    #[derive(Deserialize)]
    struct Process {
        privileged: bool,
    }
    if !is_name(id) || id.contains('/') {
        return Ok(None);
    }
    match daemon.get(&format!("/exec/{id}/json"), ANSWER_LIMIT).await? {
        (hyper::StatusCode::OK, body) => {
            let exec: Exec = serde_json::from_slice(&body)?;
            Ok((!exec.process_config.privileged).then_some(exec.container))
        }
        (hyper::StatusCode::NOT_FOUND, _) => Ok(None),
        (status, _) => Err(AskError::Status(status)),
    }
}

/// The container that another one has linked under a name of its own, `other/alias`; no list finds it by that.
async fn through_link(daemon: &Daemon, listing: &Listing, name: &str) -> Result<Vec<Candidate>, AskError> {
    if listing.kind != Kind::Container {
        return Ok(Vec::new());
    }
    match daemon.get(&format!("/containers/{name}/json"), ANSWER_LIMIT).await? {
        (hyper::StatusCode::OK, body) => Ok(vec![serde_json::from_slice::<Listed>(&body)?.into_candidate()]),
        (hyper::StatusCode::NOT_FOUND, _) => Ok(Vec::new()),
        (status, _) => Err(AskError::Status(status)),
    }
}

/// The full IDs, or for volumes the names, of all objects of a kind; `None` where the kind cannot be listed.
pub(super) async fn all(daemon: &Daemon, kind: Kind, limit: usize) -> Result<Option<Vec<String>>, AskError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Volumes {
        volumes: Option<Vec<Listed>>,
    }
    if kind == Kind::Volume {
        let volumes: Volumes = serde_json::from_slice(&get(daemon, "/volumes", limit).await?)?;
        return Ok(Some(volumes.volumes.unwrap_or_default().into_iter().map(|listed| listed.name).collect()));
    }
    let Some(listing) = listing(kind) else { return Ok(None) };
    let target = listing.path.trim_end_matches(['?', '&']);
    let listed: Vec<Listed> = serde_json::from_slice(&get(daemon, target, limit).await?)?;
    Ok(Some(listed.into_iter().map(|listed| listed.id).collect()))
}

/// Whether a volume of that name exists.
pub(super) async fn volume_exists(daemon: &Daemon, name: &str) -> Result<bool, AskError> {
    // A name that cannot be asked for is treated as taken, so that nobody comes to own it.
    if !is_name(name) || name.contains('/') {
        return Ok(true);
    }
    match daemon.get(&format!("/volumes/{name}"), ANSWER_LIMIT).await? {
        (hyper::StatusCode::OK, _) => Ok(true),
        (hyper::StatusCode::NOT_FOUND, _) => Ok(false),
        (status, _) => Err(AskError::Status(status)),
    }
}

fn listing(kind: Kind) -> Option<&'static Listing> {
    LISTINGS.iter().find(|listing| listing.kind == kind)
}

async fn list(
    daemon: &Daemon,
    listing: &Listing,
    filter: &str,
    value: String,
) -> Result<Vec<Listed>, AskError> {
    let filters = serde_json::json!({ filter: { value: true } }).to_string();
    let target = format!("{}filters={}", listing.path, escaped(&filters));
    Ok(serde_json::from_slice(&get(daemon, &target, ANSWER_LIMIT).await?)?)
}

/// The answer to `GET target`, if it is one.
pub(super) async fn get(daemon: &Daemon, target: &str, limit: usize) -> Result<hyper::body::Bytes, AskError> {
    match daemon.get(target, limit).await? {
        (hyper::StatusCode::OK, body) => Ok(body),
        (status, _) => Err(AskError::Status(status)),
    }
}

impl Listed {
    fn into_candidate(self) -> Candidate {
        let spec = self.spec.map(|spec| spec.name);
        let all = [self.name].into_iter().chain(spec).chain(self.names.into_iter().flatten());
        let bare = |name: String| name.strip_prefix('/').map(str::to_owned).unwrap_or(name);
        let names = all.map(bare).filter(|name| !name.is_empty()).collect();
        Candidate { id: self.id, names, mounts: self.mounts.unwrap_or_default() }
    }

    fn could_be(&self, text: &str) -> bool {
        let spec = self.spec.as_ref().map(|spec| spec.name.as_str());
        let mut names = self.names.iter().flatten();
        self.id.starts_with(text)
            || self.name == text
            || spec == Some(text)
            || names.any(|name| name.strip_prefix('/') == Some(text))
    }
}

/// Letters, digits and the few marks of names; `/` is in those that a container has through another's link.
fn is_name(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(known)
}

/// Whether an ID could begin so; all are in lower case, and no longer than 64 digits.
fn is_beginning_of_id(listing: &Listing, text: &str) -> bool {
    text.len() <= 64 && text.chars().all(|c| listing.digits.contains(c))
}

/// The name as the filter must be written to mean it; of a name's characters only the dot has a meaning.
fn literal(syntax: Syntax, name: &str) -> String {
    match syntax {
        Syntax::Regex => name.replace('.', "[.]"),
        Syntax::Beginning => name.to_owned(),
    }
}

/// Percent-encodes everything but letters and digits.
fn escaped(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::fake::Fake;

    async fn found(fake: &Fake, kind: Kind, text: &str) -> Vec<String> {
        let found = candidates(&fake.daemon(), kind, text).await.unwrap();
        found.into_iter().map(|candidate| candidate.id).collect()
    }

    #[tokio::test]
    async fn what_is_found_is_told_with_all_its_names() {
        let fake = Fake::start();
        fake.add(Kind::Container, "abc111", &["/web", "/mine/alias"]);
        fake.add(Kind::Service, "abc222", &["web"]);
        for (kind, id, names) in
            [(Kind::Container, "abc111", &["web", "mine/alias"][..]), (Kind::Service, "abc222", &["web"])]
        {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(
                candidates(&fake.daemon(), kind, "web").await.unwrap(),
                [Candidate { id: id.to_owned(), names, mounts: Vec::new() }]
            );
        }
    }

    #[test]
    fn a_plain_name_is_one_that_no_id_begins_with() {
        for (kind, text, plain) in [
            (Kind::Container, "web", true),
            (Kind::Container, "cafe", false),
            (Kind::Container, "web/alias", false),
            (Kind::Container, "cafe-1", true),
            (Kind::Network, "back", false),
            (Kind::Network, "back_end", true),
            (Kind::Volume, "cafe", true),
        ] {
            assert_eq!(is_plain_name(kind, text), plain, "{text}");
        }
    }

    #[tokio::test]
    async fn an_exec_is_of_its_container_unless_it_has_all_privileges() {
        let fake = Fake::start();
        fake.add_exec("e1", "c1", false);
        fake.add_exec("e2", "c1", true);
        let container = async |id| container_of_exec(&fake.daemon(), id).await.unwrap();
        assert_eq!(container("e1").await.as_deref(), Some("c1"));
        assert_eq!(container("e2").await, None);
        assert_eq!(container("e3").await, None);
    }

    #[tokio::test]
    async fn a_text_means_the_object_of_that_name_and_those_whose_id_begins_so() {
        let fake = Fake::start();
        fake.add(Kind::Container, "abc111", &["/web", "/mine/alias"]);
        fake.add(Kind::Container, "def222", &["/abc"]);
        assert_eq!(found(&fake, Kind::Container, "web").await, ["abc111"]);
        assert_eq!(found(&fake, Kind::Container, "mine/alias").await, ["abc111"]);
        assert_eq!(found(&fake, Kind::Container, "abc").await, ["abc111", "def222"]);
        assert_eq!(found(&fake, Kind::Container, "abc111").await, ["abc111"]);
        assert_eq!(found(&fake, Kind::Container, "mine/other").await, [""; 0]);
        assert_eq!(found(&fake, Kind::Network, "mine/alias").await, [""; 0]);
        assert_eq!(found(&fake, Kind::Container, "we").await, [""; 0]);
    }

    #[tokio::test]
    async fn names_of_every_kind_are_found_where_that_kind_has_them() {
        let fake = Fake::start();
        for kind in [Kind::Network, Kind::Service, Kind::Secret, Kind::Config] {
            fake.add(kind, "abc111", &["web"]);
            assert_eq!(found(&fake, kind, "web").await, ["abc111"], "{kind:?}");
            assert_eq!(found(&fake, kind, "abc").await, ["abc111"], "{kind:?}");
        }
        assert_eq!(found(&fake, Kind::Image, "web").await, [""; 0]);
    }

    #[tokio::test]
    async fn the_daemon_is_asked_with_filters_that_mean_the_name_itself() {
        let fake = Fake::start();
        found(&fake, Kind::Container, "Web.1").await;
        found(&fake, Kind::Service, "Web.1").await;
        assert_eq!(
            fake.asked(),
            [
                r#"/containers/json?all=1&filters={"name":{"^/Web[.]1$":true}}"#,
                r#"/services?filters={"name":{"Web.1":true}}"#,
            ]
        );
    }

    #[tokio::test]
    async fn what_no_object_can_be_called_is_not_asked_for() {
        let fake = Fake::start();
        for text in ["", "a b", "a\"", "a*", "ü", "a\r\nX: y", &"a".repeat(256)] {
            assert_eq!(found(&fake, Kind::Container, text).await, [""; 0], "{text}");
        }
        assert_eq!(fake.asked(), [""; 0]);
    }

    #[tokio::test]
    async fn a_volume_exists_or_not_and_anything_else_is_an_error() {
        let fake = Fake::start();
        fake.add(Kind::Volume, "data", &[]);
        assert!(volume_exists(&fake.daemon(), "data").await.unwrap());
        assert!(!volume_exists(&fake.daemon(), "other").await.unwrap());
        assert!(volume_exists(&fake.daemon(), "a b").await.unwrap());
        fake.fail();
        assert!(volume_exists(&fake.daemon(), "data").await.is_err());
        assert!(candidates(&fake.daemon(), Kind::Container, "web").await.is_err());
    }

    #[tokio::test]
    async fn all_objects_of_a_kind_are_listed_by_what_they_are_remembered_as() {
        let fake = Fake::start();
        fake.add(Kind::Volume, "data", &[]);
        fake.add(Kind::Container, "abc", &["/web"]);
        let daemon = fake.daemon();
        assert_eq!(all(&daemon, Kind::Volume, 1 << 20).await.unwrap(), Some(vec!["data".to_owned()]));
        assert_eq!(all(&daemon, Kind::Container, 1 << 20).await.unwrap(), Some(vec!["abc".to_owned()]));
        assert_eq!(all(&daemon, Kind::Exec, 1 << 20).await.unwrap(), None);
        assert!(all(&daemon, Kind::Container, 10).await.is_err());
    }
}
