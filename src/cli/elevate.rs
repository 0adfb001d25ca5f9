//! `wharfinger elevate` and `wharfinger policy learn`.

use std::io::Write;

use super::args::Output;
use super::args_elevate::ElevateArgs;
use super::args_policy::ChangeArgs;
use super::client::Client;
use super::{Outcome, can, change, output, roles};
use crate::admin::{ChangeAsked, Draft, ElevateAsked, Elevated, Elevations};
use crate::policy::{EditKind, EditRequest};

/// Takes a role, approves that somebody does, or lists who asks.
pub(super) fn run(args: ElevateArgs, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match (args.approve, args.role) {
        (Some(id), _) => approve(&id, client, out),
        (None, Some(role)) if !args.waiting => {
            elevate(&role, &args.time, args.reason.as_deref().unwrap_or_default(), client, out)
        }
        (None, _) => waiting(args.output.output, client, out),
    }
}

/// Takes a role for a while.
fn elevate(
    role: &str,
    time: &str,
    reason: &str,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let asked = ElevateAsked { role: role.to_owned(), seconds: seconds(time)?, reason: reason.to_owned() };
    tell(&client.post("/v1/elevations", Some(&serde_json::to_value(&asked)?))?, out)
}

/// Approves somebody else's request.
fn approve(id: &str, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    anyhow::ensure!(is_id, "`{}` is no request's id; see `wharfinger elevate --waiting`", change::shown(id));
    tell(&client.post(&format!("/v1/elevations/{id}/approve"), None)?, out)
}

/// Lists the requests that wait.
fn waiting(form: Output, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let found: Elevations = serde_json::from_slice(&client.get("/v1/elevations", &[])?)?;
    let rows: Vec<Vec<String>> = found
        .waiting
        .into_iter()
        .map(|one| vec![one.id, one.user, one.role, format!("{} s", one.seconds), one.reason])
        .collect();
    output::rows(form, &["id", "user", "role", "for", "reason"], &rows, out)?;
    Ok(Outcome::Done)
}

/// Of whom to learn, and what to call it.
pub(super) struct Pupil {
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) role: Option<String>,
}

/// Drafts a role, and puts it in force once that is confirmed.
pub(super) fn learn(
    pupil: Pupil,
    yes: bool,
    args: &ChangeArgs,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let Pupil { user, group, role } = pupil;
    let mut query = vec![("since".to_owned(), args.since.clone().unwrap_or_else(|| "7d".to_owned()))];
    query.extend(user.clone().map(|user| ("user".to_owned(), user)));
    query.extend(group.clone().map(|group| ("group".to_owned(), group)));
    let draft: Draft = serde_json::from_slice(&client.get("/v1/policy/learn", &query)?)?;
    show(&draft, out)?;
    if draft.permissions.is_empty() {
        writeln!(out, "there is nothing to learn from")?;
        return Ok(Outcome::No);
    }
    let who = match (&user, &group) {
        (Some(user), _) => format!("user:{user}"),
        (None, group) => format!("group:{}", group.as_deref().unwrap_or_default()),
    };
    let role = role.unwrap_or_else(|| learned(&who));
    let mut edits: Vec<EditRequest> = draft
        .permissions
        .iter()
        .map(|held| roles::permission(&role, &format!("{} {}", held.action, held.resource), "allow"))
        .collect();
    let about = format!("learned of {who} since {}", draft.since);
    edits.push(EditRequest {
        role: Some(role.clone()),
        text: Some(about),
        ..EditRequest::new(EditKind::Describe)
    });
    edits.push(EditRequest { principal: Some(who), role: Some(role), ..EditRequest::new(EditKind::Grant) });
    let asked = ChangeAsked { edits: Some(edits), since: None, ..change::asked(args) };
    let trial = change::ask(client, &ChangeAsked { dry_run: Some(true), ..asked.clone() }, args.if_version)?;
    change::tell(&trial, out)?;
    if args.dry_run {
        return Ok(Outcome::Done);
    }
    if !yes && !can::confirmed(out)? {
        writeln!(out, "left as it is")?;
        return Ok(Outcome::No);
    }
    // For the policy that was shown, and no other.
    change::send(client, &asked, Some(trial.base), out)
}

fn show(draft: &Draft, out: &mut impl Write) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = draft
        .permissions
        .iter()
        .map(|held| vec![held.count.to_string(), held.action.clone(), held.resource.clone()])
        .collect();
    writeln!(out, "{} permitted calls since {} need:", draft.decisions, draft.since)?;
    output::rows(Output::Table, &["used", "action", "resource"], &rows, out)?;
    for power in &draft.left_out {
        writeln!(out, "left out, to be given by hand: {}", change::shown(power))?;
    }
    for covering in &draft.covering {
        writeln!(out, "role {} covers {} of {} of it", covering.role, covering.covers, covering.of)?;
    }
    Ok(())
}

fn tell(answer: &[u8], out: &mut impl Write) -> anyhow::Result<Outcome> {
    let elevated: Elevated = serde_json::from_slice(answer)?;
    match (elevated.version, elevated.waiting) {
        (Some(version), _) => writeln!(out, "the role is granted, in version {version}; it ends by itself")?,
        (None, Some(id)) => writeln!(out, "it waits for an approval: `wharfinger elevate --approve {id}`")?,
        (None, None) => writeln!(out, "nothing came of it")?,
    }
    Ok(Outcome::Done)
}

fn seconds(text: &str) -> anyhow::Result<u64> {
    let span: jiff::Span = text
        .parse()
        .map_err(|_| anyhow::anyhow!("`{}` is not a time: write `30m` or `2h`", change::shown(text)))?;
    let time = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())?;
    Ok(u64::try_from(time.as_secs()).unwrap_or(0))
}

fn learned(who: &str) -> String {
    let name = who.split_once(':').map_or(who, |(_, name)| name);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("learned-{}", name.chars().map(plain).collect::<String>())
}
