//! Tests: what tokens are taken, and every known way to have one taken that should not be.
#![cfg(test)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::{Issuers, Named, TokenError};
use crate::identity::{Evidence, How, Identified, Identifier, IdentityError, JwtSettings, Settings};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const RSA: &str = "RS256";

/// The key set with the issuer's RSA key under that id.
pub(super) fn keys_with(kid: &str) -> Value {
    json!({ "keys": [jwk(&KEYS.rsa, Algorithm::RS256, kid)] })
}

/// The key set with somebody else's key.
pub(super) fn keys_of_a_stranger() -> Value {
    json!({ "keys": [jwk(&KEYS.stranger, Algorithm::RS256, "s")] })
}

/// The issuer's keys: RSA `r`, P-256 `e`, Ed25519 `d`; and a stranger's RSA key.
struct Keys {
    rsa: EncodingKey,
    rsa_public_pem: String,
    ec: EncodingKey,
    ed: EncodingKey,
    ed_public: Vec<u8>,
    stranger: EncodingKey,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let stranger = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let pem = |key: &KeyPair| key.serialize_pem().into_bytes();
    let ec = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    Keys {
        rsa: EncodingKey::from_rsa_pem(&pem(&rsa)).unwrap(),
        rsa_public_pem: rsa.public_key_pem(),
        ec: EncodingKey::from_ec_pem(&pem(&ec)).unwrap(),
        ed: EncodingKey::from_ed_pem(&pem(&ed)).unwrap(),
        ed_public: ed.public_key_raw().to_vec(),
        stranger: EncodingKey::from_rsa_pem(&pem(&stranger)).unwrap(),
    }
});

pub(super) fn jwk(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

fn all_keys() -> Value {
    let ed =
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "d", "x": encode(&KEYS.ed_public)});
    json!({"keys": [jwk(&KEYS.rsa, Algorithm::RS256, "r"), jwk(&KEYS.ec, Algorithm::ES256, "e"), ed]})
}

/// Settings of the one issuer, with `more` laid over.
fn settings(file: &std::path::Path, more: &Value) -> JwtSettings {
    let mut settings = json!({"issuer": "https://i", "audience": "host-1", "jwks_file": file});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(settings).unwrap()
}

fn load(keys: &Value, more: &Value) -> Result<Issuers, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), keys.to_string()).unwrap();
    let shown = file.path().display().to_string();
    Issuers::load(&[settings(file.path(), more)], None)
        .map_err(|error| error.to_string().replace(&shown, "FILE"))
}

fn read_with(more: &Value, token: &str) -> Result<Named, TokenError> {
    load(&all_keys(), more).unwrap().read(token, jiff::Timestamp::from_second(NOW).unwrap())
}

fn read(token: &str) -> Result<Named, TokenError> {
    read_with(&json!({}), token)
}

pub(super) fn good() -> Value {
    json!({"iss": "https://i", "aud": "host-1", "sub": "alice", "exp": NOW + 600})
}

/// The good claims with one other, or without it where that is `None`.
pub(super) fn with(name: &str, value: impl Into<Option<Value>>) -> Value {
    let mut claims = good();
    match value.into() {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    claims
}

pub(super) fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with any header and payload, well signed.
fn signed(header: &str, payload: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A token of the issuer's RSA key.
pub(super) fn token(claims: &Value) -> String {
    headed(&json!({"alg": RSA, "kid": "r"}), claims)
}

pub(super) fn headed(header: &Value, claims: &Value) -> String {
    signed(&header.to_string(), &claims.to_string(), &KEYS.rsa, Algorithm::RS256)
}

pub(super) fn alice() -> Named {
    Named { user: "alice".to_owned(), groups: vec![], roles: None, issuer: "https://i".to_owned(), id: None }
}

#[test]
fn a_good_token_names_its_user() {
    assert_eq!(read(&token(&good())), Ok(alice()));
    for (algorithm, kid, key, kind) in
        [("ES256", "e", &KEYS.ec, Algorithm::ES256), ("EdDSA", "d", &KEYS.ed, Algorithm::EdDSA)]
    {
        let header = json!({"alg": algorithm, "kid": kid}).to_string();
        let token = signed(&header, &good().to_string(), key, kind);
        assert_eq!(read_with(&json!({"algorithms": [algorithm]}), &token), Ok(alice()), "{algorithm}");
    }
}

#[test]
fn variants_that_mean_the_same_are_taken() {
    for claims in [
        with("aud", json!(["other", "host-1"])),
        with("exp", json!(NOW - 20)),
        with("exp", json!(1_800_000_600.5)),
        with("nbf", json!(NOW + 20)),
        with("iat", json!(NOW + 20)),
        with("unknown", json!({"a": [1, 2]})),
    ] {
        assert_eq!(read(&token(&claims)), Ok(alice()), "{claims}");
    }
    for header in [
        json!({"alg": RSA}),
        json!({"alg": RSA, "kid": "r", "typ": "JWT"}),
        json!({"alg": RSA, "kid": "r", "typ": "at+jwt"}),
        json!({"alg": RSA, "kid": "r", "x5t": "thumb"}),
    ] {
        assert_eq!(read(&headed(&header, &good())), Ok(alice()), "{header}");
    }
}

#[test]
fn what_is_no_compact_jws_is_refused() {
    let good = token(&good());
    let parts: Vec<&str> = good.split('.').collect();
    let nested = encode("[".repeat(9000));
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c.d.e".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{good}\n"),
        format!(" {good}"),
        format!("Bearer {good}"),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{nested}.{}.{}", parts[1], parts[2]),
        format!("{}.{nested}.{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], encode("\"alice\""), parts[2]),
        format!("{}.{}.{}", parts[0], STANDARD.encode([0xfb, 0xff]), parts[2]),
    ] {
        assert_eq!(read(&bad), Err(TokenError::NotJws), "{bad}");
    }
    assert_eq!(read(&format!("{good}{}", "A".repeat(16 << 10))), Err(TokenError::TooLong));
}

#[test]
fn names_that_are_there_twice_are_refused() {
    let header = json!({"alg": RSA, "kid": "r"}).to_string();
    let claims = |more: &str| {
        format!(r#"{{"iss":"https://i","aud":"host-1","exp":{},"sub":"alice",{more}}}"#, NOW + 600)
    };
    for more in [r#""sub":"root""#, r#""exp":9999999999"#, r#""s\u0075b":"root""#] {
        let token = signed(&header, &claims(more), &KEYS.rsa, Algorithm::RS256);
        assert_eq!(read(&token), Err(TokenError::NotJws), "{more}");
    }
    let header = r#"{"alg":"RS256","kid":"r","alg":"none"}"#;
    assert_eq!(
        read(&signed(header, &good().to_string(), &KEYS.rsa, Algorithm::RS256)),
        Err(TokenError::NotJws)
    );
}

#[test]
fn algorithms_outside_the_list_are_refused_however_they_are_signed() {
    let claims = good();
    let modulus = match Jwk::from_encoding_key(&KEYS.rsa, Algorithm::RS256).unwrap().algorithm {
        AlgorithmParameters::RSA(parameters) => URL_SAFE_NO_PAD.decode(parameters.n).unwrap(),
        other => panic!("{other:?}"),
    };
    let shared = |secret: &[u8]| {
        let header = json!({"alg": "HS256", "kid": "r"}).to_string();
        signed(&header, &claims.to_string(), &EncodingKey::from_secret(secret), Algorithm::HS256)
    };
    let named = |name: &str| headed(&json!({"alg": name, "kid": "r"}), &claims);
    for bad in [
        named("none"),
        named("None"),
        named("nOnE"),
        named(""),
        named("rs256"),
        named("RS384"),
        named("PS256"),
        named("ES512"),
        named("Ed25519"),
        shared(KEYS.rsa_public_pem.as_bytes()),
        shared(&modulus),
        signed(r#"{"alg":"RS384","kid":"r"}"#, &claims.to_string(), &KEYS.rsa, Algorithm::RS384),
        signed(r#"{"alg":"PS256","kid":"r"}"#, &claims.to_string(), &KEYS.rsa, Algorithm::PS256),
        signed(r#"{"alg":"ES256","kid":"e"}"#, &claims.to_string(), &KEYS.ec, Algorithm::ES256),
    ] {
        assert_eq!(read(&bad), Err(TokenError::Algorithm), "{bad}");
    }
    for header in [json!({"kid": "r"}), json!({"alg": null}), json!({"alg": 5}), json!({"alg": ["RS256"]})] {
        assert_eq!(read(&headed(&header, &claims)), Err(TokenError::Header), "{header}");
    }
}

#[test]
fn keys_and_extensions_of_the_tokens_own_are_refused() {
    for (name, value) in [
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("jku", json!("https://evil/keys")),
        ("jwk", jwk(&KEYS.stranger, Algorithm::RS256, "r")),
        ("x5u", json!("https://evil/chain")),
        ("x5c", json!(["MIIB"])),
        ("typ", json!("secevent+jwt")),
        ("typ", json!(5)),
        ("kid", json!(5)),
        ("kid", json!(null)),
    ] {
        let mut header = json!({"alg": RSA, "kid": "r"});
        header[name] = value;
        assert_eq!(read(&headed(&header, &good())), Err(TokenError::Header), "{header}");
    }
}

#[test]
fn a_key_id_is_a_name_in_the_key_set_and_nothing_else() {
    for kid in ["", "R", "e", "../../dev/null", "r\u{0}", "' OR 1=1", "https://evil/"] {
        let header = json!({"alg": RSA, "kid": kid});
        assert_eq!(read(&headed(&header, &good())), Err(TokenError::UnknownKey), "{kid:?}");
    }
    let two =
        json!({"keys": [jwk(&KEYS.rsa, Algorithm::RS256, "r"), jwk(&KEYS.stranger, Algorithm::RS256, "s")]});
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let issuers = load(&two, &json!({})).unwrap();
    assert_eq!(issuers.read(&headed(&json!({"alg": RSA}), &good()), now), Err(TokenError::UnknownKey));
    assert_eq!(issuers.read(&token(&good()), now), Ok(alice()));
}

#[test]
fn signatures_that_do_not_hold_are_refused() {
    let good_token = token(&good());
    let parts: Vec<&str> = good_token.split('.').collect();
    let root = with("sub", json!("root"));
    let mut loose = good_token.clone();
    let last = loose.pop().unwrap();
    // The last character of a signature of 256 bytes carries four unused bits.
    loose.push(if last == 'A' { 'B' } else { char::from(last as u8 ^ 1) });
    for bad in [
        format!("{}.{}.{}", parts[0], encode(root.to_string()), parts[2]),
        format!("{}.{}.AAAA", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], encode([0; 256])),
        loose,
        signed(
            &json!({"alg": RSA, "kid": "r"}).to_string(),
            &good().to_string(),
            &KEYS.stranger,
            Algorithm::RS256,
        ),
    ] {
        assert_eq!(read(&bad), Err(TokenError::Signature), "{bad}");
    }
    // The ECDSA signature of zeros, which some verifiers took for any message.
    let header = json!({"alg": "ES256", "kid": "e"}).to_string();
    let zeros = format!("{}.{}.{}", encode(header), encode(good().to_string()), encode([0; 64]));
    assert_eq!(read_with(&json!({"algorithms": ["ES256"]}), &zeros), Err(TokenError::Signature));
}

#[test]
fn claims_that_are_missing_or_of_another_kind_are_refused() {
    for (name, bad) in [
        (
            "exp",
            vec![
                json!(null),
                json!((NOW + 600).to_string()),
                json!(-1),
                json!(1e300),
                json!([NOW + 600]),
                json!(true),
            ],
        ),
        ("nbf", vec![json!("x"), json!(-5), json!(null)]),
        ("iat", vec![json!("x"), json!({})]),
        ("iss", vec![json!(5), json!(["https://evil", "https://i"]), json!(null)]),
        ("aud", vec![json!({}), json!(5), json!(["host-1", 5]), json!(null)]),
        ("sub", vec![json!(7), json!(""), json!(null), json!(["alice"])]),
        ("jti", vec![json!(7), json!(""), json!("a\nb")]),
    ] {
        for value in bad {
            let claims = with(name, value);
            assert_eq!(read(&token(&claims)), Err(TokenError::Claim(name)), "{claims}");
        }
    }
    for name in ["exp", "iss", "aud", "sub"] {
        assert_eq!(read(&token(&with(name, None))), Err(TokenError::Claim(name)), "{name}");
    }
}

#[test]
fn tokens_for_others_and_of_others_are_refused() {
    for audience in [json!("host-2"), json!("host-1/"), json!([]), json!(["host-2"]), json!("")] {
        assert_eq!(read(&token(&with("aud", audience.clone()))), Err(TokenError::Audience), "{audience}");
    }
    for issuer in ["https://evil", "https://i/", "https://I", "", "https://i\u{0}"] {
        assert_eq!(read(&token(&with("iss", json!(issuer)))), Err(TokenError::UnknownIssuer), "{issuer}");
    }
}

#[test]
fn tokens_outside_their_time_are_refused() {
    for (name, at, error) in [
        ("exp", NOW - 30, TokenError::Expired),
        ("exp", 0, TokenError::Expired),
        ("nbf", NOW + 31, TokenError::NotYet),
        ("iat", NOW + 31, TokenError::NotYet),
        ("exp", NOW + 24 * 3600 + 1, TokenError::Lifetime),
        ("exp", 253_402_300_799, TokenError::Lifetime),
        ("iat", NOW - 24 * 3600, TokenError::Lifetime),
    ] {
        assert_eq!(read(&token(&with(name, json!(at)))), Err(error), "{name} {at}");
    }
    let hour = json!({"max_lifetime": "10m"});
    assert_eq!(read_with(&hour, &token(&good())), Ok(alice()));
    assert_eq!(read_with(&hour, &token(&with("exp", json!(NOW + 601)))), Err(TokenError::Lifetime));
}

#[test]
fn the_user_comes_from_the_configured_claim_with_its_prefix() {
    let more = json!({"username_claim": "preferred_username", "username_prefix": "oidc:"});
    let claims = with("preferred_username", json!("Alice B."));
    assert_eq!(read_with(&more, &token(&claims)).unwrap().user, "oidc:Alice B.");
    assert_eq!(read_with(&more, &token(&good())), Err(TokenError::Username));
    for bad in [
        json!(""),
        json!(7),
        json!(["alice"]),
        json!(" alice"),
        json!("ali\u{200b}ce"),
        json!("x".repeat(252)),
    ] {
        let claims = with("preferred_username", bad);
        assert_eq!(read_with(&more, &token(&claims)), Err(TokenError::Username), "{claims}");
    }
}

#[test]
fn an_address_that_is_not_verified_names_nobody() {
    let more = json!({"username_claim": "email"});
    let mut claims = with("email", json!("a@b"));
    assert_eq!(read_with(&more, &token(&claims)).unwrap().user, "a@b");
    claims["email_verified"] = json!(true);
    assert_eq!(read_with(&more, &token(&claims)).unwrap().user, "a@b");
    for bad in [json!(false), json!("true"), json!(null)] {
        claims["email_verified"] = bad;
        assert_eq!(read_with(&more, &token(&claims)), Err(TokenError::Username), "{claims}");
    }
}

#[test]
fn groups_come_whole_or_the_token_is_refused() {
    let more = json!({"groups_claim": "groups", "groups_prefix": "oidc:"});
    for (groups, expected) in [
        (json!(["b", "a", "b"]), vec!["oidc:a", "oidc:b"]),
        (json!("one"), vec!["oidc:one"]),
        (json!([]), vec![]),
    ] {
        assert_eq!(read_with(&more, &token(&with("groups", groups))).unwrap().groups, expected);
    }
    for bad in [json!({}), json!(["a", 5]), json!(["a", ""]), json!(["a", "b\n"]), json!(null)] {
        assert_eq!(read_with(&more, &token(&with("groups", bad.clone()))), Err(TokenError::Groups), "{bad}");
    }
    assert_eq!(read_with(&more, &token(&good())), Err(TokenError::Groups));
    assert_eq!(read(&token(&with("groups", json!(["a"])))).unwrap().groups, Vec::<String>::new());
}

#[test]
fn the_tokens_id_is_kept_for_the_record() {
    assert_eq!(read(&token(&with("jti", json!("7f3")))).unwrap().id.as_deref(), Some("7f3"));
}

#[test]
fn keys_that_could_sign_or_mean_something_else_are_not_taken() {
    let rsa = || jwk(&KEYS.rsa, Algorithm::RS256, "r");
    let but = |name: &str, value: Value| {
        let mut key = rsa();
        key[name] = value;
        json!({ "keys": [key] })
    };
    let none = "identity.jwt.jwks_file`: `FILE` holds no key for the configured `algorithms`";
    let secret = json!({"kty": "oct", "kid": "r", "alg": "HS256", "k": encode("secret")});
    for (keys, message) in [
        (json!({"keys": [secret]}), none),
        (json!({ "keys": [] }), none),
        (but("use", json!("enc")), none),
        (but("key_ops", json!(["encrypt"])), none),
        (but("alg", json!("RS384")), none),
        (but("alg", json!("RSA-OAEP")), none),
        (but("kty", json!("AKP")), none),
        (
            but("d", json!("x")),
            "identity.jwt.jwks_file`: `FILE` holds a private key: take it out of the file, and out of use",
        ),
        (
            but("n", json!(encode([1; 128]))),
            "identity.jwt.jwks_file`: `FILE` holds an RSA key of less than 2048 bits",
        ),
        (
            json!({"keys": [rsa(), rsa()]}),
            "identity.jwt.jwks_file`: `FILE` holds two keys with the same `kid`",
        ),
        (json!({ "keys": vec![rsa(); 65] }), "identity.jwt.jwks_file`: `FILE` holds more than 64 keys"),
        (json!([]), "identity.jwt.jwks_file`: `FILE` is not a key set: there is no list `keys`"),
        (json!({"keys": "x".repeat(300_000)}), "identity.jwt.jwks_file`: `FILE` is larger than 256 KiB"),
    ] {
        assert_eq!(load(&keys, &json!({})).unwrap_err(), format!("`{message}"));
    }
}

#[test]
fn unknown_kinds_of_key_do_not_spoil_the_set() {
    let keys = json!({"keys": [
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "q", "pub": "x"},
        {"kty": "EC", "crv": "P-521", "alg": "ES512", "kid": "p", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "alg": "ES256K", "kid": "k", "x": "AA", "y": "AA"},
        "nonsense",
        jwk(&KEYS.rsa, Algorithm::RS256, "r"),
    ]});
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    assert_eq!(load(&keys, &json!({})).unwrap().read(&token(&good()), now), Ok(alice()));
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let known = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    for (more, message) in [
        (
            json!({"algorithms": []}),
            "`identity.jwt.algorithms`: is empty: name at least one, such as `RS256`".to_owned(),
        ),
        (
            json!({"algorithms": ["HS256"]}),
            format!("`identity.jwt.algorithms`: `HS256` is not one of {known}"),
        ),
        (json!({"algorithms": ["none"]}), format!("`identity.jwt.algorithms`: `none` is not one of {known}")),
        (
            json!({"algorithms": ["RS256", "PS256"]}),
            "`identity.jwt.algorithms`: are of more than one family: keep to `RS…`, `PS…`, `ES…` or `EdDSA`"
                .to_owned(),
        ),
        (json!({"audience": ""}), "`identity.jwt.audience`: it is empty".to_owned()),
        (json!({"issuer": " x"}), "`identity.jwt.issuer`: it begins or ends with a blank".to_owned()),
        (
            json!({"username_prefix": " x"}),
            "`identity.jwt.username_prefix`: it begins or ends with a blank".to_owned(),
        ),
        (
            json!({"max_lifetime": "0s"}),
            "`identity.jwt.max_lifetime`: is less than a second: no token lives so short".to_owned(),
        ),
    ] {
        assert_eq!(load(&all_keys(), &more).unwrap_err(), message);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), all_keys().to_string()).unwrap();
    let twice = [settings(file.path(), &json!({})), settings(file.path(), &json!({"audience": "other"}))];
    assert_eq!(
        Issuers::load(&twice, None).unwrap_err().to_string(),
        "`identity.jwt.issuer`: `https://i` is there twice: keep one"
    );
    let gone = settings(std::path::Path::new("/nonexistent"), &json!({}));
    assert_eq!(
        Issuers::load(&[gone], None).unwrap_err().to_string(),
        "`identity.jwt.jwks_file`: `/nonexistent` cannot be read: No such file or directory (os error 2)"
    );
}

/// An identifier that trusts the issuer, and the answer for evidence with this token.
fn identify(certificate: Option<&str>, token: &str) -> Result<Identified, IdentityError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), all_keys().to_string()).unwrap();
    let jwt = vec![settings(file.path(), &json!({"groups_claim": "groups"}))];
    let identifier = Identifier::new(Settings { jwt, ..Settings::default() }).unwrap();
    let headers = [("X-Wharfinger-Token".to_owned(), token.to_owned())].into();
    let certificates: Vec<String> = certificate.into_iter().map(str::to_owned).collect();
    let (user, auth_method) = if certificate.is_some() { ("alice", "TLS") } else { ("", "") };
    let evidence =
        Evidence { user, auth_method, peer_certificates: &certificates, headers: &headers, attested: None };
    identifier.identify(evidence, jiff::Timestamp::from_second(NOW).unwrap())
}

#[test]
fn a_token_alone_identifies_and_a_bad_one_is_not_anonymous() {
    let claims = with("groups", json!(["dev"]));
    assert_eq!(
        identify(None, &token(&claims)),
        Ok(Identified {
            user: Some("alice".to_owned()),
            groups: vec!["dev".to_owned()],
            roles: None,
            how: How::Jwt { issuer: "https://i".to_owned(), id: None }
        })
    );
    assert_eq!(identify(None, ""), Err(IdentityError::Token(TokenError::NotJws)));
}

#[test]
fn a_certificate_and_a_token_must_name_the_same_user() {
    let certificate = include_str!("../testdata/alice.pem.base64").trim();
    let identified = identify(Some(certificate), &token(&with("groups", json!(["dev"])))).unwrap();
    assert_eq!(
        (identified.user.as_deref(), identified.groups.as_slice()),
        (Some("alice"), &["dev".to_owned()][..])
    );
    assert!(matches!(identified.how, How::TlsCertificateAndJwt { .. }));
    let mut bob = with("groups", json!([]));
    bob["sub"] = json!("bob");
    let error = identify(Some(certificate), &token(&bob)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the client certificate names `alice` and the token names `bob`; use one of them"
    );
    assert_eq!(identify(Some(certificate), "bad"), Err(IdentityError::Token(TokenError::NotJws)));
}

#[test]
fn new_keys_are_taken_at_a_reload_and_bad_ones_are_not() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |keys: Value| std::fs::write(file.path(), keys.to_string()).unwrap();
    let stranger = || json!({"keys": [jwk(&KEYS.stranger, Algorithm::RS256, "s")]});
    write(stranger());
    let jwt = vec![settings(file.path(), &json!({}))];
    let identifier = Identifier::new(Settings { jwt, ..Settings::default() }).unwrap();
    let headers = [("X-Wharfinger-Token".to_owned(), token(&good()))].into();
    let user = || {
        let evidence =
            Evidence { user: "", auth_method: "", peer_certificates: &[], headers: &headers, attested: None };
        let identified = identifier.identify(evidence, jiff::Timestamp::from_second(NOW).unwrap());
        identified.map(|identified| identified.user)
    };
    assert_eq!(user(), Err(IdentityError::Token(TokenError::UnknownKey)));
    write(all_keys());
    assert_eq!(identifier.reload(), Ok(()));
    assert_eq!(user(), Ok(Some("alice".to_owned())));
    write(json!({ "keys": [] }));
    assert!(identifier.reload().is_err());
    assert_eq!(user(), Ok(Some("alice".to_owned())));
    write(stranger());
    assert_eq!(identifier.reload(), Ok(()));
    assert_eq!(user(), Err(IdentityError::Token(TokenError::UnknownKey)));
}
