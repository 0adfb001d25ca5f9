//! Labels that say who created something: the gateway's to give, and nobody else's.

use super::json::{Json, folded};
use super::query::Query;
use super::{Door, Refusal, RefusalCode};
use crate::authz::Action;

/// How our labels begin.
const PREFIX: &str = "io.wharfinger.";

/// What creates something with `Labels` at the top of its body.
const BODIES: &[Action] = &[
    Action::ContainerCreate,
    Action::VolumeCreate,
    Action::NetworkCreate,
    Action::ServiceCreate,
    Action::SecretCreate,
    Action::ConfigCreate,
    Action::ImageCommit,
];

/// Whether a label is one of ours, in any case: people who read them do not look closely.
pub(crate) fn is_reserved_label(label: &str) -> bool {
    label.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Whether Go takes a key for the field of that name.
pub(crate) fn is_field(key: &str, name: &str) -> bool {
    folded(key) == folded(name)
}

/// Refuses a call that gives something a label of ours.
pub(super) fn check(operation: Action, body: &Json, query: &Query, door: Door) -> Result<(), Refusal> {
    // The gateway has refused the client's own before it added ours.
    let added_by_us = door == Door::Gateway && operation != Action::ImageCommit;
    if BODIES.contains(&operation) && !added_by_us {
        let labels = body.as_fields("", &["Labels"])?;
        refuse(labels.map("Labels")?.entries().map(|(label, _)| label))?;
    }
    if operation == Action::ImageBuild {
        let labels = query.json("labels")?;
        refuse(labels.as_object("labels")?.entries().map(|(label, _)| label))?;
    }
    if matches!(operation, Action::ImageCommit | Action::ImagePull) {
        // Instructions of a Dockerfile, in all their ways to quote: ours has no business in any of them.
        let written = query.all("changes").find(|change| change.to_ascii_lowercase().contains(PREFIX));
        refuse(written.map(|_| PREFIX).into_iter())?;
    }
    Ok(())
}

fn refuse<'a>(labels: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut labels = labels;
    labels.find(|label| is_reserved_label(label)).map_or(Ok(()), |label| Err(Refusal::of_label(label)))
}

impl Refusal {
    /// The refusal of a label of ours that a client sets.
    pub(crate) fn of_label(label: &str) -> Self {
        Self::new(
            RefusalCode::LabelReserved,
            format!("labels that begin with `{PREFIX}` are given by wharfinger alone; leave out `{label}`"),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::{Call, classify};

    fn refused(method: &str, uri: &str, body: &str, door: Door) -> bool {
        let headers = BTreeMap::from([("Content-Length".to_owned(), body.len().to_string())]);
        let call = Call { method, uri, headers: &headers, body: Some(body.as_bytes()), door };
        matches!(classify(&call), Err(Refusal { code: RefusalCode::LabelReserved, .. }))
    }

    #[test]
    fn only_the_gateway_gives_labels_of_ours() {
        let ours = r#""io.wharfinger.owner":"root""#;
        for (uri, field) in [
            ("/containers/create", "Labels"),
            ("/containers/create", "labels"),
            ("/volumes/create", "Labels"),
            ("/networks/create", "Labels"),
            ("/services/create", "Labels"),
            ("/secrets/create", "Labels"),
            ("/configs/create", "Labels"),
        ] {
            let body = format!(r#"{{"{field}":{{{ours}}}}}"#);
            assert!(refused("POST", uri, &body, Door::Plugin), "{uri}");
            assert!(!refused("POST", uri, &body, Door::Gateway), "{uri}");
            assert!(!refused("POST", uri, r#"{"Labels":{"wharfinger.owner":"x"}}"#, Door::Plugin), "{uri}");
        }
    }

    #[test]
    fn images_get_none_through_any_door() {
        for door in [Door::Plugin, Door::Gateway] {
            for (uri, body) in [
                ("/commit?container=web", r#"{"Labels":{"io.wharfinger.owner":"root"}}"#),
                ("/commit?container=web&changes=LABEL%20IO.wharfinger.owner=root", "{}"),
                ("/build?labels=%7B%22io.wharfinger.owner%22:%22root%22%7D", ""),
                ("/images/create?fromSrc=-&changes=LABEL%20%22io.wharfinger.owner%22=root", ""),
            ] {
                assert!(refused("POST", uri, body, door), "{uri} {door:?}");
            }
            assert!(!refused("POST", "/build?labels=%7B%22owner%22:%22root%22%7D", "", door));
        }
    }
}
