//! How an answer comes about: for the administrator who wonders, step by step.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the directory says about a user, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The name as it was asked for.
    pub presented: String,
    /// Why there is no answer, or why it is a refusal.
    pub error: Option<String>,
    /// The canonical name.
    pub user: Option<String>,
    /// The user's entry, or the file.
    pub entry: Option<String>,
    /// Who answered: a server's URL, a file, the host.
    pub source: String,
    /// All groups, by name.
    pub groups: Vec<Membership>,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What looks like a mistake in the settings.
    pub warnings: Vec<String>,
}

/// A group that the user is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Its name.
    pub group: String,
    /// How the user is in it.
    pub via: String,
}

/// How a user is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// As a member of it, or through groups that are members of each other; the first has the user.
    Member(Vec<String>),
    /// As the user's primary group.
    Primary,
    /// The directory says so, and not why.
    Told,
}

/// Searches of one kind, or another thing that takes time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was asked for.
    pub what: String,
    /// How often.
    pub times: usize,
    /// How many entries came.
    pub entries: usize,
    /// How long it took, all together.
    pub micros: u64,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(way) if way.is_empty() => f.write_str("direct"),
            Self::Member(way) => write!(f, "through {}", way.join(" → ")),
            Self::Primary => f.write_str("primary group"),
            Self::Told => f.write_str("the directory says so"),
        }
    }
}

impl Membership {
    /// The form in which it is shown.
    pub(super) fn new(group: String, via: &Via) -> Self {
        Self { group, via: via.to_string() }
    }
}
