//! Exports: every record that a filter lets through, oldest first, in constant memory.

use std::io::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::query::decode;
use super::{
    Actor, Change, DecisionEntry, Door, Entry, Filter, FilterError, Finding, QueryError, Reader, Record,
    ResponseEntry, Verdict,
};

/// Records that are held at a time; between such steps the writer can clear its log.
const STEP: u32 = 1000;

/// The forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One record a line, exactly the bytes that are stored.
    Jsonl,
    /// RFC 4180 with a head line, for spreadsheets.
    Csv,
}

/// Why an export is not complete.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The trail does not answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The receiver does not take it.
    #[error("the export cannot be written: {0}")]
    Output(#[from] io::Error),
    /// Not a form of export.
    #[error("`{}` is no export format: write `jsonl` or `csv`", .0.escape_debug())]
    Format(String),
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            _ => Err(ExportError::Format(text.to_owned())),
        }
    }
}

/// Writes all records that are there now and that the filter lets through; returns their number.
///
/// All phases, unless the filter names one; with a limit the oldest ones.
pub fn export(
    reader: &Reader,
    filter: &Filter,
    format: Format,
    output: impl Write,
) -> Result<u64, ExportError> {
    match format {
        Format::Jsonl => {
            let mut output = output;
            let count = each(reader, filter, |_, body| {
                output.write_all(body)?;
                Ok(output.write_all(b"\n")?)
            })?;
            output.flush()?;
            Ok(count)
        }
        Format::Csv => {
            let mut csv = CsvExport::new(output)?;
            let count = each(reader, filter, |seq, body| Ok(csv.write(&decode(seq, body)?)?))?;
            csv.finish()?;
            Ok(count)
        }
    }
}

/// Hands over the bytes of each record with its place.
fn each(
    reader: &Reader,
    filter: &Filter,
    mut take: impl FnMut(u64, &[u8]) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let condition = filter.condition().map_err(|error: FilterError| QueryError::from(error))?;
    // What is written from now on is left out: the export ends even if the trail never does.
    let last = reader.last()?;
    let wanted = filter.limit.map_or(u64::MAX, u64::from);
    let (mut after, mut count) = (0, 0);
    while count < wanted {
        let step = u32::try_from(wanted - count).unwrap_or(STEP).min(STEP);
        let bodies = reader.bodies_after(&condition, after, last, step)?;
        let Some((newest, _)) = bodies.last() else { break };
        after = *newest;
        for (seq, body) in &bodies {
            take(*seq, body)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Records as CSV that is safe to open in a spreadsheet.
#[derive(Debug)]
pub struct CsvExport<W: Write>(csv::Writer<W>);

impl<W: Write> CsvExport<W> {
    /// Writes the head line.
    pub fn new(output: W) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(output);
        writer.write_record(COLUMNS.iter().map(|(name, _)| name)).map_err(io::Error::from)?;
        Ok(Self(writer))
    }

    /// Writes one record.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        self.0.write_record(COLUMNS.iter().map(|(_, cell)| harmless(cell(record)))).map_err(io::Error::from)
    }

    /// Hands the last bytes to the output.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

/// What a column shows of a record.
type Cell = fn(&Record) -> String;

/// The columns of the CSV form and where each comes from. New ones are only added at the end.
const COLUMNS: &[(&str, Cell)] = &[
    ("seq", |record| record.seq.to_string()),
    ("id", |record| record.entry.id().to_string()),
    ("time", |record| format!("{:.6}", record.entry.time())),
    ("phase", |record| record.entry.phase().name().to_owned()),
    ("ref", reference),
    ("user", user),
    ("groups", |record| asked(record, |asked| asked.actor.groups.join("; "))),
    ("roles", |record| asked(record, |asked| asked.actor.roles.join("; "))),
    ("how", |record| asked(record, |asked| asked.actor.how.clone())),
    ("door", |record| asked(record, |asked| asked.door.name().to_owned())),
    ("operation", operation),
    ("verb", |record| decision(record, |entry| entry.verb.clone().unwrap_or_default())),
    ("object", object),
    ("method", |record| decision(record, |entry| entry.http.method.clone())),
    ("path", |record| decision(record, |entry| entry.http.path.clone())),
    ("decision", |record| asked(record, |asked| asked.decision.name().to_owned())),
    ("cause", |record| asked(record, |asked| asked.cause.clone().unwrap_or_default())),
    ("code", |record| decision(record, |entry| entry.code.clone().unwrap_or_default())),
    ("message", message),
    ("requirements", |record| asked(record, |asked| requirements(asked.requirements))),
    ("policy_version", |record| asked(record, |asked| asked.policy_version.to_owned())),
    ("duration_us", |record| decision(record, |entry| entry.duration_us.to_string())),
    ("status", |record| response(record, |entry| number(entry.status.map(u64::from)))),
    ("outcome", |record| response(record, |entry| entry.outcome.name().to_owned())),
    ("created", |record| response(record, |entry| entry.created.clone().unwrap_or_default())),
    ("elapsed_us", |record| response(record, |entry| number(entry.elapsed_us))),
    ("event", event),
    ("mode", |record| decision(record, |entry| entry.mode.clone().unwrap_or_default())),
    ("change", change),
    ("reason", |record| changed(record, |change| change.reason.clone())),
];

/// What decisions about calls and about questions of administrators have in common.
struct Asked<'a> {
    actor: &'a Actor,
    door: Door,
    decision: Verdict,
    cause: &'a Option<String>,
    requirements: &'a [Finding],
    policy_version: &'a str,
}

fn asked(record: &Record, cell: impl Fn(&Asked<'_>) -> String) -> String {
    let asked = match &record.entry {
        Entry::Decision(entry) => Asked {
            actor: &entry.actor,
            door: entry.source.door,
            decision: entry.decision,
            cause: &entry.cause,
            requirements: &entry.requirements,
            policy_version: &entry.policy_version,
        },
        Entry::Admin(entry) => Asked {
            actor: &entry.actor,
            door: entry.source.door,
            decision: entry.decision,
            cause: &entry.cause,
            requirements: &entry.requirements,
            policy_version: &entry.policy_version,
        },
        Entry::Response(_) | Entry::System(_) => return String::new(),
    };
    cell(&asked)
}

fn changed(record: &Record, cell: impl Fn(&Change) -> String) -> String {
    match &record.entry {
        Entry::Admin(entry) => entry.change.as_ref().map(cell).unwrap_or_default(),
        Entry::Decision(_) | Entry::Response(_) | Entry::System(_) => String::new(),
    }
}

fn change(record: &Record) -> String {
    changed(record, |change| change.diff.join("\n"))
}

fn decision(record: &Record, cell: impl Fn(&DecisionEntry) -> String) -> String {
    match &record.entry {
        Entry::Decision(entry) => cell(entry),
        Entry::Response(_) | Entry::Admin(_) | Entry::System(_) => String::new(),
    }
}

fn response(record: &Record, cell: impl Fn(&ResponseEntry) -> String) -> String {
    match &record.entry {
        Entry::Response(entry) => cell(entry),
        Entry::Decision(_) | Entry::Admin(_) | Entry::System(_) => String::new(),
    }
}

fn reference(record: &Record) -> String {
    let about = match &record.entry {
        Entry::Decision(_) | Entry::Admin(_) => None,
        Entry::Response(entry) => entry.decision,
        Entry::System(entry) => entry.about,
    };
    about.map(|id| id.to_string()).unwrap_or_default()
}

fn user(record: &Record) -> String {
    let user = match &record.entry {
        Entry::Decision(entry) => &entry.actor.user,
        Entry::Response(entry) => &entry.user,
        Entry::Admin(entry) => &entry.actor.user,
        Entry::System(_) => return String::new(),
    };
    user.clone().unwrap_or_else(|| "anonymous".to_owned())
}

fn operation(record: &Record) -> String {
    let operation = match &record.entry {
        Entry::Decision(entry) => &entry.operation,
        Entry::Response(entry) => &entry.operation,
        Entry::Admin(entry) => return entry.operation.clone(),
        Entry::System(_) => &None,
    };
    operation.clone().unwrap_or_default()
}

fn object(record: &Record) -> String {
    let object = match &record.entry {
        Entry::Decision(entry) => &entry.object,
        Entry::Response(entry) => &entry.object,
        Entry::Admin(entry) => &entry.object,
        Entry::System(_) => &None,
    };
    object.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn message(record: &Record) -> String {
    match &record.entry {
        Entry::Decision(entry) => entry.message.clone().unwrap_or_default(),
        Entry::Response(_) => String::new(),
        Entry::Admin(entry) => entry.message.clone(),
        Entry::System(entry) => entry.message.clone(),
    }
}

fn event(record: &Record) -> String {
    match &record.entry {
        Entry::Decision(_) | Entry::Response(_) | Entry::Admin(_) => String::new(),
        Entry::System(entry) => entry.event.name().to_owned(),
    }
}

fn requirements(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let effect = finding.effect.map_or("nothing grants it", super::Effect::name);
        let role = finding.role.as_ref().map(|role| format!(" by {role}")).unwrap_or_default();
        format!("{} {}: {effect}{role}", finding.action, finding.resource)
    };
    findings.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::ledger::Ledger;
    use super::super::sample::{decision, response, settings};
    use super::*;

    fn trail(path: &Path, entries: &[Entry]) -> Reader {
        let mut ledger = Ledger::open(settings(path)).unwrap();
        ledger.append(&entries.iter().collect::<Vec<_>>()).unwrap();
        Reader::open(path).unwrap()
    }

    fn exported(reader: &Reader, filter: &Filter, format: Format) -> (u64, String) {
        let mut output = Vec::new();
        let count = export(reader, filter, format, &mut output).unwrap();
        (count, String::from_utf8(output).unwrap())
    }

    #[test]
    fn json_lines_are_the_stored_bytes_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let decisions = (1..=2500).map(|n| Entry::Decision(decision(n, Verdict::Permit).into()));
        let reader = trail(&path, &decisions.collect::<Vec<_>>());
        let (count, text) = exported(&reader, &Filter::default(), Format::Jsonl);
        let connection = rusqlite::Connection::open(&path).unwrap();
        let mut statement = connection.prepare("SELECT body FROM record ORDER BY seq").unwrap();
        let bodies = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        let stored: Vec<u8> = bodies.flat_map(|body| [body.unwrap(), b"\n".to_vec()].concat()).collect();
        assert_eq!((count, text.as_bytes()), (2500, &stored[..]));
        let (count, few) = exported(&reader, &Filter { limit: Some(2), ..Filter::default() }, Format::Jsonl);
        assert_eq!((count, few.lines().collect::<Vec<_>>()), (2, text.lines().take(2).collect()));
    }

    #[test]
    fn csv_has_a_head_line_and_a_line_for_each_record() {
        let dir = tempfile::tempdir().unwrap();
        let entries =
            [Entry::Decision(decision(1, Verdict::Deny).into()), Entry::Response(response(2, 1).into())];
        let reader = trail(&dir.path().join("audit.db"), &entries);
        let (count, text) = exported(&reader, &Filter::default(), Format::Csv);
        assert_eq!(count, 2);
        let expected = "\
seq,id,time,phase,ref,user,groups,roles,how,door,operation,verb,object,method,path,decision,cause,code,message,requirements,policy_version,duration_us,status,outcome,created,elapsed_us,event,mode,change,reason\r
1,01KJMMA3F8E008000000000000,2026-03-01T12:00:01.000000Z,decision,,alice,developers,developer,tls certificate,plugin,container.create,docker create,container:*,GET,/v1.41/containers/create,deny,not_granted,,alice may not host.privileged (docker run): no role she holds grants it,container.create container:*: allow by developer; host.privileged host:*: nothing grants it,7,250,,,,,,,,\r
2,01KJMMA4EGE008000000000000,2026-03-01T12:00:02.000000Z,response,01KJMMA3F8E008000000000000,alice,,,,,container.list,,container:*,,,,,,,,,,200,success,,2000000,,,,\r
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_cell_is_a_formula() {
        let dir = tempfile::tempdir().unwrap();
        let evil = DecisionEntry {
            actor: Actor {
                user: Some("=cmd|' /C calc'!A0".to_owned()),
                how: "\t+1".to_owned(),
                ..Actor::default()
            },
            verb: Some("a,\"b\"\r\n@c".to_owned()),
            ..decision(1, Verdict::Permit)
        };
        let reader = trail(&dir.path().join("audit.db"), &[Entry::Decision(evil.into())]);
        let (_, text) = exported(&reader, &Filter::default(), Format::Csv);
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        let row = rows.records().next().unwrap().unwrap();
        assert_eq!((&row[5], &row[8], &row[11]), ("'=cmd|' /C calc'!A0", "'\t+1", "a,\"b\"\r\n@c"));
    }
}
