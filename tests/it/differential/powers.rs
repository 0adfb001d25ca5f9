//! What a container or service asks of its host, read off the engine's own inspection of it.

use serde_json::Value;

use super::effects::{Effect, beginnings, canonical, is_anonymous};
use super::view::{View, list, text};

/// The powers of a container, one row a field of its `HostConfig`.
pub(super) fn powers(container: &Value) -> Vec<Effect> {
    let host = &container["HostConfig"];
    let mut effects = Vec::new();
    if host["Privileged"] == true {
        effects.push(Effect::any(&["host.privileged"]));
    }
    effects.extend(list(&container["Mounts"]).iter().filter_map(mount));
    for (key, action) in [
        ("CapAdd", &["host.capability"]),
        ("DeviceCgroupRules", &["host.device-rule"]),
        ("SecurityOpt", &["host.security"]),
        ("VolumesFrom", &["container.join"]),
        ("GroupAdd", &["host.group"]),
    ] {
        let items = list(&host[key]).iter().filter_map(Value::as_str);
        effects.extend(items.filter(|item| !is_the_engines_own(item, host)).map(|item| {
            let capability = item.to_uppercase().replacen("CAP_", "", 1);
            let container = item.split(':').next().unwrap_or_default().to_owned();
            Effect::on_any_of(
                action,
                vec![item.to_owned(), capability, item.replacen(':', "=", 1), container],
            )
        }));
    }
    for (key, namespace) in [
        ("PidMode", "pid"),
        ("IpcMode", "ipc"),
        ("UTSMode", "uts"),
        ("UsernsMode", "user"),
        ("NetworkMode", "net"),
    ] {
        match text(host, key) {
            "host" => effects.push(Effect::on(&["host.namespace"], namespace)),
            mode if mode.starts_with("container:") => effects.push(Effect::any(&["container.join"])),
            _ => {}
        }
    }
    for device in list(&host["Devices"]) {
        effects.push(Effect::on(&["host.device"], text(device, "PathOnHost")));
    }
    for key in ["MaskedPaths", "ReadonlyPaths"] {
        // The engine's own lists are longer than any that the calls here send.
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
        effects.push(Effect::on(&["host.cgroup"], text(host, "CgroupParent")));
    }
    if !["", "no"].contains(&text(&host["RestartPolicy"], "Name")) {
        effects.push(Effect::any(&["host.autostart"]));
    }
    if text(&host["LogConfig"], "Type") != "json-file" {
        effects.push(Effect::any(&["host.log-driver"]));
    }
    effects
}

fn mount(mount: &Value) -> Option<Effect> {
    let (source, name) = (text(mount, "Source"), text(mount, "Name"));
    match text(mount, "Type") {
        "bind" if mount["RW"] == true => Some(Effect::on(&["host.mount"], source)),
        "bind" => Some(Effect::on(&["host.mount", "host.mount-readonly"], source)),
        "volume" if is_anonymous(name) => Some(Effect::any(&["container.create"])),
        "volume" => Some(Effect::on(&["volume.use"], name)),
        _ => None,
    }
}

/// With these the engine adds a security option by itself.
fn is_the_engines_own(option: &str, host: &Value) -> bool {
    option == "label=disable"
        && (host["Privileged"] == true || text(host, "PidMode") == "host" || text(host, "IpcMode") == "host")
}

/// Every name under which the image of a container may have been asked for.
pub(super) fn image_names(container: &Value, view: &View) -> Vec<String> {
    let id = text(container, "Image");
    let mut names: Vec<String> = beginnings(id).filter(|name| name.len() > "sha256:".len()).collect();
    names.extend(view.tags.iter().filter(|(_, of)| *of == id).map(|(tag, _)| canonical(tag)));
    names
}

/// The powers of a service's containers.
pub(super) fn service_powers(service: &Value) -> Vec<Effect> {
    let container = &service["Spec"]["TaskTemplate"]["ContainerSpec"];
    let mut effects = Vec::new();
    for mount in list(&container["Mounts"]).iter().filter(|mount| text(mount, "Type") == "bind") {
        effects.push(Effect::on(&["host.mount"], text(mount, "Source")));
    }
    for capability in list(&container["CapabilityAdd"]).iter().filter_map(Value::as_str) {
        effects.push(Effect::on(&["host.capability"], &capability.to_uppercase().replacen("CAP_", "", 1)));
    }
    if container["Sysctls"].as_object().is_some_and(|map| !map.is_empty()) {
        effects.push(Effect::any(&["host.sysctl"]));
    }
    effects
}
