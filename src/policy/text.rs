//! Rules written back as Casbin's CSV, as `load` reads them.

use super::csv::quote;
use super::statement::Statement;
use crate::authz::{Actions, Grant, Permission, Rules};

/// The rules as text: roles, inheritance, grants, then action sets; comments are not kept.
pub fn to_csv(rules: &Rules) -> String {
    let permissions = rules.permissions.iter().map(|(role, held)| permission(role, held));
    let inherits = rules.inherits.iter().map(|(heir, role)| inherits(heir, role));
    let grants = rules.grants.iter().map(grant);
    let members = rules.members.iter().map(|(member, set)| self::member(member, set));
    permissions.chain(inherits).chain(grants).chain(members).map(|line| line + "\n").collect()
}

/// A statement as its line, without the line's end.
pub(super) fn statement(statement: &Statement) -> String {
    match statement {
        Statement::Permission(role, held) => permission(role, held),
        Statement::Inherits(heir, role) => inherits(heir, role),
        Statement::Grant(held) => grant(held),
        Statement::Member(of, set) => member(of, set),
    }
}

/// A text without line ends and other control characters, for a comment.
pub(super) fn one_line(text: &str) -> String {
    text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn permission(role: &str, held: &Permission) -> String {
    let Permission { actions, resource, effect } = held;
    line("p", &[format!("role:{role}"), actions.to_string(), resource.to_string(), effect.to_string()])
}

fn inherits(heir: &str, role: &str) -> String {
    line("g", &[format!("role:{heir}"), format!("role:{role}")])
}

fn member(member: &Actions, set: &str) -> String {
    line("g2", &[member.to_string(), format!("set:{set}")])
}

/// A grant as its line.
fn grant(grant: &Grant) -> String {
    let mut fields = vec![grant.principal.to_string(), format!("role:{}", grant.role)];
    if grant.until.is_some() || !grant.reason.is_empty() {
        fields.push(grant.until.and_then(time).unwrap_or_default());
    }
    if !grant.reason.is_empty() {
        fields.push(grant.reason.clone());
    }
    line("g", &fields)
}

/// Seconds since 1970 as RFC 3339.
pub(super) fn time(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

fn line(section: &str, fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quote(field)).collect();
    format!("{section}, {}", fields.join(", "))
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
                    g, user:bob, role:a, 2026-11-27T18:00:00Z\n\
                    g, user:eve, role:a, 2026-11-27T18:00:00Z, \"ticket 7, by phone\"\n\
                    g, user:kim, role:a, \"\", ticket 8\n\
                    g2, container.list, set:ps\n";
        assert_eq!(to_csv(&load(MODEL, text).unwrap().rules), text);
    }
}
