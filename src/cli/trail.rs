//! Where `audit` and `explain` get their records: from the running daemon, or from a file.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;

use super::args::{AuditCommand, DecisionArg, ExportFormat, FilterArgs, Output, TrailSource};
use super::client::Client;
use super::{Outcome, audit};
use crate::admin::Asked;
use crate::audit::{Format, Found, Page, Reader, Verdict};

/// Records a page of the daemon's answers.
const PAGE: u32 = 1000;

/// A trail to read.
pub(super) enum Trail {
    /// The running daemon's.
    Daemon(Client),
    /// A file, or a copy of one.
    File(PathBuf),
}

impl Trail {
    pub(super) fn new(
        source: TrailSource,
        client: impl FnOnce() -> anyhow::Result<Client>,
    ) -> anyhow::Result<Self> {
        match source.database {
            Some(file) => Ok(Self::File(file)),
            None => client().map(Self::Daemon),
        }
    }

    fn page(&self, asked: &Asked) -> anyhow::Result<Page> {
        match self {
            Self::Daemon(client) => Ok(serde_json::from_slice(&client.get("/v1/audit", &query(asked)?)?)?),
            Self::File(file) => Ok(Reader::open(file)?.list(&asked.filter(Timestamp::now())?)?),
        }
    }

    fn get(&self, id: &str) -> anyhow::Result<Found> {
        match self {
            Self::Daemon(client) => get(client, id),
            Self::File(file) => Ok(Reader::open(file)?.get(id)?),
        }
    }

    fn export(&self, asked: &Asked, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
        match self {
            Self::Daemon(client) => client.copy("/v1/audit/export", &query(asked)?, out),
            Self::File(file) => {
                crate::audit::export(&Reader::open(file)?, &asked.filter(Timestamp::now())?, format, out)?;
                Ok(())
            }
        }
    }
}

/// A record of the running daemon's trail, by its id or the beginning of it.
pub(super) fn get(client: &Client, id: &str) -> anyhow::Result<Found> {
    // Only what can stand in an id goes into the path.
    anyhow::ensure!(
        id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !id.is_empty(),
        "`{}` is no decision id: it is the text in brackets that docker printed",
        id.escape_debug()
    );
    Ok(serde_json::from_slice(&client.get(&format!("/v1/audit/{id}"), &[])?)?)
}

pub(super) fn run(
    command: AuditCommand,
    client: impl FnOnce() -> anyhow::Result<Client>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        AuditCommand::List { filter, source, limit, output } => {
            let records = list(&Trail::new(source, client)?, asked(filter), limit)?;
            print(&records, output, out)?;
        }
        AuditCommand::Export { filter, source, format } => {
            let format = match format {
                ExportFormat::Jsonl => Format::Jsonl,
                ExportFormat::Csv => Format::Csv,
            };
            let asked = Asked { format: Some(format), ..asked(filter) };
            Trail::new(source, client)?.export(&asked, format, out)?;
        }
    }
    Ok(Outcome::Done)
}

pub(super) fn explain(
    id: &str,
    trail: &Trail,
    output: Output,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let found = trail.get(id)?;
    match output {
        Output::Table => audit::explain(&found, out)?,
        Output::Json | Output::Csv => print(&[found], output, out)?,
    }
    Ok(Outcome::Done)
}

fn list(trail: &Trail, mut asked: Asked, limit: u32) -> anyhow::Result<Vec<Found>> {
    let mut records = Vec::new();
    loop {
        let wanted = limit.saturating_sub(u32::try_from(records.len()).unwrap_or(u32::MAX));
        if wanted == 0 {
            return Ok(records);
        }
        asked.limit = Some(wanted.min(PAGE));
        let page = trail.page(&asked)?;
        records.extend(page.records);
        match page.next {
            Some(next) => asked.before = Some(next),
            None => return Ok(records),
        }
    }
}

fn print(records: &[Found], output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    match output {
        Output::Table => audit::table(records, out)?,
        Output::Json => audit::json(records, out)?,
        Output::Csv => audit::csv(records, out)?,
    }
    Ok(())
}

fn asked(filter: FilterArgs) -> Asked {
    Asked {
        user: filter.user,
        operation: filter.operation,
        object: filter.object,
        decision: filter.decision.map(|decision| match decision {
            DecisionArg::Permit => Verdict::Permit,
            DecisionArg::Deny => Verdict::Deny,
        }),
        since: filter.since,
        until: filter.until,
        ..Asked::default()
    }
}

/// The question as a query, in the form that the admin interface reads it back from.
fn query(asked: &Asked) -> anyhow::Result<Vec<(String, String)>> {
    let fields = serde_json::to_value(asked)?;
    let fields = fields.as_object().context("a question is an object")?;
    Ok(fields
        .iter()
        .filter_map(|(key, value)| {
            let text = match value {
                serde_json::Value::Null => return None,
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some((key.clone(), text))
        })
        .collect())
}
