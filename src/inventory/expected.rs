//! What a permitted call is going to create or remove, and what the daemon's answer says that it did.

use serde::Deserialize;

use super::objects::Key;
use super::pending::Guard;
use crate::authz::{Action, Kind, Owner};

/// What creates an object, and of what kind. Images are in no row: their names are shared by all who pull them.
pub(super) const CREATES: &[(Action, Kind)] = &[
    (Action::ContainerCreate, Kind::Container),
    (Action::ContainerExec, Kind::Exec),
    (Action::NetworkCreate, Kind::Network),
    (Action::VolumeCreate, Kind::Volume),
    (Action::ServiceCreate, Kind::Service),
    (Action::SecretCreate, Kind::Secret),
    (Action::ConfigCreate, Kind::Config),
];

/// What removes the one object that it names. A service's removal reports no status: sweeping forgets it.
pub(super) const REMOVES: &[(Action, Kind)] = &[
    (Action::ContainerDelete, Kind::Container),
    (Action::NetworkDelete, Kind::Network),
    (Action::VolumeDelete, Kind::Volume),
    (Action::SecretDelete, Kind::Secret),
    (Action::ConfigDelete, Kind::Config),
];

/// What removes objects that it does not name.
pub(super) const PRUNES: &[Action] = &[Action::ContainerPrune, Action::NetworkPrune, Action::VolumePrune];

/// What a permitted call is going to change, kept until the daemon reports how it ended.
#[derive(Debug)]
pub struct Expected(pub(super) Change, pub(super) Option<Guard>);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// An object of that kind, and volumes that did not exist before.
    Created { kind: Kind, name: Option<String>, volumes: Vec<String>, owner: Owner },
    /// The object goes, if its entry is still the one of that age.
    Removed { key: Key, age: u64 },
    /// Nobody says which ones.
    Pruned,
}

/// The ID, or a volume's name, that the answer to a creation holds.
pub(super) fn created(kind: Kind, body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Created {
        #[serde(alias = "ID")]
        id: Option<String>,
        name: Option<String>,
    }
    let created: Created = serde_json::from_slice(body).ok()?;
    let id = if kind == Kind::Volume { created.name } else { created.id };
    id.filter(|id| (1..=255).contains(&id.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_creation_names_what_was_created() {
        for (kind, body, expected) in [
            (Kind::Container, r#"{"Id":"ab12","Warnings":[]}"#, Some("ab12")),
            (Kind::Network, r#"{"Id":"ab12","Warning":""}"#, Some("ab12")),
            (Kind::Service, r#"{"ID":"ab12"}"#, Some("ab12")),
            (Kind::Volume, r#"{"CreatedAt":"x","Name":"data","Driver":"local"}"#, Some("data")),
            (Kind::Container, r#"{"Name":"web"}"#, None),
            (Kind::Volume, r#"{"Id":"ab12"}"#, None),
            (Kind::Container, r#"{"Id":""}"#, None),
            (Kind::Container, "", None),
        ] {
            assert_eq!(created(kind, body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
