//! Presets: what is usual for a kind of LDAP server, one row each.

use serde::Deserialize;

use super::refusal::{Needed, Refusal, When};
use crate::directory::Refused;

/// A kind of LDAP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// OpenLDAP with `inetOrgPerson` users and `groupOfNames` groups; no overlay is needed.
    Openldap,
    /// Any server with `posixAccount` users and `posixGroup` groups that name their members (RFC 2307).
    Rfc2307,
    /// FreeIPA, and 389 Directory Server with its plugin for `memberOf`.
    Freeipa,
    /// Active Directory, and Samba as a domain controller.
    ActiveDirectory,
}

/// The defaults of a preset.
#[derive(Debug)]
pub(super) struct Row {
    /// The preset as written in the config.
    pub(super) name: &'static str,
    /// Where users are below `base_dn`; empty for all of it.
    pub(super) users_below: &'static str,
    /// Finds a user's entry.
    pub(super) user_filter: &'static str,
    /// Finds it for a name with an `@`, where that is another attribute.
    pub(super) user_at_filter: Option<&'static str>,
    /// Holds the user's canonical name.
    pub(super) user_name_attr: &'static str,
    /// Whether a name may be presented as `DOMAIN\user`.
    pub(super) domains: bool,
    /// Where a user's groups are read.
    pub(super) groups: GroupsBy,
    /// Where groups are below `base_dn`; empty for all of it.
    pub(super) groups_below: &'static str,
    /// Finds the groups of a member.
    pub(super) group_filter: &'static str,
    /// Holds a group's name.
    pub(super) group_name_attr: &'static str,
    /// Finds the primary group by the number in the user's `gidNumber`, where it is not among the others.
    pub(super) primary_filter: Option<&'static str>,
    /// Which attributes of the user's entry mean that the account may not be used. We never bind as the
    /// user, so the server does not check it for us.
    pub(super) refusals: &'static [Refusal],
}

/// Where a user's groups are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupsBy {
    /// In the groups that have the user's DN for a member, and in the groups of those, upward.
    Walk,
    /// In the groups that have the user's name for a member; groups have no groups.
    Name,
    /// In the user's `memberOf`, which the server keeps complete.
    MemberOf,
    /// In the user's `tokenGroups`, which the server computes, primary group and nested ones included.
    TokenGroups,
}

const OPENLDAP: &[Refusal] = &[
    refusal("pwdAccountLockedTime", Needed::No, When::Present, Refused::Locked),
    refusal("pwdEndTime", Needed::No, When::TimePast, Refused::Expired),
    refusal("shadowExpire", Needed::No, When::DayPast, Refused::Expired),
];

const FREEIPA: &[Refusal] = &[
    refusal("nsAccountLock", Needed::No, When::True, Refused::Disabled),
    refusal("accountUnlockTime", Needed::No, When::TimeAhead, Refused::Locked),
    refusal("krbPrincipalExpiration", Needed::No, When::TimePast, Refused::Expired),
];

/// Every account of a domain has all three; who may not read them would take everybody for good.
const ACTIVE_DIRECTORY: &[Refusal] = &[
    refusal("userAccountControl", Needed::Yes, When::Bit(0x2), Refused::Disabled),
    refusal("msDS-User-Account-Control-Computed", Needed::Yes, When::Bit(0x10), Refused::Locked),
    refusal("accountExpires", Needed::Yes, When::FileTimePast, Refused::Expired),
];

const fn refusal(attribute: &'static str, needed: Needed, when: When, reason: Refused) -> Refusal {
    Refusal { attribute, needed, when, reason }
}

impl Preset {
    /// The preset's row.
    pub(super) const fn row(self) -> Row {
        match self {
            Self::Openldap => Row {
                name: "openldap",
                users_below: "",
                user_filter: "(&(objectClass=inetOrgPerson)(uid={user}))",
                user_at_filter: None,
                user_name_attr: "uid",
                domains: false,
                groups: GroupsBy::Walk,
                groups_below: "",
                group_filter: "(&(objectClass=groupOfNames)(member={dn}))",
                group_name_attr: "cn",
                primary_filter: None,
                refusals: OPENLDAP,
            },
            Self::Rfc2307 => Row {
                name: "rfc2307",
                users_below: "",
                user_filter: "(&(objectClass=posixAccount)(uid={user}))",
                user_at_filter: None,
                user_name_attr: "uid",
                domains: false,
                groups: GroupsBy::Name,
                groups_below: "",
                group_filter: "(&(objectClass=posixGroup)(memberUid={user}))",
                group_name_attr: "cn",
                primary_filter: Some("(&(objectClass=posixGroup)(gidNumber={gid}))"),
                refusals: OPENLDAP,
            },
            Self::Freeipa => Row {
                name: "freeipa",
                // Elsewhere are the same users again, for older clients, and those who are gone.
                users_below: "cn=users,cn=accounts",
                user_filter: "(&(objectClass=posixAccount)(uid={user}))",
                user_at_filter: None,
                user_name_attr: "uid",
                domains: false,
                groups: GroupsBy::MemberOf,
                groups_below: "cn=groups,cn=accounts",
                group_filter: "(&(objectClass=groupOfNames)(member={dn}))",
                group_name_attr: "cn",
                primary_filter: Some("(&(objectClass=posixGroup)(gidNumber={gid}))"),
                refusals: FREEIPA,
            },
            Self::ActiveDirectory => Row {
                name: "active-directory",
                users_below: "",
                user_filter: "(&(objectCategory=person)(objectClass=user)(sAMAccountName={user}))",
                user_at_filter: Some(
                    "(&(objectCategory=person)(objectClass=user)(userPrincipalName={user}))",
                ),
                user_name_attr: "sAMAccountName",
                domains: true,
                groups: GroupsBy::TokenGroups,
                groups_below: "",
                group_filter: "(&(objectClass=group)(member={dn}))",
                group_name_attr: "sAMAccountName",
                primary_filter: None,
                refusals: ACTIVE_DIRECTORY,
            },
        }
    }
}
