//! What a token of an issuer must say, and which user and groups it then names.

use serde_json::Value;

use super::object::Object;
use super::{Named, TokenError};
use crate::identity::{JwtSettings, MAX_BYTES as MAX_NAME, SettingsError, check_name, check_prefix};

/// How far clocks may differ, in seconds.
const LEEWAY: i64 = 30;

/// An issuer's settings, checked.
#[derive(Debug)]
pub(super) struct Rules {
    settings: JwtSettings,
    max_lifetime: i64,
}

impl Rules {
    /// Checks everything that is about claims.
    pub(super) fn new(settings: JwtSettings) -> Result<Self, SettingsError> {
        for (key, value) in [
            ("issuer", &settings.issuer),
            ("audience", &settings.audience),
            ("username_claim", &settings.username_claim),
        ] {
            check_name(value)
                .map_err(|error| SettingsError::new(format!("identity.jwt.{key}"), error.to_string()))?;
        }
        check_prefix("identity.jwt.username_prefix", &settings.username_prefix)?;
        check_prefix("identity.jwt.groups_prefix", &settings.groups_prefix)?;
        let max_lifetime = i64::try_from(settings.max_lifetime.as_secs()).unwrap_or(i64::MAX);
        if max_lifetime == 0 {
            return Err(SettingsError::new(
                "identity.jwt.max_lifetime",
                "is less than a second: no token lives so short",
            ));
        }
        Ok(Self { settings, max_lifetime })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Holds every claim against the rules; the signature was checked before.
    pub(super) fn apply(&self, claims: &Object, now: jiff::Timestamp) -> Result<Named, TokenError> {
        self.audience(claims)?;
        self.times(claims, now.as_second())?;
        claims.text("sub").filter(|sub| !sub.is_empty()).ok_or(TokenError::Claim("sub"))?;
        let id = match claims.get("jti") {
            None => None,
            Some(_) => {
                Some(claims.text("jti").filter(|id| check_name(id).is_ok()).ok_or(TokenError::Claim("jti"))?)
            }
        };
        Ok(Named {
            user: self.user(claims)?,
            groups: self.groups(claims)?,
            // Whatever a token says of roles: they are this host's own to give.
            roles: None,
            issuer: self.settings.issuer.clone(),
            id: id.map(str::to_owned),
        })
    }

    /// A token for another host must not open this one: clients send it to every daemon that they talk to.
    fn audience(&self, claims: &Object) -> Result<(), TokenError> {
        let malformed = TokenError::Claim("aud");
        let ours = self.settings.audience.as_str();
        let is_ours = match claims.get("aud") {
            Some(Value::String(audience)) => audience == ours,
            Some(Value::Array(audiences)) => {
                if !audiences.iter().all(Value::is_string) {
                    return Err(malformed);
                }
                audiences.iter().any(|audience| audience == ours)
            }
            Some(_) | None => return Err(malformed),
        };
        if is_ours { Ok(()) } else { Err(TokenError::Audience) }
    }

    fn times(&self, claims: &Object, now: i64) -> Result<(), TokenError> {
        let expires = seconds(claims, "exp")?.ok_or(TokenError::Claim("exp"))?;
        let begins = seconds(claims, "nbf")?;
        let issued = seconds(claims, "iat")?;
        if expires.saturating_add(LEEWAY) <= now {
            return Err(TokenError::Expired);
        }
        if [begins, issued].into_iter().flatten().any(|at| at > now.saturating_add(LEEWAY)) {
            return Err(TokenError::NotYet);
        }
        if expires.saturating_sub(issued.unwrap_or(now)) > self.max_lifetime {
            return Err(TokenError::Lifetime);
        }
        Ok(())
    }

    fn user(&self, claims: &Object) -> Result<String, TokenError> {
        let claim = self.settings.username_claim.as_str();
        let name = claims.text(claim).ok_or(TokenError::Username)?;
        // Anybody can claim an address that nobody has verified (OpenID Connect Core §5.7).
        if claim == "email"
            && claims.get("email_verified").is_some_and(|verified| *verified != Value::Bool(true))
        {
            return Err(TokenError::Username);
        }
        good(&self.settings.username_prefix, name).ok_or(TokenError::Username)
    }

    /// The groups, complete: where the claim is missing an issuer may have left it out for being too long.
    fn groups(&self, claims: &Object) -> Result<Vec<String>, TokenError> {
        let Some(claim) = &self.settings.groups_claim else { return Ok(Vec::new()) };
        let names: Vec<&str> = match claims.get(claim) {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => {
                names.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenError::Groups)?
            }
            Some(_) | None => return Err(TokenError::Groups),
        };
        let prefixed = names.into_iter().map(|name| good(&self.settings.groups_prefix, name));
        let mut groups: Vec<String> = prefixed.collect::<Option<_>>().ok_or(TokenError::Groups)?;
        groups.sort();
        groups.dedup();
        Ok(groups)
    }
}

/// The last second in which the token is taken.
pub(super) fn last_second(claims: &Object) -> Result<i64, TokenError> {
    let expires = seconds(claims, "exp")?.ok_or(TokenError::Claim("exp"))?;
    Ok(expires.saturating_add(LEEWAY - 1))
}

/// The prefixed name, where both the name and the whole are fit for one.
fn good(prefix: &str, name: &str) -> Option<String> {
    let whole = format!("{prefix}{name}");
    (check_name(name).is_ok() && whole.len() <= MAX_NAME).then_some(whole)
}

/// A `NumericDate` (RFC 7519 §2) in whole seconds; a number that no calendar has is malformed.
fn seconds(claims: &Object, name: &'static str) -> Result<Option<i64>, TokenError> {
    const END: f64 = 253_402_300_800.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let malformed = TokenError::Claim(name);
    let number = value.as_f64().filter(|number| (0.0..END).contains(number)).ok_or(malformed)?;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "it was just found to be in range, and parts of seconds do not count"
    )]
    Ok(Some(number as i64))
}
