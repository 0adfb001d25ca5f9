//! Networks: drivers, options and addresses that reach beyond the containers on them.

use super::endpoint::{endpoint, instead_of, network};
use super::needs::Needs;
use super::shapes::{flag, text, text_map};
use super::table::{elsewhere, fields};
use super::{Request, names};
use crate::authz::{Action, Kind};
use crate::engine::json::Fields;
use crate::engine::{Refusal, RefusalCode};

fields! {
    /// moby `network.CreateRequest`; addresses need the network's name, see [`create`].
    NETWORK {
        "Name"           elsewhere;
        "Driver"         driver;
        "Scope"          text;
        "EnableIPv4"     flag;
        "EnableIPv6"     flag;
        "IPAM"           elsewhere;
        "Internal"       flag;
        "Attachable"     flag;
        "Ingress"        ingress;
        "ConfigOnly"     flag;
        "ConfigFrom"     config_from;
        "Options"        options;
        "Labels"         text_map;
        "CheckDuplicate" flag;
    }
}

const IPAM: &[&str] = &["Driver", "Options", "Config"];

fields! {
    /// moby `network.IPAMConfig`, each field being an address that is asked for.
    IPAM_CONFIG {
        "Subnet"             text;
        "IPRange"            text;
        "Gateway"            text;
        "AuxiliaryAddresses" text_map;
        "AuxAddress"         text_map;
    }
}

/// Options that only shape what is inside the network.
const HARMLESS_OPTIONS: &[&str] = &[
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.container_iface_prefix",
    "com.docker.network.driver.mtu",
    "encrypted",
];

/// `POST /networks/create`.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let fields = request.body.as_fields("", NETWORK.names)?;
    let name = fields.text("Name")?;
    let mut needs = request.needs(name);
    NETWORK.read_fields(&mut needs, &fields)?;
    ipam(&mut needs, name, &fields.within("IPAM", IPAM)?)?;
    Ok(needs)
}

/// `POST /networks/{id}/connect`.
pub(in crate::engine) fn connect(request: &Request<'_>) -> Result<Needs, Refusal> {
    let fields = request.body.as_fields("", &["Container", "EndpointConfig"])?;
    let mut needs = both(request, &fields)?;
    if request.name() == "host" {
        needs.add(Action::HostNamespace, "net");
    }
    let settings = fields.get("EndpointConfig");
    if let Some(other) = instead_of(request.name(), settings, "EndpointConfig")? {
        needs.add(request.operation, other);
    }
    endpoint(&mut needs, request.name(), settings, "EndpointConfig")?;
    Ok(needs)
}

/// `POST /networks/{id}/disconnect`.
pub(in crate::engine) fn disconnect(request: &Request<'_>) -> Result<Needs, Refusal> {
    let fields = request.body.as_fields("", &["Container", "Force"])?;
    fields.flag("Force")?;
    both(request, &fields)
}

/// The operation on the network and on the container.
fn both(request: &Request<'_>, fields: &Fields<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(request.name());
    let container = names::container(fields.text("Container")?);
    if container.is_empty() {
        return Err(Refusal::new(RefusalCode::BodyInvalid, "`Container` of the body names no container"));
    }
    needs.on(request.operation, Kind::Container, container);
    needs.note_unknown(fields);
    Ok(needs)
}

fn driver(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    match fields.text(name)? {
        // Both stay behind the host's own address.
        "" | "bridge" | "overlay" => {}
        other => needs.add(Action::HostNetworkDriver, other),
    }
    Ok(())
}

/// The network that every published port of the swarm goes through.
fn ingress(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if fields.flag(name)? {
        needs.add(Action::HostNetworkOption, "ingress");
    }
    Ok(())
}

fn config_from(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let source = fields.within(name, &["Network"])?;
    needs.note_unknown(&source);
    network(needs, source.text("Network")?);
    Ok(())
}

fn options(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for (option, _) in fields.text_map(name)? {
        if !HARMLESS_OPTIONS.contains(&option) {
            needs.add(Action::HostNetworkOption, option);
        }
    }
    Ok(())
}

/// Subnets can take traffic away from the host's own routes.
fn ipam(needs: &mut Needs, network: &str, ipam: &Fields<'_>) -> Result<(), Refusal> {
    needs.note_unknown(ipam);
    match ipam.text("Driver")? {
        "" | "default" => {}
        other => needs.add(Action::PluginUse, other),
    }
    for (option, _) in ipam.text_map("Options")? {
        needs.add(Action::HostNetworkOption, format!("ipam/{option}"));
    }
    for config in ipam.each("Config", IPAM_CONFIG.names)? {
        needs.note_unknown(&config);
        IPAM_CONFIG.read_known(needs, &config)?;
        if IPAM_CONFIG.names.iter().any(|field| !config.get(field).is_zero()) {
            needs.add(Action::HostNetworkAddress, network);
        }
    }
    Ok(())
}
