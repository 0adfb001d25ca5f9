//! The trail: records, the one writer, queries and exports.

mod id;
mod inflight;
mod ledger;
mod outcome;
mod record;
mod redact;
#[cfg(test)]
mod sample;
mod schema;
mod trail;
mod writer;

pub use id::{DecisionId, DecisionIdError};
pub use inflight::{ContentHash, InFlight};
pub use outcome::{Outcome, outcome};
pub use record::{
    Actor, DecisionEntry, Door, Effect, Entry, Event, Finding, Http, Object, Phase, Record, ResponseEntry,
    Source, SystemEntry, Verdict,
};
pub use trail::{AuditError, Recorded, Settings, Stamp, Trail, Unavailable};
