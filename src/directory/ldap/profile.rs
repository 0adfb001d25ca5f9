//! The settings laid over the preset: what to ask for, checked once at load.

use super::filter::{Filter, Place};
use super::lookup::Profile;
use super::{LdapSettings, Nested};
use crate::directory::SettingsError;

/// Checks everything that is about entries.
pub(super) fn profile(settings: &LdapSettings) -> Result<Profile, SettingsError> {
    let row = settings.preset.row();
    let filter = |key: &str, set: &Option<String>, preset: &str, place| {
        Filter::new(set.as_deref().unwrap_or(preset), place)
            .map_err(|message| SettingsError::new(key, message))
    };
    Ok(Profile {
        user_base: base("user_base", settings.user_base.as_ref(), settings)?,
        user_filter: filter("user_filter", &settings.user_filter, row.user_filter, Place::User)?,
        user_name_attr: attribute("user_name_attr", settings.user_name_attr.as_deref(), row.user_name_attr)?,
        group_base: base("group_base", settings.group_base.as_ref(), settings)?,
        group_filter: filter("group_filter", &settings.group_filter, row.group_filter, Place::Dn)?,
        group_name_attr: attribute(
            "group_name_attr",
            settings.group_name_attr.as_deref(),
            row.group_name_attr,
        )?,
        nested: row.nested && settings.nested == Nested::Auto,
        refusals: row.refusals,
    })
}

/// An empty base would search the server's root, which most servers answer with nothing.
fn base(key: &str, set: Option<&String>, settings: &LdapSettings) -> Result<String, SettingsError> {
    if settings.base_dn.trim().is_empty() {
        return Err(SettingsError::new(
            "base_dn",
            "is empty: write where users and groups are, `dc=example,dc=org`",
        ));
    }
    match set {
        None => Ok(settings.base_dn.clone()),
        Some(base) if base.trim().is_empty() => {
            Err(SettingsError::new(key, "is empty: take it out to use `base_dn`"))
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
        let text = format!("preset = 'openldap'\nurls = ['ldapi://%2Fx']\n{more}");
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
            ("base_dn = ' '", "base_dn: is empty: write where users and groups are, `dc=example,dc=org`"),
            ("base_dn = 'dc=x'\nuser_base = ''", "user_base: is empty: take it out to use `base_dn`"),
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
