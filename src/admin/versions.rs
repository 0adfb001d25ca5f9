//! The policy's text and its versions.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG};

use super::Admin;
use super::answers::{Diff, DiffAsked, TextAsked, Version, Versions, VersionsAsked};
use super::caller::Caller;
use super::extract::Ask;
use super::gate::Wish;
use super::problem::Problem;
use crate::authz::Action;
use crate::policy::{self, ChangeError};

pub(super) async fn text(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<TextAsked>,
) -> Result<Response, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read the policy")).await?);
    let number = asked.version.unwrap_or_else(|| admin.policy.current().number);
    let csv = admin.policy.text(number).map_err(|error| Problem::change(&error))?;
    let (kind, text) = match asked.form.as_deref() {
        None | Some("csv") => ("text/csv; charset=utf-8", csv),
        Some("toml") => ("application/toml", toml(&csv)?),
        Some(_) => return Err(Problem::new(StatusCode::BAD_REQUEST, "`form` is `csv` or `toml`")),
    };
    let mut answer = ([(CONTENT_TYPE, kind)], text).into_response();
    answer.headers_mut().insert(ETAG, etag(number));
    Ok(answer)
}

pub(super) async fn list(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<VersionsAsked>,
) -> Result<Json<Versions>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read the policy's history")).await?);
    let limit = u32::try_from(super::lists::limit(asked.limit)).unwrap_or(super::lists::LONGEST_PAGE);
    let mut versions =
        admin.policy.versions(asked.before, limit + 1).map_err(|error| Problem::change(&error))?;
    let more = versions.len() > limit as usize;
    versions.truncate(limit as usize);
    let next = versions.last().filter(|_| more).map(|version| version.number);
    let versions = versions.into_iter().map(|version| Version {
        number: version.number,
        time: version.time.to_string(),
        author: version.author,
        how: version.how,
        reason: version.reason,
        digest: version.digest,
    });
    Ok(Json(Versions { versions: versions.collect(), next }))
}

pub(super) async fn diff(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<DiffAsked>,
) -> Result<Json<Diff>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read the policy's history")).await?);
    let lines = admin.policy.diff(asked.from, asked.to).map_err(|error| Problem::change(&error))?;
    Ok(Json(Diff { lines }))
}

/// The tag of a version.
pub(super) fn etag(number: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{number}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn toml(csv: &str) -> Result<String, Problem> {
    let loaded =
        policy::load(policy::MODEL, csv).map_err(|error| Problem::change(&ChangeError::Policy(error)))?;
    Ok(policy::to_toml(&loaded.rules, &policy::descriptions(csv)))
}
