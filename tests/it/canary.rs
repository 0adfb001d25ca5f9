//! Secrets that pass by in questions are in no file of the trail and in no line of the log.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::process::wait_for;

/// What must be found nowhere, nor its base64.
const CANARY: &str = "canary-7Hq2xLw9";

#[test]
fn no_secret_of_a_call_that_is_allowed_is_kept() {
    let answers = keeps_no_canary("g, everyone, role:all\np, role:all, *, *, allow\n");
    assert!(answers.contains(r#""Allow":true"#), "nothing was allowed: {answers}");
}

#[test]
fn no_secret_of_a_call_that_is_denied_is_kept() {
    let answers = keeps_no_canary("g, everyone, role:public\np, role:public, system.ping, *, allow\n");
    assert!(!answers.contains(r#""Allow":true"#), "something was allowed: {answers}");
}

/// Asks the running program everything, with canaries in all places where secrets are; returns the answers.
fn keeps_no_canary(policy: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("policy.csv"), policy).unwrap();
    let config = format!(
        "[plugin]\nsocket = {:?}\n[admin]\nsocket = {:?}\n[audit]\ndatabase = {:?}\n[policy]\nfile = {:?}\n",
        at("wharfinger.sock"),
        at("admin.sock"),
        at("audit.db"),
        at("policy.csv")
    );
    std::fs::write(at("wharfinger.toml"), config).unwrap();
    let log = std::fs::File::create(at("log")).unwrap();
    let mut program = Running(
        Command::new(env!("CARGO_BIN_EXE_wharfinger"))
            .arg("--config")
            .arg(at("wharfinger.toml"))
            .arg("serve")
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let said = || std::fs::read_to_string(at("log")).unwrap_or_default();
    let ended = |program: &mut Running| program.0.try_wait().unwrap().is_some();
    wait_for(
        "the plugin's socket",
        || {
            assert!(!ended(&mut program), "it ended: {}", said());
            UnixStream::connect(at("wharfinger.sock")).ok()
        },
        said,
    );
    let mut answers = String::new();
    for question in questions() {
        answers += &ask(&at("wharfinger.sock"), "AuthZReq", &question);
        let mut end = question;
        end["ResponseStatusCode"] = json!(201);
        end["ResponseBody"] =
            base64(&format!(r#"{{"Id":"abc","Warnings":["{CANARY}"],"Env":["{CANARY}"]}}"#));
        end["ResponseHeaders"] = json!({"X-Registry-Auth": CANARY, "Location": CANARY});
        let acknowledged = ask(&at("wharfinger.sock"), "AuthZRes", &end);
        assert_eq!(acknowledged.trim(), r#"{"Allow":true}"#);
    }
    drop(program);
    assert!(!answers.contains(CANARY), "an answer holds it: {answers}");
    let encoded = base64(CANARY);
    let encoded = encoded.as_str().unwrap().trim_end_matches('=');
    let mut looked_at = 0;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        if file.extension().is_none_or(|extension| extension != "csv" && extension != "toml") {
            looked_at += usize::from(text.contains("container.create"));
        }
        for secret in [CANARY, encoded] {
            let found = text.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{}", file.display());
        }
    }
    assert!(looked_at > 0, "no file holds what was asked: the trail was not looked at");
    answers
}

/// The program, which ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn base64(text: &str) -> Value {
    base64::engine::general_purpose::STANDARD.encode(text).into()
}

/// Calls with a canary in each place in which people put secrets, and some that cannot be read.
fn questions() -> Vec<Value> {
    let c = CANARY;
    let escaped = format!("%7B%22T%22%3A%22{c}%22%7D");
    let bodies = [
        (
            "/containers/create?name=x",
            json!({"Image": "busybox", "Env": [format!("TOKEN={c}")], "Cmd": ["sh", "-c", c], "Entrypoint": [c], "Labels": {"l": c}, "Hostname": c, "Healthcheck": {"Test": ["CMD", c]}, "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": c}}}}),
        ),
        (
            "/containers/create?name=y",
            json!({"Image": "busybox", "HostConfig": {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": {"Labels": {"l": c}, "DriverConfig": {"Name": "local", "Options": {"type": "cifs", "o": format!("username=u,password={c}"), "device": "//h/s"}}}}]}}),
        ),
        ("/containers/x/exec", json!({"Cmd": ["mysql", format!("-p{c}")], "Env": [format!("A={c}")]})),
        ("/containers/x/update", json!({"RestartPolicy": {"Name": c}})),
        ("/secrets/create", json!({"Name": "s", "Data": base64(c), "Labels": {"l": c}})),
        ("/configs/create", json!({"Name": "s", "Data": base64(c)})),
        (
            "/swarm/init",
            json!({"ListenAddr": "0.0.0.0:1", "Spec": {"CAConfig": {"SigningCAKey": c, "SigningCACert": c}}}),
        ),
        ("/swarm/join", json!({"ListenAddr": "0.0.0.0:1", "RemoteAddrs": ["h:1"], "JoinToken": c})),
        ("/swarm/unlock", json!({"UnlockKey": c})),
        (
            "/services/create",
            json!({"Name": "s", "TaskTemplate": {"ContainerSpec": {"Image": "busybox", "Env": [format!("A={c}")], "Args": [c], "Labels": {"l": c}}}}),
        ),
        (
            "/volumes/create",
            json!({"Name": "v", "Driver": "local", "DriverOpts": {"type": "cifs", "o": format!("username=u,password={c}"), "device": "//h/s"}}),
        ),
        ("/networks/create", json!({"Name": "n", "Labels": {"l": c}})),
        ("/plugins/x/set", json!([format!("TOKEN={c}")])),
        ("/plugins/pull?remote=x", json!([{"Name": "env", "Value": [c]}])),
        ("/auth", json!({"username": "u", "password": c, "identitytoken": c})),
    ];
    let mut all: Vec<Value> = bodies
        .iter()
        .map(|(path, body)| question(&format!("/v1.41{path}"), Some(&body.to_string())))
        .collect();
    for path in [
        &format!("/build?t=x&buildargs={escaped}&labels={escaped}"),
        &format!("/build?remote=https%3A%2F%2Fu%3A{c}%40h%2Fa.git%3Ftoken%3D{c}%23main"),
        &format!("/build?remote=https%3A%2F%2F{c}%40h%2Fa.tar"),
        &format!(
            "/images/create?fromSrc=https%3A%2F%2Fu%3A{c}%40h%2Fa.tar%3Fsig%3D{c}&repo=x&changes=ENV%20A%3D{c}"
        ),
        &format!("/commit?container=x&comment={c}&changes=ENV%20A%3D{c}"),
        &format!("/containers/x/rename?name=y&unknown={c}"),
        &format!("/nosuchroute?token={c}"),
    ] {
        all.push(question(&format!("/v1.41{path}"), None));
    }
    all.push(question(&format!("http://u:{c}@h/v1.41/info"), None));
    for broken in [
        &format!(r#"{{"Image": "{c}"#),
        &format!(r#"{{"Env": "{c}", "Image": 7}}"#),
        &format!(r#"{{"Env": ["{c}"], "Env": ["{c}"]}}"#),
    ] {
        all.push(question("/v1.41/containers/create", Some(broken)));
    }
    all
}

fn question(uri: &str, body: Option<&str>) -> Value {
    let headers = json!({"Content-Type": "application/json", "Content-Length": body.map_or(0, str::len).to_string(), "User-Agent": "Docker-Client/28.2.2", "Authorization": CANARY, "X-Registry-Auth": CANARY, "X-Registry-Config": CANARY, "Cookie": CANARY, "X-Own": CANARY});
    let mut question = json!({"RequestMethod": "POST", "RequestUri": uri, "RequestHeaders": headers});
    if let Some(body) = body {
        question["RequestBody"] = base64(body);
    }
    question
}

fn ask(socket: &Path, phase: &str, question: &Value) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    let body = question.to_string();
    write!(
        stream,
        "POST /AuthZPlugin.{phase} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.split("\r\n\r\n").nth(1).unwrap().to_owned() + "\n"
}
