//! Why a token is refused; the messages are for its bearer, and say nothing of what the token holds.

/// A refused token: always a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Over 16 KiB.
    #[error("it is longer than 16 KiB; ask the issuer for fewer claims")]
    TooLong,
    /// Not three parts of base64url with JSON objects in the first two.
    #[error("it is not a signed token in compact form; send it as it was issued, without `Bearer`")]
    NotJws,
    /// The header asks for something that is not done here: a key of its own, extensions, another type.
    #[error("its header asks for a key, an extension or a type that is not accepted")]
    Header,
    /// No issuer of that name is configured.
    #[error("its issuer is not trusted here; use a token of a configured issuer")]
    UnknownIssuer,
    /// The issuer's settings do not allow the algorithm.
    #[error("its algorithm is not allowed for its issuer")]
    Algorithm,
    /// The issuer's keys were never fetched, or not for too long: nobody can say whether it is good.
    #[error(
        "identity unavailable: the keys of its issuer cannot be fetched; try again, or tell your administrator"
    )]
    Unavailable,
    /// Its id is among those that are denied.
    #[error("it was revoked; get a new one")]
    Revoked,
    /// None of the issuer's keys has the key id and the algorithm, or the header leaves it open which has.
    #[error("no key of its issuer fits; get a new token, or see that the issuer's keys are up to date")]
    UnknownKey,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// A claim is missing or not of the right kind.
    #[error("its claim `{0}` is missing or malformed")]
    Claim(&'static str),
    /// It is for somebody else.
    #[error("it is not for this host; ask the issuer for one with this host's audience")]
    Audience,
    /// Past its end.
    #[error("it has expired; get a new one")]
    Expired,
    /// Before its begin, or issued in the future.
    #[error("it is not valid yet; see that the clocks agree")]
    NotYet,
    /// It would live longer than the settings allow.
    #[error("it lives longer than is accepted here; ask the issuer for a shorter one")]
    Lifetime,
    /// The claim that names the user is missing or not fit for a name.
    #[error("it names no user in the configured claim")]
    Username,
    /// The claim with the groups is missing or not fit for names. Without it a denied group would go unseen.
    #[error("it has no good list of groups in the configured claim")]
    Groups,
}
