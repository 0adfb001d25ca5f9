//! Rules written back as Casbin's CSV, as `load` reads them.

use super::csv::quote;
use crate::authz::Rules;

/// The rules as text: roles, inheritance, grants, then action sets; comments are not kept.
pub fn to_csv(rules: &Rules) -> String {
    let permissions = rules.permissions.iter().map(|(role, permission)| {
        line(
            "p",
            &[
                format!("role:{role}"),
                permission.actions.to_string(),
                permission.resource.to_string(),
                permission.effect.to_string(),
            ],
        )
    });
    let inherits = rules
        .inherits
        .iter()
        .map(|(heir, role)| line("g", &[format!("role:{heir}"), format!("role:{role}")]));
    let grants = rules
        .grants
        .iter()
        .map(|grant| line("g", &[grant.principal.to_string(), format!("role:{}", grant.role)]));
    let members =
        rules.members.iter().map(|(member, set)| line("g2", &[member.to_string(), format!("set:{set}")]));
    permissions.chain(inherits).chain(grants).chain(members).collect()
}

fn line(section: &str, fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quote(field)).collect();
    format!("{section}, {}\n", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::to_csv;
    use crate::policy::{MODEL, load};

    #[test]
    fn rules_are_written_as_lines_with_quotes_where_they_are_needed() {
        let text = "p, role:a, set:ps, \"container:x,y\", deny\n\
                    p, role:b, *, path:/srv/**, allow\n\
                    g, role:b, role:a\n\
                    g, \"user:Doe, Jane\", role:b\n\
                    g, everyone, role:a\n\
                    g2, container.list, set:ps\n";
        assert_eq!(to_csv(&load(MODEL, text).unwrap().rules), text);
    }
}
