//! `wharfinger token`: tokens for programs, by the running daemon.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;

use super::args::Output;
use super::client::Client;
use super::login_args::TokenCommand;
use super::{Outcome, output};
use crate::token::{Entry, Fresh, Wanted};

pub(super) fn run(
    command: TokenCommand,
    client: impl FnOnce() -> anyhow::Result<Client>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let client = client()?;
    match command {
        TokenCommand::Issue { user, ttl, roles, groups, reason, output } => {
            let roles = (!roles.is_empty()).then_some(roles);
            let wanted = Wanted { user, groups, roles, ttl, reason };
            let answer = client.post("/v1/tokens", Some(&serde_json::to_value(&wanted)?))?;
            issued(&serde_json::from_slice(&answer)?, output, out)?;
        }
        TokenCommand::List { all, output } => {
            let query = [("all".to_owned(), all.to_string())];
            let tokens: Vec<Entry> = serde_json::from_slice(&client.get("/v1/tokens", &query)?)?;
            list(&tokens, output, out)?;
        }
        TokenCommand::Revoke { id } => {
            // It becomes part of a path: only what ids are made of.
            let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let shown = id.escape_debug();
            is_id
                .then_some(())
                .with_context(|| format!("`{shown}` is no token's id; see `wharfinger token list`"))?;
            let entry: Entry =
                serde_json::from_slice(&client.post(&format!("/v1/tokens/{id}/revoke"), None)?)?;
            writeln!(out, "revoked {}, the {} token of {}", entry.id, entry.purpose.name(), entry.user)?;
        }
        TokenCommand::RotateKey => {
            let key: String = serde_json::from_slice(&client.post("/v1/rotate-key", None)?)?;
            writeln!(out, "key {key} signs from now on; tokens of the ones before are good to their end")?;
        }
    }
    Ok(Outcome::Done)
}

/// A lifetime, as clap reads it.
pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    crate::config::duration::parse(text)
}

/// The token alone on standard output, so that a script can take it; what people want to know beside it.
fn issued(fresh: &Fresh, form: Output, out: &mut impl Write) -> anyhow::Result<()> {
    match form {
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, fresh)?;
            writeln!(out)?;
        }
        Output::Table | Output::Csv => {
            writeln!(
                io::stderr(),
                "token {}, until {:.0}; send it as X-Wharfinger-Token",
                fresh.id,
                fresh.expires
            )?;
            writeln!(out, "{}", fresh.token)?;
        }
    }
    Ok(())
}

fn list(tokens: &[Entry], form: Output, out: &mut impl Write) -> anyhow::Result<()> {
    let heading = ["id", "for", "user", "roles", "groups", "until", "by", "reason"];
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let roles =
                token.roles.as_ref().map_or_else(|| "(the user's)".to_owned(), |roles| roles.join(", "));
            let until = match token.revoked {
                Some(at) => format!("revoked {at:.0}"),
                None => format!("{:.0}", token.expires),
            };
            let reason = token.reason.as_deref().unwrap_or_default().escape_debug().to_string();
            vec![
                token.id.clone(),
                token.purpose.name().to_owned(),
                token.user.clone(),
                roles,
                token.groups.join(", "),
                until,
                token.by.clone(),
                reason,
            ]
        })
        .collect();
    output::rows(form, &heading, &rows, out)
}
