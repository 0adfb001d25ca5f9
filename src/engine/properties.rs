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

#[test]
fn requirements_are_never_doubled() {
    for case in cases() {
        if let Ok(needed) = case.expected {
            assert_eq!(needed.iter().collect::<BTreeSet<_>>().len(), needed.len(), "{}", case.name);
        }
    }
}
