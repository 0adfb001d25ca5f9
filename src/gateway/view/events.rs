//! The daemon's events, line by line: those of things that the viewer may see.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::viewer::{Thing, Viewer};
use super::{ViewError, json};
use crate::authz::Kind;
use crate::engine;

/// What the daemon calls the kinds of what an event is about, and the attribute that holds its name.
#[rustfmt::skip]
const TYPES: &[(&str, Kind, &str)] = &[
    ("container", Kind::Container, "name"),
    ("image",     Kind::Image,     "name"),
    ("volume",    Kind::Volume,    ""),
    ("network",   Kind::Network,   "name"),
    ("plugin",    Kind::Plugin,    "name"),
    ("node",      Kind::Node,      "name"),
    ("service",   Kind::Service,   "name"),
    ("secret",    Kind::Secret,    "name"),
    ("config",    Kind::Config,    "name"),
];

/// Events with an attribute that names another thing. In others, a label could be called so.
const OTHERS: &[(&str, &str, Kind)] =
    &[("network", "container", Kind::Container), ("volume", "container", Kind::Container)];

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Actor")]
    actor: Actor,
}

#[derive(Debug, Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes")]
    attributes: Option<BTreeMap<String, String>>,
}

/// Whether the event on that line is shown.
///
/// An event that is about nothing in particular, such as that of a prune, is for whoever sees all of its kind; one of
/// a kind that this version does not know is for nobody but who sees everything, and gets them unfiltered.
pub(super) fn is_visible(viewer: &Viewer, line: &str) -> Result<bool, ViewError> {
    let line = bare(line);
    if line.is_empty() {
        return Ok(true);
    }
    let Event { kind, actor: Actor { id, attributes } } = json::read(line)?;
    let attributes = attributes.unwrap_or_default();
    let others = OTHERS
        .iter()
        .filter(|(of, _, _)| *of == kind)
        .all(|(_, attribute, kind)| attributes.get(*attribute).is_none_or(|id| viewer.sees_id(*kind, id)));
    Ok(others
        && match TYPES.iter().find(|(name, _, _)| *name == kind) {
            Some((_, kind, _)) if id.is_empty() => viewer.sight.is_whole(*kind),
            Some((_, kind, name)) => viewer.sees(&thing(*kind, &id, attributes.get(*name))),
            None => kind == "daemon" && viewer.sight.sees_system(),
        })
}

/// What the event on that line is about, if whose it is may yet become known: a creation is reported by the daemon to
/// its watchers before it is reported to us.
pub(super) fn of_somebody_unknown(viewer: &Viewer, line: &str) -> Option<(Kind, String)> {
    let Event { kind, actor } = json::read(bare(line)).ok()?;
    let (name, kind, _) = TYPES.iter().find(|(name, _, _)| *name == kind)?;
    let unknown =
        |kind: Kind, id: &str| viewer.owners.owner(kind, id).is_none().then(|| (kind, id.to_owned()));
    let attributes = actor.attributes.unwrap_or_default();
    let mut others = OTHERS.iter().filter(|(of, _, _)| of == name);
    let other = others.find_map(|(_, attribute, kind)| unknown(*kind, attributes.get(*attribute)?));
    other.or_else(|| unknown(*kind, &actor.id))
}

/// The line without its end, and without the mark before each record of a JSON text sequence.
fn bare(line: &str) -> &str {
    line.trim_start_matches('\u{1e}').trim()
}

fn thing(kind: Kind, id: &str, name: Option<&String>) -> Thing {
    let mut names: Vec<String> = name.into_iter().cloned().collect();
    if kind == Kind::Image {
        // By name or by ID, whichever the operation was called with.
        names.push(id.to_owned());
        names = names
            .iter()
            .filter(|name| !name.starts_with("sha256:"))
            .filter_map(|name| engine::canonical_image(name))
            .collect();
    }
    Thing::new(kind, id, names)
}
