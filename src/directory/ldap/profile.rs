//! The settings laid over the preset: what to ask for, checked once at load.

use super::dn::Dn;
use super::filter::{Filter, Place};
use super::preset::{GroupsBy, Row};
use super::refusal::Refusal;
use super::{LdapSettings, Nested};
use crate::directory::SettingsError;

/// What to ask for.
#[derive(Debug)]
pub(super) struct Profile {
    /// The preset's name, for advice.
    pub(super) preset: &'static str,
    pub(super) base_dn: String,
    pub(super) user_base: String,
    pub(super) user_filter: Filter,
    /// For a name with an `@`, in place of the other one.
    pub(super) user_at_filter: Option<Filter>,
    pub(super) user_name_attr: String,
    /// Whether `DOMAIN\user` is a form of a name.
    pub(super) domains: bool,
    pub(super) groups: GroupsBy,
    pub(super) group_base: String,
    /// The same, to compare by.
    pub(super) group_base_dn: Dn,
    pub(super) group_filter: Filter,
    pub(super) group_name_attr: String,
    pub(super) primary_filter: Option<Filter>,
    pub(super) nested: bool,
    pub(super) refusals: &'static [Refusal],
}

/// Checks everything that is about entries.
pub(super) fn profile(settings: &LdapSettings) -> Result<Profile, SettingsError> {
    let row = settings.preset.row();
    only_what_counts(settings, &row)?;
    let filter = |key: &str, set: Option<&str>, preset: &str, place| {
        Filter::new(set.unwrap_or(preset), place).map_err(|message| SettingsError::new(key, message))
    };
    let member = match row.groups {
        GroupsBy::Walk | GroupsBy::MemberOf | GroupsBy::TokenGroups => Place::Dn,
        GroupsBy::Name => Place::User,
    };
    let user_filter = settings.user_filter.as_deref();
    let group_filter = settings.group_filter.as_deref();
    let group_base = base("group_base", settings.group_base.as_ref(), row.groups_below, settings)?;
    Ok(Profile {
        preset: row.name,
        base_dn: settings.base_dn.clone(),
        user_base: base("user_base", settings.user_base.as_ref(), row.users_below, settings)?,
        user_filter: filter("user_filter", user_filter, row.user_filter, Place::User)?,
        // A filter of the administrator's own is for all names.
        user_at_filter: match row.user_at_filter.filter(|_| user_filter.is_none()) {
            None => None,
            Some(preset) => Some(filter("user_filter", None, preset, Place::User)?),
        },
        user_name_attr: attribute("user_name_attr", settings.user_name_attr.as_deref(), row.user_name_attr)?,
        domains: row.domains,
        groups: row.groups,
        group_base_dn: Dn::parse(&group_base).ok_or_else(|| {
            let key = if settings.group_base.is_some() { "group_base" } else { "base_dn" };
            let shown = group_base.escape_debug();
            SettingsError::new(key, format!("`{shown}` is not a DN, such as `dc=example,dc=org`"))
        })?,
        group_base,
        group_filter: filter("group_filter", group_filter, row.group_filter, member)?,
        group_name_attr: attribute(
            "group_name_attr",
            settings.group_name_attr.as_deref(),
            row.group_name_attr,
        )?,
        primary_filter: match row.primary_filter {
            None => None,
            Some(preset) => Some(filter("group_filter", None, preset, Place::Gid)?),
        },
        nested: match row.groups {
            GroupsBy::Walk | GroupsBy::MemberOf | GroupsBy::TokenGroups => settings.nested == Nested::Auto,
            GroupsBy::Name => false,
        },
        refusals: row.refusals,
    })
}

/// A setting that the preset would ignore could be one that somebody relies on.
fn only_what_counts(settings: &LdapSettings, row: &Row) -> Result<(), SettingsError> {
    let by_server = match row.groups {
        GroupsBy::Walk | GroupsBy::Name => return Ok(()),
        GroupsBy::MemberOf => "memberOf",
        GroupsBy::TokenGroups => "tokenGroups",
    };
    let set = [
        ("group_filter", settings.group_filter.is_some()),
        ("group_base", settings.group_base.is_some() && row.groups == GroupsBy::TokenGroups),
        ("nested", settings.nested == Nested::Off),
    ];
    match set.iter().find(|(_, is_set)| *is_set) {
        None => Ok(()),
        Some((key, _)) => Err(SettingsError::new(
            *key,
            format!(
                "has no effect with `{}`, which takes what the server says in `{by_server}`: take it out",
                row.name
            ),
        )),
    }
}

/// An empty base would search the server's root, which most servers answer with nothing.
fn base(
    key: &str,
    set: Option<&String>,
    below: &str,
    settings: &LdapSettings,
) -> Result<String, SettingsError> {
    if settings.base_dn.trim().is_empty() {
        return Err(SettingsError::new(
            "base_dn",
            "is empty: write where users and groups are, `dc=example,dc=org`",
        ));
    }
    match set {
        None if below.is_empty() => Ok(settings.base_dn.clone()),
        None => Ok(format!("{below},{}", settings.base_dn)),
        Some(base) if base.trim().is_empty() => {
            Err(SettingsError::new(key, "is empty: take it out to use the preset's"))
        }
        Some(base) => Ok(base.clone()),
    }
}

/// An attribute's name, without options (RFC 4512 §1.4).
fn attribute(key: &str, set: Option<&str>, preset: &str) -> Result<String, SettingsError> {
    let name = set.unwrap_or(preset);
    let mut letters = name.chars();
    if letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '-')
    {
        return Ok(name.to_owned());
    }
    Err(SettingsError::new(
        key,
        format!("`{}` is not the name of an attribute, such as `cn`", name.escape_debug()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(more: &str) -> Result<Profile, String> {
        load_as("openldap", more)
    }

    fn load_as(preset: &str, more: &str) -> Result<Profile, String> {
        let text = format!("preset = '{preset}'\nurls = ['ldapi://%2Fx']\n{more}");
        profile(&toml::from_str(&text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_preset_fills_in_what_is_not_set() {
        let profile = load("base_dn = 'dc=x'").unwrap();
        assert_eq!(profile.user_base, "dc=x");
        assert_eq!(profile.group_base, "dc=x");
        assert_eq!(profile.user_filter.fill("u"), "(&(objectClass=inetOrgPerson)(uid=u))");
        assert_eq!(profile.group_filter.fill("d"), "(&(objectClass=groupOfNames)(member=d))");
        assert_eq!((profile.user_name_attr.as_str(), profile.group_name_attr.as_str()), ("uid", "cn"));
        assert!(profile.nested);
    }

    #[test]
    fn every_preset_needs_no_more_than_the_base() {
        for (preset, users, groups, user, group) in [
            (
                "openldap",
                "dc=x",
                "dc=x",
                "(&(objectClass=inetOrgPerson)(uid=u))",
                "(&(objectClass=groupOfNames)(member=d))",
            ),
            (
                "rfc2307",
                "dc=x",
                "dc=x",
                "(&(objectClass=posixAccount)(uid=u))",
                "(&(objectClass=posixGroup)(memberUid=d))",
            ),
            (
                "freeipa",
                "cn=users,cn=accounts,dc=x",
                "cn=groups,cn=accounts,dc=x",
                "(&(objectClass=posixAccount)(uid=u))",
                "(&(objectClass=groupOfNames)(member=d))",
            ),
            (
                "active-directory",
                "dc=x",
                "dc=x",
                "(&(objectCategory=person)(objectClass=user)(sAMAccountName=u))",
                "(&(objectClass=group)(member=d))",
            ),
        ] {
            let profile = load_as(preset, "base_dn = 'dc=x'").unwrap();
            assert_eq!((profile.user_base.as_str(), profile.group_base.as_str()), (users, groups));
            assert_eq!(
                (profile.user_filter.fill("u"), profile.group_filter.fill("d")),
                (user.into(), group.into())
            );
            assert_eq!(
                (profile.preset, profile.user_at_filter.is_some()),
                (preset, preset == "active-directory")
            );
        }
    }

    #[test]
    fn settings_that_a_preset_would_ignore_are_refused() {
        for (preset, more, key) in [
            ("active-directory", "group_filter = '(member={dn})'", "group_filter"),
            ("active-directory", "group_base = 'ou=g'", "group_base"),
            ("active-directory", "nested = 'off'", "nested"),
            ("freeipa", "nested = 'off'", "nested"),
        ] {
            let message = load_as(preset, &format!("base_dn = 'dc=x'\n{more}")).unwrap_err();
            assert!(
                message.starts_with(&format!("{key}: has no effect with `{preset}`, which takes")),
                "{message}"
            );
        }
        let own = load_as("freeipa", "base_dn = 'dc=x'\ngroup_base = 'ou=g'").unwrap();
        assert_eq!(own.group_base, "ou=g");
        let own = load_as("active-directory", "base_dn = 'dc=x'\nuser_filter = '(mail={user})'").unwrap();
        assert!(own.user_at_filter.is_none());
    }

    #[test]
    fn what_is_set_goes_before_the_preset() {
        let profile = load(
            "base_dn = 'dc=x'\nuser_base = 'ou=u'\ngroup_base = 'ou=g'\nuser_filter = '(mail={user})'\n\
             user_name_attr = 'mail'\ngroup_filter = '(uniqueMember={dn})'\ngroup_name_attr = 'ou'\nnested = 'off'",
        )
        .unwrap();
        assert_eq!((profile.user_base.as_str(), profile.group_base.as_str()), ("ou=u", "ou=g"));
        assert_eq!((profile.user_name_attr.as_str(), profile.group_name_attr.as_str()), ("mail", "ou"));
        assert_eq!(profile.user_filter.fill("u"), "(mail=u)");
        assert_eq!(profile.group_filter.fill("d"), "(uniqueMember=d)");
        assert!(!profile.nested);
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        for (more, message) in [
            ("base_dn = 'x'", "base_dn: `x` is not a DN, such as `dc=example,dc=org`"),
            ("base_dn = ' '", "base_dn: is empty: write where users and groups are, `dc=example,dc=org`"),
            ("base_dn = 'dc=x'\nuser_base = ''", "user_base: is empty: take it out to use the preset's"),
            (
                "base_dn = 'dc=x'\nuser_filter = '(uid=*)'",
                "user_filter: `(uid=*)` has no `{user}`: every user would match",
            ),
            (
                "base_dn = 'dc=x'\ngroup_filter = '(memberUid={user})'",
                "group_filter: `(memberUid={user})` has no `{dn}`: every user would match",
            ),
            (
                "base_dn = 'dc=x'\ngroup_name_attr = 'cn;lang-de'",
                "group_name_attr: `cn;lang-de` is not the name of an attribute, such as `cn`",
            ),
        ] {
            assert_eq!(load(more).unwrap_err(), message);
        }
    }
}
