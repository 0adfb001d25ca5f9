//! The trail: records, the one writer, queries and exports.

mod export;
mod filter;
mod id;
mod inflight;
mod ledger;
mod outcome;
mod query;
mod record;
mod redact;
#[cfg(test)]
pub(crate) mod sample;
mod schema;
mod taken;
mod trail;
mod words;
mod writer;

pub use export::{CsvExport, ExportError, Format, export};
pub use filter::{Filter, FilterError, moment};
pub use id::{DecisionId, DecisionIdError};
pub use inflight::{ContentHash, InFlight};
pub use outcome::{Outcome, outcome};
pub use query::{Ending, Found, Page, QueryError, Reader};
pub use record::{
    Actor, AdminEntry, Change, DecisionEntry, Door, Effect, Entry, Event, Finding, Http, Object, Phase,
    Record, ResponseEntry, Source, SystemEntry, Verdict,
};
pub use trail::{AuditError, Recorded, Settings, Stamp, Trail, Unavailable};
