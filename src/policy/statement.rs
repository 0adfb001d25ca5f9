//! What a policy line says: its fields read into roles, permissions, grants and action sets.

use super::csv::{Line, Section};
use super::error::{Field, Problem, shown};
use crate::authz::{Action, Actions, Effect, Grant, Pattern, Permission, Principal, Rules, RulesError};

/// One line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// `p, role:…, action, resource, effect`
    Permission(String, Permission),
    /// `g, role:heir, role:inherited`
    Inherits(String, String),
    /// `g, principal, role:…`
    Grant(Grant),
    /// `g2, action, set:…`
    Member(Actions, String),
}

/// Reads every line, or says everything that is wrong.
pub(super) fn parse(lines: &[Line]) -> Result<Vec<(usize, Statement)>, Vec<Problem>> {
    let mut statements = Vec::with_capacity(lines.len());
    let mut problems = Vec::new();
    for line in lines {
        match statement(line.section, &line.fields) {
            Ok(statement) => statements.push((line.number, statement)),
            Err((field, message)) => problems.push(Problem::at(line.number, field, message)),
        }
    }
    if problems.is_empty() { Ok(statements) } else { Err(problems) }
}

type Wrong = (Field, String);

/// Reads the fields of one line, whose number must already be right.
pub(super) fn statement(section: Section, fields: &[String]) -> Result<Statement, Wrong> {
    match (section, fields) {
        (Section::P, [holder, action, resource, effect]) => permission(holder, action, resource, effect),
        (Section::G, [holder, role]) => link(holder, role, None),
        (Section::G, [holder, role, until]) => link(holder, role, Some((until, ""))),
        (Section::G, [holder, role, until, why]) => link(holder, role, Some((until, why))),
        (Section::G2, [member, set]) => member_of(member, set),
        (Section::P | Section::G | Section::G2, _) => {
            Err((Field::Section, "has not the number of fields that its section needs".to_owned()))
        }
    }
}

pub(super) fn add(rules: &mut Rules, statement: Statement) {
    match statement {
        Statement::Permission(role, permission) => rules.permissions.push((role, permission)),
        Statement::Inherits(heir, role) => rules.inherits.push((heir, role)),
        Statement::Grant(grant) => rules.grants.push(grant),
        Statement::Member(member, set) => rules.members.push((member, set)),
    }
}

/// The place of something that is wrong with the rules as a whole.
pub(super) fn locate(statements: &[(usize, Statement)], error: &RulesError) -> Problem {
    let found = |wanted: &dyn Fn(&Statement) -> bool| {
        statements.iter().find(|(_, statement)| wanted(statement)).map(|(line, _)| *line)
    };
    let (line, field) = match error {
        RulesError::UnknownRole(name, _) => (
            found(&|statement| match statement {
                Statement::Grant(grant) => grant.role == *name,
                Statement::Inherits(_, role) => role == name,
                Statement::Permission(..) | Statement::Member(..) => false,
            }),
            Field::Role,
        ),
        RulesError::UnknownSet(name, _) => {
            let set = Actions::Set(name.clone());
            let line = found(&|statement| match statement {
                Statement::Permission(_, permission) => permission.actions == set,
                Statement::Member(member, _) => *member == set,
                Statement::Grant(_) | Statement::Inherits(..) => false,
            });
            (line, Field::Action)
        }
        RulesError::RoleCycle(circle) => (
            found(
                &|statement| matches!(statement, Statement::Inherits(heir, role) if step(circle, heir, role)),
            ),
            Field::Role,
        ),
        RulesError::SetCycle(circle) => (
            found(
                &|statement| matches!(statement, Statement::Member(Actions::Set(inner), set) if step(circle, set, inner)),
            ),
            Field::Set,
        ),
        RulesError::TooDeep(role) => (
            found(&|statement| matches!(statement, Statement::Inherits(heir, _) if heir == role)),
            Field::Holder,
        ),
        RulesError::AnyInSet(set) => (
            found(&|statement| matches!(statement, Statement::Member(Actions::Any, of) if of == set)),
            Field::Member,
        ),
    };
    Problem { line, field: line.map(|_| field), message: error.to_string() }
}

/// Whether a circle such as `a > b > a` has this step.
fn step(circle: &str, from: &str, to: &str) -> bool {
    let names: Vec<&str> = circle.split(" > ").collect();
    names.iter().zip(names.iter().skip(1)).any(|(a, b)| *a == from && *b == to)
}

fn permission(holder: &str, action: &str, resource: &str, effect: &str) -> Result<Statement, Wrong> {
    let Some(role) = holder.strip_prefix("role:") else {
        let message = format!(
            "`{}` is not a role: permissions belong to roles, written `role:developer`, and `g` grants the role",
            shown(holder)
        );
        return Err((Field::Holder, message));
    };
    let role = name(Field::Holder, "a role", role)?;
    let actions = actions(Field::Action, action)?;
    let resource = Pattern::parse(resource).map_err(|error| (Field::Resource, error.to_string()))?;
    let effect = match effect {
        "allow" => Effect::Allow,
        "deny" => Effect::Deny,
        other => return Err((Field::Effect, format!("`{}` is neither `allow` nor `deny`", shown(other)))),
    };
    Ok(Statement::Permission(role, Permission { actions, resource, effect }))
}

fn link(holder: &str, held: &str, terms: Option<(&str, &str)>) -> Result<Statement, Wrong> {
    if let Some(heir) = holder.strip_prefix("role:") {
        if terms.is_some() {
            let message = "a role inherits another without an end and without a reason: give the role itself until a time";
            return Err((Field::Until, message.to_owned()));
        }
        let heir = name(Field::Holder, "a role", heir)?;
        return Ok(Statement::Inherits(heir, role(held)?));
    }
    let principal = principal(holder)?;
    if held.starts_with("group:") {
        let message = format!(
            "`{}` cannot be put into `{}` here: who is in a group comes from the directory",
            shown(holder),
            shown(held)
        );
        return Err((Field::Role, message));
    }
    let (until, reason) = terms.unwrap_or_default();
    let until = (!until.is_empty()).then(|| end(until)).transpose()?;
    Ok(Statement::Grant(Grant { principal, role: role(held)?, until, reason: reason.to_owned() }))
}

/// The end of a grant, in seconds since 1970.
fn end(text: &str) -> Result<i64, Wrong> {
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).map_err(|_| {
        let message = format!(
            "`{}` is not a time: write it as in RFC 3339, such as `2026-11-27T18:00:00Z`, or leave it empty",
            shown(text)
        );
        (Field::Until, message)
    })
}

fn member_of(member: &str, set: &str) -> Result<Statement, Wrong> {
    let member = actions(Field::Member, member)?;
    match set.strip_prefix("set:") {
        Some(set) => Ok(Statement::Member(member, name(Field::Set, "an action set", set)?)),
        None => Err((Field::Set, format!("`{}` is not an action set: write it `set:run`", shown(set)))),
    }
}

fn role(text: &str) -> Result<String, Wrong> {
    match text.strip_prefix("role:") {
        Some(role) => name(Field::Role, "a role", role),
        None => Err((Field::Role, format!("`{}` is not a role: write it `role:developer`", shown(text)))),
    }
}

fn principal(text: &str) -> Result<Principal, Wrong> {
    let named = |kind: &str, name: &str| {
        if name.is_empty() || name.trim() != name {
            let message =
                format!("`{kind}:` is followed by a name that neither begins nor ends with a blank");
            return Err((Field::Holder, message));
        }
        Ok(name.to_owned())
    };
    match (text, text.split_once(':')) {
        ("everyone", _) => Ok(Principal::Everyone),
        ("anonymous", _) => Ok(Principal::Anonymous),
        (_, Some(("user", name))) => Ok(Principal::User(named("user", name)?)),
        (_, Some(("group", name))) => Ok(Principal::Group(named("group", name)?)),
        (other, _) => {
            let message = format!(
                "`{}` cannot hold a role: write `user:alice`, `group:developers`, `everyone`, `anonymous` or `role:…`",
                shown(other)
            );
            Err((Field::Holder, message))
        }
    }
}

fn actions(field: Field, text: &str) -> Result<Actions, Wrong> {
    if text == "*" {
        return Ok(Actions::Any);
    }
    if let Some(set) = text.strip_prefix("set:") {
        return Ok(Actions::Set(name(field, "an action set", set)?));
    }
    Action::parse(text).map(Actions::One).ok_or_else(|| {
        let advice = Action::nearest(text).map_or_else(
            || "; write an action such as `container.start`, `set:…` or `*`".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        (field, format!("`{}` is not an action{advice}", shown(text)))
    })
}

/// The name of a role or a set: letters, digits, and `-`, `_`, `.` between them.
fn name(field: Field, what: &str, text: &str) -> Result<String, Wrong> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(good) {
        let message =
            format!("`{}` is not the name of {what}: it has letters, digits, `-`, `_` and `.`", shown(text));
        return Err((
            field,
            message.replace("of action set", "of an action set").replace("of role", "of a role"),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::policy::csv;

    fn problems(text: &str) -> String {
        let lines = csv::read(text).unwrap();
        parse(&lines).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_field_that_is_wrong_is_named_with_what_to_write_instead() {
        for (line, expected) in [
            (
                "p, user:alice, *, *, allow",
                "holder: `user:alice` is not a role: permissions belong to roles, written `role:developer`, and `g` grants the role",
            ),
            (
                "p, role:a b, *, *, allow",
                "holder: `a b` is not the name of a role: it has letters, digits, `-`, `_` and `.`",
            ),
            (
                "p, role:a, container.lst, *, allow",
                "action: `container.lst` is not an action; did you mean `container.list`?",
            ),
            (
                "p, role:a, qqqqqqqqqqqqqqqqq, *, allow",
                "action: `qqqqqqqqqqqqqqqqq` is not an action; write an action such as `container.start`, `set:…` or `*`",
            ),
            (
                "p, role:a, set:, *, allow",
                "action: `` is not the name of an action set: it has letters, digits, `-`, `_` and `.`",
            ),
            (
                "p, role:a, *, contaner:x, allow",
                "resource: `contaner` is not a kind of resource; did you mean `container`?",
            ),
            ("p, role:a, *, *, Allow", "effect: `Allow` is neither `allow` nor `deny`"),
            (
                "g, alice, role:a",
                "holder: `alice` cannot hold a role: write `user:alice`, `group:developers`, `everyone`, `anonymous` or `role:…`",
            ),
            (
                "g, user:, role:a",
                "holder: `user:` is followed by a name that neither begins nor ends with a blank",
            ),
            (
                "g, user:alice, group:devs",
                "role: `user:alice` cannot be put into `group:devs` here: who is in a group comes from the directory",
            ),
            (
                "g, group:devs, group:all",
                "role: `group:devs` cannot be put into `group:all` here: who is in a group comes from the directory",
            ),
            (
                "g, user:alice, role:a, friday",
                "until: `friday` is not a time: write it as in RFC 3339, such as `2026-11-27T18:00:00Z`, or leave it empty",
            ),
            (
                "g, role:a, role:b, 2026-11-27T18:00:00Z",
                "until: a role inherits another without an end and without a reason: give the role itself until a time",
            ),
            ("g, user:alice, developer", "role: `developer` is not a role: write it `role:developer`"),
            ("g, role:a, user:alice", "role: `user:alice` is not a role: write it `role:developer`"),
            ("g2, container.list, ps", "set: `ps` is not an action set: write it `set:run`"),
            (
                "g2, container.lis, set:ps",
                "member: `container.lis` is not an action; did you mean `container.list`?",
            ),
        ] {
            assert_eq!(problems(line), format!("line 1, {expected}"));
        }
    }

    #[test]
    fn all_lines_that_are_wrong_are_named_and_not_the_first_alone() {
        assert_eq!(problems("p, role:a, *, *, x\ng, user:a, role:a\ng, b, role:a").lines().count(), 2);
    }
}
