//! People who are known by a token in the docker command line's own configuration.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::json;

use super::denial;
use crate::support::process::Said;
use crate::support::wharfinger::Wharf;

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
        let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        let config = tempfile::tempdir().unwrap();
        let text = json!({"HttpHeaders": {"X-Wharfinger-Token": token}}).to_string();
        std::fs::write(config.path().join("config.json"), text).unwrap();
        let mut command = wharf.dockerd.docker_without_identity().command("docker");
        command.env("DOCKER_CONFIG", config.path()).args(arguments).output().unwrap().into()
    }
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
