//! The recorded questions of real docker commands, judged by the shipped policy without any daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use wharfinger::authz::{
    Action, Actions, Decision, Effect, Owner, Pattern, Permission, Principal, Resource, Subject,
};
use wharfinger::authz::{Grant, Index, Rules};
use wharfinger::engine::{self, Call, Classified, Door};
use wharfinger::policy::{self, Loaded};

/// What one run of a docker command asked dockerd, and dockerd the plugin; each question once.
#[derive(Deserialize)]
struct Recording {
    /// The engine's series, and what was tried.
    name: String,
    command: String,
    /// The action sets of the commands in it.
    sets: Vec<String>,
    calls: Vec<Question>,
}

/// What dockerd sends, in its own words.
#[derive(Deserialize)]
struct Question {
    #[serde(rename = "RequestMethod")]
    method: String,
    #[serde(rename = "RequestUri")]
    uri: String,
    #[serde(rename = "RequestHeaders", default)]
    headers: BTreeMap<String, String>,
    #[serde(rename = "RequestBody", default)]
    body: String,
}

fn recordings() -> Vec<Recording> {
    let text = include_str!("../data/recordings.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn shipped() -> Loaded {
    policy::load(policy::MODEL, policy::POLICY).unwrap()
}

impl Question {
    fn classify(&self) -> Result<Classified, String> {
        let body = STANDARD.decode(&self.body).unwrap();
        let call = Call {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            body: (!body.is_empty()).then_some(body.as_slice()),
            door: Door::Plugin,
        };
        engine::classify(&call).map_err(|refusal| format!("{} {}: {refusal}", self.method, self.uri))
    }
}

fn user(groups: &[&str]) -> Subject {
    Subject {
        user: Some("alice".to_owned()),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        roles: None,
    }
}

/// The shipped rules, with roles for the group `test`.
fn granting(rules: &Rules, roles: &[&str]) -> Index {
    let mut rules = rules.clone();
    let grant = |role: &&str| Grant::new(Principal::Group("test".to_owned()), *role);
    rules.grants.extend(roles.iter().map(grant));
    Index::new(&rules).unwrap()
}

/// Why the index does not permit what was asked, or `None`.
fn denial(
    index: &Index,
    subject: &Subject,
    question: &Question,
    owner: Option<&Arc<Owner>>,
) -> Option<String> {
    let mut classified = match question.classify() {
        Ok(classified) => classified,
        Err(refused) => return Some(refused),
    };
    for requirement in &classified.requirements {
        assert!(requirement.action.can_be_about(requirement.resource.kind), "{requirement}");
    }
    // What is asked for as a whole has no creator.
    classified
        .requirements
        .assign_owners(|resource| owner.filter(|_| resource.name != Resource::ANY).cloned());
    match index.decide(subject, classified.verb, &classified.requirements) {
        Decision::Permit(_) | Decision::PermitInPart(_) => None,
        Decision::Deny(denial) | Decision::Observe(_, denial) => Some(denial.message),
    }
}

fn denials(
    index: &Index,
    subject: &Subject,
    recording: &Recording,
    owner: Option<&Arc<Owner>>,
) -> Vec<String> {
    recording.calls.iter().filter_map(|question| denial(index, subject, question, owner)).collect()
}

#[test]
fn the_admin_is_permitted_every_call_that_was_ever_recorded() {
    let shipped = shipped();
    let mut wrong = Vec::new();
    let mut calls = 0;
    for recording in recordings() {
        calls += recording.calls.len();
        for denied in denials(&shipped.index, &user(&["docker-admins"]), &recording, None) {
            wrong.push(format!("{}: {denied}", recording.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(calls > 1000, "only {calls} calls were replayed");
}

#[test]
fn who_holds_nothing_is_denied_every_call_but_ping_and_version() {
    let shipped = shipped();
    let mut permitted = BTreeSet::new();
    for recording in recordings() {
        for question in &recording.calls {
            for subject in [user(&[]), Subject::anonymous()] {
                if denial(&shipped.index, &subject, question, None).is_none() {
                    permitted.insert(question.classify().unwrap().operation);
                }
            }
        }
    }
    assert_eq!(permitted, BTreeSet::from([Action::SystemPing, Action::SystemVersion]));
}

#[test]
fn the_holder_of_a_commands_set_and_of_privileged_completes_the_command() {
    let rules = shipped().rules;
    let mut wrong = Vec::new();
    for recording in recordings() {
        let mut rules = Rules::clone(&rules);
        // Not even what everyone else may: the set is all that a command needs.
        rules.grants.clear();
        for set in &recording.sets {
            let resource = Pattern::parse("*").unwrap();
            let actions = Actions::Set(set.clone());
            rules
                .permissions
                .push(("test".to_owned(), Permission { actions, resource, effect: Effect::Allow }));
        }
        let index = granting(&rules, &["test", "privileged"]);
        for denied in denials(&index, &user(&["test"]), &recording, None) {
            wrong.push(format!("{} ({}): {denied}", recording.name, recording.command));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn who_may_run_may_not_ps() {
    let mut rules = (*shipped().rules).clone();
    rules.grants.clear();
    let permission = Permission {
        actions: Actions::Set("run".to_owned()),
        resource: Pattern::parse("*").unwrap(),
        effect: Effect::Allow,
    };
    rules.permissions.push(("test".to_owned(), permission));
    let index = granting(&rules, &["test"]);
    let asked = |name: &str| {
        let recording = recordings().into_iter().find(|recording| recording.name == name).unwrap();
        denials(&index, &user(&["test"]), &recording, None)
    };
    for generation in ["20.10", "28.5"] {
        for run in ["run-rm", "run-rm-it", "run-rm-i-stdin", "run-detached", "run-missing-image"] {
            assert_eq!(asked(&format!("{generation}-{run}")), Vec::<String>::new(), "{run}");
        }
        assert_eq!(
            asked(&format!("{generation}-ps")),
            ["alice may not container.list (docker ps): no role that alice holds grants it"]
        );
    }
}

#[test]
fn every_docker_command_has_an_action_set_of_its_name_and_every_set_a_command() {
    /// Sets that are no command, but part of others.
    const PARTS: [&str; 4] = ["buildx", "client", "compose-project", "host-power"];
    let rules = shipped().rules;
    let sets: BTreeSet<String> = rules.set_names().into_iter().map(str::to_owned).collect();
    let commands: BTreeSet<String> = include_str!("../data/docker-commands.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.replace(' ', "-"))
        .chain(PARTS.map(str::to_owned))
        .collect();
    assert_eq!(
        sets.difference(&commands).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "sets without a command"
    );
    assert_eq!(
        commands.difference(&sets).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "commands without a set"
    );
}

#[test]
fn the_shipped_roles_are_permitted_what_the_table_says() {
    const ROLES: [&str; 7] = ["viewer", "developer", "tester", "builder", "operator", "auditor", "admin"];
    let rules = shipped().rules;
    let indexes: Vec<Index> = ROLES.iter().map(|role| granting(&rules, &[role])).collect();
    let alice = user(&["test"]);
    let owned = |user: &str, group: &str| {
        Some(Arc::new(Owner { user: user.to_owned(), groups: vec![group.to_owned()] }))
    };
    let (own, group, other) = (owned("alice", "x"), owned("bob", "test"), owned("bob", "x"));
    // The same command asks the same in most generations, and then is one row.
    let mut rows: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for recording in recordings() {
        let verdicts = indexes.iter().map(|index| {
            let permitted =
                |owner: &Option<Arc<Owner>>| denials(index, &alice, &recording, owner.as_ref()).is_empty();
            match (permitted(&None), permitted(&other), permitted(&group), permitted(&own)) {
                (true, true, true, true) => "yes",
                (false, false, true, true) => "group",
                (false, false, false, true) => "own",
                (false, false, false, false) => "-",
                _ => "absurd",
            }
        });
        let verdicts = verdicts.map(|verdict| format!("{verdict:<10}")).collect::<Vec<_>>().concat();
        let (engine, _) = recording.name.split_once('-').unwrap();
        rows.entry((recording.command, verdicts)).or_default().insert(engine.to_owned());
    }
    let actual: Vec<String> = rows
        .into_iter()
        .map(|((command, verdicts), engines)| {
            let engines: Vec<String> = engines.into_iter().collect();
            format!("{verdicts}{:<12}{command}", engines.join(" "))
        })
        .collect();
    let table = include_str!("../data/roles.txt").lines();
    let expected: Vec<&str> = table.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let missing: Vec<&String> = actual.iter().filter(|row| !expected.contains(&row.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "rows that are so and stand otherwise in the table");
    assert_eq!(actual, expected, "rows of no recording, or in another order");
}
