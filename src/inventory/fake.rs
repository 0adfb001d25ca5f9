//! A stand-in for dockerd in unit tests: lists what it was given, and remembers what it was asked.
#![cfg(test)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

use super::daemon::Daemon;
use super::passes::HEADER;
use super::{Inventory, Settings};
use crate::authz::{Action, Kind, Requirement, Requirements, Subject};

/// Listens on a socket of its own as long as the test's runtime lives.
pub(crate) struct Fake {
    dir: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: Vec<(Kind, String, Vec<String>)>,
    /// ID, container, whether with all privileges.
    execs: Vec<(String, String, bool)>,
    /// What is mounted in containers, by their ID.
    mounts: std::collections::HashMap<String, serde_json::Value>,
    asked: Vec<String>,
    failing: bool,
    silent: bool,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let answer = answer(&shared, &request);
                    async move {
                        match answer {
                            Some(answer) => Ok::<_, Infallible>(answer),
                            None => std::future::pending().await,
                        }
                    }
                });
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { dir, state }
    }

    /// An object of the daemon's, with names as its lists spell them.
    pub(crate) fn add(&self, kind: Kind, id: &str, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.state.lock().unwrap().objects.push((kind, id.to_owned(), names));
    }

    /// A command that was prepared in a container.
    pub(super) fn add_exec(&self, id: &str, container: &str, privileged: bool) {
        self.state.lock().unwrap().execs.push((id.to_owned(), container.to_owned(), privileged));
    }

    /// Says what is mounted in a container.
    pub(super) fn mount(&self, id: &str, mounts: &serde_json::Value) {
        self.state.lock().unwrap().mounts.insert(id.to_owned(), mounts.clone());
    }

    pub(super) fn remove(&self, id: &str) {
        self.state.lock().unwrap().objects.retain(|(_, known, _)| known != id);
    }

    /// Every answer is an error from now on.
    pub(crate) fn fail(&self) {
        self.state.lock().unwrap().failing = true;
    }

    /// Nothing is answered from now on.
    pub(super) fn fall_silent(&self) {
        self.state.lock().unwrap().silent = true;
    }

    /// The targets asked for, decoded, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(super) fn daemon(&self) -> Daemon {
        Daemon::new(self.dir.path().join("docker.sock"), || [1; 16])
    }

    /// An inventory before this daemon; the second one finds what the first one wrote.
    pub(crate) fn inventory(&self) -> Arc<Inventory> {
        self.inventory_waiting(Duration::from_mins(1))
    }

    /// An inventory that waits that long for this daemon.
    pub(super) fn inventory_waiting(&self, deadline: Duration) -> Arc<Inventory> {
        let settings =
            Settings { database: None, docker_socket: self.dir.path().join("docker.sock"), deadline };
        Arc::new(
            Inventory::open(
                settings,
                &self.dir.path().join("audit.db"),
                || jiff::Timestamp::UNIX_EPOCH,
                || [1; 16],
            )
            .unwrap(),
        )
    }
}

fn answer(state: &Mutex<State>, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    let mut state = state.lock().unwrap();
    let respond = |status: u16, body: serde_json::Value| {
        Some(Response::builder().status(status).body(Full::from(body.to_string())).unwrap())
    };
    assert_eq!(request.headers().contains_key(HEADER), request.uri().path() != "/_ping");
    let target = decoded(&request.uri().to_string());
    state.asked.push(target.clone());
    if state.silent {
        return None;
    }
    if state.failing {
        return respond(500, serde_json::json!({"message": "broken"}));
    }
    let of = |kind: Kind| state.objects.iter().filter(move |(known, _, _)| *known == kind);
    if let Some(name) = target.strip_prefix("/volumes/") {
        let found = of(Kind::Volume).any(|(_, id, _)| id == name);
        return respond(if found { 200 } else { 404 }, serde_json::json!({}));
    }
    if let Some(name) = target.strip_prefix("/containers").and_then(|name| name.strip_suffix("/json"))
        && !name.is_empty()
    {
        let found = of(Kind::Container).find(|(_, _, names)| names.iter().any(|known| known == name));
        return match found {
            Some((_, id, names)) => respond(200, serde_json::json!({"Id": id, "Name": names[0]})),
            None => respond(404, serde_json::json!({"message": "No such container"})),
        };
    }
    if let Some(id) = target.strip_prefix("/exec/").and_then(|name| name.strip_suffix("/json")) {
        return match state.execs.iter().find(|(known, _, _)| known == id) {
            Some((id, container, privileged)) => respond(
                200,
                serde_json::json!({
                    "ID": id, "ContainerID": container, "ProcessConfig": {"privileged": privileged}
                }),
            ),
            None => respond(404, serde_json::json!({"message": "No such exec"})),
        };
    }
    if let Some(text) = target.strip_prefix("/images/").and_then(|name| name.strip_suffix("/json")) {
        let short = text.strip_prefix("docker.io/library/").unwrap_or(text);
        let found = of(Kind::Image).find(|(_, id, names)| {
            id.starts_with(text) || names.iter().any(|known| known == text || known == short)
        });
        return match found {
            Some((_, id, names)) => {
                respond(200, serde_json::json!({"Id": id, "RepoTags": names, "RepoDigests": null}))
            }
            None => respond(404, serde_json::json!({"message": "No such image"})),
        };
    }
    // More than was asked for: that it is sorted out is part of what is tested.
    let list = |kind: Kind, show: fn(&str, &[String]) -> serde_json::Value| -> serde_json::Value {
        of(kind).map(|(_, id, names)| show(id, names)).collect()
    };
    match target.split('?').next().unwrap() {
        "/containers/json" => {
            let show = |(_, id, names): &(Kind, String, Vec<String>)| serde_json::json!({"Id": id, "Names": names, "Mounts": state.mounts.get(id)});
            respond(200, of(Kind::Container).map(show).collect())
        }
        "/networks" => {
            respond(200, list(Kind::Network, |id, names| serde_json::json!({"Id": id, "Name": names[0]})))
        }
        "/services" => respond(200, list(Kind::Service, swarm)),
        "/secrets" => respond(200, list(Kind::Secret, swarm)),
        "/configs" => respond(200, list(Kind::Config, swarm)),
        "/volumes" => {
            let volumes = list(Kind::Volume, |id, _| serde_json::json!({"Name": id}));
            respond(200, serde_json::json!({"Volumes": volumes, "Warnings": null}))
        }
        _ => respond(404, serde_json::json!({"message": "page not found"})),
    }
}

fn swarm(id: &str, names: &[String]) -> serde_json::Value {
    serde_json::json!({"ID": id, "Spec": {"Name": names[0]}})
}

fn decoded(target: &str) -> String {
    let mut parts = target.split('%');
    let mut decoded = parts.next().unwrap().to_owned();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        decoded.push(char::from(u8::from_str_radix(byte, 16).unwrap()));
        decoded.push_str(rest);
    }
    decoded
}

/// Somebody of the group `devs`.
pub(crate) fn subject(user: &str) -> Subject {
    Subject { user: Some(user.to_owned()), groups: vec!["devs".to_owned()], roles: None }
}

/// Has `user` do what needs `requirements`, and the daemon report success with `body`.
pub(crate) async fn done(
    inventory: &Arc<Inventory>,
    user: &str,
    requirements: &Requirements,
    status: u16,
    body: &str,
) {
    let first = requirements.iter().next().unwrap();
    let expected = inventory.expect(&subject(user), first.action, &first.resource, requirements).await;
    if let Some(expected) = expected {
        inventory.learn(expected, Some(status), Some(body.as_bytes())).await;
    }
}

/// A call with that one requirement.
pub(crate) fn call(action: Action, name: &str) -> Requirements {
    Requirements::new(Requirement::new(action, name))
}
