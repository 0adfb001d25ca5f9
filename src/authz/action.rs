//! The closed vocabulary of actions: every Engine API operation, and every power that a call can ask for.

use super::Kind;

macro_rules! actions {
    ($($(#[$section:meta])* $variant:ident $name:literal $kind:ident $summary:literal;)*) => {
        /// Something that a permission can allow or deny.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $(#[doc = $summary] $variant,)* }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)*];

            /// The name that policies, records and messages use.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$variant => $name,)* }
            }

            /// The kind of resource that the action is about.
            pub const fn kind(self) -> Kind {
                match self { $(Action::$variant => Kind::$kind,)* }
            }

            /// What it lets its holder do, in a few words.
            pub const fn summary(self) -> &'static str {
                match self { $(Action::$variant => $summary,)* }
            }
        }
    };
}

actions! {
    // Containers.
    ContainerList        "container.list"         Container "list containers";
    ContainerCreate      "container.create"       Container "create a container";
    ContainerInspect     "container.inspect"      Container "read a container's configuration and state";
    ContainerInspectEnv  "container.inspect-env"  Container "read environment values and build arguments of containers, images and services";
    ContainerTop         "container.top"          Container "list a container's processes";
    ContainerLogs        "container.logs"         Container "read a container's output";
    ContainerChanges     "container.changes"      Container "list the files a container changed";
    ContainerExport      "container.export"       Container "read a container's whole file system";
    ContainerStats       "container.stats"        Container "read a container's resource usage";
    ContainerResize      "container.resize"       Container "resize a container's terminal";
    ContainerStart       "container.start"        Container "start a container";
    ContainerStop        "container.stop"         Container "stop a container";
    ContainerRestart     "container.restart"      Container "restart a container";
    ContainerKill        "container.kill"         Container "signal a container";
    ContainerUpdate      "container.update"       Container "change a container's limits";
    ContainerRename      "container.rename"       Container "rename a container";
    ContainerPause       "container.pause"        Container "pause a container";
    ContainerUnpause     "container.unpause"      Container "resume a container";
    ContainerAttach      "container.attach"       Container "attach to a container's input and output";
    ContainerWait        "container.wait"         Container "wait for a container to stop";
    ContainerDelete      "container.delete"       Container "remove a container";
    ContainerArchiveStat "container.archive-stat" Container "look at a path in a container";
    ContainerArchiveGet  "container.archive-get"  Container "copy files out of a container";
    ContainerArchivePut  "container.archive-put"  Container "copy files into a container, and into what it mounts";
    ContainerPrune       "container.prune"        Container "remove all stopped containers";
    ContainerExec        "container.exec"         Container "run a command in a container";
    ContainerJoin        "container.join"         Container "share namespaces, volumes or links with a container";
    CheckpointList       "checkpoint.list"        Container "list a container's checkpoints";
    CheckpointCreate     "checkpoint.create"      Container "checkpoint a container";
    CheckpointDelete     "checkpoint.delete"      Container "delete a checkpoint";
    ExecStart            "exec.start"             Exec      "start a command prepared by exec create";
    ExecResize           "exec.resize"            Exec      "resize the terminal of an exec";
    ExecInspect          "exec.inspect"           Exec      "read an exec's state";

    // Images and builds.
    ImageList            "image.list"             Image     "list images";
    ImageInspect         "image.inspect"          Image     "read an image's configuration";
    ImageHistory         "image.history"          Image     "read how an image was made";
    ImageAttestations    "image.attestations"     Image     "read an image's attestations";
    ImageUse             "image.use"              Image     "make a container from an image";
    ImagePull            "image.pull"             Image     "pull an image from a registry";
    ImageImport          "image.import"           Image     "make an image from a file system archive";
    ImageImportUnchecked "image.import-unchecked" Image     "import an archive through a door where the query cannot be trusted";
    ImageLoad            "image.load"             Image     "load images and their tags from an archive";
    ImageSave            "image.save"             Image     "read an image's contents";
    ImagePush            "image.push"             Image     "push an image to a registry";
    ImageTag             "image.tag"              Image     "give an image a name";
    ImageDelete          "image.delete"           Image     "remove an image or a tag";
    ImageSearch          "image.search"           Registry  "search a registry";
    ImagePrune           "image.prune"            Image     "remove unused images";
    ImageCommit          "image.commit"           Image     "make an image from a container";
    ImageBuild           "image.build"            Image     "build an image";
    BuildSession         "build.session"          Build     "open a BuildKit session, whose inside nobody can see";
    BuildUnchecked       "build.unchecked"        Build     "build through a door where the query cannot be trusted";
    BuildPrune           "build.prune"            Build     "empty the build cache";
    BuildCancel          "build.cancel"           Build     "cancel a running build";
    DistributionInspect  "distribution.inspect"   Image     "ask a registry about an image";

    // Volumes and networks.
    VolumeList           "volume.list"            Volume    "list volumes";
    VolumeCreate         "volume.create"          Volume    "create a volume";
    VolumeInspect        "volume.inspect"         Volume    "read a volume's configuration";
    VolumeUpdate         "volume.update"          Volume    "change a cluster volume";
    VolumeDelete         "volume.delete"          Volume    "remove a volume and its data";
    VolumePrune          "volume.prune"           Volume    "remove unused volumes and their data";
    VolumeUse            "volume.use"             Volume    "mount a named volume";
    NetworkList          "network.list"           Network   "list networks";
    NetworkInspect       "network.inspect"        Network   "read a network's configuration";
    NetworkCreate        "network.create"         Network   "create a network";
    NetworkConnect       "network.connect"        Network   "connect a container to a network";
    NetworkDisconnect    "network.disconnect"     Network   "disconnect a container from a network";
    NetworkDelete        "network.delete"         Network   "remove a network";
    NetworkPrune         "network.prune"          Network   "remove unused networks";
    NetworkUse           "network.use"            Network   "put a container on a network";

    // The daemon itself.
    SystemPing           "system.ping"            System    "ask whether the daemon answers";
    SystemVersion        "system.version"         System    "read the daemon's version";
    SystemInfo           "system.info"            System    "read facts about the daemon and the host";
    SystemEvents         "system.events"          System    "follow what happens on the daemon";
    SystemDf             "system.df"              System    "read the daemon's disk usage";
    SystemAuth           "system.auth"            Registry  "check registry credentials";
    SystemDebug          "system.debug"           System    "read the daemon's profile and memory statistics";
    SystemOptions        "system.options"         System    "ask which methods exist";
    PluginList           "plugin.list"            Plugin    "list managed plugins";
    PluginPrivileges     "plugin.privileges"      Plugin    "read what a plugin of a registry asks for";
    PluginPull           "plugin.pull"            Plugin    "install a managed plugin, which runs as root";
    PluginInspect        "plugin.inspect"         Plugin    "read a managed plugin's configuration";
    PluginDelete         "plugin.delete"          Plugin    "remove a managed plugin";
    PluginEnable         "plugin.enable"          Plugin    "start a managed plugin";
    PluginDisable        "plugin.disable"         Plugin    "stop a managed plugin";
    PluginCreate         "plugin.create"          Plugin    "make a managed plugin from an archive";
    PluginPush           "plugin.push"            Plugin    "push a managed plugin to a registry";
    PluginSet            "plugin.set"             Plugin    "change a managed plugin's settings";
    PluginUse            "plugin.use"             Plugin    "let a plugin keep secrets or give out addresses";
    PluginUpgrade        "plugin.upgrade"         Plugin    "upgrade a managed plugin";

    // Swarm.
    SwarmInspect         "swarm.inspect"          Swarm     "read the swarm's settings and join tokens";
    SwarmInit            "swarm.init"             Swarm     "make this daemon a swarm manager";
    SwarmJoin            "swarm.join"             Swarm     "hand this daemon to a swarm";
    SwarmLeave           "swarm.leave"            Swarm     "leave the swarm";
    SwarmUpdate          "swarm.update"           Swarm     "change the swarm's settings, keys and tokens";
    SwarmUnlockKey       "swarm.unlock-key"       Swarm     "read the key that unlocks a manager";
    SwarmUnlock          "swarm.unlock"           Swarm     "unlock a manager";
    NodeList             "node.list"              Node      "list nodes";
    NodeInspect          "node.inspect"           Node      "read a node's state";
    NodeUpdate           "node.update"            Node      "promote, demote, drain or label a node";
    NodeDelete           "node.delete"            Node      "remove a node";
    ServiceList          "service.list"           Service   "list services";
    ServiceCreate        "service.create"         Service   "create a service";
    ServiceInspect       "service.inspect"        Service   "read a service's specification";
    ServiceUpdate        "service.update"         Service   "change or roll back a service";
    ServiceDelete        "service.delete"         Service   "remove a service";
    ServiceLogs          "service.logs"           Service   "read a service's output";
    TaskList             "task.list"              Task      "list tasks";
    TaskInspect          "task.inspect"           Task      "read a task's state";
    TaskLogs             "task.logs"              Task      "read a task's output";
    SecretList           "secret.list"            Secret    "list secrets, without their values";
    SecretCreate         "secret.create"          Secret    "create a secret";
    SecretInspect        "secret.inspect"         Secret    "read a secret's description";
    SecretUpdate         "secret.update"          Secret    "change a secret's labels";
    SecretDelete         "secret.delete"          Secret    "remove a secret";
    SecretUse            "secret.use"             Secret    "give a secret's value to a service";
    ConfigList           "config.list"            Config    "list configs, with their contents";
    ConfigCreate         "config.create"          Config    "create a config";
    ConfigInspect        "config.inspect"         Config    "read a config";
    ConfigUpdate         "config.update"          Config    "change a config's labels";
    ConfigDelete         "config.delete"          Config    "remove a config";
    ConfigUse            "config.use"             Config    "give a config to a service";

    // Powers over the host that a body or a query can ask for.
    HostPrivileged       "host.privileged"        Host          "switch all isolation off";
    HostMount            "host.mount"             Path          "mount a host path for reading and writing";
    HostMountReadonly    "host.mount-readonly"    Path          "mount a host path for reading";
    HostMountSensitive   "host.mount-sensitive"   Path          "mount a path that gives the host away";
    HostMountUnguarded   "host.mount-unguarded"   Path          "mount from below a directory that others than root can change";
    HostMountFilesystem  "host.mount-filesystem"  Filesystem    "let the daemon mount a file system with options";
    HostMountPropagation "host.mount-propagation" Path          "let mounts travel between container and host";
    HostCapability       "host.capability"        Capability    "add a Linux capability";
    HostDevice           "host.device"            Device        "hand over a host device";
    HostDeviceRule       "host.device-rule"       DeviceRule    "allow a class of device numbers";
    HostDeviceRequest    "host.device-request"    DeviceRequest "hand over GPUs or CDI devices";
    HostSecurity         "host.security"          SecurityOpt   "change seccomp, AppArmor or SELinux confinement";
    HostUnmask           "host.unmask"            Path          "change which kernel files are hidden or read-only";
    HostNamespace        "host.namespace"         Namespace     "share a namespace of the host";
    HostSysctl           "host.sysctl"            Sysctl        "set a kernel parameter";
    HostRuntime          "host.runtime"           Runtime       "choose the container runtime";
    HostAnnotation       "host.annotation"        Annotation    "pass an annotation to the runtime";
    HostCgroup           "host.cgroup"            Cgroup        "choose the parent control group";
    HostLimit            "host.limit"             Limit         "set a resource setting that can hurt the host";
    HostGroup            "host.group"             Group         "add a supplementary group";
    HostLogDriver        "host.log-driver"        LogDriver     "choose where output is sent, and with what options";
    HostPort             "host.port"              Port          "publish a port on the host";
    HostAutostart        "host.autostart"         Host          "restart by itself, also after a reboot";
    HostFetch            "host.fetch"             Url           "let the daemon fetch a URL from its own network";
    HostVolumeDriver     "host.volume-driver"     VolumeDriver  "use a volume driver other than local";
    HostNetworkDriver    "host.network-driver"    NetworkDriver "use a network driver that reaches the host's networks";
    HostNetworkOption    "host.network-option"    NetworkOption "set a driver option of a network or an endpoint";
    HostNetworkAddress   "host.network-address"   Network       "choose an IP address, a subnet or a MAC address";
    HostNetworkAlias     "host.network-alias"     Network       "take a name on a network";
    HostPath             "host.path"              Path          "let the daemon read or write a path of its own host";
    EngineUnknownField   "engine.unknown-field"   Field         "use a field that this version does not know";

    // Wharfinger's own surface.
    PolicyRead           "policy.read"            Policy    "read roles and grants";
    PolicyWrite          "policy.write"           Policy    "change roles and permissions";
    GrantWrite           "grant.write"            Policy    "give a role to somebody, or take it away";
    GrantElevate         "grant.elevate"          Policy    "take a role for a while, by oneself";
    GrantRequest         "grant.request"          Policy    "ask for a role for a while, which somebody else approves";
    GrantApprove         "grant.approve"          Policy    "approve that somebody else takes a role for a while";
    AuditRead            "audit.read"             Audit     "read the audit trail";
    AuditExport          "audit.export"           Audit     "export the audit trail";
    TokenIssue           "token.issue"            Token     "issue a token for somebody";
    TokenList            "token.list"             Token     "list the tokens of this host";
    TokenRevoke          "token.revoke"           Token     "revoke a token of this host";
    TokenRotateKey       "token.rotate-key"       Token     "sign tokens of this host with a new key";

    // Not powers: how a denial is dealt with. `*` does not contain them.
    ModeObserve          "mode.observe"           Policy    "be let through where a denial would be due, on record";
    ModeWarn             "mode.warn"              Policy    "the same, with a warning in the log";
}

impl Action {
    /// Whether a requirement of the action can be about a kind of resource: its own, or one of a few others.
    pub const fn can_be_about(self, kind: Kind) -> bool {
        self.kind() as u8 == kind as u8
            || self.is_mode()
            || matches!(
                (self, kind),
                (Self::ImageCommit | Self::NetworkConnect | Self::NetworkDisconnect, Kind::Container)
                    | (Self::ContainerInspectEnv, Kind::Image | Kind::Service | Kind::Task | Kind::Plugin)
            )
    }

    /// Whether it says how a denial is dealt with, and is no power.
    pub const fn is_mode(self) -> bool {
        matches!(self, Self::ModeObserve | Self::ModeWarn)
    }

    /// The action of that name, exactly as written in the table.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// The known name that is most like `name`, for messages about a misspelled one.
    pub fn nearest(name: &str) -> Option<&'static str> {
        Self::ALL
            .iter()
            .map(|action| (strsim::damerau_levenshtein(name, action.name()), action.name()))
            .min()
            .filter(|(distance, _)| *distance <= 4)
            .map(|(_, name)| name)
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn every_action_has_a_name_of_its_own_in_noun_dot_verb_form() {
        let mut seen = std::collections::BTreeSet::new();
        for action in Action::ALL {
            assert!(seen.insert(action.name()), "`{action}` stands twice");
            let (noun, verb) = action.name().split_once('.').unwrap();
            for part in [noun, verb] {
                assert!(!part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            }
            assert_eq!(Action::parse(action.name()), Some(*action));
        }
    }

    #[test]
    fn a_misspelled_action_is_answered_with_the_nearest_known_one() {
        assert_eq!(Action::nearest("container.lst"), Some("container.list"));
        assert_eq!(Action::nearest("nothing like it at all"), None);
    }
}
