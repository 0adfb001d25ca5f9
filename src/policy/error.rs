//! Why a policy is not accepted, with the line and the field of everything that is wrong.

use std::fmt;
use std::path::PathBuf;

/// Why a policy is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file that cannot be read, or must not be trusted.
    #[error("cannot read the policy `{}`: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A model other than the shipped one.
    #[error(
        "the role model is not accepted: {0}; the model is fixed, roles and permissions belong in policy.csv"
    )]
    Model(String),
    /// Lines that are wrong; never empty.
    #[error("the policy is not accepted:{}", list(.0))]
    Lines(Vec<Problem>),
    /// The database with the versions cannot be used.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// Casbin refuses what our own reader accepted.
    #[error("casbin does not accept the policy: {0}")]
    Casbin(String),
}

/// Something wrong in one place of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; `None` where the policy as a whole is wrong.
    pub line: Option<usize>,
    /// The field of that line, where one is to blame.
    pub field: Option<Field>,
    /// What is wrong and what to write instead; lower case.
    pub message: String,
}

/// A field of a policy line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The word a line begins with: `p`, `g` or `g2`.
    Section,
    /// Who holds: the role of a permission, the principal of a grant, the heir.
    Holder,
    /// What is held: the granted or inherited role.
    Role,
    /// When a grant ends.
    Until,
    /// The action, `*` or `set:…`.
    Action,
    /// The resource pattern.
    Resource,
    /// `allow` or `deny`.
    Effect,
    /// The action or set that belongs to a set.
    Member,
    /// The action set.
    Set,
}

impl Problem {
    pub(super) fn at(line: usize, field: Field, message: impl Into<String>) -> Self {
        Self { line: Some(line), field: Some(field), message: message.into() }
    }

    pub(super) fn line(line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line), field: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.field) {
            (Some(line), Some(field)) => write!(f, "line {line}, {}: {}", field.name(), self.message),
            (Some(line), None) => write!(f, "line {line}: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

impl Field {
    /// The word in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Section => "section",
            Self::Holder => "holder",
            Self::Role => "role",
            Self::Until => "until",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Effect => "effect",
            Self::Member => "member",
            Self::Set => "set",
        }
    }
}

/// As many problems as a screen shows at once.
const SHOWN: usize = 20;

fn list(problems: &[Problem]) -> String {
    let more = problems.len().saturating_sub(SHOWN);
    let shown = problems.iter().take(SHOWN).map(ToString::to_string);
    let lines = shown.chain((more > 0).then(|| format!("and {more} more")));
    lines.flat_map(|line| ["\n  ".to_owned(), line]).collect()
}

/// A name as messages show it: short, and without characters that move a terminal's cursor.
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String =
        name.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if name.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}
