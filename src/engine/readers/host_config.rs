//! `HostConfig`: everything that a container asks of its host, one row a field.

use super::devices::{device_requests, device_rules, devices};
use super::isolation::{
    annotations, capabilities, cgroup_namespace, cgroup_parent, container_cgroup, groups, ipc, masked_paths,
    pid, privileged, runtime, security_options, sysctls, user_namespace, uts,
};
use super::limits::{below_zero, device_rates, device_weights, never_killed, real_time, ulimits};
use super::logs::log_config;
use super::mounts::{binds, mounts};
use super::needs::Needs;
use super::ports::{port_bindings, publish_all};
use super::shapes::{flag, number, numbers, text, text_map, texts, texts_or_one};
use super::table::{fields, invalid};
use super::{endpoint, names};
use crate::authz::Action;
use crate::engine::Refusal;
use crate::engine::json::Fields;

fields! {
    /// moby `container.HostConfig` without [`RESOURCES`], of every engine.
    HOST_CONFIG {
        // What is mounted.
        "Binds"           binds;
        "Mounts"          mounts;
        "VolumesFrom"     volumes_from;
        "VolumeDriver"    volume_driver;
        "Tmpfs"           text_map;
        "StorageOpt"      text_map;
        "ReadonlyRootfs"  flag;
        // How it is kept apart from the host.
        "Privileged"      privileged;
        "CapAdd"          capabilities;
        "CapDrop"         texts_or_one;
        "Capabilities"    capabilities;
        "SecurityOpt"     security_options;
        "MaskedPaths"     masked_paths;
        "ReadonlyPaths"   masked_paths;
        "PidMode"         pid;
        "IpcMode"         ipc;
        "UTSMode"         uts;
        "UsernsMode"      user_namespace;
        "CgroupnsMode"    cgroup_namespace;
        "Cgroup"          container_cgroup;
        "Sysctls"         sysctls;
        "Runtime"         runtime;
        "Annotations"     annotations;
        "GroupAdd"        groups;
        "Isolation"       text;
        "Init"            flag;
        // How it is reached, and what it reaches.
        "NetworkMode"     endpoint::network_mode;
        "PortBindings"    port_bindings;
        "PublishAllPorts" publish_all;
        "Links"           endpoint::links;
        "Dns"             texts;
        "DnsOptions"      texts;
        "DnsSearch"       texts;
        "ExtraHosts"      texts;
        // How it lives.
        "RestartPolicy"   restart_policy;
        "AutoRemove"      flag;
        "LogConfig"       log_config;
        "OomScoreAdj"     below_zero;
        "ShmSize"         number;
        "ConsoleSize"     numbers;
        "ContainerIDFile" text;
    }

    /// moby `container.Resources`: part of a `HostConfig`, and the body of an update.
    RESOURCES {
        "Memory"               number;
        "MemoryReservation"    number;
        "MemorySwap"           below_zero;
        "MemorySwappiness"     number;
        "KernelMemory"         number;
        "KernelMemoryTCP"      number;
        "NanoCpus"             number;
        "CpuShares"            number;
        "CpuPeriod"            number;
        "CpuQuota"             number;
        "CpuRealtimePeriod"    real_time;
        "CpuRealtimeRuntime"   real_time;
        "CpusetCpus"           text;
        "CpusetMems"           text;
        "CpuCount"             number;
        "CpuPercent"           number;
        "PidsLimit"            below_zero;
        "OomKillDisable"       never_killed;
        "Ulimits"              ulimits;
        "BlkioWeight"          number;
        "BlkioWeightDevice"    device_weights;
        "BlkioDeviceReadBps"   device_rates;
        "BlkioDeviceWriteBps"  device_rates;
        "BlkioDeviceReadIOps"  device_rates;
        "BlkioDeviceWriteIOps" device_rates;
        "IOMaximumIOps"        number;
        "IOMaximumBandwidth"   number;
        "CgroupParent"         cgroup_parent;
        "Devices"              devices;
        "DeviceCgroupRules"    device_rules;
        "DeviceRequests"       device_requests;
    }
}

/// What comes back by itself outlives its user's session, and a restart of the host.
pub(super) fn restart_policy(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    let policy = fields.within(name, &["Name", "MaximumRetryCount"])?;
    needs.note_unknown(&policy);
    match policy.text("Name")? {
        "" | "no" => {}
        "always" | "unless-stopped" | "on-failure" => needs.any(Action::HostAutostart),
        _ => return Err(invalid(&policy.path_of("Name"), "a restart policy")),
    }
    Ok(())
}

/// Containers whose volumes and binds are taken over, as `name[:ro]`.
fn volumes_from(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    for source in fields.texts(name)? {
        let container = source.split_once(':').map_or(source, |(container, _)| container);
        needs.add(Action::ContainerJoin, names::container(container));
    }
    Ok(())
}

/// The driver of volumes that do not exist yet.
pub(super) fn volume_driver(needs: &mut Needs, fields: &Fields<'_>, name: &str) -> Result<(), Refusal> {
    match fields.text(name)? {
        "" | "local" => {}
        driver => needs.add(Action::HostVolumeDriver, driver),
    }
    Ok(())
}
