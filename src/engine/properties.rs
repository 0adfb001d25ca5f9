//! What holds for every call: no panic, and no spelling that needs less than the plain form.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::conformance::{Case, cases};
use super::{Call, Door, classify, routes};

/// The cases that are not refused.
static CASES: LazyLock<Vec<Case>> =
    LazyLock::new(|| cases().into_iter().filter(|case| case.expected.is_ok()).collect());

/// Those of them with a JSON body.
static WITH_BODIES: LazyLock<Vec<&Case>> = LazyLock::new(|| {
    CASES.iter().filter(|case| case.body.as_deref().is_some_and(|body| parsed(body).is_some())).collect()
});

fn parsed(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// Every object in a value, depth first.
fn objects(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(objects).sum::<usize>(),
        Value::Array(items) => items.iter().map(objects).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// A member that is written twice: in which object, which one, how, and where.
#[derive(Debug)]
struct Double {
    object: usize,
    member: Index,
    upper: bool,
    value: &'static str,
    first: bool,
}

/// Writes a value down, with the double in the object whose turn it is.
fn write(value: &Value, double: &Double, turn: &mut usize) -> String {
    match value {
        Value::Object(members) => {
            let mine = *turn == double.object && !members.is_empty();
            *turn += 1;
            let mut list: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}:{}", quoted(key), write(value, double, turn)))
                .collect();
            if mine {
                let (key, value) = members.iter().nth(double.member.index(members.len())).unwrap();
                let key = if double.upper { key.to_uppercase() } else { key.clone() };
                let value = if double.value == "same" { value.to_string() } else { double.value.to_owned() };
                list.insert(if double.first { 0 } else { list.len() }, format!("{}:{value}", quoted(&key)));
            }
            format!("{{{}}}", list.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| write(item, double, turn)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn quoted(key: &str) -> String {
    Value::String(key.to_owned()).to_string()
}

/// The operation of a case.
fn first_word(case: &Case) -> &str {
    case.expected.as_ref().unwrap()[0].split(' ').next().unwrap()
}

/// Structures whose fields do not change what their neighbours mean.
const PLAIN: &[&str] = &["HostConfig", "NetworkingConfig", "TaskTemplate", "ContainerSpec"];

/// Adds to a body what another has: fields that it lacks, and elements of lists that have some.
fn merge(body: &mut Value, added: Value) {
    let (Value::Object(members), Value::Object(added)) = (body, added) else { return };
    for (key, value) in added {
        // What a call is about, and who reads its volumes, is not to be added.
        let changing = ["Image", "Name", "Driver", "Container"].contains(&key.as_str());
        match members.get_mut(&key) {
            None | Some(Value::Null) if !changing => drop(members.insert(key, value)),
            Some(member @ Value::Object(_)) if PLAIN.contains(&key.as_str()) => merge(member, value),
            Some(Value::Array(items)) if !items.is_empty() => {
                items.extend(value.as_array().cloned().unwrap_or_default());
            }
            None | Some(_) => {}
        }
    }
}

/// The body with the keys of its plain structures in upper case.
fn in_upper_case(body: Value) -> Value {
    let Value::Object(members) = body else { return body };
    let upper = |(key, value): (String, Value)| {
        let value = if PLAIN.contains(&key.as_str()) { in_upper_case(value) } else { value };
        (key.to_uppercase(), value)
    };
    members.into_iter().map(upper).collect()
}

/// Whether a result is a refusal or needs at least what the case needs.
fn no_less(found: &Result<Vec<String>, String>, case: &Case) -> bool {
    let needed = case.expected.as_ref().unwrap();
    found.as_ref().map_or(true, |found| needed.iter().all(|requirement| found.contains(requirement)))
}

proptest! {
    #[test]
    fn no_call_panics(
        method in select(vec!["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get", ""]),
        uri in any::<String>(),
        name in any::<String>(),
        value in any::<String>(),
        body in prop::option::of(prop::collection::vec(any::<u8>(), 0..64)),
    ) {
        let headers = BTreeMap::from([(name, value)]);
        let call = Call { method, uri: &uri, headers: &headers, body: body.as_deref(), door: Door::Plugin };
        drop(classify(&call));
    }

    #[test]
    fn no_body_and_no_query_of_a_route_panics(
        route in any::<Index>(),
        variable in "[a-z0-9:@./%-]{1,20}",
        value in "[a-z0-9:@./%{}\\[\\]\"-]{0,20}",
        key in any::<Index>(),
        body in "[{\\[\"a-zA-Z0-9:,\\]}/ -]{0,80}",
    ) {
        let route = &routes::ROUTES[route.index(routes::ROUTES.len())];
        let path = route.path.replace("{name:.*}", &variable).replace("{id}", &variable).replace("{id:.*}", &variable);
        let keys = [route.once, route.all, &["x"]].concat();
        let uri = format!("/v1.41{path}?{}={value}", keys[key.index(keys.len())]);
        let headers = BTreeMap::new();
        let call =
            Call { method: route.method, uri: &uri, headers: &headers, body: Some(body.as_bytes()), door: Door::Plugin };
        drop(classify(&call));
    }

    #[test]
    fn a_member_that_is_given_twice_never_makes_a_call_need_less(
        case in any::<Index>(),
        object in any::<Index>(),
        member in any::<Index>(),
        upper in any::<bool>(),
        value in select(vec!["same", "null", "false", "0", "\"\"", "{}", "[]", "[{}]"]),
        first in any::<bool>(),
    ) {
        let case = WITH_BODIES[case.index(WITH_BODIES.len())];
        let body = parsed(case.body.as_deref().unwrap()).unwrap();
        let count = objects(&body);
        prop_assume!(count > 0);
        let double = Double { object: object.index(count), member, upper, value, first };
        let text = write(&body, &double, &mut 0);
        let found = case.run_as(&case.uri, Some(text.as_bytes()));
        prop_assert!(no_less(&found, case), "{}: {text}: {found:?}", case.name);
    }

    #[test]
    fn two_bodies_in_one_need_what_each_of_them_needs(
        case in any::<Index>(),
        other in any::<Index>(),
        upper in any::<bool>(),
    ) {
        let case = WITH_BODIES[case.index(WITH_BODIES.len())];
        let alike: Vec<&&Case> = WITH_BODIES.iter().filter(|other| first_word(other) == first_word(case)).collect();
        let other = alike[other.index(alike.len())];
        let [mut body, added] = [case, other].map(|case| parsed(case.body.as_deref().unwrap()).unwrap());
        prop_assume!(body.is_object() && added.is_object());
        // Those of that file are spelled in odd ways, which would make two fields of one.
        prop_assume!(!case.name.starts_with("json: ") && !other.name.starts_with("json: "));
        // Old engines read a HostConfig's fields beside it only where there is none.
        prop_assume!(!body["HostConfig"].is_null() || added["HostConfig"].is_null());
        merge(&mut body, added);
        if upper {
            body = in_upper_case(body);
        }
        let found = case.run_as(&case.uri, Some(body.to_string().as_bytes()));
        // A place in the body is a name of its own, and is not the same in both.
        let missing: Vec<&String> = case.expected.as_ref().unwrap().iter()
            .filter(|needed| !needed.starts_with("engine.unknown-field "))
            .filter(|needed| found.as_ref().is_ok_and(|found| !found.contains(needed)))
            .collect();
        prop_assert!(missing.is_empty(), "{} with {}: {body}: {missing:?}", case.name, other.name);
    }

    #[test]
    fn a_body_that_is_cut_off_is_refused(case in any::<Index>(), cut in any::<Index>()) {
        let case = WITH_BODIES[case.index(WITH_BODIES.len())];
        let body = case.body.as_deref().unwrap().trim_ascii();
        let found = case.run_as(&case.uri, Some(&body[..=cut.index(body.len() - 1)]));
        // Credentials are never looked at.
        let operation = &case.expected.as_ref().unwrap()[0];
        if !operation.starts_with("system.auth ") && !operation.starts_with("image.push ") {
            prop_assert!(found.is_err(), "{}: {found:?}", case.name);
        }
    }

    #[test]
    fn no_spelling_of_a_target_needs_less_than_the_plain_one(
        case in any::<Index>(),
        escaped in prop::collection::btree_set(0..60usize, 0..20),
        prefix in select(vec!["", "http://host", "unix://x", "https://a:b@[::1]:2376", "x:", "//host", "/."]),
        version in select(vec!["/v1.41/", "/v01.041/", "/v1.41.0/", "/v1.41./", "/v1.24/", "/", "//", "/v1.41//"]),
    ) {
        let case = &CASES[case.index(CASES.len())];
        let (path, query) = case.uri.split_once('?').unwrap_or((&case.uri, ""));
        prop_assume!(!path.contains('%') && path.starts_with("/v1.41/"));
        let path = path.replacen("/v1.41/", version, 1);
        let path: String = path.bytes().enumerate().map(|(at, byte)| spelled(byte, escaped.contains(&at))).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let uri = format!("{prefix}{path}{query}");
        let found = case.run_as(&uri, case.body.as_deref());
        prop_assert!(no_less(&found, case), "{uri}: {found:?}");
    }
}

fn spelled(byte: u8, escaped: bool) -> String {
    if escaped { format!("%{byte:02x}") } else { char::from(byte).to_string() }
}

/// Where the objects of a body stand, as JSON pointers, each with the key that it belongs to.
fn places(value: &Value, pointer: &str, key: &str) -> Vec<(String, String)> {
    match value {
        Value::Object(members) => {
            let mine = (pointer.to_owned(), key.to_owned());
            let inside = members.iter().flat_map(|(key, value)| {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{pointer}/{escaped}"), key)
            });
            std::iter::once(mine).chain(inside).collect()
        }
        Value::Array(items) => {
            let inside = |(at, item)| places(item, &format!("{pointer}/{at}"), key);
            items.iter().enumerate().flat_map(inside).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn an_unknown_field_is_noticed_wherever_it_stands() {
    let (mut tried, mut missed) = (0, Vec::new());
    for case in WITH_BODIES.iter() {
        let body = parsed(case.body.as_deref().unwrap()).unwrap();
        // Credentials are never looked at.
        let unread = ["system.auth", "image.push"].contains(&first_word(case));
        for (pointer, key) in places(&body, "", "") {
            let mut body = body.clone();
            let place = body.pointer_mut(&pointer).and_then(Value::as_object_mut).unwrap();
            place.insert("Elsewhere".to_owned(), serde_json::json!({"a": 1}));
            let found = case.run_as(&case.uri, Some(body.to_string().as_bytes()));
            let new = |needed: &String| {
                needed.starts_with("engine.unknown-field ")
                    && !case.expected.as_ref().unwrap().contains(needed)
            };
            tried += 1;
            // The keys of these two are the sender's own words, and each stands for nothing else.
            let words = ["ExposedPorts", "Volumes"].contains(&key.as_str());
            // What is inside an unknown field is as unknown as the field.
            let known = !pointer.contains("/Teleport");
            if known && !unread && !words && found.is_ok_and(|found| !found.iter().any(new)) {
                missed.push(format!("{}: {pointer}", case.name));
            }
        }
    }
    assert!(tried > 200, "{tried}");
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn requirements_are_never_doubled() {
    for case in cases() {
        if let Ok(needed) = case.expected {
            assert_eq!(needed.iter().collect::<BTreeSet<_>>().len(), needed.len(), "{}", case.name);
        }
    }
}
