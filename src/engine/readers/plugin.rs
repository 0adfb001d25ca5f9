//! Managed plugins, which run as root with whatever they ask for.

use super::mounts::{Access, host_path};
use super::needs::Needs;
use super::table::invalid;
use super::{Request, endpoint, names};
use crate::authz::Action;
use crate::engine::json::Json;
use crate::engine::{Refusal, hostpath};

const PRIVILEGE: &[&str] = &["Name", "Description", "Value"];

/// The operation on the plugin that the path names.
pub(in crate::engine) fn named(request: &Request<'_>) -> Result<Needs, Refusal> {
    of(request, &[request.name()])
}

/// `GET /plugins/privileges`, for which the daemon asks a registry.
pub(in crate::engine) fn privileges(request: &Request<'_>) -> Result<Needs, Refusal> {
    of(request, &[request.key("remote"), request.key("name")])
}

/// `POST /plugins/pull`: what is fetched, the name that it gets here, and what it is granted.
pub(in crate::engine) fn pull(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = of(request, &[request.key("remote"), request.key("name")])?;
    granted(&mut needs, request.body, "")?;
    Ok(needs)
}

/// `POST /plugins/{name}/upgrade`: the plugin that is replaced, and what replaces it.
pub(in crate::engine) fn upgrade(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = of(request, &[request.name(), request.key("remote")])?;
    granted(&mut needs, request.body, "")?;
    Ok(needs)
}

/// `POST /plugins/create`, whose configuration is in the body and not shown.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = of(request, &[request.key("name")])?;
    if !request.query_holds {
        // Fail closed: a form that is not shown could name any plugin.
        needs.any(request.operation);
    }
    Ok(needs)
}

/// `POST /plugins/{name}/set`: `NAME[.field]=value`, where the name decides what is set.
pub(in crate::engine) fn set(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = of(request, &[request.name()])?;
    for setting in request.body.as_texts("settings")? {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(invalid("settings", "a list of `NAME=value`"));
        };
        if !value.starts_with('/') {
            continue;
        }
        // Without a field, a path may be what is mounted, a device, or a mere variable.
        let path = hostpath::canonical(value)?;
        let field = name.rsplit_once('.').map_or("", |(_, field)| field);
        if field != "source" {
            needs.add(Action::HostDevice, &path);
        }
        if field != "path" {
            host_path(&mut needs, &path, Access::Write);
        }
    }
    Ok(needs)
}

/// Adds what a plugin is granted: a list of privileges.
pub(super) fn granted(needs: &mut Needs, privileges: &Json, path: &str) -> Result<(), Refusal> {
    for privilege in privileges.as_list(path)? {
        let privilege = privilege.as_fields(path, PRIVILEGE)?;
        needs.note_unknown(&privilege);
        let name = privilege.text("Name")?;
        for value in privilege.texts("Value")? {
            match (name, value) {
                ("network", network) => endpoint::network(needs, network),
                ("mount", source) if source.starts_with('/') => {
                    host_path(needs, &hostpath::canonical(source)?, Access::Write);
                }
                // Settable later, so it could be any path.
                ("mount", _) => needs.any(Action::HostMount),
                ("device", device) if device.starts_with('/') => {
                    needs.add(Action::HostDevice, hostpath::canonical(device)?);
                }
                ("device" | "allow-all-devices", _) => needs.any(Action::HostDevice),
                ("capabilities", capability) => {
                    let upper = capability.to_uppercase();
                    needs.add(Action::HostCapability, upper.strip_prefix("CAP_").unwrap_or(&upper));
                }
                ("host ipc namespace", _) => needs.add(Action::HostNamespace, "ipc"),
                ("host pid namespace", _) => needs.add(Action::HostNamespace, "pid"),
                (other, _) => needs.unknown(format!("privileges.{other}")),
            }
        }
    }
    Ok(())
}

/// The operation on each plugin that is named, in the one spelling that the daemon resolves to.
fn of(request: &Request<'_>, texts: &[&str]) -> Result<Needs, Refusal> {
    let mut found = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        found.extend(names::plugin(text)?);
    }
    let mut found = found.into_iter();
    let mut needs = request.needs(found.next().unwrap_or_default());
    found.for_each(|name| needs.add(request.operation, name));
    Ok(needs)
}
