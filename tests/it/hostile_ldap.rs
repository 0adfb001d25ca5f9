//! Look-ups at a server that lies, floods or goes silent: a denial each time, and the program goes on.

use wharfinger::directory::{Directory, DirectoryError, Looked, Settings};

use crate::support::hostile::{Hostile, Kind, Reply, done, entry, message, outcome};
use crate::support::slapd::patient;

fn directory(server: &Hostile) -> Directory {
    directory_with(server, "allow_cleartext = true\n", "40s")
}

fn directory_with(server: &Hostile, more: &str, deadline: &str) -> Directory {
    let password = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let settings = format!(
        "{}bind_dn = 'cn=x'\nbind_password_file = '{password}'\n{more}",
        patient(&[&server.url()])
            .replace("lookup_deadline = '40s'", &format!("lookup_deadline = '{deadline}'"))
    );
    Directory::new(toml::from_str::<Settings>(&settings).unwrap(), jiff::Timestamp::now).unwrap()
}

/// The reason for which the first look-up fails, after which the process still works.
async fn reason(server: &Hostile) -> String {
    reason_of(&directory(server)).await
}

async fn reason_of(directory: &Directory) -> String {
    match directory.groups("alice").await {
        Err(DirectoryError::Unavailable(reason) | DirectoryError::Incomplete(reason)) => reason,
        other => panic!("it was to be unavailable: {other:?}"),
    }
}

fn nested(depth: usize) -> Vec<u8> {
    let mut nested = Vec::new();
    for _ in 0..depth {
        let length = u32::try_from(nested.len()).unwrap().to_be_bytes();
        nested.splice(0..0, [&[0x30, 0x84], length.as_slice()].concat());
    }
    nested
}

#[tokio::test]
async fn an_honest_answer_of_the_fake_server_is_taken() {
    let server = Hostile::searching(|request| {
        let user = entry(request.id, "uid=alice", &[("UID", &["alice"])]);
        Reply::Send(if request.id == 2 { [user, done(request.id, 0)].concat() } else { done(request.id, 0) })
    });
    let expected = Looked { user: "alice".to_owned(), groups: vec![], stale: false };
    assert_eq!(directory(&server).groups("alice").await, Ok(expected));
}

#[tokio::test]
async fn deep_nesting_closes_the_connection_and_not_the_process() {
    for before_the_bind in [true, false] {
        let server = Hostile::answering(move |request| {
            if before_the_bind || request.kind != Kind::Bind {
                Reply::Send(nested(10_000))
            } else {
                Reply::Send(message(request.id, &outcome(0x61, 0)))
            }
        });
        assert!(reason(&server).await.ends_with("the server sent a malformed message"));
    }
}

#[tokio::test]
async fn a_huge_message_is_refused_by_its_length_alone() {
    let server = Hostile::searching(|_| Reply::Send(vec![0x30, 0x84, 0x40, 0, 0, 0]));
    assert_eq!(reason(&server).await, "the server sent a message of more than 1 MiB");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let server = Hostile::searching(|request| Reply::Forever(entry(request.id, "uid=a", &[("uid", &["a"])])));
    assert_eq!(reason(&server).await, "the server sent more than 1 entries");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Hostile::searching(|_| Reply::Silence);
    let soon = directory_with(&server, "allow_cleartext = true\n", "2s");
    assert_eq!(reason_of(&soon).await, "the server did not answer in time");
}

#[tokio::test]
async fn a_server_that_answers_byte_by_byte_is_given_up() {
    let server = Hostile::searching(|request| {
        let user = entry(request.id, "uid=alice", &[("uid", &["alice"])]);
        Reply::Drip([user, done(request.id, 0)].concat())
    });
    let soon = directory_with(&server, "allow_cleartext = true\n", "2s");
    assert_eq!(reason_of(&soon).await, "the server did not answer in time");
}

#[tokio::test]
async fn half_a_message_is_no_answer() {
    let server = Hostile::searching(|request| {
        let whole = entry(request.id, "uid=alice", &[("uid", &["alice"])]);
        Reply::SendAndClose(whole[..whole.len() / 2].to_vec())
    });
    assert_eq!(reason(&server).await, "the server closed the connection");
}

#[tokio::test]
async fn an_answer_without_its_end_is_no_answer() {
    let server = Hostile::searching(|request| {
        Reply::SendAndClose(entry(request.id, "uid=alice", &[("uid", &["alice"])]))
    });
    assert_eq!(reason(&server).await, "the server closed the connection");
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_taken_for_ours() {
    let server = Hostile::searching(|request| {
        let id = request.id + 50;
        Reply::Send([entry(id, "uid=alice", &[("uid", &["alice"])]), done(id, 0)].concat())
    });
    let soon = directory_with(&server, "allow_cleartext = true\n", "2s");
    assert_eq!(reason_of(&soon).await, "the server did not answer in time");
}

#[tokio::test]
async fn a_bind_answered_by_something_else_is_a_denial() {
    let server =
        Hostile::answering(|request| Reply::Send(entry(request.id, "uid=alice", &[("uid", &["alice"])])));
    assert_eq!(reason(&server).await, "the directory's answer could not be read");
}

#[tokio::test]
async fn a_notice_of_disconnection_is_heard() {
    let server = Hostile::searching(|_| Reply::Send(message(0, &outcome(0x78, 52))));
    assert_eq!(reason(&server).await, "the server announced that it closes the connection");
}

#[tokio::test]
async fn a_part_of_the_values_is_not_taken_for_all() {
    let server = Hostile::searching(|request| {
        let user = entry(request.id, "uid=alice", &[("uid;range=0-0", &["alice"])]);
        Reply::Send([user, done(request.id, 0)].concat())
    });
    assert_eq!(reason(&server).await, "the server sent only a part of `uid` of `uid=alice`");
}

#[tokio::test]
async fn a_group_without_a_name_is_not_left_out() {
    let server = Hostile::searching(|request| {
        let user = entry(request.id, "uid=alice", &[("uid", &["alice"])]);
        let group = entry(request.id, "cn=dev", &[]);
        let first = if request.id == 2 { user } else { group };
        Reply::Send([first, done(request.id, 0)].concat())
    });
    assert_eq!(reason(&server).await, "the group `cn=dev` has not exactly one good `cn`");
}

#[tokio::test]
async fn a_referral_is_not_followed() {
    let server = Hostile::searching(|request| Reply::Send(done(request.id, 10)));
    assert_eq!(reason(&server).await, "the server ended a search with code 10 ``");
}

#[tokio::test]
async fn bytes_after_the_answer_to_starttls_are_refused() {
    let server = Hostile::answering(|request| {
        Reply::Send([message(request.id, &outcome(0x78, 0)), message(2, &outcome(0x61, 0))].concat())
    });
    let url = server.url();
    let error = directory_with(&server, "starttls = true\n", "40s").groups("alice").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("identity unavailable: {url}: StartTLS failed: the server sent more than the answer")
    );
}

#[tokio::test]
async fn a_refused_starttls_does_not_fall_back_to_clear_text() {
    let server = Hostile::answering(|request| {
        assert_eq!(request.kind, Kind::Extended, "something was sent in clear text");
        Reply::Send(message(request.id, &outcome(0x78, 2)))
    });
    let url = server.url();
    let error = directory_with(&server, "starttls = true\n", "40s").groups("alice").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("identity unavailable: {url}: the server refuses StartTLS with code 2; use `ldaps://`")
    );
    assert_eq!(server.connections(), 1);
}
