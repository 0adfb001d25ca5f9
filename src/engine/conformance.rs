//! Runs the cases of `tests/conformance`, whose README says how one is written.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Call, Door, RefusalCode, classify, matching, routes, uri};
use crate::authz::Action;

/// Engine series that a case may name.
const ENGINES: &[&str] = &["20.10", "26.1", "28.5", "29.3", "29.7"];

/// A call and what it must come to.
pub(super) struct Case {
    /// The file and the case's own name.
    pub(super) name: String,
    pub(super) method: String,
    pub(super) uri: String,
    headers: BTreeMap<String, String>,
    pub(super) body: Option<Vec<u8>>,
    door: Door,
    /// The requirements in order, or the refusal's code.
    pub(super) expected: Result<Vec<String>, String>,
}

impl Case {
    /// The call with another target and body; a body that is given has its length announced.
    pub(super) fn run_as(&self, uri: &str, body: Option<&[u8]>) -> Result<Vec<String>, String> {
        let mut headers = self.headers.clone();
        if let (Some(body), Some(length)) = (body, headers.get_mut("Content-Length")) {
            *length = body.len().to_string();
        }
        run(&Call { method: &self.method, uri, headers: &headers, body, door: self.door })
    }

    /// The call as it stands, and what it came to.
    fn run(&self) -> Result<Vec<String>, String> {
        let body = self.body.as_deref();
        run(&Call { method: &self.method, uri: &self.uri, headers: &self.headers, body, door: self.door })
    }
}

/// Every case of every file.
pub(super) fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    files.iter().flat_map(|file| of_file(file)).collect()
}

fn run(call: &Call<'_>) -> Result<Vec<String>, String> {
    match classify(call) {
        Ok(classified) => {
            let list: Vec<String> = classified.requirements.iter().map(ToString::to_string).collect();
            assert_eq!(list[0], format!("{} {}", classified.operation, classified.object));
            Ok(list)
        }
        Err(refusal) => Err(refusal.code.name().to_owned()),
    }
}

fn of_file(file: &Path) -> Vec<Case> {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let text = fs::read_to_string(file).unwrap();
    text.split("\n## ").skip(1).map(|case| of_text(stem, case)).collect()
}

fn of_text(file: &str, text: &str) -> Case {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    let name = format!("{file}: {}", lines.next().unwrap());
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let (mut headers, mut body, mut door) = (BTreeMap::new(), None, Door::Plugin);
    let (mut needed, mut refused) = (Vec::new(), None);
    for line in lines {
        match line.split_once(' ') {
            _ if line.starts_with(['{', '[']) => body = Some(line.as_bytes().to_vec()),
            Some(("=", requirement)) => needed.push(requirement.to_owned()),
            Some(("!", code)) => refused = Some(code.to_owned()),
            Some(("body:", text)) => body = Some(text.as_bytes().to_vec()),
            Some(("body-hex:", digits)) => body = Some(bytes(digits)),
            Some(("door:", "gateway")) => door = Door::Gateway,
            Some(("engines:", list)) => {
                assert!(list.split(' ').all(|engine| ENGINES.contains(&engine)), "{name}: {list}");
            }
            Some((header, value)) if header.ends_with(':') && header.starts_with(char::is_uppercase) => {
                let value = value.replace("\\u{130}", "\u{130}");
                headers.insert(header.trim_end_matches(':').to_owned(), value);
            }
            _ => panic!("{name}: `{line}` is no line of a case"),
        }
    }
    add_usual_headers(&mut headers, method, body.as_deref());
    let expected = match refused {
        Some(code) if needed.is_empty() => Err(code),
        None if !needed.is_empty() => Ok(needed),
        _ => panic!("{name}: expects both or neither of requirements and a refusal"),
    };
    Case { name, method: method.to_owned(), uri: uri.to_owned(), headers, body, door, expected }
}

/// What clients send anyway.
fn add_usual_headers(headers: &mut BTreeMap<String, String>, method: &str, body: Option<&[u8]>) {
    let mut usual = |name: &str, value: String| {
        headers.entry(name.to_owned()).or_insert(value);
    };
    match body {
        Some(body) => {
            usual("Content-Length", body.len().to_string());
            usual("Content-Type", "application/json".to_owned());
        }
        None if matches!(method, "POST" | "PUT") => usual("Content-Length", "0".to_owned()),
        None => {}
    }
    headers.retain(|_, value| value != "none");
}

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.as_bytes().chunks(2).map(byte).collect()
}

#[test]
fn every_case_comes_to_what_it_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found = case.run();
        if found != case.expected {
            wrong.push(format!("{}\n  expected {:?}\n  found    {found:?}", case.name, case.expected));
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_readme_of_the_cases_tells_every_code() {
    let text = include_str!("../../tests/conformance/README.md");
    for code in RefusalCode::ALL {
        assert!(text.contains(&format!("| `{}` |", code.name())), "`{}`", code.name());
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        assert!(seen.insert(case.name.clone()), "{} stands twice", case.name);
    }
}

#[test]
fn every_route_has_a_case_that_is_not_refused() {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.expected.is_ok()).collect();
    for route in routes::ROUTES {
        let has_case = cases.iter().any(|case| {
            let target = uri::read(&case.uri).unwrap();
            matching::find(&case.method, &target.path)
                .is_some_and(|(found, _)| (found.method, found.path) == (route.method, route.path))
        });
        assert!(has_case, "`{} {}` has no case", route.method, route.path);
    }
}

#[test]
fn every_action_of_the_engine_and_every_refusal_has_a_case() {
    let (mut actions, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for case in cases() {
        match case.expected {
            Ok(needed) => {
                actions.extend(needed.iter().map(|line| line.split(' ').next().unwrap().to_owned()));
            }
            Err(code) => drop(codes.insert(code)),
        }
    }
    // Our own surface, and what only a look at the host or the daemon adds.
    let ours = ["policy.", "grant.", "audit.", "token.", "mode.", "host.mount-unguarded"];
    for action in Action::ALL.iter().filter(|action| !ours.iter().any(|ours| action.name().starts_with(ours)))
    {
        assert!(actions.contains(action.name()), "`{action}` has no case");
    }
    // What only the gateway refuses is no call of the engine's, and has its own tests.
    for code in RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::Transport) {
        assert!(codes.contains(code.name()), "`{}` has no case", code.name());
    }
}
