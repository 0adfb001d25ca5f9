//! Evidence to subject: one file a kind of evidence, and no falling through after a bad one.

mod attested;
mod ca;
mod error;
mod jwt;
mod name;
mod settings;
mod tls;

pub use attested::{Attested, GATEWAY_HEADER};
pub use error::{IdentityError, SettingsError};
pub use jwt::{Issued, LOCAL_ALGORITHM, Local, TokenError};
pub use name::{MAX_BYTES, NameError, check as check_name};
pub use settings::{CertificateField, GatewayEvidence, JwtSettings, Settings, TlsSettings};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tracing::{info, warn};

/// The header that carries a token; dockerd hides `Authorization` from plugins.
pub const TOKEN_HEADER: &str = "X-Wharfinger-Token";

/// The header by which somebody asks who they are here; it is no evidence of anything.
pub const WHOAMI_HEADER: &str = "X-Wharfinger-Whoami";

/// Headers that begin so (in any case, `_` for `-`) are ours: one that is not known is bad evidence.
const OUR_HEADERS: &str = "x-wharfinger-";

/// How often it is looked whether a list of revoked certificates has changed.
const LOOK: Duration = Duration::from_secs(30);

/// What one question says about who asks.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// dockerd's `User`: the common name that it read from the client certificate, or empty.
    pub user: &'a str,
    /// dockerd's `UserAuthNMethod`: `TLS` where the client gave a certificate, or empty.
    pub auth_method: &'a str,
    /// dockerd's `RequestPeerCertificates`: base64 of PEM text, the client's own first.
    pub peer_certificates: &'a [String],
    /// The call's headers, one value a name.
    pub headers: &'a BTreeMap<String, String>,
    /// Whom the gateway vouches for, once its ticket was found good.
    pub attested: Option<&'a Attested>,
}

/// Who asks, as far as the evidence goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// The user; `None` is `anonymous`.
    pub user: Option<String>,
    /// Groups that the evidence itself carries, sorted; the directory's come on top.
    pub groups: Vec<String>,
    /// The only roles that the evidence allows, where this host's own token says so.
    pub roles: Option<Vec<String>>,
    /// What the answer rests on, for the record.
    pub how: How,
}

/// What an identity rests on; its text form is for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// No evidence at all.
    Anonymous,
    /// A client certificate that dockerd verified.
    TlsCertificate {
        /// SHA-256 of the certificate's DER, in hexadecimal.
        fingerprint: String,
    },
    /// A token.
    Jwt {
        /// The token's `iss`.
        issuer: String,
        /// The token's `jti`, where it has one.
        id: Option<String>,
    },
    /// The gateway, which asked the kernel.
    Gateway(Attested),
    /// The gateway, and a token that names the same user.
    GatewayAndJwt {
        /// As for [`How::Gateway`].
        attested: Attested,
        /// As for [`How::Jwt`].
        issuer: String,
        /// As for [`How::Jwt`].
        id: Option<String>,
    },
    /// A certificate and a token that name the same user.
    TlsCertificateAndJwt {
        /// As for [`How::TlsCertificate`].
        fingerprint: String,
        /// As for [`How::Jwt`].
        issuer: String,
        /// As for [`How::Jwt`].
        id: Option<String>,
    },
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = |f: &mut fmt::Formatter<'_>, issuer: &str, id: &Option<String>| match id {
            Some(id) => write!(f, "jwt {issuer} {id}"),
            None => write!(f, "jwt {issuer}"),
        };
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::TlsCertificate { fingerprint } => write!(f, "tls sha256:{fingerprint}"),
            Self::Jwt { issuer, id } => token(f, issuer, id),
            Self::Gateway(attested) => attested.fmt(f),
            Self::GatewayAndJwt { attested, issuer, id } => {
                write!(f, "{attested} + ")?;
                token(f, issuer, id)
            }
            Self::TlsCertificateAndJwt { fingerprint, issuer, id } => {
                write!(f, "tls sha256:{fingerprint} + ")?;
                token(f, issuer, id)
            }
        }
    }
}

/// Reads evidence by fixed settings and by keys that can be read again; clones are the same one.
#[derive(Clone, Debug)]
pub struct Identifier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    issuers: jwt::Issuers,
    /// Replaced whole when its files were read again.
    issuing: ArcSwap<ca::Issuing>,
}

impl Identifier {
    /// Checks the settings and reads the files that they name.
    ///
    /// # Errors
    /// The first setting that cannot work, named as the administrator wrote it.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Self::made(settings, None)
    }

    /// The same, for a host with tokens of its own.
    ///
    /// # Errors
    /// As [`Identifier::new`].
    pub fn with_local(settings: Settings, local: Local) -> Result<Self, SettingsError> {
        Self::made(settings, Some(local))
    }

    fn made(settings: Settings, local: Option<Local>) -> Result<Self, SettingsError> {
        tls::check(&settings.tls)?;
        check_prefix("identity.gateway.user_prefix", &settings.gateway.user_prefix)?;
        let issuers = jwt::Issuers::load(&settings.jwt, local)?;
        let issuing = ArcSwap::from_pointee(ca::Issuing::load(&settings.tls)?);
        Ok(Self(Arc::new(Inner { settings, issuers, issuing })))
    }

    /// Reads the files again; where one is bad, everything stays as it was.
    ///
    /// # Errors
    /// What is wrong with the new content.
    pub fn reload(&self) -> Result<(), SettingsError> {
        let issuing = ca::Issuing::load(&self.0.settings.tls)?;
        self.0.issuers.reload()?;
        self.0.issuing.store(Arc::new(issuing));
        Ok(())
    }

    /// Fetches the keys of issuers, and again as they grow old, and reads lists of revoked certificates that
    /// have changed, until `stop` is set.
    pub async fn keep(&self, now: fn() -> jiff::Timestamp, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            ((), ()) = async { tokio::join!(self.0.issuers.keep(now), self.watch_lists()) } => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Fetches the keys of all issuers once; what came of it, for each issuer whose keys are fetched.
    pub async fn fetch(&self, now: jiff::Timestamp) -> Vec<(String, Result<(), String>)> {
        self.0.issuers.fetch(now).await
    }

    /// Lists are replaced by a timer, far from anybody who would ask for a reload.
    async fn watch_lists(&self) {
        let mut seen = ca::stamp(&self.0.settings.tls);
        while !self.0.settings.tls.crl_files.is_empty() {
            tokio::time::sleep(LOOK).await;
            let found = ca::stamp(&self.0.settings.tls);
            if found != seen {
                seen = found;
                match ca::Issuing::load(&self.0.settings.tls) {
                    Ok(issuing) => {
                        self.0.issuing.store(Arc::new(issuing));
                        info!("lists of revoked certificates read again");
                    }
                    Err(error) => warn!(%error, "lists of revoked certificates not read; those before stay"),
                }
            }
        }
    }

    /// Who asks, after the keys of a token's issuer were fetched anew where the token's is not among them.
    ///
    /// # Errors
    /// As [`Identifier::identify`].
    pub async fn ask(
        &self,
        evidence: Evidence<'_>,
        now: jiff::Timestamp,
    ) -> Result<Identified, IdentityError> {
        let first = self.identify(evidence, now);
        if first == Err(IdentityError::Token(TokenError::UnknownKey))
            && let Some(token) = token(evidence.headers, evidence.attested.is_some())?
            && self.0.issuers.refetch(token, now).await
        {
            return self.identify(evidence, now);
        }
        first
    }

    /// Who asks.
    ///
    /// No evidence is `anonymous`. Evidence that is there and bad is an error, which means denial: falling
    /// through to the next kind, or to `anonymous`, would let a client choose how it is seen.
    ///
    /// # Errors
    /// [`IdentityError`], with a message for the user.
    pub fn identify(
        &self,
        evidence: Evidence<'_>,
        now: jiff::Timestamp,
    ) -> Result<Identified, IdentityError> {
        let token = token(evidence.headers, evidence.attested.is_some())?;
        let certificate = tls::read(&self.0.settings.tls, &self.0.issuing.load(), evidence, now)?;
        let token = match token {
            None => None,
            Some(_) if self.0.issuers.is_empty() => return Err(IdentityError::NoIssuer),
            Some(token) => Some(self.0.issuers.read(token, now)?),
        };
        if let Some(attested) = evidence.attested {
            let named = attested.prefixed(&self.0.settings.gateway.user_prefix)?;
            return attested::with(&named, certificate, token);
        }
        match (certificate, token) {
            (None, None) => {
                Ok(Identified { user: None, groups: Vec::new(), roles: None, how: How::Anonymous })
            }
            (Some(tls::Named { user, groups, fingerprint }), None) => Ok(Identified {
                user: Some(user),
                groups,
                roles: None,
                how: How::TlsCertificate { fingerprint },
            }),
            (None, Some(jwt::Named { user, groups, roles, issuer, id })) => {
                Ok(Identified { user: Some(user), groups, roles, how: How::Jwt { issuer, id } })
            }
            (Some(certificate), Some(token)) => both(certificate, token),
        }
    }
}

/// Refuses a prefix that could never be part of a good name.
fn check_prefix(setting: &str, prefix: &str) -> Result<(), SettingsError> {
    if prefix.is_empty() {
        return Ok(());
    }
    check_name(&format!("{prefix}x")).map_err(|error| SettingsError::new(setting, error.to_string()))
}

/// A certificate and a token that name the same user; which of two users would be meant is nobody's guess.
fn both(certificate: tls::Named, token: jwt::Named) -> Result<Identified, IdentityError> {
    if certificate.user != token.user {
        return Err(IdentityError::Disagree {
            one: ("client certificate", certificate.user),
            other: ("token", token.user),
        });
    }
    let tls::Named { user, mut groups, fingerprint } = certificate;
    groups.extend(token.groups);
    groups.sort();
    groups.dedup();
    let how = How::TlsCertificateAndJwt { fingerprint, issuer: token.issuer, id: token.id };
    Ok(Identified { user: Some(user), groups, roles: token.roles, how })
}

/// The token among the headers, where nothing else claims to be ours but, perhaps, a good ticket of the gateway's.
fn token(headers: &BTreeMap<String, String>, attested: bool) -> Result<Option<&str>, IdentityError> {
    let mut found = None;
    for (name, value) in headers {
        let folded = name.to_ascii_lowercase().replace('_', "-");
        if !folded.starts_with(OUR_HEADERS) {
            continue;
        }
        if (attested && name == GATEWAY_HEADER) || name.eq_ignore_ascii_case(WHOAMI_HEADER) {
            continue;
        }
        // A second spelling of the header could be the one that somebody else reads.
        if !name.eq_ignore_ascii_case(TOKEN_HEADER) || found.is_some() {
            return Err(IdentityError::Header(name.escape_debug().to_string()));
        }
        found = Some(value.as_str());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identify(headers: &[(&str, &str)]) -> Result<Identified, IdentityError> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Identifier::new(Settings::default()).unwrap().identify(
            Evidence { user: "", auth_method: "", peer_certificates: &[], headers: &headers, attested: None },
            jiff::Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn no_evidence_is_anonymous() {
        assert_eq!(
            identify(&[("User-Agent", "docker"), ("X-Other", "1")]),
            Ok(Identified { user: None, groups: vec![], roles: None, how: How::Anonymous })
        );
    }

    #[test]
    fn a_token_that_nobody_is_trusted_to_issue_is_a_denial_and_not_anonymous() {
        assert_eq!(identify(&[("X-Wharfinger-Token", "a.b.c")]), Err(IdentityError::NoIssuer));
        assert_eq!(identify(&[("X-Wharfinger-Token", "")]), Err(IdentityError::NoIssuer));
    }

    #[test]
    fn unknown_headers_that_claim_to_be_ours_are_refused_in_any_spelling() {
        for name in ["X-Wharfinger-User", "x-wharfinger-", "X_wharfinger_token", "X-Wharfinger_token"] {
            assert_eq!(identify(&[(name, "alice")]), Err(IdentityError::Header(name.to_owned())));
        }
        assert_eq!(identify(&[("X-Wharfinger-Whoami", "1")]).map(|identified| identified.user), Ok(None));
        let spelt = identify(&[("X_Wharfinger_Whoami", "1")]);
        assert_eq!(spelt, Err(IdentityError::Header("X_Wharfinger_Whoami".to_owned())));
        assert_eq!(
            identify(&[("X-Wharfinger-Token", "a"), ("x-wharfinger-token", "b")]),
            Err(IdentityError::Header("x-wharfinger-token".to_owned()))
        );
    }

    #[test]
    fn the_record_says_what_an_identity_rests_on() {
        let (fingerprint, issuer, id) = ("ab12".to_owned(), "https://i".to_owned(), Some("7".to_owned()));
        for (how, text) in [
            (How::Anonymous, "anonymous"),
            (How::TlsCertificate { fingerprint: fingerprint.clone() }, "tls sha256:ab12"),
            (How::Jwt { issuer: issuer.clone(), id: None }, "jwt https://i"),
            (How::TlsCertificateAndJwt { fingerprint, issuer, id }, "tls sha256:ab12 + jwt https://i 7"),
        ] {
            assert_eq!(how.to_string(), text);
        }
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in ["[tls]\nuser = 1", "[tls]\nuser_from = \"cn\"", "[[jwt]]\nissuer = \"i\"", "[ldap]"] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }
}
