//! `wharfinger status` and `wharfinger reload`.

use std::io::Write;

use super::args::Output;
use super::client::Client;
use super::{Outcome, output};
use crate::admin::Status;

pub(super) fn status(client: &Client, form: Output, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let status: Status = serde_json::from_slice(&client.get("/v1/status", &[])?)?;
    let mut rows = vec![
        ("version", status.version),
        ("started", status.started),
        ("policy", status.policy),
        ("permitted", status.permitted.to_string()),
        ("denied", status.denied.to_string()),
        ("unrecorded", status.unrecorded.to_string()),
        ("panics", status.panics.to_string()),
        ("directory", status.directory),
        ("trail", status.trail_failing.clone().unwrap_or_else(|| "ok".to_owned())),
        ("objects known", status.inventory.objects.to_string()),
        ("names looked up", status.inventory.looked_up.to_string()),
        ("look-ups failed", status.inventory.failed.to_string()),
        ("objects unlearned", status.inventory.unlearned.to_string()),
    ];
    if let Some(gateway) = status.gateway {
        rows.extend([
            ("gateway open", gateway.open.to_string()),
            ("gateway connections", gateway.connections.to_string()),
            ("gateway requests", gateway.requests.to_string()),
            ("gateway refused", gateway.refused.to_string()),
            ("gateway upgraded", gateway.upgraded.to_string()),
            ("gateway unanswered", gateway.unanswered.to_string()),
            ("gateway unasked", gateway.unasked.to_string()),
        ]);
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    output::rows(form, &["what", "value"], &rows, out)?;
    Ok(if status.trail_failing.is_none() { Outcome::Done } else { Outcome::No })
}

pub(super) fn reload(client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let version = client.post("/v1/reload", None)?;
    writeln!(out, "policy version {} is in force", String::from_utf8_lossy(&version))?;
    Ok(Outcome::Done)
}
