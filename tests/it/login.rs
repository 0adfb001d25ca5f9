//! Logins: a password is right where a real directory server takes it in a bind as the user's entry.

use wharfinger::directory::{Canonical, Directory, DirectoryError, Password, Refused, Settings};

use crate::support::hostile::{Hostile, Kind, Reply, done, entry, message, outcome};
use crate::support::slapd::{Slapd, Way, patient};
use crate::support::tree::PASSWORD;

fn directory(settings: &str) -> Directory {
    Directory::new(toml::from_str::<Settings>(settings).unwrap(), jiff::Timestamp::now).unwrap()
}

async fn try_password(
    directory: &Directory,
    user: &str,
    password: &str,
) -> Result<Canonical, DirectoryError> {
    directory.authenticate(user, &Password::new(password.to_owned())).await
}

const REFUSED: Result<Canonical, DirectoryError> = Err(DirectoryError::Refused(Refused::Password));

#[tokio::test]
async fn a_right_password_gives_the_entrys_own_name_on_every_way() {
    let server = Slapd::start();
    for way in Way::ALL {
        let directory = directory(&server.settings(way));
        let expected = Ok(Canonical("login".to_owned()));
        assert_eq!(try_password(&directory, "LOGIN", PASSWORD).await, expected, "{way:?}");
    }
}

#[tokio::test]
async fn a_wrong_or_empty_password_is_refused_and_so_is_everybody_without_one() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldaps));
    for (user, password, expected) in [
        ("login", "", REFUSED),
        ("login", "wrong", REFUSED),
        ("loner", PASSWORD, REFUSED),
        ("locked", PASSWORD, Err(DirectoryError::Refused(Refused::Locked))),
        ("twin", PASSWORD, Err(DirectoryError::Refused(Refused::Ambiguous))),
        ("ghost", PASSWORD, Err(DirectoryError::NoSuchUser)),
        ("log*", PASSWORD, Err(DirectoryError::NoSuchUser)),
    ] {
        assert_eq!(try_password(&directory, user, password).await, expected, "{user}");
    }
}

#[tokio::test]
async fn after_three_wrong_passwords_the_server_is_not_asked_and_look_ups_go_on() {
    let server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    for spelling in ["login", "Login", "LOGIN"] {
        assert_eq!(try_password(&directory, spelling, "wrong").await, REFUSED);
    }
    // It is right, and is not tried.
    assert_eq!(try_password(&directory, "login", PASSWORD).await, REFUSED);
    assert_eq!(directory.groups("login").await.unwrap().user, "login");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_no_wrong_password() {
    let mut server = Slapd::start();
    let directory = directory(&server.settings(Way::Ldapi));
    server.kill();
    for _ in 0..4 {
        let error = try_password(&directory, "login", PASSWORD).await.unwrap_err();
        assert!(error.to_string().starts_with("identity unavailable: "), "{error}");
    }
    server.run();
    // Until the pause after a failure is over.
    let started = std::time::Instant::now();
    while try_password(&directory, "login", PASSWORD).await != Ok(Canonical("login".to_owned())) {
        assert!(started.elapsed() < std::time::Duration::from_mins(1), "the server is not asked again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_bind_that_breaks_off_is_no_wrong_password() {
    let binds = std::sync::atomic::AtomicUsize::new(0);
    let server = Hostile::answering(move |request| {
        if request.kind == Kind::Search {
            let user = entry(request.id, "uid=login", &[("uid", &["login"])]);
            return Reply::Send([user, done(request.id, 0)].concat());
        }
        // The first is the service account's; of the user's, the fifth is answered.
        match binds.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 | 5 => Reply::Send(message(request.id, &outcome(0x61, 0))),
            _ => Reply::SendAndClose(Vec::new()),
        }
    });
    let directory = directory(&format!(
        "{}allow_cleartext = true\nbind_dn = 'cn=x'\nbind_password_file = '{}/Cargo.toml'\n",
        patient(&[&server.url()]),
        env!("CARGO_MANIFEST_DIR")
    ));
    for _ in 0..4 {
        let reason = format!("{}: the server closed the connection", server.url());
        assert_eq!(try_password(&directory, "login", "x").await, Err(DirectoryError::Unavailable(reason)));
    }
    assert_eq!(try_password(&directory, "login", "x").await, Ok(Canonical("login".to_owned())));
}
