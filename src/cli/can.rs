//! `wharfinger can-i`, `who-can` and `allow-from`.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use super::args::Output;
use super::args_policy::{ChangeArgs, WhoArgs};
use super::client::Client;
use super::{Outcome, change, output, roles};
use crate::admin::{Can, ChangeAsked, Held, Who};
use crate::audit::{Effect, Entry, Found};
use crate::policy::{EditKind, EditRequest};

/// Whether somebody may: yes is exit code 0, no is 1.
pub(super) fn can(
    action: &str,
    resource: Option<&str>,
    who: &WhoArgs,
    form: Output,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let mut query = vec![("action".to_owned(), action.to_owned())];
    query.extend(resource.map(|resource| ("resource".to_owned(), resource.to_owned())));
    query.extend(about(who));
    let can: Can = serde_json::from_slice(&client.get("/v1/can", &query)?)?;
    let outcome = if can.permit { Outcome::Done } else { Outcome::No };
    let rows: Vec<Vec<String>> = can
        .findings
        .iter()
        .map(|found| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let granted = if found.granted { "yes" } else { "no" }.to_owned();
            vec![
                granted,
                found.action.clone(),
                found.resource.clone(),
                text(&found.permission),
                text(&found.path),
            ]
        })
        .collect();
    match form {
        Output::Json => roles::print_json(&can, out)?,
        Output::Csv => output::rows(form, &FOUND, &rows, out)?,
        Output::Table => {
            writeln!(out, "{}", if can.permit { "yes" } else { "no" })?;
            if !can.permit {
                writeln!(out, "{}", change::shown(&can.message))?;
            }
            if let Some(mode) = &can.mode {
                writeln!(out, "it is let through all the same, on record: mode {mode}")?;
            }
            output::rows(form, &FOUND, &rows, out)?;
        }
    }
    Ok(outcome)
}

/// All that somebody holds.
pub(super) fn list(
    who: &WhoArgs,
    form: Output,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let query: Vec<(String, String)> = about(who).collect();
    let held: Held = serde_json::from_slice(&client.get("/v1/held", &query)?)?;
    let rows: Vec<Vec<String>> = held
        .permissions
        .into_iter()
        .map(|held| vec![held.effect, held.action, held.resource, held.path])
        .collect();
    output::rows(form, &["effect", "action", "resource", "by"], &rows, out)?;
    Ok(Outcome::Done)
}

/// Who may.
pub(super) fn who(
    action: &str,
    resource: Option<&str>,
    form: Output,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let mut query = vec![("action".to_owned(), action.to_owned())];
    query.extend(resource.map(|resource| ("resource".to_owned(), resource.to_owned())));
    let who: Who = serde_json::from_slice(&client.get("/v1/who-can", &query)?)?;
    let outcome = if who.holders.is_empty() { Outcome::No } else { Outcome::Done };
    let rows: Vec<Vec<String>> = who
        .holders
        .into_iter()
        .map(|holder| vec![holder.principal, holder.path, holder.until.unwrap_or_default()])
        .collect();
    output::rows(form, &["who", "by", "until"], &rows, out)?;
    if !who.complete && form == Output::Table {
        writeln!(out, "there are too many users to ask the directory about each: their groups are left out")?;
    }
    Ok(outcome)
}

/// Shows the smallest permission that would have permitted a denied call, and adds it once that is confirmed.
pub(super) fn allow_from(
    found: &Found,
    role: Option<String>,
    yes: bool,
    args: &ChangeArgs,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let Entry::Decision(entry) = &found.record.entry else {
        anyhow::bail!("this record is about no call");
    };
    let Some(user) = &entry.actor.user else {
        anyhow::bail!("the call came from nobody: find out first who it is");
    };
    let missing: Vec<_> =
        entry.requirements.iter().filter(|need| need.effect != Some(Effect::Allow)).collect();
    if missing.is_empty() {
        anyhow::bail!(
            "nothing that a role could grant was missing: `wharfinger explain {}` says more",
            found.id()
        );
    }
    if let Some(denied) = missing.iter().find(|need| need.effect == Some(Effect::Deny)) {
        anyhow::bail!(
            "role `{}` denies {} {}, and no permission outweighs that: take `{}` out of it, or the role away",
            denied.role.as_deref().unwrap_or_default(),
            denied.action,
            denied.resource,
            denied.permission.as_deref().unwrap_or_default()
        );
    }
    // A role of its own, so that nobody else gets it.
    let role = role.unwrap_or_else(|| own_role(user));
    let mut edits: Vec<EditRequest> = Vec::new();
    for need in missing {
        edits.push(roles::permission(&role, &format!("{} {}", need.action, need.resource), "allow"));
    }
    let query = [("role".to_owned(), role.clone()), ("principal".to_owned(), format!("user:{user}"))];
    let grants: crate::admin::Grants = serde_json::from_slice(&client.get("/v1/grants", &query)?)?;
    if grants.grants.is_empty() && !entry.actor.roles.contains(&role) {
        let reason = args.reason.clone().or_else(|| Some(format!("allow-from {}", found.id())));
        edits.push(EditRequest {
            principal: Some(format!("user:{user}")),
            role: Some(role),
            reason,
            ..EditRequest::new(EditKind::Grant)
        });
    }
    let asked = ChangeAsked { edits: Some(edits), ..change::asked(args) };
    let trial = change::ask(client, &ChangeAsked { dry_run: Some(true), ..asked.clone() }, args.if_version)?;
    change::tell(&trial, out)?;
    if args.dry_run {
        return Ok(Outcome::Done);
    }
    if !yes && !confirmed(out)? {
        writeln!(out, "left as it is")?;
        return Ok(Outcome::No);
    }
    // For the policy that was shown, and no other.
    change::send(client, &asked, Some(trial.base), out)
}

const FOUND: [&str; 5] = ["granted", "action", "resource", "permission", "by"];

fn about(who: &WhoArgs) -> impl Iterator<Item = (String, String)> {
    let user = who.user.clone().map(|user| ("user".to_owned(), user));
    let groups = (!who.groups.is_empty()).then(|| ("groups".to_owned(), who.groups.join(",")));
    user.into_iter().chain(groups)
}

/// The name of a role for one user, of the characters that names of roles have.
fn own_role(user: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("only-{}", user.chars().map(plain).collect::<String>())
}

/// Asks on the terminal; without one nobody can confirm anything.
pub(super) fn confirmed(out: &mut impl Write) -> anyhow::Result<bool> {
    anyhow::ensure!(
        io::stdin().is_terminal(),
        "nobody is there to confirm it: say --yes to do it, or --dry-run"
    );
    write!(out, "do it? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
