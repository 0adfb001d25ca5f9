//! Lists and single answers with the things that may not be seen left out.

use super::json::{self, Kept};
use super::viewer::{Thing, Viewer};
use super::{ViewError, redact};
use crate::authz::{Action, Kind};

/// Where an answer lists things.
pub(super) struct List {
    operation: Action,
    kind: Kind,
    /// The member of the answer that is the list; empty if the answer itself is.
    member: &'static str,
}

#[rustfmt::skip]
const LISTS: &[List] = &[
    List { operation: Action::ContainerList, kind: Kind::Container, member: "" },
    List { operation: Action::ImageList,     kind: Kind::Image,     member: "" },
    List { operation: Action::VolumeList,    kind: Kind::Volume,    member: "Volumes" },
    List { operation: Action::NetworkList,   kind: Kind::Network,   member: "" },
    List { operation: Action::PluginList,    kind: Kind::Plugin,    member: "" },
    List { operation: Action::NodeList,      kind: Kind::Node,      member: "" },
    List { operation: Action::ServiceList,   kind: Kind::Service,   member: "" },
    List { operation: Action::TaskList,      kind: Kind::Task,      member: "" },
    List { operation: Action::SecretList,    kind: Kind::Secret,    member: "" },
    List { operation: Action::ConfigList,    kind: Kind::Config,    member: "" },
    List { operation: Action::SystemDf,      kind: Kind::Container, member: "Containers" },
    List { operation: Action::SystemDf,      kind: Kind::Image,     member: "Images" },
    List { operation: Action::SystemDf,      kind: Kind::Volume,    member: "Volumes" },
];

/// The lists in the answer to an operation.
pub(super) fn of(operation: Action) -> impl Iterator<Item = &'static List> + Clone {
    LISTS.iter().filter(move |list| list.operation == operation)
}

/// Whether the answer to an operation is made of lists, and the viewer gets all of them as they are.
pub(super) fn are_whole(viewer: &Viewer, operation: Action) -> bool {
    of(operation).next().is_some() && of(operation).all(|list| list.is_whole_for(viewer))
}

impl List {
    fn is_whole_for(&self, viewer: &Viewer) -> bool {
        viewer.sight.is_whole(self.kind) && (self.kind == Kind::Container || shows_all(viewer, self.kind))
    }

    /// The answer without what the viewer may not see.
    pub(super) fn filtered(&self, viewer: &Viewer, answer: &str) -> Result<String, ViewError> {
        if self.member.is_empty() {
            return items(viewer, self.kind, answer);
        }
        json::edit_values(answer, |key, value| {
            (key == self.member).then(|| items(viewer, self.kind, value)).transpose()
        })
    }
}

/// Whether a thing of the kind shows no others that the viewer may not see, and no environment that he may not read.
///
/// (Lists of containers show no environment.)
pub(super) fn shows_all(viewer: &Viewer, kind: Kind) -> bool {
    let sight = &viewer.sight;
    match kind {
        Kind::Network => sight.is_whole(Kind::Container) && sight.is_whole(Kind::Service),
        Kind::Image => sight.is_whole(Kind::Container) && sight.reads_every_environment(kind),
        Kind::Container | Kind::Service | Kind::Task | Kind::Plugin => sight.reads_every_environment(kind),
        _ => true,
    }
}

/// An image's history with those of its names that are visible.
pub(super) fn history(viewer: &Viewer, answer: &str) -> Result<String, ViewError> {
    json::edit_list(answer, |step| {
        Ok(Kept::Changed(json::edit_values(step, |key, value| {
            (key == "Tags").then(|| references(viewer, value)).transpose()
        })?))
    })
}

/// A list without the things that the viewer may not see.
pub(super) fn items(viewer: &Viewer, kind: Kind, list: &str) -> Result<String, ViewError> {
    json::edit_list(list, |item| {
        let thing = Thing::read(kind, item)?;
        if !viewer.sees(&thing) {
            return Ok(Kept::Not);
        }
        Ok(Kept::Changed(shown(viewer, &thing, item)?))
    })
}

/// A visible thing without what the viewer may not see of it.
pub(super) fn shown(viewer: &Viewer, thing: &Thing, text: &str) -> Result<String, ViewError> {
    let text = match thing.kind {
        Kind::Image => image(viewer, text)?,
        Kind::Network => network(viewer, text)?,
        _ => text.to_owned(),
    };
    if viewer.reads_environment(thing) { Ok(text) } else { redact::environment(&text) }
}

/// An image with those of its names that are visible.
fn image(viewer: &Viewer, text: &str) -> Result<String, ViewError> {
    json::edit_values(text, |key, value| {
        Ok(match key {
            "RepoTags" | "RepoDigests" => Some(references(viewer, value)?),
            "Manifests" if !json::is_null(value) => Some(json::edit_list(value, |manifest| {
                Ok(Kept::Changed(json::edit_values(manifest, |key, value| {
                    (key == "ImageData").then(|| users_of_image(viewer, value)).transpose()
                })?))
            })?),
            _ => None,
        })
    })
}

/// A list of names of images without those that are not visible.
pub(super) fn references(viewer: &Viewer, list: &str) -> Result<String, ViewError> {
    json::edit_list(list, |item| {
        let reference: String = json::read(item)?;
        let none = reference.starts_with("<none>");
        Ok(if none || viewer.sees_reference(&reference) { Kept::AsIs } else { Kept::Not })
    })
}

fn users_of_image(viewer: &Viewer, data: &str) -> Result<String, ViewError> {
    json::edit_values(data, |key, value| {
        let containers = |item: &str| {
            let id: String = json::read(item)?;
            Ok(if viewer.sees_id(Kind::Container, &id) { Kept::AsIs } else { Kept::Not })
        };
        (key == "Containers").then(|| json::edit_list(value, containers)).transpose()
    })
}

/// A network with those containers and services on it that are visible.
fn network(viewer: &Viewer, text: &str) -> Result<String, ViewError> {
    #[derive(serde::Deserialize)]
    struct Endpoint {
        #[serde(rename = "Name")]
        name: Option<String>,
    }
    json::edit_values(text, |key, value| {
        Ok(match key {
            "Containers" => Some(json::keep_members(value, |id, endpoint| {
                let Endpoint { name } = json::read(endpoint)?;
                Ok(viewer.sees(&Thing::new(Kind::Container, id, name.into_iter().collect())))
            })?),
            // Names of services, without their IDs.
            "Services" => Some(json::keep_members(value, |name, _| {
                Ok(viewer.sees(&Thing::new(Kind::Service, "", vec![name.to_owned()])))
            })?),
            _ => None,
        })
    })
}
