//! What a subject may see of the daemon's answers, and what is added to what it creates.

use std::fmt;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;

use crate::engine::{Recognised, Refusal};
use crate::inventory::Inventory;
use crate::plugin::{Ticket, Verdict};

/// What views are made with besides a verdict.
#[derive(Clone, Debug)]
pub struct Views {
    /// Who created what.
    pub inventory: Arc<Inventory>,
}

/// What becomes of the daemon's answer to one call.
pub enum Plan {
    /// It goes to the client as it comes.
    Pass,
    /// It is read whole, up to so many bytes, and replaced.
    Whole {
        /// The longest body; a longer one is an error to the client, and nothing of it is shown.
        limit: usize,
        /// Makes the body that the client gets.
        change: Whole,
    },
    /// It is a stream of lines, each of which is changed or left out on its own.
    Lines(Lines),
    /// The client is told that there is no such object, in the daemon's own words.
    Hidden(String),
}

/// Makes another body of a whole one; an error is told to the client in place of the body.
pub type Whole = Box<dyn FnOnce(Bytes) -> Result<Bytes, ViewError> + Send>;

/// Makes another line of a line (with its line end), or nothing; an error ends the stream.
pub type Lines = Box<dyn FnMut(Bytes) -> Result<Option<Bytes>, ViewError> + Send>;

/// Why an answer cannot be shown. The message is for the user and holds nothing of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ViewError(pub String);

impl Plan {
    /// What becomes of the answer with this status, to the call that the verdict is about.
    ///
    /// A call that was denied arrives here too: the daemon's 403 may have to be a 404.
    pub fn of(verdict: &Verdict, status: StatusCode, views: &Views) -> Self {
        let (_, _, _) = (verdict, status, views);
        Self::Pass
    }
}

/// The body that is forwarded in place of the one that the client sent; called for every body that is not streamed.
///
/// # Errors
/// A [`Refusal`] of what a client must not say itself.
pub fn prepare(call: &Recognised, ticket: &Ticket, body: Bytes) -> Result<Bytes, Refusal> {
    let (_, _) = (call, ticket);
    Ok(body)
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::Whole { limit, .. } => {
                f.debug_struct("Whole").field("limit", limit).finish_non_exhaustive()
            }
            Self::Lines(_) => f.write_str("Lines"),
            Self::Hidden(message) => f.debug_tuple("Hidden").field(message).finish(),
        }
    }
}
