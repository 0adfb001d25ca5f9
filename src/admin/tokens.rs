//! Tokens' routes: issue, list, revoke; each is decided and on record before it is done.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, Query, State};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::peer::Administrator;
use super::problem::Problem;
use super::{Admin, act};
use crate::authz::{Action, Requirement};
use crate::token::{Entry, Fresh, Purpose, Tokens, TokensError, Wanted};

/// Which tokens are listed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    all: bool,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Extension(who): Extension<Administrator>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<Entry>>, Problem> {
    act::decided(&who, &Requirement::any(Action::TokenList))?;
    let now = (admin.now)();
    run(&admin, move |tokens| tokens.list(which.all, now)).await.map(Json)
}

pub(super) async fn issue(
    State(admin): State<Admin>,
    Extension(who): Extension<Administrator>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Fresh>, Problem> {
    let now = (admin.now)();
    admin.tokens.check(&wanted).map_err(|error| problem(&error))?;
    roles_exist(&admin, &wanted)?;
    let id = admin.tokens.next_id(now);
    let detail = described(&wanted);
    act::recorded(&admin, &who, &Requirement::new(Action::TokenIssue, &id), &detail).await?;
    run(&admin, move |tokens| tokens.issue(&id, wanted, Purpose::Service, &who.name, now)).await.map(Json)
}

pub(super) async fn revoke(
    State(admin): State<Admin>,
    Extension(who): Extension<Administrator>,
    Path(id): Path<String>,
) -> Result<Json<Entry>, Problem> {
    let now = (admin.now)();
    let entry = run(&admin, move |tokens| tokens.find(&id)).await?;
    let detail = format!("the {} token of {}", entry.purpose.name(), entry.user);
    act::recorded(&admin, &who, &Requirement::new(Action::TokenRevoke, &entry.id), &detail).await?;
    run(&admin, move |tokens| tokens.revoke(&entry.id, now)).await.map(Json)
}

pub(super) async fn rotate(
    State(admin): State<Admin>,
    Extension(who): Extension<Administrator>,
) -> Result<Json<String>, Problem> {
    let now = (admin.now)();
    let detail = "a new signing key; tokens of the ones before are good to their end";
    act::recorded(&admin, &who, &Requirement::any(Action::TokenRotateKey), detail).await?;
    run(&admin, move |tokens| tokens.rotate(now)).await.map(Json)
}

/// A role that the policy does not have would be one that somebody can make later.
fn roles_exist(admin: &Admin, wanted: &Wanted) -> Result<(), Problem> {
    let policy = admin.policy.current();
    let known = policy.rules.roles();
    for role in wanted.roles.iter().flatten() {
        if !known.contains(role.as_str()) {
            let shown = role.escape_debug();
            let detail = format!("the policy has no role `{shown}`; it has {}", list_of(known.iter()));
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
    }
    Ok(())
}

fn list_of<'a>(names: impl Iterator<Item = &'a &'a str>) -> String {
    names.copied().collect::<Vec<_>>().join(", ")
}

/// What is written down of an issue; never the token.
fn described(wanted: &Wanted) -> String {
    let roles = match &wanted.roles {
        None => "the roles of its user".to_owned(),
        Some(roles) => format!("the roles {}", roles.join(", ")),
    };
    let groups = if wanted.groups.is_empty() {
        String::new()
    } else {
        format!(", the groups {}", wanted.groups.join(", "))
    };
    let reason =
        wanted.reason.as_ref().map(|reason| format!(": {}", reason.escape_debug())).unwrap_or_default();
    format!("for {}, with {roles}{groups}, for {} s{reason}", wanted.user, wanted.ttl.as_secs())
}

/// On a thread that may wait for the disk.
async fn run<T: Send + 'static>(
    admin: &Admin,
    work: impl FnOnce(&Tokens) -> Result<T, TokensError> + Send + 'static,
) -> Result<T, Problem> {
    let tokens = std::sync::Arc::clone(&admin.tokens);
    match tokio::task::spawn_blocking(move || work(&tokens)).await {
        Ok(done) => done.map_err(|error| problem(&error)),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

fn problem(error: &TokensError) -> Problem {
    let status = match error {
        TokensError::Name { .. } | TokensError::Lifetime(_) | TokensError::Ambiguous(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        TokensError::NotFound(_) => StatusCode::NOT_FOUND,
        TokensError::Store(_) | TokensError::NoKey | TokensError::Key(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, error.to_string())
}
