//! Tests: keys that are fetched: discovery, rotation, an issuer that is down or lies, tokens that are revoked.
#![cfg(test)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::attacks::{NOW, RSA, alice, good, headed, keys_of_a_stranger, keys_with, token, with};
use super::{Issuers, TokenError};
use crate::identity::{Evidence, Identifier, IdentityError, Settings};

/// An issuer's server: what it answers can be changed, and its requests are counted.
struct Server {
    url: String,
    /// The key set and the issuer that it says it is; `None`, and it answers with an error.
    says: Arc<Mutex<Option<(Value, String)>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let says = Arc::new(Mutex::new(Some((keys_with("r"), url.clone()))));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, counted, base) = (Arc::clone(&says), Arc::clone(&asked), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let read = stream.read(&mut request).unwrap();
                let is_discovery = String::from_utf8_lossy(&request[..read]).contains("/.well-known/");
                let said = told.lock().unwrap().clone();
                let (status, body) = match said {
                    None => (500, "no".to_owned()),
                    Some((_, issuer)) if is_discovery => {
                        (200, json!({"issuer": issuer, "jwks_uri": format!("{base}/keys")}).to_string())
                    }
                    Some((keys, _)) => {
                        counted.fetch_add(1, Ordering::SeqCst);
                        (200, keys.to_string())
                    }
                };
                let length = body.len();
                drop(write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"));
            }
        });
        Self { url, says, asked }
    }

    fn says(&self, keys: Value) {
        *self.says.lock().unwrap() = Some((keys, self.url.clone()));
    }

    fn is_down(&self) {
        *self.says.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// An identifier that trusts this issuer, by discovery.
    fn identifier(&self) -> Identifier {
        let issuer = json!({"issuer": self.url, "audience": "host-1", "discovery": true, "allow_http": true});
        let jwt = vec![serde_json::from_value(issuer).unwrap()];
        Identifier::new(Settings { jwt, ..Settings::default() }).unwrap()
    }

    /// A token of this issuer for alice, by the key of that id.
    fn token(&self, kid: &str) -> String {
        headed(&json!({"alg": RSA, "kid": kid}), &with("iss", json!(self.url)))
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

async fn ask(identifier: &Identifier, token: &str, seconds: i64) -> Result<String, IdentityError> {
    let headers = [("X-Wharfinger-Token".to_owned(), token.to_owned())].into();
    let evidence =
        Evidence { user: "", auth_method: "", peer_certificates: &[], headers: &headers, attested: None };
    identifier.ask(evidence, at(seconds)).await.map(|identified| identified.user.unwrap_or_default())
}

const UNKNOWN: Result<String, IdentityError> = Err(IdentityError::Token(TokenError::UnknownKey));
const UNAVAILABLE: Result<String, IdentityError> = Err(IdentityError::Token(TokenError::Unavailable));

/// Fetches once, as at the start.
async fn fetch(identifier: &Identifier, seconds: i64) -> bool {
    identifier.0.issuers.all[0].ring.fetch(at(seconds)).await.is_ok()
}

#[tokio::test]
async fn before_the_keys_are_there_tokens_are_denied_and_afterwards_they_are_taken() {
    let server = Server::start();
    let identifier = server.identifier();
    assert_eq!(ask(&identifier, &server.token("r"), 0).await, UNAVAILABLE);
    assert_eq!(
        UNAVAILABLE.unwrap_err().to_string(),
        "the token is refused: identity unavailable: the keys of its issuer cannot be fetched; try again, \
         or tell your administrator"
    );
    let none = std::collections::BTreeMap::new();
    let nothing =
        Evidence { user: "", auth_method: "", peer_certificates: &[], headers: &none, attested: None };
    assert_eq!(
        identifier.ask(nothing, at(0)).await.map(|identified| identified.user.unwrap_or_default()),
        Ok(String::new())
    );

    assert!(fetch(&identifier, 0).await);
    assert_eq!(ask(&identifier, &server.token("r"), 0).await.as_deref(), Ok("alice"));
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_strangers_cannot_make_us_ask_again_and_again() {
    let server = Server::start();
    let identifier = server.identifier();
    fetch(&identifier, 0).await;
    server.says(keys_with("new"));
    // Many at once: one fetch serves them all.
    let token = server.token("new");
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (identifier, token) = (identifier.clone(), token.clone());
        asking.spawn(async move { ask(&identifier, &token, 0).await });
    }
    assert_eq!(asking.join_all().await, vec![Ok("alice".to_owned()); 20]);
    assert_eq!(server.asked(), 2);
    // The old key is not in the set any more, so it is dead at once, and asking for it is limited.
    for _ in 0..5 {
        assert_eq!(ask(&identifier, &server.token("r"), 29).await, UNKNOWN);
    }
    assert_eq!(server.asked(), 2);
    assert_eq!(ask(&identifier, &server.token("r"), 30).await, UNKNOWN);
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_token_that_was_good_is_refused_once_its_key_is_gone() {
    let server = Server::start();
    let identifier = server.identifier();
    fetch(&identifier, 0).await;
    let token = server.token("r");
    assert_eq!(ask(&identifier, &token, 0).await.as_deref(), Ok("alice"));
    server.says(json!({ "keys": [] }));
    assert!(fetch(&identifier, 1).await);
    assert_eq!(ask(&identifier, &token, 1).await, UNKNOWN);
}

#[tokio::test]
async fn the_last_good_keys_serve_for_a_day_and_no_longer() {
    let server = Server::start();
    let identifier = server.identifier();
    fetch(&identifier, 0).await;
    server.is_down();
    assert!(!fetch(&identifier, 100).await);
    let day = 24 * 3600;
    let late = |exp: i64| {
        let mut claims = with("iss", json!(server.url));
        claims["exp"] = json!(NOW + exp);
        token(&claims)
    };
    assert_eq!(ask(&identifier, &late(day), day).await.as_deref(), Ok("alice"));
    // The same token, which is remembered as a good one.
    assert_eq!(ask(&identifier, &late(day), day + 1).await, UNAVAILABLE);
    assert_eq!(ask(&identifier, &late(day + 600), day + 1).await, UNAVAILABLE);
    server.says(keys_with("r"));
    assert!(fetch(&identifier, day + 1).await);
    assert_eq!(ask(&identifier, &late(day + 600), day + 1).await.as_deref(), Ok("alice"));
}

#[tokio::test]
async fn an_issuer_that_describes_another_one_or_serves_nonsense_changes_nothing() {
    let server = Server::start();
    let identifier = server.identifier();
    fetch(&identifier, 0).await;
    let stranger = keys_of_a_stranger();
    *server.says.lock().unwrap() = Some((stranger, "https://evil".to_owned()));
    assert!(!fetch(&identifier, 1).await);
    for nonsense in
        [json!("x"), json!({"keys": [{"kty": "RSA", "d": "x"}]}), json!({"a": "x".repeat(300_000)})]
    {
        server.says(nonsense);
        assert!(!fetch(&identifier, 1).await);
    }
    assert_eq!(ask(&identifier, &server.token("r"), 1).await.as_deref(), Ok("alice"));
}

#[tokio::test]
async fn keys_are_fetched_in_the_background_from_the_start() {
    let server = Server::start();
    let identifier = server.identifier();
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let keeper = identifier.clone();
    let keeping = tokio::spawn(async move { keeper.keep(|| at(0), stopping).await });
    while ask(&identifier, &server.token("r"), 0).await == UNAVAILABLE {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&identifier, &server.token("r"), 0).await.as_deref(), Ok("alice"));
    stop.send(true).unwrap();
    keeping.await.unwrap();
}

#[test]
fn a_token_whose_id_is_denied_is_refused_from_the_next_reload_on() {
    let directory = tempfile::tempdir().unwrap();
    let (keys, denied) = (directory.path().join("keys"), directory.path().join("denied"));
    std::fs::write(&keys, keys_with("r").to_string()).unwrap();
    std::fs::write(&denied, "").unwrap();
    let settings = json!({
        "issuer": "https://i", "audience": "host-1", "jwks_file": keys, "denied_ids_file": denied,
    });
    let issuers = Issuers::load(&[serde_json::from_value(settings).unwrap()], None).unwrap();
    let seven = token(&with("jti", json!("7f3")));
    assert_eq!(issuers.read(&seven, at(0)).unwrap().user, "alice");

    std::fs::write(&denied, "# stolen\n\n 7f3 \n").unwrap();
    issuers.reload().unwrap();
    assert_eq!(issuers.read(&seven, at(0)), Err(TokenError::Revoked));
    assert_eq!(issuers.read(&token(&with("jti", json!("7f4"))), at(0)).unwrap().user, "alice");
    assert_eq!(issuers.read(&token(&good()), at(0)), Ok(alice()));

    // A list that cannot be read leaves the one before in force.
    std::fs::remove_file(&denied).unwrap();
    let error = issuers.reload().unwrap_err().to_string();
    let shown = denied.display();
    assert_eq!(
        error,
        format!(
            "`identity.jwt.denied_ids_file`: `{shown}` cannot be read: No such file or directory (os error 2)"
        )
    );
    assert_eq!(issuers.read(&seven, at(0)), Err(TokenError::Revoked));
}

#[test]
fn keys_come_from_exactly_one_place_that_can_be_asked_safely() {
    let error = |more: Value| {
        let mut settings = json!({"issuer": "https://i", "audience": "host-1"});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Issuers::load(&[serde_json::from_value(settings).unwrap()], None).unwrap_err().to_string()
    };
    let one = "`identity.jwt`: needs exactly one of `jwks_file`, `jwks_url` and `discovery = true`: \
               where the issuer's keys are";
    assert_eq!(error(json!({})), one);
    assert_eq!(error(json!({"jwks_file": "/x", "discovery": true})), one);
    assert_eq!(error(json!({"jwks_url": "https://i", "jwks_file": "/x"})), one);
    assert_eq!(
        error(json!({"jwks_url": "http://id.example.org/keys", "allow_http": true})),
        "`identity.jwt.jwks_url`: `http://id.example.org/keys` is without TLS: use `https://`"
    );
    assert_eq!(
        error(json!({"issuer": "my issuer", "discovery": true})),
        "`identity.jwt.issuer`: `my issuer/.well-known/openid-configuration` is not an address: \
         write `https://host/path`"
    );
}
