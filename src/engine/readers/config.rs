//! `Config`: what runs in a container, which is its own affair but for a few fields.

use super::endpoint::NETWORKING_CONFIG;
use super::host_config::volume_driver;
use super::needs::Needs;
use super::table::{fields, harmless};
use crate::authz::{Action, Resource};
use crate::engine::Refusal;
use crate::engine::json::Fields;

fields! {
    /// moby `container.CreateRequest`: `container.Config` with what stands beside it, and the few
    /// resource settings that old clients put there.
    CREATE {
        "HostConfig"       harmless;
        "NetworkingConfig" networking;
        "Image"            harmless;
        "Hostname"         harmless;
        "Domainname"       harmless;
        "User"             harmless;
        "AttachStdin"      harmless;
        "AttachStdout"     harmless;
        "AttachStderr"     harmless;
        "ExposedPorts"     harmless;
        "PublishService"   harmless;
        "Tty"              harmless;
        "OpenStdin"        harmless;
        "StdinOnce"        harmless;
        "Env"              harmless;
        "Cmd"              harmless;
        "Healthcheck"      harmless;
        "ArgsEscaped"      harmless;
        "Volumes"          harmless;
        "WorkingDir"       harmless;
        "Entrypoint"       harmless;
        "NetworkDisabled"  harmless;
        "MacAddress"       mac_address;
        "OnBuild"          harmless;
        "Labels"           harmless;
        "StopSignal"       harmless;
        "StopTimeout"      harmless;
        "Shell"            harmless;
        // Beside a HostConfig these still fill in what it leaves out, on engines up to 26.
        "VolumeDriver"     volume_driver;
        "Memory"           harmless;
        "MemorySwap"       harmless;
        "CpuShares"        harmless;
        "CpusetCpus"       harmless;
        "Cpuset"           harmless;
    }
}

fn networking(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    NETWORKING_CONFIG.read_within(needs, fields, name)
}

fn mac_address(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    if !fields.text(name)?.is_empty() {
        needs.add(Action::HostNetworkAddress, Resource::ANY);
    }
    Ok(())
}
