//! What a subject may see of the daemon's answers, and what is added to what it creates.

mod events;
mod hidden;
mod json;
mod labels;
mod lists;
mod plan;
#[cfg(test)]
mod recorded;
mod redact;
mod system;
mod viewer;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;

pub use labels::prepare;
pub use viewer::Owners;

use crate::authz::Kind;
use crate::inventory::Inventory;

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

/// Looks at a line (with its line end); an error ends the stream.
pub type Lines = Box<dyn FnMut(&Bytes) -> Result<Line, ViewError> + Send>;

/// What becomes of one line.
pub enum Line {
    /// It is shown as it is.
    Shown,
    /// It is left out.
    Hidden,
    /// It cannot be told yet: the line is looked at again when this is over, and those behind it wait.
    Later(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// Why an answer cannot be shown. The message is for the user and holds nothing of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ViewError {
    /// The status that the client gets.
    pub status: StatusCode,
    /// What is wrong, and what to do.
    pub message: String,
}

impl ViewError {
    fn new(message: &str) -> Self {
        let message = format!("the daemon's answer cannot be filtered, so nothing of it is shown: {message}");
        Self { status: StatusCode::BAD_GATEWAY, message }
    }

    /// Only the place: the error itself can quote the answer.
    fn unreadable(error: &serde_json::Error) -> Self {
        Self::new(&format!(
            "it is not what the Engine API promises, at line {} column {}",
            error.line(),
            error.column()
        ))
    }

    fn missing(kind: Kind) -> Self {
        Self::new(&format!("a {} in it has no name or ID", kind.name()))
    }

    fn internal() -> Self {
        Self::new("wharfinger could not look through it; tell your administrator")
    }

    fn unasked() -> Self {
        Self::new("the daemon could not be asked for the rest; try again")
    }

    fn hidden(message: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, message }
    }
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
