//! What changed on an engine, and which requirements would have covered it.
//!
//! Written from what the engine's inspections say, not from the plugin's readers: two views of one thing.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use wharfinger::authz::{Requirement, Resource};

use super::powers::{image_names, powers, service_powers};
use super::view::{View, text};

/// Something that the engine did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// The names of the actions any of which covers it.
    actions: &'static [&'static str],
    /// Names of the resource any of which covers it; none means that any name does.
    names: Vec<String>,
}

impl Effect {
    pub(super) fn on(actions: &'static [&'static str], name: &str) -> Self {
        Self { actions, names: vec![name.to_owned()] }
    }

    pub(super) fn on_any_of(actions: &'static [&'static str], names: Vec<String>) -> Self {
        Self { actions, names }
    }

    pub(super) fn any(actions: &'static [&'static str]) -> Self {
        Self { actions, names: Vec::new() }
    }

    pub(super) fn is_covered_by(&self, requirement: &Requirement) -> bool {
        let name = &requirement.resource.name;
        // Where a body could override the query unseen, these say so.
        let unchecked = self.actions.contains(&"image.build")
            && ["build.unchecked", "image.import-unchecked"].contains(&requirement.action.name());
        let named = *name == Resource::ANY || self.names.is_empty() || self.names.contains(name);
        unchecked || (self.actions.contains(&requirement.action.name()) && named)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.actions.join("|"), self.names.first().map_or("*", String::as_str))
    }
}

/// Everything that changed from one view of an engine to the next.
pub(super) fn between(old: &View, new: &View) -> Vec<Effect> {
    let mut effects = Vec::new();
    containers(&mut effects, old, new);
    images(&mut effects, old, new);
    volumes(&mut effects, old, new);
    networks(&mut effects, old, new);
    swarm(&mut effects, old, new);
    effects
}

fn containers(effects: &mut Vec<Effect>, old: &View, new: &View) {
    for (id, container) in &new.containers {
        match old.containers.get(id) {
            None => {
                effects.push(Effect::on(&["container.create"], name_of(container)));
                effects.push(Effect::on_any_of(&["image.use"], image_names(container, new)));
                effects.extend(powers(container));
                let joined = networks_of(container, new);
                effects.extend(joined.iter().map(|name| Effect::on(&["network.use"], name)));
            }
            Some(before) => {
                changed(effects, id, before, container);
                let (left, joined) = (networks_of(before, old), networks_of(container, new));
                let joined = joined.difference(&left);
                effects.extend(joined.map(|name| Effect::on(&["network.connect"], name)));
            }
        }
    }
    for (id, container) in old.containers.iter().filter(|(id, _)| !new.containers.contains_key(*id)) {
        effects.push(acted_on(&["container.delete", "container.prune"], id, container));
    }
    for exec in new.execs.iter().filter(|(id, _)| !old.execs.contains_key(*id)).map(|(_, exec)| exec) {
        let container = text(exec, "ContainerID");
        effects.push(acted_on(&["container.exec"], container, &new.containers[container]));
        if exec["ProcessConfig"]["privileged"] == true {
            effects.push(Effect::any(&["host.privileged"]));
        }
    }
}

fn changed(effects: &mut Vec<Effect>, id: &str, before: &Value, after: &Value) {
    if name_of(before) != name_of(after) {
        effects.push(acted_on(&["container.rename"], id, before));
        effects.push(Effect::on(&["container.rename"], name_of(after)));
    }
    let running = |value: &Value| value["State"]["Running"] == true;
    if !running(before) && running(after) {
        effects.push(acted_on(&["container.start", "container.restart"], id, before));
    }
    if running(before) && !running(after) {
        effects.push(acted_on(&["container.stop", "container.kill", "container.restart"], id, before));
    }
    if before["State"]["Paused"] != after["State"]["Paused"] {
        effects.push(acted_on(&["container.pause", "container.unpause"], id, before));
    }
    if before["HostConfig"] != after["HostConfig"] {
        effects.push(acted_on(&["container.update"], id, before));
        let old = powers(before);
        effects.extend(powers(after).into_iter().filter(|effect| !old.contains(effect)));
    }
}

/// The networks that a container is on, or will be once it is started: an ID, or a name in its
/// place, counts before the name that the container has for it.
fn networks_of(container: &Value, view: &View) -> BTreeSet<String> {
    let Some(endpoints) = container["NetworkSettings"]["Networks"].as_object() else {
        return BTreeSet::new();
    };
    let joined = endpoints.iter().map(|(name, endpoint)| match text(endpoint, "NetworkID") {
        "" => name.clone(),
        id => view
            .networks
            .iter()
            .find(|(name, network)| *name == id || text(network, "Id") == id)
            .map_or_else(|| name.clone(), |(name, _)| name.clone()),
    });
    joined.filter(|name| !["bridge", "host", "none", "default"].contains(&name.as_str())).collect()
}

/// An action on a container that was there, by its name or any beginning of its ID.
fn acted_on(actions: &'static [&'static str], id: &str, container: &Value) -> Effect {
    let mut names = vec![name_of(container).to_owned()];
    names.extend(beginnings(id));
    Effect::on_any_of(actions, names)
}

pub(super) fn beginnings(id: &str) -> impl Iterator<Item = String> {
    (1..=id.len()).filter_map(|length| id.get(..length)).map(str::to_owned)
}

fn name_of(container: &Value) -> &str {
    text(container, "Name").trim_start_matches('/')
}

fn images(effects: &mut Vec<Effect>, old: &View, new: &View) {
    for (tag, id) in &new.tags {
        if old.tags.get(tag) != Some(id) {
            let made = &["image.tag", "image.import", "image.commit", "image.load", "image.build"];
            effects.push(Effect::on(made, &canonical(tag)));
        }
    }
    for tag in old.tags.keys().filter(|tag| !new.tags.contains_key(*tag)) {
        effects.push(Effect::on(&["image.delete", "image.prune"], &canonical(tag)));
    }
}

/// The full name of a tag as the engine lists it; no case here uses a registry of its own.
pub(super) fn canonical(tag: &str) -> String {
    format!("docker.io/{}{tag}", if tag.contains('/') { "" } else { "library/" })
}

fn volumes(effects: &mut Vec<Effect>, old: &View, new: &View) {
    for (name, volume) in new.volumes.iter().filter(|(name, _)| !old.volumes.contains_key(*name)) {
        effects.push(if is_anonymous(name) {
            Effect::any(&["container.create", "volume.create"])
        } else {
            Effect::on(&["volume.create", "volume.use"], name)
        });
        if volume["Options"].as_object().is_some_and(|options| !options.is_empty()) {
            effects.push(Effect::any(&["host.mount", "host.mount-filesystem"]));
        }
    }
    for name in old.volumes.keys().filter(|name| !new.volumes.contains_key(*name)) {
        effects.push(Effect::on(&["volume.delete", "volume.prune"], name));
    }
}

/// Whether the engine chose the name.
pub(super) fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn networks(effects: &mut Vec<Effect>, old: &View, new: &View) {
    for (name, network) in &new.networks {
        match old.networks.get(name) {
            None => {
                effects.push(Effect::on(&["network.create"], name));
                if text(network, "Driver") != "bridge" {
                    effects.push(Effect::on(&["host.network-driver"], text(network, "Driver")));
                }
            }
            Some(before) if before["Containers"] != network["Containers"] => {
                effects.push(Effect::any(&["network.connect", "network.disconnect", "container.start"]));
            }
            Some(_) => {}
        }
    }
    for name in old.networks.keys().filter(|name| !new.networks.contains_key(*name)) {
        effects.push(Effect::on(&["network.delete", "network.prune"], name));
    }
}

fn swarm(effects: &mut Vec<Effect>, old: &View, new: &View) {
    if old.swarm != new.swarm {
        effects.push(Effect::any(&["swarm.init", "swarm.update", "swarm.leave"]));
    }
    for (name, service) in &new.services {
        let before = old.services.get(name);
        match before {
            None => effects.push(Effect::on(&["service.create"], name)),
            Some(before) if before != service => effects.push(Effect::any(&["service.update"])),
            Some(_) => continue,
        }
        let had = before.map(service_powers).unwrap_or_default();
        effects.extend(service_powers(service).into_iter().filter(|effect| !had.contains(effect)));
    }
    for name in old.services.keys().filter(|name| !new.services.contains_key(*name)) {
        effects.push(Effect::on(&["service.delete"], name));
    }
    for name in new.secrets.iter().filter(|name| !old.secrets.contains(*name)) {
        effects.push(Effect::on(&["secret.create"], name));
    }
}
