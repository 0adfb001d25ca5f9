//! The directory's routes: how it is doing, what it says about a user, and forgetting what it said.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::Admin;
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

pub(super) async fn status(State(admin): State<Admin>) -> Json<DirectoryStatus> {
    Json(admin.directory.status())
}

pub(super) async fn explain(State(admin): State<Admin>, Query(about): Query<About>) -> Json<Explained> {
    Json(admin.directory.explain(about.user.as_deref().unwrap_or_default()).await)
}

pub(super) async fn flush(State(admin): State<Admin>, Json(about): Json<About>) -> Json<Flushed> {
    let forgotten = admin.directory.flush(about.user.as_deref());
    tracing::info!(
        user = about.user.as_deref().unwrap_or("everybody"),
        forgotten,
        "directory answers flushed"
    );
    Json(Flushed { forgotten })
}
