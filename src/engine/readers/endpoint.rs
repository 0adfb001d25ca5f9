//! How a container is put on networks, and what it takes there: names, addresses, links.

use super::names;
use super::needs::Needs;
use super::shapes::{number, text, text_map, texts};
use super::table::{elsewhere, fields, invalid};
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::{Fields, Json};

fields! {
    /// moby `network.NetworkingConfig`.
    NETWORKING_CONFIG {
        "EndpointsConfig" endpoints;
    }
}

fields! {
    /// moby `network.EndpointSettings`; of what the daemon fills in itself, the network's ID counts.
    ENDPOINT {
        "IPAMConfig"          elsewhere;
        "Links"               links;
        "Aliases"             texts;
        "MacAddress"          text;
        "DriverOpts"          text_map;
        "GwPriority"          number;
        "NetworkID"           text;
        "EndpointID"          text;
        "Gateway"             text;
        "IPAddress"           text;
        "IPPrefixLen"         number;
        "IPv6Gateway"         text;
        "GlobalIPv6Address"   text;
        "GlobalIPv6PrefixLen" number;
        "DNSNames"            texts;
    }
}

fields! {
    /// moby `network.EndpointIPAMConfig`, each field being an address that is asked for.
    ENDPOINT_IPAM {
        "IPv4Address"  text;
        "IPv6Address"  text;
        "LinkLocalIPs" texts;
    }
}

/// `NetworkMode`. The default network, which every container gets, and none at all need nothing
/// beyond the create itself; a chosen network needs its use.
pub(super) fn network_mode(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    mode(needs, fields.text(name)?).ok_or_else(|| invalid(&fields.path_of(name), "a network mode"))
}

/// Adds what a network mode asks for; `None` for a container that is not named.
pub(super) fn mode(needs: &mut Needs, mode: &str) -> Option<()> {
    match mode.strip_prefix("container:") {
        Some("") => return None,
        Some(container) => needs.add(Action::ContainerJoin, names::container(container)),
        None => network(needs, mode),
    }
    Some(())
}

/// Adds a network that is used by name or ID.
pub(super) fn network(needs: &mut Needs, name: &str) {
    match name {
        "" | "default" | "bridge" | "none" => {}
        "host" => needs.add(Action::HostNamespace, "net"),
        other => needs.add(Action::NetworkUse, other),
    }
}

/// `Links`: `name:alias`, which also shows the linked container's environment.
pub(super) fn links(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for link in fields.texts(name)? {
        let container = link.split_once(':').map_or(link, |(container, _)| container);
        needs.add(Action::ContainerJoin, names::container(container));
    }
    Ok(())
}

/// The network that the daemon joins in place of the one that is named: where the settings have an
/// ID, or another name, in the place of one, that is what it looks for.
pub(super) fn instead_of<'a>(name: &str, settings: &'a Json, path: &str) -> Result<Option<&'a str>, Refusal> {
    let id = settings.as_fields(path, ENDPOINT.names)?.text("NetworkID")?;
    let asked = !id.is_empty() && !matches!(name, "default" | "bridge" | "host" | "none");
    Ok(asked.then_some(id))
}

fn endpoints(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for (network_name, settings) in fields.map(name)?.entries() {
        network(needs, network_name);
        endpoint(needs, network_name, settings, &fields.path_of(name))?;
    }
    Ok(())
}

/// Adds what a container asks for on the network of that name.
pub(super) fn endpoint(needs: &mut Needs, name: &str, settings: &Json, path: &str) -> Result<(), Refusal> {
    let endpoint = settings.as_fields(path, ENDPOINT.names)?;
    needs.note_unknown(&endpoint);
    let instead = instead_of(name, settings, path)?;
    network(needs, instead.unwrap_or_default());
    let network = instead.unwrap_or(name);
    let addresses = endpoint.within("IPAMConfig", ENDPOINT_IPAM.names)?;
    ENDPOINT_IPAM.read_fields(needs, &addresses)?;
    let chosen = ENDPOINT_IPAM.names.iter().any(|field| !addresses.get(field).is_zero());
    if chosen || !endpoint.text("MacAddress")?.is_empty() {
        needs.add(Action::HostNetworkAddress, network);
    }
    if !endpoint.texts("Aliases")?.is_empty() || !endpoint.texts("DNSNames")?.is_empty() {
        needs.add(Action::HostNetworkAlias, network);
    }
    ENDPOINT.read_known(needs, &endpoint)?;
    for (option, _) in endpoint.text_map("DriverOpts")? {
        needs.add(Action::HostNetworkOption, option);
    }
    Ok(())
}
