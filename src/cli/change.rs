//! Sending changes to the daemon, and showing what they did or would do.

use std::io::Write;

use anyhow::Context as _;

use super::Outcome;
use super::args_policy::ChangeArgs;
use super::client::Client;
use crate::admin::{ChangeAsked, Changed, Effect};
use crate::engine::harmless;

/// Lines of a difference that are shown at most, unless it is asked for alone.
const SHOWN: usize = 40;

/// A change of nothing yet.
pub(super) fn asked(args: &ChangeArgs) -> ChangeAsked {
    ChangeAsked {
        edits: None,
        text: None,
        form: None,
        version: None,
        reason: args.reason.clone(),
        dry_run: args.dry_run.then_some(true),
        force: args.force.then_some(true),
        since: args.since.clone(),
    }
}

/// Sends a change and tells what came of it.
pub(super) fn send(
    client: &Client,
    asked: &ChangeAsked,
    base: Option<u64>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let changed = ask(client, asked, base)?;
    tell(&changed, out)?;
    Ok(Outcome::Done)
}

/// Sends a change.
pub(super) fn ask(client: &Client, asked: &ChangeAsked, base: Option<u64>) -> anyhow::Result<Changed> {
    let answer = client.post_json("/v1/policy/changes", asked, base)?;
    serde_json::from_slice(&answer).context("the daemon's answer cannot be read: is it of another version?")
}

/// Tells what a change did or would do.
pub(super) fn tell(changed: &Changed, out: &mut impl Write) -> anyhow::Result<()> {
    for line in changed.diff.iter().take(SHOWN) {
        writeln!(out, "{}", shown(line))?;
    }
    if changed.diff.len() > SHOWN {
        writeln!(out, "… and {} more lines", changed.diff.len() - SHOWN)?;
    }
    for flaw in &changed.flaws {
        writeln!(out, "warning: {}", shown(&flaw.message))?;
    }
    for failure in &changed.failures {
        writeln!(out, "warning: no longer as expected: {}", shown(failure))?;
    }
    if let Some(effect) = &changed.effect {
        tell_effect(effect, out)?;
    }
    match changed.version {
        Some(version) => writeln!(out, "version {version} ({}) is in force", changed.digest)?,
        None => writeln!(out, "nothing is changed: this was a trial against version {}", changed.base)?,
    }
    Ok(())
}

fn tell_effect(effect: &Effect, out: &mut impl Write) -> anyhow::Result<()> {
    let all = if effect.complete { "" } else { ", and there are more" };
    writeln!(out, "of {} decisions since {}{all}:", effect.decisions, effect.since)?;
    if effect.changed.is_empty() {
        writeln!(out, "  none would be different")?;
    }
    for shift in &effect.changed {
        let why = if shift.why.is_empty() { String::new() } else { format!(": {}", shift.why) };
        let line = format!(
            "  {} > {}  {} x  {} {} {}{why} (last {}, {})",
            shift.before,
            shift.after,
            shift.count,
            shift.user,
            shift.operation,
            shift.object,
            shift.last,
            shift.example
        );
        writeln!(out, "{}", shown(&line))?;
    }
    Ok(())
}

/// A text of somebody's choice as a terminal may see it.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(harmless).collect()
}
