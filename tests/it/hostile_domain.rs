//! Look-ups by the preset for Active Directory at a server that gives parts, ranges and pages, rightly and wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharfinger::directory::{Directory, Settings};

use crate::support::hostile::{Hostile, Reply, Request, binary_entry, done, entry, page_end};
use crate::support::slapd::patient;

fn directory(server: &Hostile, preset: &str) -> Directory {
    let password = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let settings = patient(&[&server.url()]).replace("'openldap'", &format!("'{preset}'"));
    let settings =
        format!("{settings}bind_dn = 'x'\nbind_password_file = '{password}'\nallow_cleartext = true\n");
    Directory::new(toml::from_str::<Settings>(&settings).unwrap(), jiff::Timestamp::now).unwrap()
}

/// Name and groups, or the error, on one line.
async fn told(directory: &Directory) -> String {
    match directory.groups("alice").await {
        Ok(looked) => format!("{}: {}", looked.user, looked.groups.join(", ")),
        Err(error) => error.to_string(),
    }
}

/// A security identifier of the domain with that number.
fn sid(domain: u32, number: u32) -> Vec<u8> {
    let mut bytes = vec![1, 5, 0, 0, 0, 0, 0, 5];
    bytes.extend([21, 1, 2, domain, number].iter().flat_map(|part: &u32| part.to_le_bytes()));
    bytes
}

type Attributes = Vec<(&'static str, Vec<Vec<u8>>)>;

fn user() -> Attributes {
    vec![
        ("sAMAccountName", vec![b"alice".to_vec()]),
        ("userAccountControl", vec![b"512".to_vec()]),
        ("msDS-User-Account-Control-Computed", vec![b"0".to_vec()]),
        ("accountExpires", vec![b"0".to_vec()]),
        ("objectSid", vec![sid(3, 1000)]),
    ]
}

fn named(name: &str, number: u32) -> Attributes {
    vec![("sAMAccountName", vec![name.as_bytes().to_vec()]), ("objectSid", vec![sid(3, number)])]
}

/// A domain in which the user's entry, the token groups and the names are what the test says.
fn domain(
    user: Attributes,
    groups: Vec<Attributes>,
    tokens: impl Fn(&Request) -> Attributes + Send + Sync + 'static,
) -> Hostile {
    Hostile::searching(move |request| {
        let end = done(request.id, 0);
        let entries = if request.says("tokenGroups") {
            vec![binary_entry(request.id, "CN=alice", &tokens(request))]
        } else if request.says("userAccountControl") {
            vec![binary_entry(request.id, "CN=alice", &user)]
        } else {
            groups.iter().map(|group| binary_entry(request.id, "CN=g", group)).collect()
        };
        Reply::Send([entries.concat(), end].concat())
    })
}

async fn told_of(user: Attributes, groups: Vec<Attributes>, tokens: Vec<Vec<u8>>) -> String {
    told(&directory(
        &domain(user, groups, move |_| vec![("tokenGroups", tokens.clone())]),
        "active-directory",
    ))
    .await
}

#[tokio::test]
async fn a_group_of_another_domain_goes_by_its_identifier() {
    let answer = told_of(user(), vec![named("dev", 1)], vec![sid(3, 1), sid(4, 1)]).await;
    assert_eq!(answer, "alice: S-1-5-21-1-2-4-1, dev");
}

#[tokio::test]
async fn what_may_not_be_read_or_passes_for_something_else_is_no_answer() {
    let without = |attribute: &str| -> Attributes {
        user().into_iter().filter(|(name, _)| *name != attribute).collect()
    };
    let tokens = || vec![sid(3, 1)];
    for (user, groups, tokens, error) in [
        (
            user(),
            vec![],
            tokens(),
            "the group `S-1-5-21-1-2-3-1` shows no name: let the service account read it",
        ),
        (user(), vec![], vec![], "the server shows no `tokenGroups`: let the service account read them"),
        (user(), vec![], vec![vec![1, 2, 3]], "`tokenGroups` has what is no identifier"),
        (
            user(),
            vec![named("S-1-5-21-1-2-4-1", 1)],
            tokens(),
            "the group `S-1-5-21-1-2-3-1` has an identifier for a name: rename it",
        ),
        (without("objectSid"), vec![], tokens(), "the user's entry shows no good `objectSid`"),
        (
            without("userAccountControl"),
            vec![],
            tokens(),
            "the entry of the user shows no `userAccountControl`: let the service account read it",
        ),
        (
            without("accountExpires"),
            vec![],
            tokens(),
            "the entry of the user shows no `accountExpires`: let the service account read it",
        ),
    ] {
        assert_eq!(told_of(user, groups, tokens).await, format!("identity incomplete: {error}"));
    }
}

#[tokio::test]
async fn ranges_are_put_together_and_a_broken_one_is_no_answer() {
    let groups = || vec![named("one", 1), named("two", 2), named("three", 3)];
    let whole = domain(user(), groups(), |request| {
        if request.says("range=2-*") {
            vec![("tokenGroups;range=2-*", vec![sid(3, 3)])]
        } else {
            vec![("tokenGroups;range=0-1", vec![sid(3, 1), sid(3, 2)]), ("tokenGroups", vec![])]
        }
    });
    assert_eq!(told(&directory(&whole, "active-directory")).await, "alice: one, three, two");
    // The same range again and again, as if it were the next.
    let broken = domain(user(), groups(), |_| vec![("tokenGroups;range=0-1", vec![sid(3, 1), sid(3, 2)])]);
    assert_eq!(
        told(&directory(&broken, "active-directory")).await,
        "identity incomplete: the server sent a broken range of `tokenGroups` of `CN=alice`"
    );
}

#[tokio::test]
async fn pages_are_put_together() {
    let server = Hostile::searching(|request| {
        let group = |name: &str| entry(request.id, &format!("cn={name}"), &[("cn", &[name])]);
        Reply::Send(if request.says("inetOrgPerson") {
            [entry(request.id, "uid=alice", &[("uid", &["alice"])]), done(request.id, 0)].concat()
        } else if !request.says("uid=alice") {
            done(request.id, 0)
        } else if request.says("second page") {
            [group("two"), page_end(request.id, "")].concat()
        } else {
            [group("one"), page_end(request.id, "second page")].concat()
        })
    });
    assert_eq!(told(&directory(&server, "openldap")).await, "alice: one, two");
}

#[tokio::test]
async fn pages_without_end_are_cut_off() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = Hostile::searching(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::Send(if request.says("inetOrgPerson") {
            [entry(request.id, "uid=alice", &[("uid", &["alice"])]), done(request.id, 0)].concat()
        } else {
            page_end(request.id, "more")
        })
    });
    assert_eq!(
        told(&directory(&server, "openldap")).await,
        "identity unavailable: the server sent a page of nothing"
    );
    // The user and one page, at the server and again at a new connection.
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}
