//! The rules of the house that the compiler cannot see: who may use whom, a sentence at every head, short files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, and the modules of ours that its production code may name; the rows are the layers, lowest first.
const MAY_USE: &[(&str, &str)] = &[
    ("authz", ""),
    ("engine", "authz"),
    ("store", ""),
    ("web", ""),
    ("identity", "config::duration web"),
    ("token", "config::duration identity store"),
    ("directory", "config::duration identity"),
    ("policy", "authz store"),
    ("audit", "authz config::duration store"),
    ("inventory", "authz config::duration engine store"),
    ("hostfs", "authz config::duration engine"),
    ("plugin", "audit authz config::duration directory engine hostfs identity inventory policy"),
    ("gateway", "audit authz config::duration engine identity inventory plugin policy"),
    ("admin", "audit authz directory gateway identity inventory plugin policy token"),
    ("config", "admin audit directory gateway hostfs identity inventory plugin policy token"),
    ("serve", "admin audit config directory gateway hostfs identity inventory plugin policy token"),
    (
        "cli",
        "admin audit authz config directory engine identity inventory plugin policy serve store token web",
    ),
    ("main", "cli"),
];

/// Words that a module must not know, whatever it uses; separated by bars.
const MAY_NOT_SAY: &[(&str, &str)] = &[
    ("authz", "std::fs|std::net|tokio|hyper|serde_json|async fn|std::time|jiff|rusqlite"),
    ("engine", "std::fs|std::net|tokio|hyper|casbin|async fn|std::time|rusqlite|Subject"),
    ("admin", "rusqlite"),
    ("cli", "rusqlite"),
    ("plugin", "rusqlite|casbin"),
    ("gateway", "rusqlite|casbin"),
];

/// Production lines of a file above which it needs a reason here.
const LINES: usize = 400;

#[test]
fn modules_use_only_what_the_table_allows() {
    let rules: BTreeMap<&str, &str> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        if module == "lib" {
            continue;
        }
        let Some(allowed) = rules.get(module.as_str()) else {
            broken.push(format!("{}: module `{module}` is not in the table", path.display()));
            continue;
        };
        for used in used(production(&text)) {
            let own = used == module || used.starts_with(&format!("{module}::"));
            let allowed = allowed
                .split_whitespace()
                .any(|name| used == *name || used.starts_with(&format!("{name}::")));
            if !own && !allowed {
                broken.push(format!("{}: `{module}` uses `{used}`", path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn modules_do_not_say_words_of_another_layer() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        for word in
            MAY_NOT_SAY.iter().filter(|(name, _)| *name == module).flat_map(|(_, words)| words.split('|'))
        {
            let said = production(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            if said.clone().any(|line| line.contains(word)) {
                broken.push(format!("{}: `{module}` says `{word}`", path.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn casbin_and_sqlite_stay_in_their_rooms() {
    for (word, rooms) in [
        ("use casbin::", &["src/policy/casbin.rs"][..]),
        ("rusqlite::", &["src/store/", "src/audit/", "src/inventory/", "src/policy/book.rs", "src/token/"]),
        ("ldap3::", &["src/directory/ldap/"]),
        ("jsonwebtoken::", &["src/identity/jwt"]),
    ] {
        for (path, text) in sources() {
            let named = production(&text).lines().any(|line| {
                !line.trim_start().starts_with("//")
                    && line.contains(word)
                    && !line.contains(&format!("::{word}"))
            });
            let at = path.to_string_lossy().replace('\\', "/");
            assert!(!named || rooms.iter().any(|room| at.contains(room)), "{at} names `{word}`");
        }
    }
}

#[test]
fn every_file_opens_with_a_sentence() {
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        let sentence = first.starts_with("//! ") && first.len() > 20;
        assert!(
            sentence || first.starts_with("#![doc = include_str!"),
            "{} opens with {first:?}",
            path.display()
        );
    }
}

#[test]
fn files_are_short() {
    for (path, text) in sources() {
        let lines = production(&text).lines().count();
        assert!(lines <= LINES, "{} has {lines} production lines: split it", path.display());
    }
}

#[test]
fn no_file_names_a_ticket_or_leaves_work_open() {
    for (path, text) in sources() {
        for word in ["TODO", "FIXME", "todo!(", "unimplemented!("] {
            assert!(!text.contains(word), "{} holds `{word}`", path.display());
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn collect(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The first folder under `src`, or the file's own name there.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The part of a file before its tests; nothing of a file that is all tests.
fn production(text: &str) -> &str {
    text.split("[cfg(test)]").next().unwrap_or_default()
}

/// What follows `crate::` or `wharfinger::`, two names deep, groups in braces taken apart.
fn used(text: &str) -> Vec<String> {
    let mut used = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for root in ["crate::", "wharfinger::"] {
            let pieces: Vec<&str> = line.split(root).collect();
            for pair in pieces.windows(2) {
                let &[before, rest] = pair else { continue };
                if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let names =
                    rest.strip_prefix('{').map_or(rest, |group| group.split('}').next().unwrap_or_default());
                let list = if rest.starts_with('{') { names.split(',').collect() } else { vec![names] };
                used.extend(list.into_iter().map(|name| {
                    let path: Vec<&str> = name.trim().split("::").collect();
                    let clean = |part: &str| {
                        part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()
                    };
                    path.iter()
                        .take(2)
                        .map(|part| clean(part))
                        .filter(|p| !p.is_empty())
                        .collect::<Vec<_>>()
                        .join("::")
                }));
            }
        }
    }
    used
}
