//! What there is on an engine, as far as calls can change it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::request::{Request, send};

/// Everything on an engine, by ID or name.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Inspections of containers by ID.
    pub(super) containers: BTreeMap<String, Value>,
    /// Inspections of the execs of those containers, by ID.
    pub(super) execs: BTreeMap<String, Value>,
    /// Image IDs by tag.
    pub(super) tags: BTreeMap<String, String>,
    /// Inspections of volumes by name.
    pub(super) volumes: BTreeMap<String, Value>,
    /// Inspections of networks by name.
    pub(super) networks: BTreeMap<String, Value>,
}

impl View {
    pub(super) fn of(socket: &Path) -> Self {
        let mut view = Self::default();
        for container in list(&get(socket, "/containers/json?all=1")) {
            let inspection = get(socket, &format!("/containers/{}/json", text(container, "Id")));
            for exec in list(&inspection["ExecIDs"]) {
                let id = exec.as_str().unwrap_or_default();
                view.execs.insert(id.to_owned(), get(socket, &format!("/exec/{id}/json")));
            }
            view.containers.insert(text(container, "Id"), inspection);
        }
        for image in list(&get(socket, "/images/json")) {
            for tag in list(&image["RepoTags"]) {
                view.tags.insert(tag.as_str().unwrap_or_default().to_owned(), text(image, "Id"));
            }
        }
        for volume in list(&get(socket, "/volumes")["Volumes"]) {
            view.volumes.insert(text(volume, "Name"), volume.clone());
        }
        for network in list(&get(socket, "/networks")) {
            view.networks.insert(text(network, "Name"), network.clone());
        }
        view
    }
}

/// Removes what is in `new` and not in `old`; whether that makes the two the same again.
pub(super) fn undo(socket: &Path, old: &View, new: &View) -> bool {
    let delete = |target: &str| send(socket, &Request::new("DELETE", target, ""));
    for id in new.containers.keys().filter(|id| !old.containers.contains_key(*id)) {
        delete(&format!("/containers/{id}?force=1&v=1"));
    }
    for tag in new.tags.keys().filter(|tag| !old.tags.contains_key(*tag)) {
        delete(&format!("/images/{tag}?force=1"));
    }
    for name in new.volumes.keys().filter(|name| !old.volumes.contains_key(*name)) {
        delete(&format!("/volumes/{name}?force=1"));
    }
    for name in new.networks.keys().filter(|name| !old.networks.contains_key(*name)) {
        delete(&format!("/networks/{name}"));
    }
    fn same<V: PartialEq>(old: &BTreeMap<String, V>, new: &BTreeMap<String, V>) -> bool {
        old.iter().all(|(key, value)| new.get(key) == Some(value))
    }
    same(&old.containers, &new.containers) && same(&old.tags, &new.tags) && same(&old.volumes, &new.volumes)
}

/// A member as text, empty if it is none.
pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The elements of a list, none of anything else.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn get(socket: &Path, target: &str) -> Value {
    let answer = send(socket, &Request { protocol: "HTTP/1.0", ..Request::new("GET", target, "") });
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
    serde_json::from_slice(&answer[body..]).unwrap_or_else(|fault| {
        panic!("`{target}` was answered with {:?}: {fault}", String::from_utf8_lossy(&answer))
    })
}
