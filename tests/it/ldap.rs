//! Look-ups in a real directory server: who is in which groups, and what happens when it fails.

use std::sync::Arc;
use std::time::Duration;

use wharfinger::directory::{Directory, DirectoryError, Looked, Refused, Settings};

use crate::support::ca::Ca;
use crate::support::slapd::{Slapd, Way, patient};
use crate::support::tree::{READER, Tree};

fn directory(settings: &str) -> Directory {
    Directory::new(toml::from_str::<Settings>(settings).unwrap(), jiff::Timestamp::now).unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "it stands beside the answers that are errors")]
fn found(user: &str, groups: &[&str]) -> Result<Looked, DirectoryError> {
    let groups = groups.iter().map(|&group| group.to_owned()).collect();
    Ok(Looked { user: user.to_owned(), groups, stale: false })
}

async fn unavailable(directory: &Directory, user: &str) -> String {
    match directory.groups(user).await {
        Err(DirectoryError::Unavailable(reason)) => reason,
        other => panic!("it was to be unavailable: {other:?}"),
    }
}

async fn incomplete(directory: &Directory, user: &str) -> String {
    match directory.groups(user).await {
        Err(DirectoryError::Incomplete(reason)) => reason,
        other => panic!("it was to be incomplete: {other:?}"),
    }
}

/// Waits for an answer that satisfies; the directory is asked again each time.
async fn until(
    what: &str,
    directory: &Directory,
    user: &str,
    good: impl Fn(&Result<Looked, DirectoryError>) -> bool,
) {
    let started = std::time::Instant::now();
    loop {
        let answer = directory.groups(user).await;
        if good(&answer) {
            return;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "waited a minute for {what}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_way_to_the_server_gives_the_same_groups() {
    let server = Slapd::start();
    for way in Way::ALL {
        let directory = directory(&server.settings(way));
        assert_eq!(directory.groups("alice").await, found("alice", &["dev"]), "{way:?}");
        assert_eq!(directory.groups("loner").await, found("loner", &[]), "{way:?}");
        assert_eq!(directory.groups("ghost").await, Err(DirectoryError::NoSuchUser), "{way:?}");
    }
}

#[tokio::test]
async fn the_service_account_can_be_what_tls_or_the_socket_proved() {
    let server = Slapd::start();
    let client = server.client();
    let tls = format!(
        "{}ca_file = '{}'\nclient_cert_file = '{}'\nclient_key_file = '{}'\n",
        patient(&[&server.url(Way::Ldaps)]),
        server.ca.file().display(),
        client.certificate.display(),
        client.key.display(),
    );
    for settings in [tls, patient(&[&server.url(Way::Ldapi)])] {
        assert_eq!(directory(&settings).groups("alice").await, found("alice", &["dev"]), "{settings}");
    }
}

#[tokio::test]
async fn names_that_try_to_change_the_question_are_nobody() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    for name in [
        "*",
        "alic*",
        "*)(uid=*",
        "alice)(|(uid=*",
        "admin)(&)",
        "\\2a",
        "alice\0",
        "alice\n",
        " alice",
        "alice\u{200b}",
        "alice)(objectClass=*",
        "(alice)",
        "uid=alice",
        "{user}",
        "{dn}",
    ] {
        assert_eq!(directory.groups(name).await, Err(DirectoryError::NoSuchUser), "{name:?}");
    }
    assert_eq!(directory.groups("paren(user)*").await, found("paren(user)*", &[]));
}

#[tokio::test]
async fn unicode_names_and_escaped_dns_are_found() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    assert_eq!(directory.groups("jürgen").await, found("jürgen", &["Entwickler Süd"]));
    assert_eq!(directory.groups("李雷").await, found("李雷", &["Entwickler Süd"]));
    assert_eq!(directory.groups("jdoe").await, found("jdoe", &["ops, prod (all)*"]));
}

#[tokio::test]
async fn the_name_is_the_entrys_own_however_it_was_spelled() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    for presented in ["ALICE", "Alice", "ａlice"] {
        assert_eq!(directory.groups(presented).await, found("alice", &["dev"]), "{presented}");
    }
}

#[tokio::test]
async fn groups_of_groups_count_and_a_cycle_ends() {
    let server = Slapd::start();
    let nested = directory(&server.settings(Way::Ldapi));
    assert_eq!(nested.groups("nested").await, found("nested", &["leaf", "mid", "top"]));
    let direct = directory(&format!("{}nested = 'off'\n", server.settings(Way::Ldapi)));
    assert_eq!(direct.groups("nested").await, found("nested", &["leaf"]));
}

#[tokio::test]
async fn a_chain_of_groups_is_walked_to_its_end_or_is_an_error() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    let ten = ["c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10"];
    assert_eq!(directory.groups("deep").await, found("deep", &ten));
    assert_eq!(incomplete(&directory, "deeper").await, "groups are nested more than 10 deep");
}

#[tokio::test]
async fn two_hundred_groups_are_all_there() {
    let server = Slapd::start();
    let looked = directory(&server.settings(Way::Ldaps)).groups("many").await.unwrap();
    let expected: Vec<String> = (0..200).map(|number| format!("g{number:03}")).collect();
    assert_eq!(looked.groups, expected);
}

#[tokio::test]
async fn an_answer_that_the_server_cut_short_is_no_answer() {
    let server = Slapd::start_with(&Tree::awkward(), "sizelimit 100");
    let directory = directory(&server.settings(Way::Ldapi));
    assert_eq!(incomplete(&directory, "many").await, "the server ended a search with code 4 ``");
    assert_eq!(directory.groups("alice").await, found("alice", &["dev"]));
}

#[tokio::test]
async fn accounts_that_may_not_come_in_are_refused_with_the_reason() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    for (user, reason) in [
        ("twin", Refused::Ambiguous),
        ("locked", Refused::Locked),
        ("both", Refused::Unnamed),
        ("another", Refused::Unnamed),
    ] {
        assert_eq!(directory.groups(user).await, Err(DirectoryError::Refused(reason)), "{user}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_name_gets_no_password() {
    let names = ["localhost", "127.0.0.1"];
    let ways = [Way::Ldaps, Way::StartTls];
    let wrong_host = Slapd::start_as(&Tree::empty(), "", |ca| ca.server("wrong", &["ldap.elsewhere"]));
    let expired = Slapd::start_as(&Tree::empty(), "", |ca| ca.expired_server("expired", &names));
    for way in ways {
        let reason = unavailable(&directory(&wrong_host.settings(way)), "alice").await;
        assert!(reason.contains("TLS failed") && reason.contains("not valid for name"), "{way:?} {reason}");
        let reason = unavailable(&directory(&expired.settings(way)), "alice").await;
        assert!(reason.contains("TLS failed") && reason.contains("certificate expired"), "{way:?} {reason}");
    }
    let stranger = Ca::new(wrong_host.path(), "stranger");
    let settings = wrong_host.settings(Way::Ldaps).replace("ca.pem", "stranger.pem");
    let reason = unavailable(&directory(&settings), "alice").await;
    assert!(
        reason.contains("TLS failed") && reason.contains("UnknownIssuer"),
        "{:?} {reason}",
        stranger.file()
    );
}

#[tokio::test]
async fn the_certificates_name_can_be_set_where_the_url_has_another() {
    let server = Slapd::start_as(&Tree::awkward(), "", |ca| ca.server("named", &["ldap.example.org"]));
    let settings = format!("{}server_name = 'ldap.example.org'\n", server.settings(Way::Ldaps));
    assert_eq!(directory(&settings).groups("alice").await, found("alice", &["dev"]));
}

#[tokio::test]
async fn tls_to_a_port_without_it_fails_and_does_not_fall_back() {
    let server = Slapd::start();
    let url = server.url(Way::Cleartext).replace("ldap://", "ldaps://");
    let settings = server.settings(Way::Ldaps).replace(&server.url(Way::Ldaps), &url);
    let reason = unavailable(&directory(&settings), "alice").await;
    assert!(reason.contains("TLS failed"), "{reason}");
}

#[tokio::test]
async fn the_next_server_answers_where_the_first_does_not() {
    let server = Slapd::start();
    let settings = server.settings(Way::Ldapi).replace("urls = [", "urls = [\"ldapi://%2Fnonexistent\", ");
    let directory = directory(&settings);
    assert_eq!(directory.groups("alice").await, found("alice", &["dev"]));
}

#[tokio::test]
async fn a_refused_password_is_not_sent_twice_and_a_new_one_is_taken_at_once() {
    let server = Slapd::start();
    let good = std::fs::read(server.password_file()).unwrap();
    let directory = directory(&server.settings(Way::Ldapi));
    let url = server.url(Way::Ldapi);
    let refused = format!(
        "{url}: the server refuses the service account with code 49; correct `bind_dn` or the password file"
    );
    std::fs::write(server.password_file(), "wrong").unwrap();
    assert_eq!(unavailable(&directory, "alice").await, refused);
    // The stopped server would not answer a second attempt.
    server.stop();
    directory.flush(None);
    assert_eq!(unavailable(&directory, "alice").await, refused);
    server.go_on();
    std::fs::write(server.password_file(), good).unwrap();
    directory.flush(None);
    assert_eq!(directory.groups("alice").await, found("alice", &["dev"]));
}

#[tokio::test]
async fn a_password_file_that_is_empty_or_gone_is_an_error_and_no_anonymous_bind() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    let file = server.password_file();
    std::fs::write(&file, "\n").unwrap();
    assert_eq!(
        unavailable(&directory, "alice").await,
        format!("`bind_password_file` `{}` is empty", file.display())
    );
    std::fs::remove_file(&file).unwrap();
    directory.flush(None);
    let reason = unavailable(&directory, "alice").await;
    assert!(reason.contains("cannot be read: No such file"), "{reason}");
}

/// Answers that are old at once, and a directory that is soon given up.
fn impatient(server: &Slapd, way: Way) -> String {
    server
        .settings(way)
        .replace("connect_timeout = '20s'", "connect_timeout = '1s'")
        .replace("lookup_deadline = '40s'", "lookup_deadline = '4s'\ncache_ttl = '1ms'")
}

#[tokio::test]
async fn a_known_user_is_served_while_the_server_is_stopped_and_an_unknown_one_is_denied() {
    let server = Slapd::start();
    let directory = directory(&impatient(&server, Way::Ldaps));
    until("the first answer", &directory, "alice", |answer| *answer == found("alice", &["dev"])).await;
    server.stop();
    let old = Ok(Looked { user: "alice".to_owned(), groups: vec!["dev".to_owned()], stale: true });
    until("the old answer", &directory, "alice", |answer| *answer == old).await;
    let error = directory.groups("jdoe").await.unwrap_err();
    assert!(error.to_string().starts_with("identity unavailable: "), "{error}");
    server.go_on();
    until("a new answer", &directory, "alice", |answer| *answer == found("alice", &["dev"])).await;
    until("the other's answer", &directory, "jdoe", |answer| *answer == found("jdoe", &["ops, prod (all)*"]))
        .await;
}

#[tokio::test]
async fn a_known_user_is_served_while_the_server_is_dead_and_asked_for_again_when_it_is_back() {
    let mut server = Slapd::start();
    let directory = directory(&impatient(&server, Way::StartTls));
    until("the first answer", &directory, "alice", |answer| *answer == found("alice", &["dev"])).await;
    server.kill();
    let old = Ok(Looked { user: "alice".to_owned(), groups: vec!["dev".to_owned()], stale: true });
    until("the old answer", &directory, "alice", |answer| *answer == old).await;
    assert!(directory.groups("jdoe").await.is_err());
    server.run();
    until("a new answer", &directory, "alice", |answer| *answer == found("alice", &["dev"])).await;
}

#[tokio::test]
async fn without_any_grace_an_old_answer_is_a_denial() {
    let mut server = Slapd::start();
    let directory = directory(&format!("{}stale_grace = '1ms'\n", impatient(&server, Way::Ldapi)));
    until("the first answer", &directory, "alice", |answer| *answer == found("alice", &["dev"])).await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(unavailable(&directory, "alice").await.contains("cannot connect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_gives_whole_answers_or_none() {
    let mut server = Slapd::start();
    let settings = server.settings(Way::Ldaps).replace("lookup_deadline = '40s'", "lookup_deadline = '4s'");
    let directory = Arc::new(directory(&settings));
    // 200 spellings of a user with 200 groups: as many look-ups, none of them from the cache.
    let spellings: Vec<String> = (0_u32..16)
        .map(|bits| {
            let spell = |(at, c): (usize, char)| if bits >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
            "many".chars().enumerate().map(spell).collect()
        })
        .collect();
    let calls: Vec<_> = spellings
        .into_iter()
        .map(|name| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move { directory.groups(&name).await })
        })
        .collect();
    server.kill();
    for call in calls {
        match call.await.unwrap() {
            Ok(looked) => assert_eq!((looked.user.as_str(), looked.groups.len()), ("many", 200)),
            Err(DirectoryError::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_of_ten_thousand_users_at_once_are_all_answered() {
    let mut tree = Tree::empty();
    let users: Vec<String> = (0..10_000).map(|number| format!("uid=u{number},ou=people")).collect();
    for (number, dn) in users.iter().enumerate() {
        tree.user(dn, &format!("u{number}"), &[]);
    }
    tree.group("some", &[&users[7], &users[2999]]);
    tree.group("everybody", &users.iter().map(String::as_str).collect::<Vec<_>>());
    let server = Slapd::start_with(&tree, "");
    let settings = server.settings(Way::Ldaps).replace("'40s'", "'120s'");
    let directory = Arc::new(directory(&settings));
    let started = std::time::Instant::now();
    let calls: Vec<_> = (0..3000)
        .map(|number| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move { directory.groups(&format!("u{number}")).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let groups: &[&str] =
            if number == 7 || number == 2999 { &["everybody", "some"] } else { &["everybody"] };
        assert_eq!(call.await.unwrap(), found(&format!("u{number}"), groups));
    }
    println!(
        "| 3,000 of 10,000 users at once, none of them known | let in, all: {} ms |",
        started.elapsed().as_millis()
    );
}

#[test]
fn settings_without_protection_are_refused_before_anything_is_sent() {
    let text = format!(
        "[ldap]\npreset = 'openldap'\nurls = ['ldap://h']\nbase_dn = 'dc=x'\nbind_dn = '{READER}'\nbind_password_file = '/p'"
    );
    let error = Directory::new(toml::from_str(&text).unwrap(), jiff::Timestamp::now).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("directory.ldap.urls: `ldap://h` would send the password in clear text"),
        "{error}"
    );
}
