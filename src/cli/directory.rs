//! `wharfinger directory`: what it says about a user, how it is doing, and forgetting what it said.

use std::io::Write;

use serde::Serialize;

use super::args::{DirectoryCommand, Form, Output};
use super::client::Client;
use super::{Outcome, output};
use crate::admin::Flushed;
use crate::directory::{DirectoryStatus, Explained, ServerState, ServerStatus};

pub(super) fn run(
    command: DirectoryCommand,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        DirectoryCommand::Check { user, output } => {
            let query = [("user".to_owned(), user)];
            let told = serde_json::from_slice(&client.get("/v1/directory/explain", &query)?)?;
            check(&told, output, out)
        }
        DirectoryCommand::Status { output } => {
            let told = serde_json::from_slice(&client.get("/v1/directory", &[])?)?;
            status(&told, output, out)
        }
        DirectoryCommand::Flush { user } => {
            let about = serde_json::json!({ "user": user });
            let told: Flushed = serde_json::from_slice(&client.post("/v1/directory/flush", Some(&about))?)?;
            writeln!(out, "{} answers forgotten", told.forgotten)?;
            Ok(Outcome::Done)
        }
    }
}

fn check(told: &Explained, form: Form, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let outcome = if told.error.is_none() { Outcome::Done } else { Outcome::No };
    match form {
        Form::Json => json(told, out)?,
        Form::Table => {
            let rows = [
                ("asked for", Some(told.presented.as_str())),
                ("user", told.user.as_deref()),
                ("not let in", told.error.as_deref()),
                ("entry", told.entry.as_deref()),
                ("source", Some(told.source.as_str()).filter(|source| !source.is_empty())),
            ];
            let rows = rows.into_iter().filter_map(|(what, value)| Some((what, shown(value?))));
            table(&["what", "value"], rows.map(|(what, value)| vec![what.to_owned(), value]), out)?;
            let groups = told.groups.iter().map(|group| vec![shown(&group.group), shown(&group.via)]);
            table(&["group", "how"], groups, out)?;
            let steps = told.steps.iter().map(|step| {
                let numbers = [step.times.to_string(), step.entries.to_string(), time(step.micros)];
                [vec![step.what.clone()], numbers.to_vec()].concat()
            });
            table(&["step", "times", "entries", "time"], steps, out)?;
            told.warnings.iter().try_for_each(|warning| writeln!(out, "\nwarning: {}", shown(warning)))?;
        }
    }
    Ok(outcome)
}

fn status(told: &DirectoryStatus, form: Form, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let outcome = if told.trouble().is_none() { Outcome::Done } else { Outcome::No };
    if form == Form::Json {
        json(told, out)?;
        return Ok(outcome);
    }
    let mut rows =
        vec![("kind", told.kind.clone()), ("state", told.trouble().map_or("ok".to_owned(), shown))];
    if let Some(cache) = &told.cache {
        let oldest = cache.oldest_seconds.map_or("none".to_owned(), |age| format!("{age} s"));
        rows.extend([
            ("users cached", cache.users.to_string()),
            ("unknown or refused", cache.others.to_string()),
            ("group names cached", cache.names.to_string()),
            ("oldest groups", oldest),
            ("look-ups at once", cache.at_once.to_string()),
            ("look-ups that waited", cache.waited.to_string()),
            ("old answers", cache.stale.to_string()),
            ("look-ups unanswered", cache.unanswered.to_string()),
            ("questions asked", cache.asked.to_string()),
            ("questions that failed", cache.failed.to_string()),
            ("forgotten for room", cache.forgotten.to_string()),
        ]);
    }
    let rows = rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]);
    table(&["what", "value"], rows, out)?;
    let servers = told.servers.iter().map(|server| vec![shown(&server.url), state(server)]);
    table(&["server", "state"], servers, out)?;
    Ok(outcome)
}

fn state(server: &ServerStatus) -> String {
    let seconds = |seconds: Option<u64>| seconds.map_or("?".to_owned(), |seconds| seconds.to_string());
    match server.state {
        ServerState::InUse => format!(
            "in use for {} s, {} searches",
            seconds(server.connected_seconds),
            server.searches.unwrap_or_default()
        ),
        ServerState::Idle => "not in use".to_owned(),
        ServerState::Resting => {
            format!("failed; tried last for another {} s", seconds(server.resting_seconds))
        }
        ServerState::Connecting => "connecting".to_owned(),
    }
}

/// A table, with a line before it where something stands above; none where there is nothing in it.
fn table(
    heading: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    if heading.first() != Some(&"what") {
        writeln!(out)?;
    }
    output::rows(Output::Table, heading, &rows, out)
}

fn json(told: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, told)?;
    Ok(writeln!(out)?)
}

/// What a directory says goes to a terminal: nothing in it may move the cursor.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn time(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{CacheStatus, Membership, Step};

    #[test]
    fn a_check_is_printed_with_the_way_to_each_group_and_no_control_characters() {
        let told = Explained {
            presented: "ALICE".to_owned(),
            user: Some("alice".to_owned()),
            entry: Some("uid=a\x1b[2J".to_owned()),
            source: "ldaps://h".to_owned(),
            groups: vec![Membership { group: "dev".to_owned(), via: "direct".to_owned() }],
            steps: vec![Step { what: "the user's entry".to_owned(), times: 1, entries: 1, micros: 1234 }],
            warnings: vec!["look".to_owned()],
            ..Explained::default()
        };
        let mut out = Vec::new();
        assert_eq!(check(&told, Form::Table, &mut out).unwrap(), Outcome::Done);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "WHAT       VALUE\nasked for  ALICE\nuser       alice\nentry      uid=a\u{fffd}[2J\nsource     ldaps://h\n\n\
             GROUP  HOW\ndev    direct\n\nSTEP              TIMES  ENTRIES  TIME\nthe user's entry  1      1        1.2 ms\n\n\
             warning: look\n"
        );
        let refused = Explained { error: Some("no".to_owned()), ..Explained::default() };
        assert_eq!(check(&refused, Form::Json, &mut Vec::new()).unwrap(), Outcome::No);
    }

    #[test]
    fn a_status_says_no_where_nobody_new_can_be_looked_up() {
        let server = |state| ServerStatus {
            url: "ldaps://h".to_owned(),
            state,
            resting_seconds: Some(3),
            connected_seconds: Some(9),
            searches: Some(7),
        };
        let good = DirectoryStatus {
            kind: "ldap (openldap)".to_owned(),
            servers: vec![server(ServerState::InUse), server(ServerState::Resting)],
            account_refused: None,
            cache: Some(CacheStatus { users: 2, oldest_seconds: Some(40), ..CacheStatus::default() }),
        };
        let mut out = Vec::new();
        assert_eq!(status(&good, Form::Table, &mut out).unwrap(), Outcome::Done);
        let text = String::from_utf8(out).unwrap();
        for line in [
            "state                  ok\n",
            "oldest groups          40 s\n",
            "ldaps://h  in use for 9 s, 7 searches\n",
            "ldaps://h  failed; tried last for another 3 s\n",
        ] {
            assert!(text.contains(line), "{line} {text}");
        }
        let bad = DirectoryStatus { account_refused: Some("code 49".to_owned()), ..good };
        assert_eq!(status(&bad, Form::Json, &mut Vec::new()).unwrap(), Outcome::No);
        assert_eq!(bad.summary(), "ldap (openldap): code 49");
    }
}
