//! What there is on an engine, as far as calls can change it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::request::{Request, send};

/// Everything on an engine, by ID or name.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Inspections of containers by ID.
    pub(super) containers: BTreeMap<String, Value>,
    /// Inspections of the execs of those containers, by ID.
    pub(super) execs: BTreeMap<String, Value>,
    /// Image IDs by tag.
    pub(super) tags: BTreeMap<String, String>,
    /// Volumes by name.
    pub(super) volumes: BTreeMap<String, Value>,
    /// Inspections of networks by name.
    pub(super) networks: BTreeMap<String, Value>,
    /// What the swarm is set to; null without one.
    pub(super) swarm: Value,
    /// Services by name.
    pub(super) services: BTreeMap<String, Value>,
    /// Names of secrets.
    pub(super) secrets: BTreeSet<String>,
}

impl View {
    pub(super) fn of(socket: &Path) -> Self {
        let mut view = Self::default();
        for container in list(&get(socket, "/containers/json?all=1")) {
            let inspection = get(socket, &format!("/containers/{}/json", text(container, "Id")));
            for id in list(&inspection["ExecIDs"]).iter().filter_map(Value::as_str) {
                view.execs.insert(id.to_owned(), get(socket, &format!("/exec/{id}/json")));
            }
            view.containers.insert(text(container, "Id").to_owned(), inspection);
        }
        for image in list(&get(socket, "/images/json")) {
            for tag in list(&image["RepoTags"])
                .iter()
                .filter_map(Value::as_str)
                .filter(|tag| *tag != "<none>:<none>")
            {
                view.tags.insert(tag.to_owned(), text(image, "Id").to_owned());
            }
        }
        view.volumes = by_name(&get(socket, "/volumes")["Volumes"], |volume| text(volume, "Name"));
        view.networks = by_name(&get(socket, "/networks"), |network| text(network, "Name"));
        // A swarm makes these by itself, and later than it answers.
        view.networks.retain(|name, _| !["docker_gwbridge", "ingress"].contains(&name.as_str()));
        view.swarm = get(socket, "/swarm")["Spec"].clone();
        if !view.swarm.is_null() {
            view.services = by_name(&get(socket, "/services"), |service| text(&service["Spec"], "Name"));
            view.secrets = by_name(&get(socket, "/secrets"), |secret| text(&secret["Spec"], "Name"))
                .into_keys()
                .collect();
        }
        view
    }
}

/// Removes what is in `new` and not in `old`; says whether that makes the two the same again.
pub(super) fn undo(socket: &Path, old: &View, new: &View) -> bool {
    let delete = |target: String| drop(send(socket, &Request::new("DELETE", &target, "")));
    added(&old.containers, &new.containers).for_each(|id| delete(format!("/containers/{id}?force=1&v=1")));
    added(&old.services, &new.services).for_each(|name| delete(format!("/services/{name}")));
    new.secrets.difference(&old.secrets).for_each(|name| delete(format!("/secrets/{name}")));
    if old.swarm.is_null() && !new.swarm.is_null() {
        drop(send(socket, &Request::new("POST", "/swarm/leave?force=1", "")));
    }
    added(&old.tags, &new.tags).for_each(|tag| delete(format!("/images/{tag}?force=1")));
    added(&old.volumes, &new.volumes).for_each(|name| delete(format!("/volumes/{name}?force=1")));
    added(&old.networks, &new.networks).for_each(|name| delete(format!("/networks/{name}")));
    kept(&old.containers, &new.containers)
        && kept(&old.services, &new.services)
        && kept(&old.tags, &new.tags)
        && kept(&old.volumes, &new.volumes)
        && kept(&old.networks, &new.networks)
        && (old.swarm.is_null() || old.swarm == new.swarm)
        && old.execs.len() == new.execs.len()
}

fn added<'a, V>(
    old: &'a BTreeMap<String, V>,
    new: &'a BTreeMap<String, V>,
) -> impl Iterator<Item = &'a String> {
    new.keys().filter(|key| !old.contains_key(*key))
}

fn kept<V: PartialEq>(old: &BTreeMap<String, V>, new: &BTreeMap<String, V>) -> bool {
    old.iter().all(|(key, value)| new.get(key) == Some(value))
}

fn by_name(values: &Value, name: impl Fn(&Value) -> &str) -> BTreeMap<String, Value> {
    list(values).iter().map(|value| (name(value).to_owned(), value.clone())).collect()
}

/// A member as text, empty if it is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
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
