//! The admin interface's routes.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{Admin, directory, peer, tokens, trail};

/// What the daemon is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When the daemon started, RFC 3339.
    pub started: String,
    /// The policy version in force.
    pub policy: String,
    /// Calls permitted since the start.
    pub permitted: u64,
    /// Calls denied since the start.
    pub denied: u64,
    /// Denials whose record could not be written.
    pub unrecorded: u64,
    /// Questions that failed inside Wharfinger, each a denial.
    pub panics: u64,
    /// How the directory is doing, in one line.
    pub directory: String,
    /// What keeps the trail from being written now.
    pub trail_failing: Option<String>,
    /// Who created what, and how names were looked up.
    pub inventory: InventoryStatus,
    /// The gateway, where there is one.
    pub gateway: Option<GatewayStatus>,
}

/// What the inventory knows and has done: [`crate::inventory::Counts`], read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryStatus {
    /// Objects with a known creator.
    pub objects: u64,
    /// Names that were looked up since the start.
    pub looked_up: u64,
    /// Look-ups that the daemon did not answer: nothing went by creator or name then.
    pub failed: u64,
    /// Objects that could not be remembered for good.
    pub unlearned: u64,
}

/// What the gateway is doing: [`crate::gateway::Counters`], read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Connections of users that are open now.
    pub open: u64,
    /// Connections since the start.
    pub connections: u64,
    /// Requests since the start.
    pub requests: u64,
    /// Requests refused before they were forwarded.
    pub refused: u64,
    /// Connections that became streams: attach, exec, builds.
    pub upgraded: u64,
    /// Calls that the daemon did not answer.
    pub unanswered: u64,
    /// Calls that the daemon carried out without asking for a decision.
    pub unasked: u64,
}

/// The routes, for root and the daemon's own user.
pub(super) fn router(admin: Admin, own_uid: Option<u32>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/policy", get(policy))
        .route("/v1/reload", post(reload))
        .route("/v1/directory", get(directory::status))
        .route("/v1/directory/explain", get(directory::explain))
        .route("/v1/directory/flush", post(directory::flush))
        .route("/v1/audit", get(trail::list))
        .route("/v1/audit/export", get(trail::export))
        .route("/v1/audit/{id}", get(trail::show))
        .route("/v1/tokens", get(tokens::list).post(tokens::issue))
        .route("/v1/tokens/{id}/revoke", post(tokens::revoke))
        .route("/v1/rotate-key", post(tokens::rotate))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no such resource") })
        .layer(middleware::from_fn_with_state(own_uid, peer::only_administrators))
        .with_state(admin)
}

async fn status(State(admin): State<Admin>) -> Json<Status> {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: format!("{:.0}", admin.started),
        policy: admin.policy.current().digest.clone(),
        permitted: count(&admin.counters.permitted),
        denied: count(&admin.counters.denied),
        unrecorded: count(&admin.counters.unrecorded),
        panics: count(&admin.counters.panics),
        directory: admin.directory.status().summary(),
        trail_failing: admin.trail.failing().map(|error| error.to_string()),
        inventory: InventoryStatus {
            objects: u64::try_from(admin.inventory.len()).unwrap_or(u64::MAX),
            looked_up: count(&admin.inventory.counts().looked_up),
            failed: count(&admin.inventory.counts().failed),
            unlearned: count(&admin.inventory.counts().unlearned),
        },
        gateway: admin.gateway.as_deref().map(|gateway| GatewayStatus {
            open: count(&gateway.open),
            connections: count(&gateway.connections),
            requests: count(&gateway.requests),
            refused: count(&gateway.refused),
            upgraded: count(&gateway.upgraded),
            unanswered: count(&gateway.unanswered),
            unasked: count(&gateway.unasked),
        }),
    })
}

async fn policy(State(admin): State<Admin>) -> Response {
    let csv = crate::policy::to_csv(&admin.policy.current().rules);
    ([(hyper::header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response()
}

async fn reload(State(admin): State<Admin>) -> Result<String, Problem> {
    // Reading files may wait for a disk; requests do not.
    let done = tokio::task::spawn_blocking(move || (admin.reload)()).await;
    match done {
        Ok(Ok(version)) => Ok(version),
        Ok(Err(problems)) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problems.join("\n"))),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}
