//! Services: as deep as a container, since a task is one, on a host of the swarm's choice.

use super::isolation::{capabilities, groups, sysctls};
use super::limits::{below_zero, ulimits};
use super::logs::log_driver;
use super::mounts::mounts;
use super::names;
use super::needs::Needs;
use super::plugin::granted;
use super::ports::service_ports;
use super::shapes::{
    self, dns, flag, healthcheck, number, placement, restarts, rollout, service_mode, text, text_map, texts,
};
use super::table::{fields, invalid};
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

fields! {
    /// moby `swarm.ServiceSpec`.
    SERVICE {
        "Name"           text;
        "Labels"         text_map;
        "TaskTemplate"   task;
        "Mode"           service_mode;
        "UpdateConfig"   rollout;
        "RollbackConfig" rollout;
        "Networks"       networks;
        "EndpointSpec"   endpoint_spec;
    }

    /// moby `swarm.EndpointSpec`.
    ENDPOINT_SPEC {
        "Mode"  text;
        "Ports" service_ports;
    }

    /// moby `swarm.TaskSpec`.
    TASK {
        "ContainerSpec"         container_spec;
        "PluginSpec"            plugin_spec;
        "NetworkAttachmentSpec" attachment;
        "Resources"             resources;
        "RestartPolicy"         restarts;
        "Placement"             placement;
        "Networks"              networks;
        "LogDriver"             log_driver;
        "ForceUpdate"           number;
        "Runtime"               runtime;
    }

    /// moby `swarm.ContainerSpec`.
    CONTAINER_SPEC {
        "Image"           image;
        "Labels"          text_map;
        "Command"         texts;
        "Args"            texts;
        "Hostname"        text;
        "Env"             texts;
        "Dir"             text;
        "User"            text;
        "Groups"          groups;
        "Privileges"      privileges;
        "Init"            flag;
        "StopSignal"      text;
        "TTY"             flag;
        "OpenStdin"       flag;
        "ReadOnly"        flag;
        "Mounts"          mounts;
        "StopGracePeriod" number;
        "Healthcheck"     healthcheck;
        "Hosts"           texts;
        "DNSConfig"       dns;
        "Secrets"         secrets;
        "Configs"         configs;
        "Isolation"       text;
        "Sysctls"         sysctls;
        "CapabilityAdd"   capabilities;
        "CapabilityDrop"  texts;
        "Ulimits"         ulimits;
        "OomScoreAdj"     below_zero;
    }

    /// moby `swarm.Privileges`.
    PRIVILEGES {
        "CredentialSpec"  credential_spec;
        "SELinuxContext"  selinux;
        "Seccomp"         seccomp;
        "AppArmor"        apparmor;
        "NoNewPrivileges" flag;
    }

    /// moby `swarm.ResourceRequirements`.
    REQUIREMENTS {
        "Limits"           limits;
        "Reservations"     limits;
        "SwapBytes"        number;
        "MemorySwappiness" number;
    }

    /// moby `swarm.Limit` and `swarm.Resources`.
    LIMITS {
        "NanoCPUs"         number;
        "MemoryBytes"      number;
        "Pids"             number;
        "GenericResources" generic_resources;
    }
}

fn task(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    TASK.read_within(needs, fields, name)
}

fn container_spec(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    // A task of another kind has none, and so no image either.
    if fields.get(name).is_zero() { Ok(()) } else { CONTAINER_SPEC.read_within(needs, fields, name) }
}

fn endpoint_spec(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    ENDPOINT_SPEC.read_within(needs, fields, name)
}

fn privileges(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    PRIVILEGES.read_within(needs, fields, name)
}

fn resources(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    REQUIREMENTS.read_within(needs, fields, name)
}

fn limits(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    LIMITS.read_within(needs, fields, name)
}

fn image(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    names::add_image(needs, Action::ImageUse, fields.text(name)?)
}

/// Networks by name or ID; the host's own is one of them.
fn networks(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for attachment in fields.each(name, &["Target", "Aliases", "DriverOpts"])? {
        needs.note_unknown(&attachment);
        let target = attachment.text("Target")?;
        match target {
            "host" => needs.add(Action::HostNamespace, "net"),
            "none" => {}
            other => needs.add(Action::NetworkUse, other),
        }
        if !attachment.texts("Aliases")?.is_empty() {
            needs.add(Action::HostNetworkAlias, target);
        }
        for (option, _) in attachment.text_map("DriverOpts")? {
            needs.add(Action::HostNetworkOption, option);
        }
    }
    Ok(())
}

/// Secrets by name: the swarm refuses a reference whose name and ID do not belong together.
fn secrets(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for secret in fields.each(name, &["File", "SecretID", "SecretName"])? {
        needs.note_unknown(&secret);
        shapes::file(needs, &secret, "File")?;
        let by_name = secret.text("SecretName")?;
        needs.add(Action::SecretUse, if by_name.is_empty() { secret.text("SecretID")? } else { by_name });
    }
    Ok(())
}

/// Configs by name, as [`secrets`].
fn configs(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for config in fields.each(name, &["File", "Runtime", "ConfigID", "ConfigName"])? {
        needs.note_unknown(&config);
        shapes::file(needs, &config, "File")?;
        shapes::nothing(needs, &config, "Runtime")?;
        let by_name = config.text("ConfigName")?;
        needs.add(Action::ConfigUse, if by_name.is_empty() { config.text("ConfigID")? } else { by_name });
    }
    Ok(())
}

/// Credentials of Windows services, from a config, or from a file or the registry of the host.
fn credential_spec(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let spec = fields.within(name, &["Config", "File", "Registry"])?;
    needs.note_unknown(&spec);
    if !spec.text("Config")?.is_empty() {
        needs.add(Action::ConfigUse, spec.text("Config")?);
    }
    if !spec.text("File")?.is_empty() || !spec.text("Registry")?.is_empty() {
        needs.add(Action::HostSecurity, "credentialspec=custom");
    }
    Ok(())
}

fn selinux(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let context = fields.within(name, &["Disable", "User", "Role", "Type", "Level"])?;
    needs.note_unknown(&context);
    if context.flag("Disable")? {
        needs.add(Action::HostSecurity, "label=disable");
    }
    for part in ["User", "Role", "Type", "Level"] {
        let value = context.text(part)?;
        if !value.is_empty() {
            needs.add(Action::HostSecurity, format!("label={}:{value}", part.to_lowercase()));
        }
    }
    Ok(())
}

fn seccomp(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let options = fields.within(name, &["Mode", "Profile"])?;
    needs.note_unknown(&options);
    match options.text("Mode")? {
        "" | "default" if options.get("Profile").is_zero() => {}
        "unconfined" => needs.add(Action::HostSecurity, "seccomp=unconfined"),
        "" | "default" | "custom" => needs.add(Action::HostSecurity, "seccomp=custom"),
        _ => return Err(invalid(&options.path_of("Mode"), "a mode of seccomp")),
    }
    Ok(())
}

fn apparmor(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let options = fields.within(name, &["Mode"])?;
    needs.note_unknown(&options);
    match options.text("Mode")? {
        "" | "default" => {}
        "disabled" => needs.add(Action::HostSecurity, "apparmor=unconfined"),
        _ => return Err(invalid(&options.path_of("Mode"), "a mode of AppArmor")),
    }
    Ok(())
}

/// Generic resources, which nodes may map to devices.
fn generic_resources(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for resource in fields.each(name, &["NamedResourceSpec", "DiscreteResourceSpec"])? {
        needs.note_unknown(&resource);
        for kind in ["NamedResourceSpec", "DiscreteResourceSpec"] {
            let spec = resource.within(kind, &["Kind", "Value"])?;
            needs.note_unknown(&spec);
            if !resource.get(kind).is_zero() {
                needs.add(Action::HostDeviceRequest, spec.text("Kind")?);
            }
        }
    }
    Ok(())
}

/// A task that is a managed plugin instead of a container.
fn plugin_spec(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let spec = fields.within(name, &["Name", "Remote", "Privileges", "Disabled", "Env"])?;
    needs.note_unknown(&spec);
    if fields.get(name).is_zero() {
        return Ok(());
    }
    for text in [spec.text("Remote")?, spec.text("Name")?] {
        for plugin in if text.is_empty() { vec![String::new()] } else { names::plugin(text)? } {
            needs.add(Action::PluginPull, plugin);
        }
    }
    granted(needs, spec.get("Privileges"), &spec.path_of("Privileges"))
}

/// A task that puts an existing container on a network.
fn attachment(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let spec = fields.within(name, &["ContainerID"])?;
    needs.note_unknown(&spec);
    if !fields.get(name).is_zero() {
        needs.add(Action::ContainerJoin, names::container(spec.text("ContainerID")?));
    }
    Ok(())
}

fn runtime(_: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    match fields.text(name)? {
        "" | "container" | "plugin" | "attachment" => Ok(()),
        _ => Err(invalid(&fields.path_of(name), "a runtime of tasks")),
    }
}
