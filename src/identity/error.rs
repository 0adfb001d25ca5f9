//! What can be wrong with evidence, and with the settings that say how to read it.

use super::{CertificateField, NameError, TOKEN_HEADER, TokenError};

/// Bad evidence: always a denial. The messages are for the user and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The field that should name the user is not there.
    #[error(
        "missing certificate field: the client certificate has no {}; use one that has it, or set `user_from` in `[identity.tls]`",
        .0.words()
    )]
    MissingField(CertificateField),
    /// The field is there more than once, so that two readers could take different users from it.
    #[error(
        "ambiguous certificate: it has more than one {}; use one with exactly one",
        .0.words()
    )]
    AmbiguousField(CertificateField),
    /// The certificate cannot be read.
    #[error("unreadable client certificate: {0}; issue a new one")]
    Certificate(&'static str),
    /// Outside the certificate's own dates.
    #[error("the client certificate is {0}; use one that is valid now, and check the clocks")]
    Dates(&'static str),
    /// Of a CA that dockerd trusts, and whose word is not taken for people.
    #[error(
        "the client certificate is not issued by a CA whose certificates are taken here; get one from there"
    )]
    OtherIssuer,
    /// In its CA's list of revoked certificates.
    #[error("the client certificate was revoked; get a new one")]
    RevokedCertificate,
    /// That list is not valid now.
    #[error(
        "nobody can say whether the client certificate was revoked: its CA's list is out of date; tell your administrator"
    )]
    RevocationList,
    /// dockerd's fields contradict each other.
    #[error("contradictory evidence from the daemon: {0}")]
    Contradiction(&'static str),
    /// A name that cannot be used.
    #[error("the {what} cannot be used: {error}")]
    Name {
        /// Where it came from.
        what: &'static str,
        /// What is wrong with it.
        error: NameError,
    },
    /// A header in our name space that is not one of ours.
    #[error("the header `{0}` is not one that identifies anybody; send `{TOKEN_HEADER}`, once, or nothing")]
    Header(String),
    /// A token, where no issuer is configured.
    #[error(
        "a token was sent, and this host trusts no issuer; remove `{TOKEN_HEADER}` or configure `[[identity.jwt]]`"
    )]
    NoIssuer,
    /// A token that does not hold.
    #[error("the token is refused: {0}")]
    Token(#[from] TokenError),
    /// Two pieces of good evidence for two users.
    #[error("the {} names `{}` and the {} names `{}`; use one of them", one.0, one.1, other.0, other.1)]
    Disagree {
        /// What the first is, and its user.
        one: (&'static str, String),
        /// What the second is, and its user.
        other: (&'static str, String),
    },
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}`: {message}")]
pub struct SettingsError {
    /// The setting's name, as written in the file.
    pub setting: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl SettingsError {
    /// An error about the named setting.
    pub fn new(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self { setting: setting.into(), message: message.into() }
    }
}
