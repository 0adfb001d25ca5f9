//! The words by which records and exports name their closed sets.

use super::{Door, Effect, Event, Phase, Verdict};

impl Phase {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Response => "response",
            Self::Admin => "admin",
            Self::System => "system",
        }
    }
}

impl Verdict {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
        }
    }
}

impl Effect {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Event {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Gap => "gap",
            Self::Lost => "lost",
        }
    }
}

impl Door {
    /// The word in records and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Gateway => "gateway",
            Self::AdminSocket => "admin_socket",
            Self::AdminTcp => "admin_tcp",
            Self::LoginSocket => "login_socket",
        }
    }
}
