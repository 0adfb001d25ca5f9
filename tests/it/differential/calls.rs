//! The calls that are spelled oddly: one row each, with what must be there before.

use super::request::Request;

/// A call that does something visible, in its plain spelling.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) name: &'static str,
    pub(super) before: Vec<Request>,
    pub(super) request: Request,
    /// Whether the plain spelling may be refused: a call that no client makes any more.
    pub(super) takes: bool,
}

/// Every call.
pub(super) fn all() -> Vec<Prepared> {
    let creates = POWERS.iter().map(|(name, host)| {
        let json = format!(r#"{{"Image":"busybox","Cmd":["true"],"HostConfig":{{{host}}}}}"#);
        Prepared {
            name,
            before: one(),
            request: Request::new("POST", "/containers/create?name=new", &json),
            takes: true,
        }
    });
    let others = OTHERS.iter().map(|(name, method, target, json)| Prepared {
        name,
        before: if ["kill", "pause", "exec"].contains(name) { running() } else { resting() },
        request: Request::new(method, target, json),
        takes: true,
    });
    let mut ancient = Prepared {
        name: "start that replaces the HostConfig",
        before: one(),
        request: Request::new("POST", "/containers/one/start", r#"{"Binds":["/srv:/x"],"PidMode":"host"}"#),
        takes: false,
    };
    ancient.request.target = "/v1.22/containers/one/start".to_owned();
    creates.chain(others).chain([ancient]).collect()
}

/// What the `HostConfig` of a create can ask for.
const POWERS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("privileged", r#""Privileged":true"#),
    ("bind", r#""Binds":["/srv:/x"]"#),
    ("bind, read-only", r#""Binds":["/srv:/x:ro"]"#),
    ("bind, unclean path", r#""Binds":["/srv/../etc//:/x"]"#),
    ("mount", r#""Mounts":[{"Type":"bind","Source":"/srv","Target":"/x"}]"#),
    ("volume by name", r#""Binds":["data:/x"]"#),
    (
        "volume with options",
        r#""Mounts":[{"Type":"volume","Source":"data","Target":"/x","VolumeOptions":{"DriverConfig":{"Options":{"type":"none","o":"bind","device":"/srv"}}}}]"#,
    ),
    ("volumes of another", r#""VolumesFrom":["one"]"#),
    ("capability", r#""CapAdd":["SYS_ADMIN"]"#),
    ("capability, lower case", r#""CapAdd":["cap_sys_admin"]"#),
    ("capability, no list", r#""CapAdd":"SYS_ADMIN""#),
    (
        "device",
        r#""Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":"rwm"}]"#,
    ),
    ("device rule", r#""DeviceCgroupRules":["b *:* rwm"]"#),
    ("security option", r#""SecurityOpt":["seccomp:unconfined"]"#),
    ("no masks", r#""MaskedPaths":[],"ReadonlyPaths":[]"#),
    ("host's processes", r#""PidMode":"host""#),
    ("host's network", r#""NetworkMode":"host""#),
    ("host's IPC", r#""IpcMode":"host""#),
    ("host's names", r#""UTSMode":"host""#),
    ("another's processes", r#""PidMode":"container:one""#),
    ("another's network", r#""NetworkMode":"container:one""#),
    ("kernel parameter", r#""Sysctls":{"net.core.somaxconn":"1"}"#),
    ("group", r#""GroupAdd":["0"]"#),
    ("port", r#""PortBindings":{"80/tcp":[{"HostPort":"8080"}]}"#),
    ("control group", r#""CgroupParent":"/x""#),
    ("restart", r#""RestartPolicy":{"Name":"always"}"#),
    ("log driver", r#""LogConfig":{"Type":"syslog","Config":{"syslog-address":"udp://192.0.2.1:514"}}"#),
];

/// Calls that are no create; there are containers `one` and `idle`, an image `other:1`, a volume `data`.
const OTHERS: &[(&str, &str, &str, &str)] = &[
    ("start", "POST", "/containers/idle/start", ""),
    ("kill", "POST", "/containers/one/kill?signal=KILL", ""),
    ("rename", "POST", "/containers/one/rename?name=two", ""),
    ("pause", "POST", "/containers/one/pause", ""),
    ("delete", "DELETE", "/containers/one?force=1", ""),
    ("prune", "POST", "/containers/prune", ""),
    ("exec", "POST", "/containers/one/exec", r#"{"Cmd":["true"],"Privileged":true}"#),
    ("update", "POST", "/containers/one/update", r#"{"RestartPolicy":{"Name":"always"}}"#),
    ("commit", "POST", "/commit?container=one&repo=made&tag=1", ""),
    ("tag", "POST", "/images/busybox/tag?repo=made&tag=1", ""),
    ("untag", "DELETE", "/images/other:1", ""),
    ("volume", "POST", "/volumes/create", r#"{"Name":"made"}"#),
    (
        "volume that is a mount",
        "POST",
        "/volumes/create",
        r#"{"Name":"made","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/srv"}}"#,
    ),
    ("volume, removed", "DELETE", "/volumes/data", ""),
    ("network", "POST", "/networks/create", r#"{"Name":"made","Internal":true}"#),
];

fn one() -> Vec<Request> {
    vec![create("one")]
}

fn running() -> Vec<Request> {
    vec![create("one"), Request::new("POST", "/containers/one/start", "")]
}

fn resting() -> Vec<Request> {
    vec![
        create("one"),
        create("idle"),
        Request::new("POST", "/images/busybox/tag?repo=other&tag=1", ""),
        Request::new("POST", "/volumes/create", r#"{"Name":"data"}"#),
    ]
}

fn create(name: &str) -> Request {
    let json = r#"{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}"#;
    Request::new("POST", &format!("/containers/create?name={name}"), json)
}
