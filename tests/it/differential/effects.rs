//! What changed on an engine, and which requirements would have covered it.
//!
//! Written from what the engine's inspections say, not from the plugin's readers: two views of one thing.

use std::fmt;

use serde_json::Value;
use wharfinger::authz::{Requirement, Resource};

use super::view::{View, list, text};

/// Something that the engine did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// The names of the actions any of which covers it.
    actions: &'static [&'static str],
    /// Names of the resource any of which covers it; none means that any name does.
    names: Vec<String>,
}

impl Effect {
    fn new(actions: &'static [&'static str], name: &str) -> Self {
        Self { actions, names: vec![name.to_owned()] }
    }

    fn any(actions: &'static [&'static str]) -> Self {
        Self { actions, names: Vec::new() }
    }

    pub(super) fn is_covered_by(&self, requirement: &Requirement) -> bool {
        let name = &requirement.resource.name;
        self.actions.contains(&requirement.action.name())
            && (name == Resource::ANY || self.names.is_empty() || self.names.contains(name))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.actions.join("|"), self.names.join("|"))
    }
}

/// Everything that changed from one view of an engine to the next.
pub(super) fn between(old: &View, new: &View) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (id, container) in &new.containers {
        match old.containers.get(id) {
            None => created(&mut effects, container, new),
            Some(before) => changed(&mut effects, id, before, container),
        }
    }
    for (id, container) in &old.containers {
        if !new.containers.contains_key(id) {
            effects.push(acted_on(&["container.delete", "container.prune"], id, container));
        }
    }
    for (id, exec) in &new.execs {
        if !old.execs.contains_key(id) {
            effects.push(Effect::any(&["container.exec"]));
            if exec["ProcessConfig"]["privileged"] == true {
                effects.push(Effect::any(&["host.privileged"]));
            }
        }
    }
    for (tag, id) in &new.tags {
        if old.tags.get(tag) != Some(id) {
            let name = format!("docker.io/{}{tag}", if tag.contains('/') { "" } else { "library/" });
            effects.push(Effect::new(&["image.tag", "image.import", "image.commit"], &name));
        }
    }
    for tag in old.tags.keys().filter(|tag| !new.tags.contains_key(*tag)) {
        let name = format!("docker.io/library/{tag}");
        effects.push(Effect::new(&["image.delete", "image.prune"], &name));
    }
    for (name, volume) in &new.volumes {
        if !old.volumes.contains_key(name) {
            effects.push(
                Effect::new(&["volume.create", "volume.use", "container.create"], name)
                    .or_any(is_anonymous(name)),
            );
            if volume["Options"].as_object().is_some_and(|options| !options.is_empty()) {
                effects.push(Effect::any(&["host.mount", "host.mount-filesystem"]));
            }
        }
    }
    for name in old.volumes.keys().filter(|name| !new.volumes.contains_key(*name)) {
        effects.push(Effect::new(&["volume.delete", "volume.prune", "container.delete"], name));
    }
    for (name, network) in &new.networks {
        match old.networks.get(name) {
            None => {
                effects.push(Effect::new(&["network.create"], name));
                if text(network, "Driver") != "bridge" {
                    effects.push(Effect::new(&["host.network-driver"], &text(network, "Driver")));
                }
            }
            Some(before) if before["Containers"] != network["Containers"] => {
                effects.push(
                    Effect::new(&["network.connect", "network.disconnect", "container.start"], name)
                        .or_any(true),
                );
            }
            Some(_) => {}
        }
    }
    for name in old.networks.keys().filter(|name| !new.networks.contains_key(*name)) {
        effects.push(Effect::new(&["network.delete", "network.prune"], name));
    }
    effects
}

/// An action on a container that was there: by name or any beginning of its ID, which has the name's place here.
fn acted_on(actions: &'static [&'static str], id: &str, container: &Value) -> Effect {
    let name = text(container, "Name").trim_start_matches('/').to_owned();
    let mut effect = Effect { actions, names: vec![name] };
    effect.names.extend((1..=id.len()).map(|length| id[..length].to_owned()));
    effect
}

fn changed(effects: &mut Vec<Effect>, id: &str, before: &Value, after: &Value) {
    let (old_name, new_name) = (text(before, "Name"), text(after, "Name"));
    if old_name != new_name {
        effects.push(acted_on(&["container.rename"], id, before));
        effects.push(Effect::new(&["container.rename"], new_name.trim_start_matches('/')));
    }
    let running = |value: &Value| value["State"]["Running"] == true;
    if !running(before) && running(after) {
        effects.push(acted_on(&["container.start", "container.restart"], id, before));
    }
    if running(before) && !running(after) {
        effects.push(acted_on(
            &["container.stop", "container.kill", "container.restart", "container.delete"],
            id,
            before,
        ));
    }
    if before["State"]["Paused"] != after["State"]["Paused"] {
        effects.push(acted_on(&["container.pause", "container.unpause"], id, before));
    }
    if before["HostConfig"] != after["HostConfig"] {
        effects.push(acted_on(&["container.update"], id, before));
        let old: Vec<Effect> = powers(before);
        effects.extend(powers(after).into_iter().filter(|effect| !old.contains(effect)));
    }
}

fn created(effects: &mut Vec<Effect>, container: &Value, view: &View) {
    let name = text(container, "Name").trim_start_matches('/').to_owned();
    effects.push(Effect::new(&["container.create"], &name));
    let image = text(container, "Image");
    let mut names: Vec<String> = vec![image.clone()];
    names.extend(
        view.tags.iter().filter(|(_, id)| **id == image).map(|(tag, _)| format!("docker.io/library/{tag}")),
    );
    names.extend((1..64).map(|length| image[.."sha256:".len() + length].to_owned()));
    effects.push(Effect { actions: &["image.use"], names });
    effects.extend(powers(container));
}

/// What a container's configuration asks of its host, one row a power.
fn powers(container: &Value) -> Vec<Effect> {
    let host = &container["HostConfig"];
    let mut effects = Vec::new();
    if host["Privileged"] == true {
        effects.push(Effect::any(&["host.privileged"]));
    }
    for mount in list(&container["Mounts"]) {
        match text(mount, "Type").as_str() {
            "bind" if mount["RW"] == true => {
                effects.push(Effect::new(&["host.mount"], &text(mount, "Source")))
            }
            "bind" => {
                effects.push(Effect::new(&["host.mount", "host.mount-readonly"], &text(mount, "Source")))
            }
            "volume" => {
                let name = text(mount, "Name");
                effects
                    .push(Effect::new(&["volume.use", "container.join"], &name).or_any(is_anonymous(&name)));
            }
            _ => {}
        }
    }
    for (key, action) in [
        ("CapAdd", &["host.capability"]),
        ("DeviceCgroupRules", &["host.device-rule"]),
        ("SecurityOpt", &["host.security"]),
        ("VolumesFrom", &["container.join"]),
        ("GroupAdd", &["host.group"]),
    ] {
        for item in list(&host[key]) {
            let item = item.as_str().unwrap_or_default();
            // The engine's own addition, on hosts with and without SELinux.
            if item == "label=disable"
                && (host["Privileged"] == true
                    || ["PidMode", "IpcMode"].iter().any(|key| host[*key] == "host"))
            {
                continue;
            }
            let plain = item.to_uppercase().replacen("CAP_", "", 1);
            let names = vec![
                item.to_owned(),
                plain,
                item.replacen(':', "=", 1),
                item.split(':').next().unwrap().to_owned(),
            ];
            effects.push(Effect { actions: action, names });
        }
    }
    for (key, namespace) in [
        ("PidMode", "pid"),
        ("IpcMode", "ipc"),
        ("UTSMode", "uts"),
        ("UsernsMode", "user"),
        ("NetworkMode", "net"),
    ] {
        let mode = text(host, key);
        if mode == "host" {
            effects.push(Effect::new(&["host.namespace"], namespace));
        } else if let Some(other) = mode.strip_prefix("container:") {
            effects.push(Effect::any(&["container.join"]));
            assert!(!other.is_empty());
        }
    }
    for device in list(&host["Devices"]) {
        effects.push(Effect::new(&["host.device"], &text(device, "PathOnHost")));
    }
    for key in ["MaskedPaths", "ReadonlyPaths"] {
        // The engine's own lists are long; what a caller asks for here is not.
        if host["Privileged"] != true && list(&host[key]).len() < 4 {
            effects.push(Effect::any(&["host.unmask"]));
        }
    }
    for (key, action) in [("Sysctls", &["host.sysctl"]), ("PortBindings", &["host.port"])] {
        if host[key].as_object().is_some_and(|map| !map.is_empty()) {
            effects.push(Effect::any(action));
        }
    }
    if !text(host, "CgroupParent").is_empty() {
        effects.push(Effect::new(&["host.cgroup"], &text(host, "CgroupParent")));
    }
    if !["", "no"].contains(&text(&host["RestartPolicy"], "Name").as_str()) {
        effects.push(Effect::any(&["host.autostart"]));
    }
    if text(&host["LogConfig"], "Type") != "json-file" {
        effects.push(Effect::any(&["host.log-driver"]));
    }
    effects
}

impl Effect {
    /// The same, covered whatever the resource's name if `any`.
    fn or_any(mut self, any: bool) -> Self {
        if any {
            self.names.clear();
            // What the engine names itself comes with the call that made it.
            self.actions = &[
                "container.create",
                "volume.create",
                "volume.use",
                "container.join",
                "network.connect",
                "network.disconnect",
                "container.start",
                "container.delete",
            ];
        }
        self
    }
}

fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}
