//! Presets: what is usual for a kind of LDAP server, one row each.

use serde::Deserialize;

use crate::directory::Refused;

/// A kind of LDAP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// OpenLDAP with `inetOrgPerson` users and `groupOfNames` groups; no overlay is needed.
    Openldap,
}

/// The defaults of a preset.
#[derive(Debug)]
pub(super) struct Row {
    /// Finds a user's entry.
    pub(super) user_filter: &'static str,
    /// Holds the user's canonical name.
    pub(super) user_name_attr: &'static str,
    /// Finds the groups of a member.
    pub(super) group_filter: &'static str,
    /// Holds a group's name.
    pub(super) group_name_attr: &'static str,
    /// Whether groups of groups count, and are walked upward.
    pub(super) nested: bool,
    /// Which attributes of the user's entry mean that the account may not be used. We never bind as the
    /// user, so the server does not check it for us.
    pub(super) refusals: &'static [Refusal],
}

/// An attribute that refuses an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The attribute; operational ones are asked for by name.
    pub(super) attribute: &'static str,
    /// Which values refuse.
    pub(super) when: When,
    /// What the user is told.
    pub(super) reason: Refused,
}

/// Which values of an attribute refuse an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Any value at all.
    Present,
}

impl Preset {
    /// The preset's row.
    pub(super) const fn row(self) -> Row {
        match self {
            Self::Openldap => Row {
                user_filter: "(&(objectClass=inetOrgPerson)(uid={user}))",
                user_name_attr: "uid",
                group_filter: "(&(objectClass=groupOfNames)(member={dn}))",
                group_name_attr: "cn",
                nested: true,
                refusals: &[Refusal {
                    attribute: "pwdAccountLockedTime",
                    when: When::Present,
                    reason: Refused::Locked,
                }],
            },
        }
    }
}
