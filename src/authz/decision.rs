//! Decisions: permit or deny, with what decided each requirement.

use std::fmt;

use super::{Effect, Requirement};

/// The answer to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody looks at decides nothing"]
pub enum Decision {
    /// Every requirement is granted; what granted each.
    Permit(Vec<Finding>),
    /// The same, but a list is granted for some things only: whoever passes the answer on must leave the others out.
    /// Only [`super::Index::decide_in_part`] gives it.
    PermitInPart(Vec<Finding>),
    /// Something is missing, denied or wrong.
    Deny(Denial),
    /// A denial would be due, and a permission lets it pass all the same, on record.
    Observe(Mode, Denial),
}

/// How a denial that a permission to `mode.…` covers is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Let through and recorded.
    Observe,
    /// Let through, recorded, and warned of in the log.
    Warn,
}

/// Why a call is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Which part of the way said no.
    pub cause: Cause,
    /// One sentence for the user; without the decision's id.
    pub message: String,
    /// What decided each requirement, where it came that far.
    pub findings: Vec<Finding>,
}

/// Which part of the way to an allow said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No role grants something that the call needs.
    NotGranted,
    /// A permission of a role denies something that the call needs.
    Denied,
    /// The call could not be classified, or could be read in two ways; the engine's word for it.
    Refused(&'static str),
    /// The evidence of who asks is bad.
    Identity,
    /// The directory does not know the user, or refuses the account.
    Directory,
    /// The directory did not answer in time.
    DirectoryUnavailable,
    /// The audit trail could not be written.
    AuditUnavailable,
    /// A defect of ours, contained.
    Internal,
}

/// What decided one requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was needed.
    pub requirement: Requirement,
    /// Who decided it; `None` if no role grants it.
    pub decided_by: Option<DecidedBy>,
}

/// The permission that decided, and how the subject came to hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBy {
    /// Allow or deny.
    pub effect: Effect,
    /// The permission as the policy writes it, such as `allow set:run container:*`.
    pub permission: String,
    /// The role that holds the permission.
    pub role: String,
    /// The chain from principal to that role, such as `group:developers > developer > baseline`.
    pub path: String,
}

impl Finding {
    /// Whether the requirement is met.
    pub fn is_granted(&self) -> bool {
        self.decided_by.as_ref().is_some_and(|by| by.effect == Effect::Allow)
    }
}

impl Decision {
    /// What decided each requirement.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Permit(findings) | Self::PermitInPart(findings) => findings,
            Self::Deny(denial) | Self::Observe(_, denial) => &denial.findings,
        }
    }

    /// The denial, if it is or would be one.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Permit(_) | Self::PermitInPart(_) => None,
            Self::Deny(denial) | Self::Observe(_, denial) => Some(denial),
        }
    }

    /// Whether the call goes on.
    pub const fn lets_through(&self) -> bool {
        match self {
            Self::Permit(_) | Self::PermitInPart(_) | Self::Observe(..) => true,
            Self::Deny(_) => false,
        }
    }

    /// Whether every requirement is granted; what is only observed is not.
    pub const fn is_permit(&self) -> bool {
        match self {
            Self::Permit(_) | Self::PermitInPart(_) => true,
            Self::Deny(_) | Self::Observe(..) => false,
        }
    }
}

impl Mode {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Warn => "warn",
        }
    }
}

impl Cause {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotGranted => "not_granted",
            Self::Denied => "denied",
            Self::Refused(_) => "refused",
            Self::Identity => "identity",
            Self::Directory => "directory",
            Self::DirectoryUnavailable => "directory_unavailable",
            Self::AuditUnavailable => "audit_unavailable",
            Self::Internal => "internal",
        }
    }

    /// The engine's code where the call was refused.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Refused(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
