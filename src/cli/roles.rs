//! `wharfinger role`, `grant` and `set`.

use std::io::Write;

use jiff::{SignedDuration, SpanRelativeTo, Timestamp};
use serde::de::DeserializeOwned;

use super::args::Output;
use super::args_policy::{ChangeArgs, GrantCommand, PermissionArgs, RoleCommand, SetCommand};
use super::client::Client;
use super::{Outcome, change, output};
use crate::admin::{ChangeAsked, Grant, Grants, Role, Roles, Set, Sets};
use crate::policy::{EditKind, EditRequest};

/// Rows of one of the daemon's pages.
const PAGE: &str = "1000";

pub(super) fn role(command: RoleCommand, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match command {
        RoleCommand::List { output } => {
            let roles = pages(client, "/v1/roles", &[], |page: Roles| (page.roles, page.next))?;
            let rows: Vec<Vec<String>> = roles
                .into_iter()
                .map(|role| {
                    let inherits = role.inherits.join(" ");
                    let counts = [role.permissions, role.grants].map(|count| count.to_string());
                    [vec![role.name, inherits], counts.to_vec(), vec![first_sentence(&role.description)]]
                        .concat()
                })
                .collect();
            output::rows(output.output, &["role", "inherits", "permissions", "grants", "about"], &rows, out)?;
            Ok(Outcome::Done)
        }
        RoleCommand::Show { role, output } => {
            show_role(&get(client, "/v1/roles/", &role)?, output.output, out)
        }
        RoleCommand::Create { role, about, inherit, allow, deny, change } => {
            if exists(client, &role)? {
                anyhow::bail!(
                    "there is a role `{}` already: `wharfinger role edit` and `role allow` change it",
                    change::shown(&role)
                );
            }
            anyhow::ensure!(
                !inherit.is_empty() || !allow.is_empty() || !deny.is_empty(),
                "a role that holds nothing is none: say --allow ACTION, or --inherit ROLE"
            );
            let mut edits = inherits(&role, EditKind::Inherit, &inherit);
            edits.extend(allow.iter().map(|what| permission(&role, what, "allow")));
            edits.extend(deny.iter().map(|what| permission(&role, what, "deny")));
            edits.extend(about.map(|text| describe(&role, text)));
            edit(client, edits, &change, out)
        }
        RoleCommand::Edit { role, about, inherit, disinherit, change } => {
            let mut edits = inherits(&role, EditKind::Inherit, &inherit);
            edits.extend(inherits(&role, EditKind::Disinherit, &disinherit));
            edits.extend(about.map(|text| describe(&role, text)));
            anyhow::ensure!(!edits.is_empty(), "nothing to change: say --about, --inherit or --disinherit");
            anyhow::ensure!(exists(client, &role)?, "there is no role `{}`", change::shown(&role));
            edit(client, edits, &change, out)
        }
        RoleCommand::Delete { role, change } => {
            let request = EditRequest { role: Some(role), ..EditRequest::new(EditKind::DeleteRole) };
            edit(client, vec![request], &change, out)
        }
        RoleCommand::Allow { permission, change } => {
            edit(client, vec![held(permission, EditKind::Permit, "allow")], &change, out)
        }
        RoleCommand::Deny { permission, change } => {
            edit(client, vec![held(permission, EditKind::Permit, "deny")], &change, out)
        }
        RoleCommand::Revoke { permission, denial, change } => {
            let effect = if denial { "deny" } else { "allow" };
            edit(client, vec![held(permission, EditKind::Revoke, effect)], &change, out)
        }
    }
}

pub(super) fn grant(command: GrantCommand, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match command {
        GrantCommand::List { role, to, output } => {
            let mut query = Vec::new();
            query.extend(role.map(|role| ("role".to_owned(), role)));
            query.extend(to.map(|to| ("principal".to_owned(), to)));
            let grants = pages(client, "/v1/grants", &query, |page: Grants| (page.grants, page.next))?;
            output::rows(output.output, &HEAD, &grants.into_iter().map(row).collect::<Vec<_>>(), out)?;
            Ok(Outcome::Done)
        }
        GrantCommand::Add { who, role, until, change } => {
            let until = until.map(|until| end(&until, Timestamp::now())).transpose()?;
            let request = EditRequest {
                principal: Some(who),
                role: Some(role),
                until,
                reason: change.reason.clone(),
                ..EditRequest::new(EditKind::Grant)
            };
            edit(client, vec![request], &change, out)
        }
        GrantCommand::Remove { who, role, change } => {
            let request =
                EditRequest { principal: Some(who), role: Some(role), ..EditRequest::new(EditKind::Ungrant) };
            edit(client, vec![request], &change, out)
        }
    }
}

pub(super) fn set(command: SetCommand, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match command {
        SetCommand::List { output } => {
            let sets = pages(client, "/v1/sets", &[], |page: Sets| (page.sets, page.next))?;
            let rows: Vec<Vec<String>> = sets
                .into_iter()
                .map(|set| vec![set.name, set.members.join(" "), set.used_by.join(" ")])
                .collect();
            output::rows(output.output, &["set", "members", "used by"], &rows, out)?;
        }
        SetCommand::Show { set, output } => {
            let set: Set = get(client, "/v1/sets/", set.strip_prefix("set:").unwrap_or(&set))?;
            match output.output {
                Output::Json => print_json(&set, out)?,
                Output::Table | Output::Csv => {
                    let rows: Vec<Vec<String>> = set.actions.into_iter().map(|action| vec![action]).collect();
                    output::rows(output.output, &["action"], &rows, out)?;
                }
            }
        }
    }
    Ok(Outcome::Done)
}

/// Makes edits, all of them or none.
pub(super) fn edit(
    client: &Client,
    edits: Vec<EditRequest>,
    args: &ChangeArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let asked = ChangeAsked { edits: Some(edits), ..change::asked(args) };
    change::send(client, &asked, args.if_version, out)
}

/// A permission that is written as its action and, if it is not about everything, a resource.
pub(super) fn permission(role: &str, what: &str, effect: &str) -> EditRequest {
    let (action, resource) = what.split_once(' ').unwrap_or((what, "*"));
    EditRequest {
        role: Some(role.to_owned()),
        action: Some(action.to_owned()),
        resource: Some(resource.trim().to_owned()),
        effect: Some(effect.to_owned()),
        ..EditRequest::new(EditKind::Permit)
    }
}

/// When a grant ends: a span from now, a date, or a time.
pub(super) fn end(text: &str, now: Timestamp) -> anyhow::Result<String> {
    let bad = || {
        anyhow::anyhow!(
            "`{}` is not a time: write a span from now such as `30m` or `5d`, a date such as `2026-12-24`, or RFC 3339",
            change::shown(text)
        )
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.to_string());
    }
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        return Ok(date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad())?.timestamp().to_string());
    }
    let span: jiff::Span = text.parse().map_err(|_| bad())?;
    let ahead: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
    anyhow::ensure!(ahead.is_positive(), bad());
    let end = now.checked_add(ahead).map_err(|_| bad())?;
    Ok(Timestamp::from_second(end.as_second())?.to_string())
}

const HEAD: [&str; 5] = ["who", "role", "until", "reason", "ended"];

fn row(grant: Grant) -> Vec<String> {
    let ended = if grant.ended { "yes" } else { "" }.to_owned();
    vec![grant.principal, grant.role, grant.until.unwrap_or_default(), grant.reason, ended]
}

fn show_role(role: &Role, form: Output, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if form == Output::Json {
        print_json(role, out)?;
        return Ok(Outcome::Done);
    }
    let rows: Vec<Vec<String>> = role
        .permissions
        .iter()
        .map(|held| vec![held.effect.clone(), held.action.clone(), held.resource.clone()])
        .collect();
    if form == Output::Table {
        writeln!(out, "role      {}", change::shown(&role.name))?;
        writeln!(out, "about     {}", change::shown(&role.description))?;
        let none = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        writeln!(out, "inherits  {}", none(&role.inherits))?;
        for holder in &role.holders {
            let until = holder.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
            let ended = if holder.ended { " (ended)" } else { "" };
            writeln!(out, "held by   {}{until}{ended}", change::shown(&holder.principal))?;
        }
        writeln!(out)?;
    }
    output::rows(form, &["effect", "action", "resource"], &rows, out)?;
    Ok(Outcome::Done)
}

fn held(permission: PermissionArgs, op: EditKind, effect: &str) -> EditRequest {
    EditRequest {
        role: Some(permission.role),
        action: Some(permission.action),
        resource: Some(permission.resource),
        effect: Some(effect.to_owned()),
        ..EditRequest::new(op)
    }
}

fn inherits(role: &str, op: EditKind, from: &[String]) -> Vec<EditRequest> {
    let one = |from: &String| EditRequest {
        role: Some(role.to_owned()),
        from: Some(from.clone()),
        ..EditRequest::new(op)
    };
    from.iter().map(one).collect()
}

fn describe(role: &str, text: String) -> EditRequest {
    EditRequest { role: Some(role.to_owned()), text: Some(text), ..EditRequest::new(EditKind::Describe) }
}

fn exists(client: &Client, role: &str) -> anyhow::Result<bool> {
    let query = [("kind".to_owned(), "roles".to_owned())];
    let names: crate::admin::Names = serde_json::from_slice(&client.get("/v1/names", &query)?)?;
    Ok(names.names.iter().any(|name| name == role))
}

fn get<T: DeserializeOwned>(client: &Client, path: &str, name: &str) -> anyhow::Result<T> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    anyhow::ensure!(
        !name.is_empty() && name.chars().all(good),
        "`{}` is no name: it has letters, digits, `-`, `_` and `.`",
        change::shown(name)
    );
    Ok(serde_json::from_slice(&client.get(&format!("{path}{name}"), &[])?)?)
}

fn pages<P: DeserializeOwned, T>(
    client: &Client,
    path: &str,
    query: &[(String, String)],
    take: impl Fn(P) -> (Vec<T>, Option<String>),
) -> anyhow::Result<Vec<T>> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        query.push(("limit".to_owned(), PAGE.to_owned()));
        query.extend(after.take().map(|after| ("after".to_owned(), after)));
        let (rows, next) = take(serde_json::from_slice(&client.get(path, &query)?)?);
        all.extend(rows);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

pub(super) fn print_json(value: &impl serde::Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(writeln!(out)?)
}

fn first_sentence(text: &str) -> String {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::end;

    #[test]
    fn the_end_of_a_grant_is_a_span_from_now_a_date_or_a_time() {
        let now = "2026-03-08T12:00:00.5Z".parse().unwrap();
        for (text, expected) in [
            ("30m", "2026-03-08T12:30:00Z"),
            ("5d", "2026-03-13T12:00:00Z"),
            ("2026-12-24", "2026-12-24T00:00:00Z"),
            ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z"),
        ] {
            assert_eq!(end(text, now).unwrap(), expected);
        }
        for text in ["friday", "-5d", "0s", "1mo", ""] {
            assert!(end(text, now).unwrap_err().to_string().contains("is not a time"), "{text}");
        }
    }
}
