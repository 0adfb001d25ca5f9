//! Taking a role for a while: by whoever may do so alone, or with the approval of somebody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::Admin;
use super::answers::{ElevateAsked, Elevated, Elevation, Elevations};
use super::caller::Caller;
use super::change::{self, Order};
use super::extract::{self, Named};
use super::gate::Wish;
use super::problem::Problem;
use crate::authz::{Action, Principal, Requirement, Requirements};
use crate::policy::{EditKind, EditRequest, Proposal, What};

/// The longest that a role can be taken for.
const LONGEST: u64 = 24 * 3600;

/// How long somebody's request waits for an approval.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// Requests that wait at most.
const MOST: usize = 1000;

/// Requests that wait for somebody's approval; they are forgotten when the daemon ends, and asked for again.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<String, (Timestamp, Elevation)>>);

impl Requests {
    fn with<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut BTreeMap<String, (Timestamp, Elevation)>) -> T,
    ) -> T {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.retain(|_, (since, _)| now.duration_since(*since) < PATIENCE);
        work(&mut requests)
    }
}

pub(super) async fn list(State(admin): State<Admin>, caller: Caller) -> Result<Json<Elevations>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "see who asks for a role")).await?);
    let waiting = admin
        .state
        .requests
        .with((admin.now)(), |requests| requests.values().map(|(_, elevation)| elevation.clone()).collect());
    Ok(Json(Elevations { waiting }))
}

/// Takes a role for a while or, where that takes somebody else's approval, asks for it.
pub(super) async fn elevate(
    State(admin): State<Admin>,
    caller: Caller,
    extract::Json(asked): extract::Json<ElevateAsked>,
) -> Result<Json<Elevated>, Problem> {
    let Some(user) = caller.subject.user.clone() else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "nobody can take a role without being somebody"));
    };
    if asked.reason.trim().is_empty() {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "say why: a reason is needed"));
    }
    if !(60..=LONGEST).contains(&asked.seconds) {
        let message = "a role is taken for a minute at least and 24 hours at most";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let name = format!("role/{}", asked.role);
    let elevation = Elevation {
        id: String::new(),
        user,
        role: asked.role,
        seconds: asked.seconds,
        reason: asked.reason.trim().to_owned(),
    };
    let alone = Requirements::new(Requirement::new(Action::GrantElevate, &name));
    let asks = Requirements::new(Requirement::new(Action::GrantRequest, &name));
    let may = |needed: &Requirements| {
        caller.root || admin.policy.current().index.decide(&caller.subject, "", needed).is_permit()
    };
    // Whoever may only ask, asks; whoever may neither is denied for what would have made it so.
    if !may(&alone) && may(&asks) {
        let sentence =
            format!("ask for role {} for {} s: {}", elevation.role, elevation.seconds, elevation.reason);
        let permitted = admin.permit(&caller, &Wish::act(Action::GrantRequest, &name, sentence)).await?;
        return wait(&admin, Elevation { id: permitted.id(), ..elevation });
    }
    let version =
        grant(&admin, &caller, alone, &elevation, &format!("elevation: {}", elevation.reason)).await?;
    Ok(Json(Elevated { version: Some(version), waiting: None }))
}

/// Approves somebody else's request.
pub(super) async fn approve(
    State(admin): State<Admin>,
    caller: Caller,
    Named(id): Named,
) -> Result<Json<Elevated>, Problem> {
    let now = (admin.now)();
    let found =
        admin.state.requests.with(now, |requests| requests.get(&id).map(|(_, elevation)| elevation.clone()));
    let name = found.as_ref().map_or_else(|| "*".to_owned(), |elevation| format!("role/{}", elevation.role));
    let needed = Requirements::new(Requirement::new(Action::GrantApprove, &name));
    let Some(elevation) = found else {
        drop(admin.permit(&caller, &Wish::read(Action::GrantApprove, &name, "approve a request")).await?);
        return Err(Problem::none("request", &id));
    };
    // Two people are two people, whatever the policy lets one of them do.
    if caller.subject.user.as_ref() == Some(&elevation.user) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "nobody approves what he asked for himself"));
    }
    let reason = format!("elevation, approved by {}: {}", caller.name(), elevation.reason);
    let version = grant(&admin, &caller, needed, &elevation, &reason).await?;
    admin.state.requests.with(now, |requests| requests.remove(&id));
    Ok(Json(Elevated { version: Some(version), waiting: None }))
}

fn wait(admin: &Admin, elevation: Elevation) -> Result<Json<Elevated>, Problem> {
    let now = (admin.now)();
    admin.state.requests.with(now, |requests| {
        if requests.len() >= MOST {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests wait for an approval",
            ));
        }
        requests.insert(elevation.id.clone(), (now, elevation.clone()));
        Ok(Json(Elevated { version: None, waiting: Some(elevation.id) }))
    })
}

/// Makes the grant, with its end.
async fn grant(
    admin: &Admin,
    caller: &Caller,
    requirements: Requirements,
    elevation: &Elevation,
    reason: &str,
) -> Result<u64, Problem> {
    let principal = Principal::User(elevation.user.clone());
    let held = |grant: &&crate::authz::Grant| grant.principal == principal && grant.role == elevation.role;
    let now = (admin.now)();
    if let Some(grant) = admin.policy.current().rules.grants.iter().find(held)
        && grant.holds_at(now.as_second())
    {
        let message = format!("{principal} holds role `{}` already", super::problem::shown(&elevation.role));
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let seconds = i64::try_from(elevation.seconds).unwrap_or(0);
    let until = super::lists::time(now.as_second().saturating_add(seconds));
    let edit = EditRequest {
        principal: Some(principal.to_string()),
        role: Some(elevation.role.clone()),
        until,
        reason: Some(reason.to_owned()),
        ..EditRequest::new(EditKind::Grant)
    };
    let proposal = Proposal { base: None, change: What::Edits(vec![edit]) };
    let order = Order { requirements, reason };
    change::make(admin, caller, proposal, order).await
}
