//! What the gateway vouches for: the user whom the kernel named at the other end of its socket.

use std::fmt;

use super::{How, Identified, IdentityError, check_name, jwt, tls};

/// The header by which a call of the gateway's is known; clients never get one through the gateway.
pub const GATEWAY_HEADER: &str = "X-Wharfinger-Gateway";

/// A user of the gateway's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The name that the host has for the uid.
    pub user: String,
    /// The uid of the process that connected.
    pub uid: u32,
    /// Who had logged in when `uid` was taken on (`sudo`); `None` where the kernel keeps none.
    pub login_uid: Option<u32>,
    /// The process that connected, for the record only: the number may be another's by now.
    pub pid: Option<i32>,
}

impl Attested {
    /// The same under the name by which policies know users of the gateway.
    pub(super) fn prefixed(&self, prefix: &str) -> Result<Self, IdentityError> {
        let user = format!("{prefix}{}", self.user);
        check_name(&user).map_err(|error| IdentityError::Name { what: "user name of the host", error })?;
        Ok(Self { user, ..self.clone() })
    }
}

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gateway uid {}", self.uid)?;
        if let Some(login) = self.login_uid {
            write!(f, " login {login}")?;
        }
        if let Some(pid) = self.pid {
            write!(f, " pid {pid}")?;
        }
        Ok(())
    }
}

/// The attested user, whom no other evidence may contradict; a token's groups come on top.
pub(super) fn with(
    attested: &Attested,
    certificate: Option<tls::Named>,
    token: Option<jwt::Named>,
) -> Result<Identified, IdentityError> {
    let differs = |what, user: &str| {
        (user != attested.user).then(|| IdentityError::Disagree {
            one: ("gateway", attested.user.clone()),
            other: (what, user.to_owned()),
        })
    };
    if let Some(certificate) = certificate {
        // dockerd's socket behind the gateway has no certificates, so this is not the gateway's call.
        return Err(differs("client certificate", &certificate.user).unwrap_or(
            IdentityError::Contradiction("a call of the gateway's carries a client certificate"),
        ));
    }
    let user = Some(attested.user.clone());
    let Some(token) = token else {
        return Ok(Identified { user, groups: Vec::new(), roles: None, how: How::Gateway(attested.clone()) });
    };
    if let Some(error) = differs("token", &token.user) {
        return Err(error);
    }
    let how = How::GatewayAndJwt { attested: attested.clone(), issuer: token.issuer, id: token.id };
    Ok(Identified { user, groups: token.groups, roles: token.roles, how })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Attested {
        Attested { user: "alice".to_owned(), uid: 1000, login_uid: Some(1001), pid: Some(7) }
    }

    fn token(user: &str) -> jwt::Named {
        jwt::Named {
            user: user.to_owned(),
            groups: vec!["ops".to_owned()],
            roles: None,
            issuer: "https://i".to_owned(),
            id: None,
        }
    }

    #[test]
    fn the_record_says_who_the_kernel_named_and_who_had_logged_in() {
        let identified = with(&alice(), None, None).unwrap();
        assert_eq!(identified.user.as_deref(), Some("alice"));
        assert_eq!(identified.how.to_string(), "gateway uid 1000 login 1001 pid 7");
        let unknown = Attested { login_uid: None, pid: None, ..alice() };
        assert_eq!(unknown.to_string(), "gateway uid 1000");
    }

    #[test]
    fn a_token_adds_groups_to_its_own_user_and_is_a_denial_for_another() {
        let identified = with(&alice(), None, Some(token("alice"))).unwrap();
        assert_eq!(identified.groups, ["ops"]);
        assert_eq!(identified.how.to_string(), "gateway uid 1000 login 1001 pid 7 + jwt https://i");
        let error = with(&alice(), None, Some(token("root"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the gateway names `alice` and the token names `root`; use one of them"
        );
    }

    #[test]
    fn a_prefix_keeps_users_of_the_host_apart_from_those_of_other_evidence() {
        let named = alice().prefixed("host:").unwrap();
        assert_eq!(with(&named, None, None).unwrap().user.as_deref(), Some("host:alice"));
        assert!(with(&named, None, Some(token("alice"))).is_err());
        assert!(Attested { user: "x".repeat(255), ..alice() }.prefixed("host:").is_err());
    }

    #[test]
    fn a_certificate_on_a_call_of_the_gateways_is_a_denial() {
        for user in ["alice", "root"] {
            let certificate =
                tls::Named { user: user.to_owned(), groups: Vec::new(), fingerprint: "ab".to_owned() };
            assert!(with(&alice(), Some(certificate), None).is_err(), "{user}");
        }
    }
}
