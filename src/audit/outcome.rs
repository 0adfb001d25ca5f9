//! Outcomes: what a response's status says, and what it says when there is none.

use serde::{Deserialize, Serialize};

use crate::authz::Action;

/// What became of a call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The daemon reported that it did it.
    Success,
    /// The daemon reported an error.
    Error,
    /// The daemon reported neither: dockerd tells a plugin no status of streams, of taken-over
    /// connections and of handlers that leave the status to the HTTP library.
    Unreported,
}

impl Outcome {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Unreported => "unreported",
        }
    }
}

/// The outcome of a call from the status in dockerd's second question.
///
/// dockerd passes a status on only if the handler set one and did not flush, and never for an
/// error. So for operations whose handler always sets one, none means an error; for all others
/// it means nothing.
pub fn outcome(operation: Option<Action>, status: Option<u16>) -> Outcome {
    match (status, operation.map(sets_status)) {
        (Some(status), _) if status < 400 => Outcome::Success,
        (Some(_), _) | (None, Some(true)) => Outcome::Error,
        (None, Some(false) | None) => Outcome::Unreported,
    }
}

/// Whether every success of the operation carries a status, in all engines.
///
/// Read in moby's handlers (`daemon/server/router`) and held against recorded responses.
#[rustfmt::skip]
const fn sets_status(operation: Action) -> bool {
    use Action as A;
    match operation {
        // Answered with JSON in one piece, or with an explicit 201 or 204.
        A::ContainerList | A::ContainerCreate | A::ContainerInspect | A::ContainerTop | A::ContainerChanges
        | A::ContainerStart | A::ContainerStop | A::ContainerRestart | A::ContainerKill | A::ContainerUpdate
        | A::ContainerRename | A::ContainerPause | A::ContainerUnpause | A::ContainerDelete
        | A::ContainerPrune | A::ContainerExec | A::ExecInspect
        | A::CheckpointList | A::CheckpointCreate | A::CheckpointDelete
        | A::ImageList | A::ImageInspect | A::ImageHistory | A::ImageAttestations | A::ImageTag
        | A::ImageDelete | A::ImageSearch | A::ImagePrune | A::ImageCommit
        | A::BuildPrune | A::DistributionInspect
        | A::VolumeList | A::VolumeCreate | A::VolumeInspect | A::VolumeDelete | A::VolumePrune
        | A::NetworkList | A::NetworkInspect | A::NetworkCreate | A::NetworkDelete | A::NetworkPrune
        | A::SystemVersion | A::SystemInfo | A::SystemDf | A::SystemAuth | A::SystemOptions
        | A::PluginList | A::PluginPrivileges | A::PluginInspect | A::PluginCreate | A::PluginSet
        | A::SwarmInspect | A::SwarmInit | A::SwarmUnlockKey
        | A::NodeList | A::NodeInspect
        | A::ServiceList | A::ServiceCreate | A::ServiceInspect | A::ServiceUpdate
        | A::TaskList | A::TaskInspect
        | A::SecretList | A::SecretCreate | A::SecretInspect | A::SecretDelete
        | A::ConfigList | A::ConfigCreate | A::ConfigInspect | A::ConfigDelete => true,

        // Streams and answers that are flushed early.
        A::ContainerLogs | A::ContainerExport | A::ContainerStats | A::ContainerWait | A::ContainerArchiveGet
        | A::ImagePull | A::ImageImport | A::ImageLoad | A::ImageSave | A::ImagePush | A::ImageBuild
        | A::PluginPull | A::PluginPush | A::PluginUpgrade
        | A::SystemEvents | A::SystemDebug | A::ServiceLogs | A::TaskLogs
        // Connections that are taken over.
        | A::ContainerAttach | A::ExecStart | A::BuildSession
        // Handlers that leave a success to the HTTP library.
        | A::ContainerResize | A::ContainerArchiveStat | A::ContainerArchivePut | A::ExecResize
        | A::BuildCancel | A::VolumeUpdate | A::NetworkConnect | A::NetworkDisconnect | A::SystemPing
        | A::PluginDelete | A::PluginEnable | A::PluginDisable
        | A::SwarmJoin | A::SwarmLeave | A::SwarmUpdate | A::SwarmUnlock | A::NodeUpdate | A::NodeDelete
        | A::ServiceDelete | A::SecretUpdate | A::ConfigUpdate
        // No operations of the Engine API: powers that a body asks for, and our own surface.
        | A::ContainerInspectEnv | A::ContainerJoin | A::ImageUse | A::ImageImportUnchecked | A::BuildUnchecked | A::PluginUse | A::VolumeUse | A::NetworkUse | A::SecretUse
        | A::ConfigUse | A::HostPrivileged | A::HostMount | A::HostMountReadonly | A::HostMountSensitive
        | A::HostMountUnguarded | A::HostMountFilesystem | A::HostMountPropagation | A::HostCapability | A::HostDevice
        | A::HostDeviceRule | A::HostDeviceRequest | A::HostSecurity | A::HostUnmask | A::HostNamespace
        | A::HostSysctl | A::HostRuntime | A::HostAnnotation | A::HostCgroup | A::HostLimit | A::HostGroup
        | A::HostLogDriver | A::HostPort | A::HostAutostart | A::HostFetch | A::HostVolumeDriver
        | A::HostNetworkDriver | A::HostNetworkOption | A::HostNetworkAddress | A::HostNetworkAlias
        | A::HostPath | A::EngineUnknownField | A::PolicyRead | A::PolicyWrite | A::GrantWrite | A::AuditRead
        | A::AuditExport | A::TokenIssue | A::TokenList | A::TokenRevoke | A::TokenRotateKey | A::GrantElevate | A::GrantRequest | A::GrantApprove
        | A::ModeObserve | A::ModeWarn => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_speaks_for_itself() {
        for operation in [None, Some(Action::ContainerCreate), Some(Action::ContainerLogs)] {
            assert_eq!(outcome(operation, Some(201)), Outcome::Success);
            assert_eq!(outcome(operation, Some(304)), Outcome::Success);
            assert_eq!(outcome(operation, Some(404)), Outcome::Error);
        }
    }

    #[test]
    fn no_status_is_an_error_only_where_a_success_always_has_one() {
        for (operation, expected) in [
            (Some(Action::ContainerCreate), Outcome::Error),
            (Some(Action::ContainerStart), Outcome::Error),
            (Some(Action::ContainerInspect), Outcome::Error),
            (Some(Action::ContainerWait), Outcome::Unreported),
            (Some(Action::ExecStart), Outcome::Unreported),
            (Some(Action::SystemPing), Outcome::Unreported),
            (Some(Action::SwarmLeave), Outcome::Unreported),
            (None, Outcome::Unreported),
        ] {
            assert_eq!(outcome(operation, None), expected, "{operation:?}");
        }
    }
}
