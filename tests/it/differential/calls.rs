//! The calls that are spelled oddly: one row each, with what must be there before.

use super::request::Request;

/// A call that does something visible, in its plain spelling.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) name: &'static str,
    pub(super) before: Vec<Request>,
    pub(super) request: Request,
    /// Whether the plain spelling is a call that clients make: every engine does it, and it must not be refused.
    pub(super) usual: bool,
}

/// Every call.
pub(super) fn all() -> Vec<Prepared> {
    let creates = POWERS.iter().map(|(name, host)| {
        let json = format!(r#"{{"Image":"busybox","Cmd":["true"],"HostConfig":{{{host}}}}}"#);
        let request = Request::new("POST", "/containers/create?name=new", &json);
        Prepared { name, before: vec![create("one")], request, usual: true }
    });
    let others = OTHERS.iter().map(|(name, ground, method, target, json)| Prepared {
        name,
        before: ground(),
        request: Request::new(method, target, json),
        usual: true,
    });
    creates.chain(others).chain([import(), build(), ancient()]).collect()
}

/// What the `HostConfig` of a create can ask for.
const POWERS: &[(&str, &str)] = &[
    ("nothing", ""),
    ("privileged", r#""Privileged":true"#),
    ("bind", r#""Binds":["/srv:/x"]"#),
    ("bind, read-only", r#""Binds":["/srv:/x:ro"]"#),
    ("bind, unclean path", r#""Binds":["/srv/../etc//:/x"]"#),
    ("mount", r#""Mounts":[{"Type":"bind","Source":"/srv","Target":"/x"}]"#),
    ("mount, read-only", r#""Mounts":[{"Type":"bind","Source":"/srv//.","Target":"/x","ReadOnly":true}]"#),
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

type Ground = fn() -> Vec<Request>;

/// Calls that are no create, each with the ground that it needs.
#[rustfmt::skip]
const OTHERS: &[(&str, Ground, &str, &str, &str)] = &[
    ("start", objects, "POST", "/containers/idle/start", ""),
    ("kill", running, "POST", "/containers/one/kill?signal=KILL", ""),
    ("pause", running, "POST", "/containers/one/pause", ""),
    ("exec", running, "POST", "/containers/one/exec", r#"{"Cmd":["true"],"Privileged":true}"#),
    ("rename", objects, "POST", "/containers/one/rename?name=two", ""),
    ("delete", objects, "DELETE", "/containers/one?force=1", ""),
    ("prune", objects, "POST", "/containers/prune", ""),
    ("update", objects, "POST", "/containers/one/update", r#"{"RestartPolicy":{"Name":"always"}}"#),
    ("commit", objects, "POST", "/commit?container=one&repo=made&tag=1", ""),
    ("tag", objects, "POST", "/images/busybox/tag?repo=made&tag=1", ""),
    ("untag", objects, "DELETE", "/images/other:1", ""),
    ("volume", objects, "POST", "/volumes/create", r#"{"Name":"made"}"#),
    ("volume that is a mount", objects, "POST", "/volumes/create", r#"{"Name":"made","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/srv"}}"#),
    ("volume, removed", objects, "DELETE", "/volumes/data", ""),
    ("network", objects, "POST", "/networks/create", r#"{"Name":"made","Internal":true}"#),
    ("network, removed", objects, "DELETE", "/networks/lan", ""),
    ("network of another name", networks, "POST", "/containers/create?name=new", r#"{"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"lan"},"NetworkingConfig":{"EndpointsConfig":{"lan":{"NetworkID":"hidden"}}}}"#),
    ("network of another name, connected", networks, "POST", "/networks/lan/connect", r#"{"Container":"web","EndpointConfig":{"NetworkID":"hidden"}}"#),
    ("swarm", objects, "POST", "/swarm/init", SWARM),
    ("service", swarm, "POST", "/services/create", r#"{"Name":"made","TaskTemplate":{"ContainerSpec":{"Image":"busybox","CapabilityAdd":["CAP_SYS_ADMIN"],"Mounts":[{"Type":"bind","Source":"/srv","Target":"/x"}]}},"Mode":{"Replicated":{"Replicas":0}}}"#),
    ("secret", swarm, "POST", "/secrets/create", r#"{"Name":"made","Data":"c2VjcmV0"}"#),
];

const SWARM: &str = r#"{"ListenAddr":"127.0.0.1:2377","AdvertiseAddr":"127.0.0.1"}"#;

/// Two containers that do not run, an image with a second name, a volume, a network.
fn objects() -> Vec<Request> {
    vec![
        create("one"),
        create("idle"),
        Request::new("POST", "/images/busybox/tag?repo=other&tag=1", ""),
        Request::new("POST", "/volumes/create", r#"{"Name":"data"}"#),
        Request::new("POST", "/networks/create", r#"{"Name":"lan","Internal":true}"#),
    ]
}

/// Three networks, and a container on the first, which runs.
fn networks() -> Vec<Request> {
    let mut requests: Vec<Request> = ["open", "lan", "hidden"]
        .map(|name| {
            Request::new("POST", "/networks/create", &format!(r#"{{"Name":"{name}","Internal":true}}"#))
        })
        .into();
    let json = r#"{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"open"}}"#;
    requests.push(Request::new("POST", "/containers/create?name=web", json));
    requests.push(Request::new("POST", "/containers/web/start", ""));
    requests
}

fn running() -> Vec<Request> {
    vec![create("one"), Request::new("POST", "/containers/one/start", "")]
}

fn swarm() -> Vec<Request> {
    vec![Request::new("POST", "/swarm/init", SWARM)]
}

fn create(name: &str) -> Request {
    let json = r#"{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}"#;
    Request::new("POST", &format!("/containers/create?name={name}"), json)
}

/// An image made from an archive, here from the empty one.
fn import() -> Prepared {
    let mut request =
        Request::new("POST", "/images/create?fromSrc=-&repo=made&tag=1", "").with_body(vec![0; 1024]);
    request.set("Content-Type", "application/x-tar");
    Prepared { name: "import", before: objects(), request, usual: true }
}

/// A build of one line, whose query can only be judged in front of the engine.
fn build() -> Prepared {
    let mut request = Request::new("POST", "/build?t=made:1", "")
        .with_body(tar("Dockerfile", b"FROM busybox\nLABEL a=b\n"));
    request.set("Content-Type", "application/x-tar");
    Prepared { name: "build", before: objects(), request, usual: true }
}

/// Before API 1.24 the start of a container could replace its `HostConfig`.
fn ancient() -> Prepared {
    let mut request =
        Request::new("POST", "/containers/one/start", r#"{"Binds":["/srv:/x"],"PidMode":"host"}"#);
    request.target = "/v1.22/containers/one/start".to_owned();
    Prepared {
        name: "start that replaces the HostConfig",
        before: vec![create("one")],
        request,
        usual: false,
    }
}

/// An archive in the format of the `tar` command with one small file in it.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = vec![0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(148, b"        ");
    put(156, b"0");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = head;
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}
