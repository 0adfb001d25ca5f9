//! `Config`: what runs in a container, which is its own affair but for a few fields.

use super::endpoint::NETWORKING_CONFIG;
use super::host_config::volume_driver;
use super::limits::below_zero;
use super::needs::Needs;
use super::shapes::{flag, healthcheck, number, set, text, text_map, texts, texts_or_one};
use super::table::{elsewhere, fields};
use crate::authz::{Action, Resource};
use crate::engine::Refusal;
use crate::engine::json::Fields;

fields! {
    /// moby `container.CreateRequest`: `container.Config` with what stands beside it, and the few
    /// resource settings that old clients put there.
    CREATE {
        "HostConfig"       elsewhere;
        "NetworkingConfig" networking;
        "Image"            elsewhere;
        "Hostname"         text;
        "Domainname"       text;
        "User"             text;
        "AttachStdin"      flag;
        "AttachStdout"     flag;
        "AttachStderr"     flag;
        "ExposedPorts"     set;
        "PublishService"   text;
        "Tty"              flag;
        "OpenStdin"        flag;
        "StdinOnce"        flag;
        "Env"              texts;
        "Cmd"              texts_or_one;
        "Healthcheck"      healthcheck;
        "ArgsEscaped"      flag;
        "Volumes"          set;
        "WorkingDir"       text;
        "Entrypoint"       texts_or_one;
        "NetworkDisabled"  flag;
        "MacAddress"       mac_address;
        "OnBuild"          texts;
        "Labels"           text_map;
        "StopSignal"       text;
        "StopTimeout"      number;
        "Shell"            texts_or_one;
        // Beside a HostConfig these still fill in what it leaves out, on engines up to 26.
        "VolumeDriver"     volume_driver;
        "Memory"           number;
        "MemorySwap"       below_zero;
        "CpuShares"        number;
        "CpusetCpus"       text;
        "Cpuset"           text;
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
