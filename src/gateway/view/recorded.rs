//! Views of recorded answers of real engines, and views held to each other.
#![cfg(test)]

use std::collections::HashMap;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::viewer::{Owners, Thing, Viewer};
use super::{Plan, Views, events, json, lists, redact, system};
use crate::audit::DecisionId;
use crate::authz::{Action, Kind, Owner};
use crate::engine::{self, Call, Door};
use crate::identity::Attested;
use crate::inventory::Inventory;
use crate::inventory::fake::{Fake, call, done, subject};
use crate::plugin::{Holder, Ticket, Verdict};
use crate::policy::{self, Loaded, MODEL};

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../tests/data/views/", $name))
    };
}

/// Owners by ID.
struct Known(HashMap<String, &'static str>);

impl Owners for Known {
    fn owner(&self, _: Kind, id: &str) -> Option<Arc<Owner>> {
        self.0.get(id).map(|user| Arc::new(Owner { user: (*user).to_owned(), groups: Vec::new() }))
    }
}

/// Everyone holds one role with these permissions, one a line: action, pattern, effect.
fn policy(permissions: &str) -> Arc<Loaded> {
    let lines = permissions.lines().map(|line| format!("p, role:r, {}\n", line.trim()));
    Arc::new(policy::load(MODEL, &(lines.collect::<String>() + "g, everyone, role:r\n")).unwrap())
}

/// Alice, with these permissions, and what belongs to whom.
fn alice(permissions: &str, owners: &[(&str, &'static str)]) -> Viewer {
    let owners = owners.iter().map(|(id, user)| ((*id).to_owned(), *user)).collect();
    let sight = policy(permissions).index.sight(&subject("alice"));
    Viewer { sight, owners: Arc::new(Known(owners)) }
}

fn listed(viewer: &Viewer, operation: Action, answer: &str) -> String {
    lists::of(operation).try_fold(answer.to_owned(), |answer, list| list.filtered(viewer, &answer)).unwrap()
}

/// The members of that name of all items, as text.
fn column(list: &str, name: &str) -> Vec<String> {
    let items: Vec<Value> = serde_json::from_str(list).unwrap();
    items.iter().map(|item| item[name].to_string()).collect()
}

const WEB: &str = "b5bbf07bb9607bf6d8ba4af42c81141d677ba38cc1247604093f9f40e18dc2a4";
const DB: &str = "417565f4c18334ddbc487d18b69d897eb6901c00c01198319b1a9cec211b40ff";
const SERVICE: &str = "5fic8u7ed5l7vrh67jp281hq5";

#[test]
fn containers_are_listed_by_owner_and_by_name() {
    let list = recorded!("containers-1.41.json");
    let own = alice("container.list, container:@own, allow", &[(WEB, "alice"), (DB, "bob")]);
    assert_eq!(column(&listed(&own, Action::ContainerList, list), "Names"), [r#"["/web"]"#]);
    let named = alice("container.inspect, container:d*, allow", &[(WEB, "alice")]);
    assert_eq!(column(&listed(&named, Action::ContainerList, list), "Names"), [r#"["/db"]"#]);
    let newer = recorded!("containers-1.51.json");
    assert_eq!(column(&listed(&named, Action::ContainerList, newer), "Names"), [r#"["/db"]"#]);
    let nothing = alice("image.list, *, allow", &[(WEB, "alice")]);
    assert_eq!(listed(&nothing, Action::ContainerList, list), "[]\n");
}

#[test]
fn whoever_sees_everything_gets_every_byte_as_it_came() {
    let all = alice("*, *, allow", &[]);
    for (operation, answer) in [
        (Action::ContainerList, recorded!("containers-1.41.json")),
        (Action::ContainerList, recorded!("containers-1.51.json")),
        (Action::ImageList, recorded!("images-1.41.json")),
        (Action::ImageList, recorded!("images-1.51.json")),
        (Action::VolumeList, recorded!("volumes-1.41.json")),
        (Action::NetworkList, recorded!("networks-1.24.json")),
        (Action::ServiceList, recorded!("services-1.41.json")),
        (Action::TaskList, recorded!("tasks-1.41.json")),
        (Action::NodeList, recorded!("nodes-1.41.json")),
        (Action::SecretList, recorded!("secrets-1.41.json")),
        (Action::ConfigList, recorded!("configs-1.41.json")),
        (Action::SystemDf, recorded!("df-1.41.json")),
        (Action::SystemDf, recorded!("df-1.51.json")),
    ] {
        assert_eq!(listed(&all, operation, answer), answer, "{operation}");
    }
    assert_eq!(system::disk_usage(&all, recorded!("df-1.41.json")).unwrap(), recorded!("df-1.41.json"));
    assert_eq!(system::info(None, recorded!("info-1.41.json")).unwrap(), recorded!("info-1.41.json"));
}

#[test]
fn an_image_is_shown_with_the_names_that_are_visible() {
    let team = alice("image.list, image:registry.example.com/team/**, allow", &[]);
    for list in [recorded!("images-1.41.json"), recorded!("images-1.51.json")] {
        let list = listed(&team, Action::ImageList, list);
        assert_eq!(column(&list, "RepoTags"), [r#"["registry.example.com/team/app:1"]"#]);
    }
    let but = alice(
        "image.list, *, allow\nimage.list, image:docker.io/library/busybox:*, deny\nimage.list, image:docker.io/library/built:*, deny",
        &[],
    );
    assert_eq!(
        column(&listed(&but, Action::ImageList, recorded!("images-1.41.json")), "RepoTags")
            .last()
            .into_iter()
            .collect::<Vec<_>>(),
        [r#"["registry.example.com/other/app:1","registry.example.com/team/app:1"]"#]
    );
    let dangling = r#"[{"Id":"sha256:ab12","RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"]},{"Id":"sha256:cd34","RepoTags":null,"RepoDigests":[]}]"#;
    assert_eq!(listed(&team, Action::ImageList, dangling), "[]");
    let all = alice("image.list, image:*, allow", &[]);
    assert_eq!(listed(&all, Action::ImageList, dangling), dangling);
    let history = lists::history(&team, recorded!("history-1.41.json")).unwrap();
    assert_eq!(
        column(&history, "Tags"),
        ["[]", "null", "null", "null", r#"["registry.example.com/team/app:1"]"#]
    );
}

#[test]
fn a_network_shows_the_containers_on_it_that_are_visible() {
    let viewer = alice(
        "network.list, network:none, allow\ncontainer.list, container:@own, allow",
        &[(WEB, "alice"), (DB, "bob")],
    );
    let list = listed(&viewer, Action::NetworkList, recorded!("networks-1.24.json"));
    let networks: Vec<Value> = serde_json::from_str(&list).unwrap();
    assert_eq!(networks.len(), 1);
    let containers: Vec<&String> = networks[0]["Containers"].as_object().unwrap().keys().collect();
    assert_eq!(containers, [WEB]);
}

#[test]
fn tasks_are_visible_with_their_service_and_without_its_environment() {
    let viewer =
        alice("service.list, service:@own, allow\ntask.list, task:@own, allow", &[(SERVICE, "alice")]);
    for (operation, list) in [
        (Action::ServiceList, recorded!("services-1.41.json")),
        (Action::TaskList, recorded!("tasks-1.41.json")),
    ] {
        assert!(list.contains("SECRET=hunter2"));
        assert_eq!(
            listed(&viewer, operation, list),
            list.replace("SECRET=hunter2", "SECRET=***"),
            "{operation}"
        );
        let bobs = alice("service.list, service:@own, allow", &[(SERVICE, "bob")]);
        assert_eq!(listed(&bobs, operation, list), "[]\n");
    }
}

#[test]
fn environments_are_masked_in_every_inspection() {
    for answer in [
        recorded!("container-1.41.json"),
        recorded!("image-1.41.json"),
        recorded!("image-1.51.json"),
        recorded!("services-1.41.json"),
        recorded!("tasks-1.41.json"),
    ] {
        assert!(answer.contains("hunter2"), "{answer}");
        let masked = redact::environment(answer).unwrap();
        assert!(!masked.contains("hunter2"), "{masked}");
        assert!(masked.contains("SECRET=***"), "{masked}");
    }
    let history = redact::history(recorded!("history-1.41.json")).unwrap();
    assert!(!history.contains("hunter2") && !history.contains("dflt"), "{history}");
    assert!(history.contains("|1 TOKEN=*** /bin/sh -c echo $TOKEN"), "{history}");
}

#[test]
fn disk_usage_and_counts_are_those_of_what_is_visible() {
    let viewer = alice(
        "container.list, container:@own, allow\nvolume.list, volume:v1, allow\nimage.list, image:**/team/**, allow",
        &[(WEB, "alice")],
    );
    let usage = system::disk_usage(&viewer, recorded!("df-1.41.json")).unwrap();
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let length = |name: &str| usage[name].as_array().map_or(0, Vec::len);
    assert_eq!(
        [length("Images"), length("Containers"), length("Volumes"), length("BuildCache")],
        [1, 1, 1, 0]
    );
    assert_eq!((&usage["LayersSize"], &usage["BuilderSize"]), (&Value::from(1_982_256), &Value::from(0)));
    let counts =
        system::Counts::of(&viewer, recorded!("containers-1.41.json"), recorded!("images-1.41.json"))
            .unwrap();
    let info = system::info(Some(counts), recorded!("info-1.41.json")).unwrap();
    let beginning = r#""Containers":1,"ContainersRunning":1,"ContainersPaused":0,"ContainersStopped":0,"Images":1,"Driver":"vfs""#;
    assert!(info.contains(beginning), "{info}");
    let newer = r#"{"ImageUsage":{"ActiveCount":1,"TotalCount":2,"Reclaimable":3,"TotalSize":4,"Items":[{"Id":"sha256:ab12","RepoTags":["x:1"]}]}}"#;
    assert_eq!(
        system::disk_usage(&viewer, newer).unwrap(),
        r#"{"ImageUsage":{"ActiveCount":0,"TotalCount":0,"Reclaimable":0,"TotalSize":0,"Items":[]}}"#
    );
}

#[test]
fn events_are_those_of_what_is_visible() {
    let seen = |viewer: &Viewer| {
        let lines = recorded!("events-1.41.jsonl").lines();
        lines
            .filter(|line| events::is_visible(viewer, line).unwrap())
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                format!("{} {}", event["Type"].as_str().unwrap(), event["Action"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let own = "container.list, container:@own, allow\nvolume.list, volume:@own, allow";
    let owners = [(WEB, "alice"), ("v1", "alice"), (DB, "bob"), ("v2", "bob")];
    let create = "volume create";
    assert_eq!(
        seen(&alice(own, &owners)),
        [create, create, "container create", "volume mount", "container start", create]
    );
    let networks = format!("{own}\nnetwork.list, *, allow");
    let connects = seen(&alice(&networks, &owners)).into_iter().filter(|event| event == "network connect");
    assert_eq!(connects.count(), 1);
    let images = alice("image.list, image:**/team/**, allow", &[]);
    assert_eq!(seen(&images), ["image tag"]);
    assert_eq!(seen(&alice("*, *, allow", &[])).len(), recorded!("events-1.41.jsonl").lines().count());
    let labelled = format!(
        r#"{{"Type":"container","Action":"start","Actor":{{"ID":"{WEB}","Attributes":{{"container":"{DB}","name":"web"}}}}}}"#
    );
    assert!(events::is_visible(&alice(own, &owners), &labelled).unwrap());
    assert!(events::is_visible(&alice(own, &owners), &format!("\u{1e}{labelled}\n")).unwrap());
    assert!(events::is_visible(&alice(own, &owners), "{\"x\"").is_err());
}

#[test]
fn what_is_of_another_shape_is_not_shown() {
    let viewer = alice("container.list, container:@own, allow", &[]);
    for answer in [
        "",
        "{}",
        "[{}]",
        r#"[{"Id":1}]"#,
        r#"[{"Id":"a","Id":"b"}]"#,
        r#"[{"Names":["/web"]}]"#,
        "[1]",
        "[][]",
    ] {
        let list = lists::of(Action::ContainerList).next().unwrap();
        let error = list.filtered(&viewer, answer).unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_GATEWAY, "{answer}");
        assert!(error.message.starts_with("the daemon's answer cannot be filtered"), "{}", error.message);
    }
    assert!(lists::items(&viewer, Kind::Container, "null").is_ok());
}

/// What the gateway does with the answer to a call of alice's: the plan, by the decision that the plugin makes.
async fn planned(
    inventory: &Arc<Inventory>,
    policy: &Arc<Loaded>,
    method: &str,
    uri: &str,
) -> (StatusCode, Plan) {
    let (inventory, alice) = (Arc::clone(inventory), subject("alice"));
    let headers = std::collections::BTreeMap::from([("Content-Length".to_owned(), "0".to_owned())]);
    let mut classified =
        engine::classify(&Call { method, uri, headers: &headers, body: None, door: Door::Gateway }).unwrap();
    inventory.resolve(&policy.index, &alice, &mut classified.requirements).await;
    let decision = policy.index.decide_in_part(&alice, classified.verb, &classified.requirements);
    let status = if decision.denial().is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
    let id = DecisionId::new(jiff::Timestamp::UNIX_EPOCH, [1; 10]);
    let attested = Attested { user: "alice".to_owned(), uid: 1000, login_uid: None, pid: None };
    let ticket = Ticket::new(Holder::Known(attested), method, uri, id, None);
    let verdict =
        Verdict { subject: alice, policy: Arc::clone(policy), classified: Some(classified), decision, id };
    let plan = Plan::of(&ticket, &verdict, status, &Views { inventory }).await;
    (status, plan)
}

/// A daemon with containers: name and owner; IDs are made from their place.
async fn daemon(containers: &[(&str, Option<&str>)]) -> (Fake, Arc<Inventory>) {
    let fake = Fake::start();
    let inventory = fake.inventory();
    for (at, (name, owner)) in containers.iter().enumerate() {
        let id = id(at);
        if let Some(owner) = owner {
            let body = format!(r#"{{"Id":"{id}"}}"#);
            done(&inventory, owner, &call(Action::ContainerCreate, name), 201, &body).await;
        }
        fake.add(Kind::Container, &id, &[&format!("/{name}")]);
    }
    (fake, inventory)
}

fn id(at: usize) -> String {
    format!("{at:x}").repeat(64)
}

fn shown(plan: Plan, answer: &str) -> Result<String, StatusCode> {
    match plan {
        Plan::Pass => Ok(answer.to_owned()),
        Plan::Hidden(_) => Err(StatusCode::NOT_FOUND),
        Plan::Whole { change, .. } => match change(Bytes::from(answer.to_owned())) {
            Ok(bytes) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
            Err(error) => Err(error.status),
        },
        Plan::Lines(_) => panic!("a stream"),
    }
}

#[tokio::test]
async fn what_is_not_visible_is_not_there_and_what_is_visible_is_forbidden() {
    let (fake, inventory) = daemon(&[("mine", Some("alice")), ("bobs", Some("bob")), ("prod-1", None)]).await;
    let policy = policy(
        "container.list, container:@own, allow\ncontainer.list, container:prod-*, allow\nimage.pull, *, allow",
    );
    for (method, uri, expected) in [
        ("POST", "/containers/mine/stop", None),
        ("POST", "/containers/prod-1/stop", None),
        ("POST", "/containers/bobs/stop", Some("No such container: bobs")),
        ("POST", "/containers/nothing/stop", Some("No such container: nothing")),
        ("GET", "/v1.41/containers/111/json", Some("No such container: 111")),
        ("GET", "/v1.41/containers/000/json", None),
        // Nothing is seen of volumes, so the reason is told.
        ("GET", "/volumes/data", None),
        ("GET", "/images/json", None),
        ("POST", "/containers/prune", None),
        (
            "GET",
            "/containers/json?filters=%7B%22before%22:%7B%22bobs%22:true%7D%7D",
            Some("No such container: bobs"),
        ),
    ] {
        let (status, plan) = planned(&inventory, &policy, method, uri).await;
        if let Some(words) = expected {
            assert!(matches!(&plan, Plan::Hidden(said) if said == words), "{uri} {plan:?}");
        } else {
            assert!(matches!(plan, Plan::Pass), "{uri} {plan:?}");
            assert_eq!(status, StatusCode::FORBIDDEN, "{uri}");
        }
    }
    fake.fail();
    let (_, plan) = planned(&inventory, &policy, "POST", "/containers/prod-1/stop").await;
    assert!(matches!(plan, Plan::Hidden(_)), "{plan:?}");
}

#[tokio::test]
async fn a_thing_that_is_denied_by_another_name_is_not_there() {
    let (_fake, inventory) = daemon(&[("prod-1", None), ("web", None)]).await;
    let policy = policy("container.inspect, *, allow\ncontainer.inspect, container:prod-*, deny");
    for (at, name, expected) in [(0, "/prod-1", Err(StatusCode::NOT_FOUND)), (1, "/web", Ok(()))] {
        let (_, plan) = planned(&inventory, &policy, "GET", &format!("/containers/{}/json", id(at))).await;
        let answer = format!(r#"{{"Id":"{}","Name":"{name}"}}"#, id(at));
        assert_eq!(shown(plan, &answer).map(drop), expected, "{name}");
    }
}

#[tokio::test]
async fn a_part_that_cannot_be_told_from_the_rest_is_not_shown() {
    let (fake, inventory) = daemon(&[]).await;
    let policy = policy("container.list, container:@own, allow\nsystem.info, *, allow");
    let (_, plan) = planned(&inventory, &policy, "GET", "/containers/json").await;
    assert_eq!(shown(plan, "{}"), Err(StatusCode::BAD_GATEWAY));
    fake.fail();
    let (_, plan) = planned(&inventory, &policy, "GET", "/info").await;
    assert_eq!(shown(plan, r#"{"Containers":5}"#), Err(StatusCode::BAD_GATEWAY));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The list is what inspecting each of its things by name and by ID does not say of that it is not there.
    #[test]
    fn the_list_and_every_inspection_agree(
        permissions in prop::collection::vec(
            "container\\.(list|inspect), (\\*|container:(\\*|@own|@group|a\\*|b|a0|00\\*)), (allow|allow|allow|deny)",
            1..5,
        ),
        owners in prop::collection::vec(prop::option::of(prop::sample::select(vec!["alice", "bob"])), 4),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let names = ["a0", "a1", "b", "c"];
            let containers: Vec<(&str, Option<&str>)> = names.iter().copied().zip(owners).collect();
            let (_fake, inventory) = daemon(&containers).await;
            let policy = policy(&permissions.join("\n"));
            let item = |at: usize| format!(r#"{{"Id":"{}","Names":["/{}"]}}"#, id(at), names[at]);
            let all: Vec<String> = (0..names.len()).map(item).collect();
            let (status, plan) = planned(&inventory, &policy, "GET", "/containers/json").await;
            // Whoever may not list at all is not held to a list.
            if status == StatusCode::FORBIDDEN {
                return Ok(());
            }
            let list = shown(plan, &format!("[{}]", all.join(","))).unwrap();
            let listed: Vec<String> = json::items(&list).unwrap().into_iter().map(str::to_owned).collect();
            for (at, item) in all.iter().enumerate() {
                for name in [names[at].to_owned(), id(at)] {
                    let (_, plan) = planned(&inventory, &policy, "GET", &format!("/containers/{name}/json")).await;
                    let answer = format!(r#"{{"Id":"{}","Name":"/{}"}}"#, id(at), names[at]);
                    let there = shown(plan, &answer) != Err(StatusCode::NOT_FOUND);
                    prop_assert_eq!(listed.contains(item), there, "{}: {} {:?}", permissions.join("; "), name, containers[at]);
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_thing_is_read_in_the_spelling_of_its_kind() {
    for (kind, text, id, names) in [
        (Kind::Container, r#"{"Id":"a","Names":["/w","/o/x"]}"#, "a", &["w", "o/x"][..]),
        (Kind::Container, r#"{"Id":"a","Name":"/w"}"#, "a", &["w"]),
        (Kind::Volume, r#"{"Name":"v"}"#, "v", &[]),
        (Kind::Image, r#"{"Id":"sha256:a","RepoTags":["b:1"]}"#, "sha256:a", &["docker.io/library/b:1"]),
        (Kind::Secret, r#"{"ID":"s","Spec":{"Name":"n"}}"#, "s", &["n"]),
        (Kind::Node, r#"{"ID":"n","Spec":{},"Description":{"Hostname":"h"}}"#, "n", &["h"]),
        (Kind::Plugin, r#"{"Id":"p","Name":"a/b:latest"}"#, "p", &["docker.io/a/b:latest", "a/b:latest"]),
    ] {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(Thing::read(kind, text).unwrap(), Thing::new(kind, id, names), "{text}");
    }
    assert!(Thing::read(Kind::Container, r#"{"Names":["/w"]}"#).is_err());
}
