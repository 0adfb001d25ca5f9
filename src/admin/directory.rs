//! The directory's routes: how it is doing, what it says about a user, and forgetting what it said.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::caller::Caller;
use super::extract::{self, Ask};
use super::gate::Wish;
use super::problem::Problem;
use crate::authz::Action;
use crate::directory::{DirectoryStatus, Explained};

/// About whom.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct About {
    /// A user; none means everybody.
    user: Option<String>,
}

/// How many answers were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    /// Answers.
    pub forgotten: usize,
}

pub(super) async fn status(
    State(admin): State<Admin>,
    caller: Caller,
) -> Result<Json<DirectoryStatus>, Problem> {
    drop(
        admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "ask how the directory is doing")).await?,
    );
    Ok(Json(admin.directory.status()))
}

pub(super) async fn explain(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(about): Ask<About>,
) -> Result<Json<Explained>, Problem> {
    drop(
        admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "ask the directory about a user")).await?,
    );
    Ok(Json(admin.directory.explain(about.user.as_deref().unwrap_or_default()).await))
}

pub(super) async fn flush(
    State(admin): State<Admin>,
    caller: Caller,
    extract::Json(about): extract::Json<About>,
) -> Result<Json<Flushed>, Problem> {
    drop(
        admin.permit(&caller, &Wish::act(Action::PolicyWrite, "*", "forget what the directory said")).await?,
    );
    let forgotten = admin.directory.flush(about.user.as_deref());
    tracing::info!(
        user = about.user.as_deref().unwrap_or("everybody"),
        forgotten,
        "directory answers flushed"
    );
    Ok(Json(Flushed { forgotten }))
}

super::shape::described! { About "About whom." {
    user: Option<String>, "A user; none means everybody.";
} }
