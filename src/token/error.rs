//! What can be wrong with tokens of this host's own.

use crate::identity::NameError;
use crate::store::StoreError;

/// Why a token is not issued, found or revoked; the messages are for administrators and hold no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// The database.
    #[error("the tokens' database: {0}")]
    Store(#[from] StoreError),
    /// A name that nobody can have.
    #[error("`{name}` cannot be named: {error}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        error: NameError,
    },
    /// Too long or too short.
    #[error("a token lives a second at least and {0} h at most; ask for that, or set `max_ttl` in `[token]`")]
    Lifetime(u64),
    /// Nobody has that id.
    #[error("no token begins with `{0}`; `wharfinger token list --all` shows them")]
    NotFound(String),
    /// Several have it.
    #[error("more than one token begins with `{0}`; write more of it")]
    Ambiguous(String),
    /// The signing key is gone; a damaged database.
    #[error("there is no key to sign with; make one with `wharfinger token rotate-key`")]
    NoKey,
    /// The signing key is damaged.
    #[error("the signing keys cannot be used: {0}")]
    Key(String),
}
