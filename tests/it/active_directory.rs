//! Look-ups in a real Active Directory, as Samba serves it: what its groups are, and who is not let in.

use wharfinger::directory::{Canonical, Directory, DirectoryError, Password, Refused, Settings};

use crate::support::samba::Samba;

fn directory(settings: &str) -> Directory {
    Directory::new(toml::from_str::<Settings>(settings).unwrap(), jiff::Timestamp::now).unwrap()
}

/// Name and groups, or the error, on one line.
async fn told(directory: &Directory, user: &str) -> String {
    match directory.groups(user).await {
        Ok(looked) => format!("{}: {}", looked.user, looked.groups.join(", ")),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn users_have_all_their_groups_whatever_their_name_is_written_like() {
    let server = Samba::start();
    let directory = directory(&server.settings());
    let alice = "alice: Domain Users, Users, first, leaf, local, mid, second, top, universal";
    for (user, expected) in [
        ("alice", alice),
        ("ALICE", alice),
        ("alice@ad.example.org", alice),
        ("Alice@AD.example.org", alice),
        (r"AD\alice", alice),
        (r"ad\Alice", alice),
        // The group that is his primary one is in no list of members.
        ("dave", "dave: Domain Users, Users, dbas"),
        ("loner", "loner: Domain Users, Users"),
        ("mixed.case", "Mixed.Case: Domain Users, Users"),
        ("jürgen", "jürgen: Domain Users, Entwickler Süd, Users"),
        ("李雷", "李雷: Domain Users, Entwickler Süd, Users"),
        ("jdoe", "jdoe: Domain Users, Users, ops prod (all)"),
        ("bob", "the directory refuses the user: the account is disabled"),
        ("carol", "the directory refuses the user: the account has expired"),
        ("locked", "the directory refuses the user: the account is locked"),
        ("ghost", "the directory knows no such user"),
        (r"OTHER\alice", "the directory knows no such user"),
        (r"AD\", "the directory knows no such user"),
        (r"\alice", "the directory knows no such user"),
        ("alice@elsewhere.example.org", "the directory knows no such user"),
        // A computer's account is nobody.
        ("DC1$", "the directory knows no such user"),
        ("ali*", "the directory knows no such user"),
    ] {
        assert_eq!(told(&directory, user).await, expected, "{user}");
    }
    let mut expected: Vec<String> = (0..250).map(|number| format!("many{number:03}")).collect();
    expected.extend(["Domain Users", "Users"].map(str::to_owned));
    expected.sort();
    assert_eq!(directory.groups("many").await.unwrap().groups, expected);
}

#[tokio::test]
async fn an_explanation_tells_how_each_group_is_come_by() {
    let server = Samba::start();
    let directory = directory(&server.settings());
    let told = directory.explain("alice").await;
    let ways: Vec<(&str, &str)> =
        told.groups.iter().map(|group| (group.group.as_str(), group.via.as_str())).collect();
    assert_eq!(
        ways,
        [
            ("Domain Users", "primary group"),
            ("Users", "the directory says so"),
            ("first", "direct"),
            ("leaf", "direct"),
            ("local", "through leaf → mid → top → universal"),
            ("mid", "through leaf"),
            ("second", "through first"),
            ("top", "through leaf → mid"),
            ("universal", "through leaf → mid → top"),
        ]
    );
    assert_eq!(
        told.warnings,
        ["`mail only` has the user as a member, and the server does not count it: a group for mail only?"]
    );
    assert_eq!(told.entry.as_deref(), Some("CN=Alice Example,OU=People,DC=ad,DC=example,DC=org"));
    assert_eq!(directory.explain("dave").await.groups[2].via, "primary group");
}

#[tokio::test]
async fn passwords_are_only_sent_over_tls_and_checked_whatever_the_name_is_written_like() {
    let server = Samba::start();
    let plain = server.plain_url();
    let cleartext = directory(&format!("{}allow_cleartext = true\n", server.settings_for(&plain)));
    let reason = format!(
        "identity unavailable: {plain}: the server refuses the service account with code 8; correct `bind_dn` or the password file"
    );
    assert_eq!(told(&cleartext, "alice").await, reason);
    let starttls = directory(&format!("{}starttls = true\n", server.settings_for(&plain)));
    assert_eq!(told(&starttls, "loner").await, "loner: Domain Users, Users");
    let directory = directory(&server.settings());
    for (user, password, expected) in [
        ("alice", "Alice.Passw0rd", Ok(Canonical("alice".to_owned()))),
        (r"AD\ALICE", "Alice.Passw0rd", Ok(Canonical("alice".to_owned()))),
        ("alice", "wrong", Err(DirectoryError::Refused(Refused::Password))),
        ("bob", "wrong", Err(DirectoryError::Refused(Refused::Disabled))),
    ] {
        let password = Password::new(password.to_owned());
        assert_eq!(directory.authenticate(user, &password).await, expected, "{user}");
    }
}
