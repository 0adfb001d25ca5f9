//! How the directory is doing: servers, the service account, what is cached.

use serde::{Deserialize, Serialize};

use super::CacheStatus;

/// What kind of directory it is, and how it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryStatus {
    /// `ldap` with its preset, `file`, `nss` or `none`.
    pub kind: String,
    /// The servers, in the order in which they are tried.
    pub servers: Vec<ServerStatus>,
    /// Why the service account is refused, if it is: it is not tried again until its password file changes, or a
    /// minute is over.
    pub account_refused: Option<String>,
    /// The cache, where there is one.
    pub cache: Option<CacheStatus>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its URL, as configured.
    pub url: String,
    /// What it is to us now.
    pub state: ServerState,
    /// How long it is tried after the others.
    pub resting_seconds: Option<u64>,
    /// The age of its connection.
    pub connected_seconds: Option<u64>,
    /// Searches on its connection.
    pub searches: Option<u32>,
}

/// What a server is to us now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerState {
    /// Look-ups go to it.
    InUse,
    /// It is one that would be tried.
    Idle,
    /// It failed lately.
    Resting,
    /// A connection is being made, to this one or another.
    Connecting,
}

impl DirectoryStatus {
    /// Of a directory that is always at hand.
    pub(super) fn plain(kind: &str) -> Self {
        Self { kind: kind.to_owned(), servers: Vec::new(), account_refused: None, cache: None }
    }

    /// Why nobody new can be looked up now, if that is so.
    pub fn trouble(&self) -> Option<&str> {
        let down = self.cache.as_ref().and_then(|cache| cache.down.as_deref());
        self.account_refused.as_deref().or(down)
    }

    /// The one line that stands for it among others.
    pub fn summary(&self) -> String {
        let kind = &self.kind;
        match (&self.cache, self.trouble()) {
            (_, Some(trouble)) => format!("{kind}: {trouble}"),
            (Some(cache), None) => format!(
                "{kind}: ok, {} users cached, {} look-ups at once, {} waited, {} old answers, {} unanswered",
                cache.users, cache.at_once, cache.waited, cache.stale, cache.unanswered
            ),
            (None, None) => format!("{kind}: ok"),
        }
    }
}
