//! The readable form of a policy: TOML with a table for each role, which people write more easily than lines of CSV.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EditError, text};
use crate::authz::{Effect, Rules};

/// A whole policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grant: Vec<GrantForm>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    roles: BTreeMap<String, RoleForm>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sets: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleForm {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    about: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inherits: Vec<String>,
    /// Each an action or set, and if it is not about everything a resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantForm {
    to: String,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The rules in this form; comments are not kept but for what roles are for.
pub fn to_toml(rules: &Rules, descriptions: &BTreeMap<String, String>) -> String {
    let mut form = Form::default();
    for (role, permission) in &rules.permissions {
        let role = form.roles.entry(role.clone()).or_default();
        let resource = permission.resource.to_string();
        let line = match resource.as_str() {
            "*" => permission.actions.to_string(),
            resource => format!("{} {resource}", permission.actions),
        };
        match permission.effect {
            Effect::Allow => role.allow.push(line),
            Effect::Deny => role.deny.push(line),
        }
    }
    for (heir, role) in &rules.inherits {
        form.roles.entry(heir.clone()).or_default().inherits.push(role.clone());
    }
    for (name, role) in &mut form.roles {
        role.about = descriptions.get(name).cloned().unwrap_or_default();
    }
    form.grant = rules
        .grants
        .iter()
        .map(|grant| GrantForm {
            to: grant.principal.to_string(),
            role: grant.role.clone(),
            until: grant.until.and_then(text::time),
            reason: (!grant.reason.is_empty()).then(|| grant.reason.clone()),
        })
        .collect();
    for (member, set) in &rules.members {
        form.sets.entry(set.clone()).or_default().push(member.to_string());
    }
    toml::to_string_pretty(&form).unwrap_or_default()
}

/// The same policy as lines of CSV, which are what is kept.
///
/// # Errors
/// What is no TOML of this form; whether the policy is a good one is for whoever loads it.
pub fn from_toml(text: &str) -> Result<String, EditError> {
    let form: Form = toml::from_str(text)
        .map_err(|error| EditError::Shape(format!("this is not a policy in TOML: {error}")))?;
    let mut lines = Vec::new();
    for grant in &form.grant {
        let mut fields = vec![grant.to.clone(), format!("role:{}", grant.role)];
        if grant.until.is_some() || grant.reason.is_some() {
            fields.push(grant.until.clone().unwrap_or_default());
            fields.extend(grant.reason.as_deref().map(text::one_line));
        }
        lines.push(text::line("g", &fields));
    }
    for (name, role) in &form.roles {
        lines.push(String::new());
        if !role.about.is_empty() {
            lines.push(format!("# {name}: {}", text::one_line(&role.about)));
        }
        let holder = format!("role:{name}");
        lines.extend(
            role.inherits.iter().map(|from| text::line("g", &[holder.clone(), format!("role:{from}")])),
        );
        let allowed = role.allow.iter().map(|what| (what, "allow"));
        for (what, effect) in allowed.chain(role.deny.iter().map(|what| (what, "deny"))) {
            let (action, resource) = what.split_once(' ').unwrap_or((what, "*"));
            let fields = [holder.clone(), action.to_owned(), resource.trim().to_owned(), effect.to_owned()];
            lines.push(text::line("p", &fields));
        }
    }
    for (set, members) in &form.sets {
        lines.push(String::new());
        lines.extend(members.iter().map(|member| text::line("g2", &[member.clone(), format!("set:{set}")])));
    }
    lines.push(String::new());
    // A line end within a name would make two lines of one.
    if lines.iter().any(|line| line.contains(['\n', '\r'])) {
        return Err(EditError::Shape("a name or pattern holds the end of a line".to_owned()));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{from_toml, to_toml};
    use crate::policy::document::Document;
    use crate::policy::{MODEL, POLICY, load};

    #[test]
    fn the_readable_form_says_the_same() {
        let text = "# a: starts things\ng, role:a, role:b\np, role:a, set:s, container:web-*, allow\np, role:a, *, path:/, deny\n\
                    p, role:b, container.list, *, allow\ng, user:x, role:a, 2026-11-27T18:00:00Z, ticket 7\ng2, container.start, set:s";
        let rules = load(MODEL, text).unwrap().rules;
        let expected = "\
[[grant]]
to = \"user:x\"
role = \"a\"
until = \"2026-11-27T18:00:00Z\"
reason = \"ticket 7\"

[roles.a]
about = \"starts things\"
inherits = [\"b\"]
allow = [\"set:s container:web-*\"]
deny = [\"* path:/\"]

[roles.b]
allow = [\"container.list\"]

[sets]
s = [\"container.start\"]
";
        let written = to_toml(&rules, &Document::parse(text).descriptions());
        assert_eq!(written, expected);
        assert_eq!(load(MODEL, &from_toml(&written).unwrap()).unwrap().rules, rules);
    }

    #[test]
    fn the_shipped_policy_survives_it() {
        let shipped = load(MODEL, POLICY).unwrap().rules;
        let again =
            load(MODEL, &from_toml(&to_toml(&shipped, &Document::parse(POLICY).descriptions())).unwrap())
                .unwrap()
                .rules;
        let permissions = |rules: &crate::authz::Rules| {
            rules.permissions.iter().map(|(role, held)| format!("{role} {held}")).collect::<BTreeSet<_>>()
        };
        assert_eq!(permissions(&again), permissions(&shipped));
        assert_eq!((again.grants.len(), again.members.len()), (shipped.grants.len(), shipped.members.len()));
    }

    #[test]
    fn what_is_not_of_the_form_is_refused() {
        for text in [
            "roles = 1",
            "[roles.a]\nallows = ['x']",
            "[[grant]]\nto = \"user:a\\ng, user:b\"\nrole = 'x'",
            "p, role:a",
        ] {
            assert!(from_toml(text).is_err(), "{text}");
        }
    }
}
