//! The trail's routes: list, export, one record; each on a reader of its own, away from the async threads.

use std::io::{self, Write};
use std::path::PathBuf;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http_body_util::channel::{Channel, Sender};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tracing::warn;

use super::Admin;
use super::caller::Caller;
use super::extract::{Ask, Named};
use super::gate::Wish;
use super::problem::Problem;
use crate::audit::{
    self, ExportError, Filter, FilterError, Format, Found, Page, QueryError, Reader, Verdict, moment,
};
use crate::authz::Action;

/// Which records somebody asks for, with times as people write them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// The user, or `anonymous`.
    pub user: Option<String>,
    /// The operation; `*` stands for any text.
    pub operation: Option<String>,
    /// The object; `*` stands for any text.
    pub object: Option<String>,
    /// Permits or denials.
    pub decision: Option<Verdict>,
    /// A time, a date, or a span back from now such as `7d`.
    pub since: Option<String>,
    /// As `since`.
    pub until: Option<String>,
    /// The `next` of the page before.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: Option<u32>,
    /// The form, of an export.
    pub format: Option<Format>,
}

impl Asked {
    /// The filter that is meant, at the time `now`.
    pub fn filter(&self, now: Timestamp) -> Result<Filter, FilterError> {
        let time = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
        Ok(Filter {
            user: self.user.clone(),
            operation: self.operation.clone(),
            object: self.object.clone(),
            decision: self.decision,
            since: time(&self.since)?,
            until: time(&self.until)?,
            before: self.before,
            limit: self.limit,
            ..Filter::default()
        })
    }
}

pub(super) async fn list(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<Asked>,
) -> Result<Json<Page>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::AuditRead, "*", "read the trail")).await?);
    let filter = asked.filter((admin.now)()).map_err(bad_filter)?;
    read(admin.database, move |reader| reader.list(&filter)).await.map(Json)
}

pub(super) async fn show(
    State(admin): State<Admin>,
    caller: Caller,
    Named(id): Named,
) -> Result<Json<Found>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::AuditRead, "*", "read the trail")).await?);
    read(admin.database, move |reader| reader.get(&id)).await.map(Json)
}

pub(super) async fn export(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<Asked>,
) -> Result<Response, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::AuditExport, "*", "export the trail")).await?);
    let filter = asked.filter((admin.now)()).map_err(bad_filter)?;
    let format = asked.format.unwrap_or(Format::Jsonl);
    // What cannot even begin is an error with a reason; what fails later can only break off.
    filter_is_good(&admin.database, &filter).await?;
    let (sender, body) = Channel::<Bytes, io::Error>::new(4);
    let handle = Handle::current();
    drop(tokio::task::spawn_blocking(move || {
        let mut output = Pipe { sender, handle };
        let exported = Reader::open(admin.database)
            .map_err(|error| ExportError::Query(error.into()))
            .and_then(|reader| audit::export(&reader, &filter, format, io::BufWriter::new(&mut output)));
        if let Err(error) = exported {
            warn!(%error, "an export broke off");
            output.sender.abort(io::Error::other(error));
        }
    }));
    let kind = match format {
        Format::Jsonl => "application/jsonl",
        Format::Csv => "text/csv; charset=utf-8",
    };
    Ok(([(CONTENT_TYPE, kind)], Body::new(body)).into_response())
}

async fn filter_is_good(database: &std::path::Path, filter: &Filter) -> Result<(), Problem> {
    let filter = Filter { limit: Some(1), ..filter.clone() };
    read(database.to_owned(), move |reader| reader.list(&filter)).await.map(drop)
}

async fn read<T: Send + 'static>(
    database: PathBuf,
    ask: impl FnOnce(&Reader) -> Result<T, QueryError> + Send + 'static,
) -> Result<T, Problem> {
    let asked = tokio::task::spawn_blocking(move || ask(&Reader::open(database)?)).await;
    match asked {
        Ok(answer) => answer.map_err(|error| problem(&error)),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn bad_filter(error: FilterError) -> Problem {
    problem(&QueryError::from(error))
}

pub(super) fn problem(error: &QueryError) -> Problem {
    let status = match error {
        QueryError::Filter(_) | QueryError::Ambiguous(_) => StatusCode::BAD_REQUEST,
        QueryError::NotFound(_) => StatusCode::NOT_FOUND,
        QueryError::Store(_) | QueryError::Record { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, error.to_string())
}

/// Hands what a thread writes to the answer's body; waits while the client is slow.
struct Pipe {
    sender: Sender<Bytes, io::Error>,
    handle: Handle,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let data = Bytes::copy_from_slice(bytes);
        self.handle
            .block_on(self.sender.send_data(data))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

super::shape::described! { Asked "Which records somebody asks for." {
    user: Option<String>, "The user, or `anonymous`.";
    operation: Option<String>, "The operation; `*` stands for any text.";
    object: Option<String>, "The object; `*` stands for any text.";
    decision: Option<Verdict>, "Permits or denials.";
    since: Option<String>, "A time, a date, or a span back from now such as `7d`.";
    until: Option<String>, "As `since`.";
    before: Option<u64>, "The `next` of the page before.";
    limit: Option<u32>, "At most so many.";
    format: Option<Format>, "The form, of an export.";
} }

impl super::shape::Shape for Verdict {
    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "enum": ["permit", "deny"]})
    }
}

impl super::shape::Shape for Format {
    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "enum": ["jsonl", "csv"]})
    }
}
