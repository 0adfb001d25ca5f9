//! Published ports, named by protocol and host port; the host address is not looked at.

use super::needs::Needs;
use super::table::invalid;
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

/// A longer range of host ports counts as all ports.
const RANGE_LIMIT: u16 = 64;

/// `PortBindings`: container port to host ports.
///
/// A binding to one address of the host needs the same as one to all of them. Which addresses other machines
/// reach is the host's affair, and a rule for `127.0.0.1` would promise what engines before 28 do not keep:
/// there, whoever is on the same network segment reaches such a port too.
pub(super) fn port_bindings(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for (port, bindings) in fields.map(name)?.entries() {
        let path = fields.path_of(name);
        let protocol = protocol(port.split_once('/').map_or("", |(_, protocol)| protocol));
        let bindings = bindings.as_list(&path)?;
        if bindings.is_empty() {
            // Some engines publish such a port on any free one.
            needs.add(Action::HostPort, format!("{protocol}/0"));
        }
        for binding in bindings {
            let binding = binding.as_fields(&path, &["HostIp", "HostPort"])?;
            needs.note_unknown(&binding);
            host_ports(needs, &protocol, binding.text("HostPort")?)
                .ok_or_else(|| invalid(&path, "a map of ports"))?;
        }
    }
    Ok(())
}

/// `PublishAllPorts`: whatever the image exposes.
pub(super) fn publish_all(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if fields.flag(name)? {
        needs.any(Action::HostPort);
    }
    Ok(())
}

/// `EndpointSpec.Ports` of a service.
pub(super) fn service_ports(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for port in fields.each(name, &["Name", "Protocol", "TargetPort", "PublishedPort", "PublishMode"])? {
        needs.note_unknown(&port);
        let published = u16::try_from(port.number("PublishedPort")?)
            .map_err(|_| invalid(&port.path_of("PublishedPort"), "a port"))?;
        needs.add(Action::HostPort, format!("{}/{published}", protocol(port.text("Protocol")?)));
    }
    Ok(())
}

fn protocol(text: &str) -> String {
    if text.is_empty() { "tcp".to_owned() } else { text.to_lowercase() }
}

/// Adds one port, every port of a range, or port 0 for whichever is free.
fn host_ports(needs: &mut Needs, protocol: &str, text: &str) -> Option<()> {
    let text = if text.is_empty() { "0" } else { text };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    match last.checked_sub(first)? {
        span if span < RANGE_LIMIT => {
            (first..=last).for_each(|port| needs.add(Action::HostPort, format!("{protocol}/{port}")));
        }
        _ => needs.any(Action::HostPort),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(text: &str) -> Option<Vec<String>> {
        let mut needs = Needs::new(Action::ContainerCreate, "");
        host_ports(&mut needs, "tcp", text)?;
        Some(needs.finish("").unwrap().requirements.iter().skip(1).map(ToString::to_string).collect())
    }

    #[test]
    fn a_host_port_is_one_a_range_or_any_free_one() {
        assert_eq!(needed("80"), Some(vec!["host.port port:tcp/80".to_owned()]));
        assert_eq!(needed(""), Some(vec!["host.port port:tcp/0".to_owned()]));
        assert_eq!(
            needed("8000-8001"),
            Some(vec!["host.port port:tcp/8000".to_owned(), "host.port port:tcp/8001".to_owned()])
        );
        assert_eq!(needed("1-65535"), Some(vec!["host.port port:*".to_owned()]));
        for text in ["x", "70000", "2-1", "-1", "80-"] {
            assert_eq!(needed(text), None, "{text}");
        }
    }
}
