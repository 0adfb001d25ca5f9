//! People who are known by a token in the docker command line's own configuration.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::json;

use super::denial;
use crate::support::dockerd::Ground;
use crate::support::process::Said;
use crate::support::wharfinger::{Wharf, Wharfinger};

/// An issuer that the program trusts, and the command line configurations with its tokens.
struct Issuer {
    key: KeyPair,
}

impl Issuer {
    fn new() -> Self {
        Self { key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    /// Writes the key file into `dir`; the section that trusts it.
    fn section(&self, dir: &Path) -> String {
        // The uncompressed point: a byte that says so, then x and y.
        let point = self.key.der_bytes();
        let [x, y] = [&point[1..33], &point[33..65]].map(|part| URL_SAFE_NO_PAD.encode(part));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}]});
        let file = dir.join("jwks.json");
        std::fs::write(&file, keys.to_string()).unwrap();
        format!(
            "[[identity.jwt]]\nissuer = 'https://issuer.test'\naudience = 'this-host'\nalgorithms = ['ES256']\n\
             jwks_file = {file:?}\n"
        )
    }

    /// `docker ARGUMENTS` on the Unix socket, with a token for `user` and `audience` in its `config.json`.
    fn docker(&self, wharf: &Wharf, user: &str, audience: &str, arguments: &[&str]) -> Said {
        let claims = json!({
            "iss": "https://issuer.test", "aud": audience, "sub": user, "jti": "7f3",
            "exp": jiff::Timestamp::now().as_second() + 600,
        });
        let header = Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes()).unwrap();
        with_token(wharf, &jsonwebtoken::encode(&header, &claims, &key).unwrap(), arguments)
    }
}

/// `docker ARGUMENTS` on the Unix socket, with that token in its `config.json`.
fn with_token(wharf: &Wharf, token: &str, arguments: &[&str]) -> Said {
    let config = tempfile::tempdir().unwrap();
    let text = json!({"HttpHeaders": {"X-Wharfinger-Token": token}}).to_string();
    std::fs::write(config.path().join("config.json"), text).unwrap();
    let mut command = wharf.dockerd.docker_without_identity().command("docker");
    command.env("DOCKER_CONFIG", config.path()).args(arguments).output().unwrap().into()
}

#[test]
fn a_token_is_an_identity_on_the_socket_where_there_is_no_other() {
    let issuer = Issuer::new();
    let wharf = Wharf::start_with(|dir| issuer.section(dir));

    let hello =
        issuer.docker(&wharf, "alice", "this-host", &["run", "--rm", "busybox", "echo", "hello"]).ok();
    assert_eq!(hello, "hello");
    let (message, id) = denial(issuer.docker(&wharf, "alice", "this-host", &["ps"]));
    assert!(message.starts_with("alice may not container.list (docker ps): "), "{message}");
    let explained = wharf.wharfinger.cli(&["explain", &id]).ok();
    assert!(explained.contains("jwt https://issuer.test 7f3"), "{explained}");

    let anonymous = wharf.dockerd.docker_without_identity().run(&["run", "busybox", "true"]);
    assert!(denial(anonymous).0.starts_with("anonymous may not "));
}

#[test]
fn a_token_for_another_host_is_a_denial_and_does_not_make_its_bearer_anonymous() {
    let issuer = Issuer::new();
    let wharf = Wharf::start_with(|dir| issuer.section(dir));

    let (message, _) = denial(issuer.docker(&wharf, "alice", "that-host", &["version"]));
    assert!(message.contains("the token is refused: it is not for this host"), "{message}");
}

#[test]
fn a_service_token_holds_its_roles_and_no_others_until_it_is_revoked_and_all_of_it_is_on_record() {
    let wharf = Wharf::start();
    let issue = |user: &str, role: &str| {
        let arguments =
            ["token", "issue", "--user", user, "--ttl", "1h", "--role", role, "--reason", "nightly"];
        wharf.wharfinger.cli(&arguments).ok()
    };
    // No directory knows `ci`; carol is an admin, and her token is not.
    let (ci, carol) = (issue("ci", "developer"), issue("carol", "developer"));

    for (token, user) in [(&ci, "ci"), (&carol, "carol")] {
        assert_eq!(with_token(&wharf, token, &["run", "--rm", "busybox", "echo", "hello"]).ok(), "hello");
        let (message, _) = denial(with_token(&wharf, token, &["ps"]));
        assert!(message.starts_with(&format!("{user} may not container.list (docker ps): ")), "{message}");
    }
    assert_eq!(wharf.docker("carol", &["ps", "-q"]).ok(), "");

    let listed = wharf.wharfinger.cli(&["token", "list", "-o", "json"]).ok();
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    let id = listed.iter().find(|token| token["user"] == "ci").unwrap()["id"].as_str().unwrap().to_owned();
    wharf.wharfinger.cli(&["token", "rotate-key"]).ok();
    with_token(&wharf, &ci, &["run", "--rm", "busybox", "true"]).ok();
    wharf.wharfinger.cli(&["token", "revoke", &id]).ok();
    let (message, _) = denial(with_token(&wharf, &ci, &["run", "--rm", "busybox", "true"]));
    assert_eq!(message, "the token is refused: it was revoked; get a new one");
    with_token(&wharf, &carol, &["run", "--rm", "busybox", "true"]).ok();

    let trail = wharf.wharfinger.trail();
    let done: Vec<_> = trail
        .iter()
        .filter(|record| record["phase"] == "admin")
        .map(|record| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            assert_eq!(record["actor"]["user"], "root");
            (text(&record["operation"]), text(&record["decision"]), text(&record["message"]))
        })
        .collect();
    let entry =
        |operation: &str, message: &str| (operation.to_owned(), "permit".to_owned(), message.to_owned());
    let issued = "with the roles developer, for 3600 s: nightly";
    assert_eq!(
        done,
        [
            entry("token.issue", &format!("for ci, {issued}")),
            entry("token.issue", &format!("for carol, {issued}")),
            entry("token.rotate-key", "a new signing key; tokens of the ones before are good to their end"),
            entry("token.revoke", "the service token of ci"),
        ]
    );
    let whole = trail.iter().map(ToString::to_string).collect::<String>();
    assert!(!whole.contains(&ci) && !whole.contains(ci.rsplit('.').next().unwrap()));
}

#[test]
fn a_token_with_a_role_that_nobody_has_defined_or_that_lives_for_ever_is_not_issued() {
    let ground = Ground::new(&[]);
    let wharfinger = Wharfinger::start(&ground);
    let issue = |ttl: &str, role: &str| {
        wharfinger.cli(&["token", "issue", "--user", "ci", "--ttl", ttl, "--role", role]).refused()
    };
    let unknown = issue("1h", "develper");
    assert!(unknown.starts_with("wharfinger: the policy has no role `develper`; it has "), "{unknown}");
    assert_eq!(
        issue("10000h", "developer"),
        "wharfinger: a token lives a second at least and 2160 h at most; ask for that, or set `max_ttl` in `[token]`"
    );
    assert_eq!(wharfinger.cli(&["token", "list", "--all", "-o", "csv"]).ok().lines().count(), 1);
}
