//! The table of routes: what is answered where, with what, and what each is asked with.

use std::sync::atomic::Ordering;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::answers::{
    Can, CanAsked, ChangeAsked, Changed, Diff, DiffAsked, Draft, ElevateAsked, Elevated, Elevations,
    GatewayStatus, Grants, GrantsAsked, Held, HeldAsked, InventoryStatus, LearnAsked, Names, NamesAsked,
    Paging, Reloaded, Report, ReportAsked, Role, Roles, Set, Sets, Status, TestAsked, TestResults, TextAsked,
    TokenWanted, Versions, VersionsAsked, Who, WhoAsked,
};
use super::caller::{self, Caller};
use super::extract::LONGEST_BODY;
use super::gate::Wish;
use super::problem::Problem;
use super::shape::{Schemas, Shape};
use super::{
    Admin, change, directory, elevate, learn, lists, openapi, questions, replay, tokens, trail, versions,
};
use crate::authz::Action;

/// What a body is.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// JSON of that shape.
    Json(fn(&mut Schemas) -> Value),
    /// Text of those content types.
    Text(&'static [&'static str]),
}

/// One row of the table.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Option<fn(&mut Schemas) -> Value>,
    pub(super) body: Option<Answer>,
    pub(super) answer: Answer,
    pub(super) if_match: bool,
    pub(super) problems: &'static [(u16, &'static str)],
    handler: MethodRouter<Admin>,
}

const MISSING: &[(u16, &str)] = &[(404, "There is none of that name.")];
const CHANGE: &[(u16, &str)] = &[
    (404, "There is nothing to take out or change."),
    (409, "The policy is a file, or the change says what is so already."),
    (412, "Somebody else changed the policy in between."),
    (415, "The body is not JSON."),
    (422, "The policy that the change would make is not accepted."),
    (428, "`If-Match` is missing."),
];
const TOKENS: &[(u16, &str)] = &[
    (404, "There is none of that id."),
    (415, "The body is not JSON."),
    (422, "A token of that kind is not issued."),
];
const RECORDS: &[&str] = &["application/json"];

/// Every route, in the order of the document.
#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/status",            "status",          get(status),              "What the daemon is doing.").answers::<Status>(),
        Route::post("/v1/reload",           "reload",          post(reload),             "Read policy file, directory and keys again; a bad one never replaces a good one.").answers::<Reloaded>().problems(&[(422, "Something that is read is not accepted; it stays as it was.")]),
        Route::get("/v1/openapi.json",      "document",        get(document),            "This document.").answers::<Value>(),
        Route::get("/v1/policy",            "policy",          get(versions::text),      "The text of the policy; the newest unless told otherwise.").asks::<TextAsked>().says(&["text/csv", "application/toml"]).problems(MISSING),
        Route::post("/v1/policy/changes",   "change",          post(change::change),     "Change the policy, or only work out what that would do.").takes::<ChangeAsked>().answers::<Changed>().if_match().problems(CHANGE),
        Route::get("/v1/policy/versions",   "versions",        get(versions::list),      "The versions of the policy, newest first.").asks::<VersionsAsked>().answers::<Versions>(),
        Route::get("/v1/policy/diff",       "diff",            get(versions::diff),      "What differs between two versions.").asks::<DiffAsked>().answers::<Diff>().problems(MISSING),
        Route::get("/v1/policy/test",       "test",            get(questions::test),     "Whether the policy meets the expectations that the config names.").asks::<TestAsked>().answers::<TestResults>().problems(MISSING),
        Route::get("/v1/policy/would-deny", "would_deny",      get(replay::would_deny),  "What was let through although a denial was due, by user, action and role.").asks::<ReportAsked>().answers::<Report>(),
        Route::get("/v1/policy/learn",      "learn",           get(learn::learn),        "Draft the smallest role from what somebody really did.").asks::<LearnAsked>().answers::<Draft>(),
        Route::get("/v1/elevations",        "elevations",      get(elevate::list),       "Requests for a role that wait for an approval.").answers::<Elevations>(),
        Route::post("/v1/elevations",       "elevate",         post(elevate::elevate),   "Take a role for a while, or ask for it.").takes::<ElevateAsked>().answers::<Elevated>().problems(CHANGE),
        Route::post("/v1/elevations/{id}/approve", "approve",  post(elevate::approve),   "Approve somebody else's request.").answers::<Elevated>().problems(CHANGE),
        Route::get("/v1/roles",             "roles",           get(lists::roles),        "The roles.").asks::<Paging>().answers::<Roles>(),
        Route::get("/v1/roles/{name}",      "role",            get(lists::role),         "A role, with all that it holds and who holds it.").answers::<Role>().problems(MISSING),
        Route::get("/v1/grants",            "grants",          get(lists::grants),       "Who holds what.").asks::<GrantsAsked>().answers::<Grants>(),
        Route::get("/v1/sets",              "sets",            get(lists::sets),         "The action sets.").asks::<Paging>().answers::<Sets>(),
        Route::get("/v1/sets/{name}",       "set",             get(lists::set),          "An action set.").answers::<Set>().problems(MISSING),
        Route::get("/v1/names",             "names",           get(lists::names),        "Names, for completion.").asks::<NamesAsked>().answers::<Names>(),
        Route::get("/v1/can",               "can",             get(questions::can),      "Whether somebody may do something, and what decides it.").asks::<CanAsked>().answers::<Can>(),
        Route::get("/v1/held",              "held",            get(questions::held),     "All that somebody holds.").asks::<HeldAsked>().answers::<Held>(),
        Route::get("/v1/who-can",           "who_can",         get(questions::who_can),  "Who may do something.").asks::<WhoAsked>().answers::<Who>(),
        Route::post("/v1/simulate",         "simulate",        post(questions::simulate), "What calls need, one JSON a line as dockerd asks about them, and what would be decided.").asks::<HeldAsked>().takes_text(&["application/jsonl"]).says(&["application/jsonl"]),
        Route::get("/v1/directory",         "directory",       get(directory::status),   "How the directory is doing.").says(RECORDS),
        Route::get("/v1/directory/explain", "directory_user",  get(directory::explain),  "What the directory says about a user, step by step.").asks::<directory::About>().says(RECORDS),
        Route::post("/v1/directory/flush",  "directory_flush", post(directory::flush),   "Forget what the directory said, about a user or about everybody.").takes::<directory::About>().says(RECORDS).problems(&[(415, "The body is not JSON.")]),
        Route::get("/v1/tokens",            "tokens",          get(tokens::list),        "Tokens of this host that are good.").asks::<tokens::Which>().says(RECORDS),
        Route::post("/v1/tokens",           "issue_token",     post(tokens::issue),      "Issue a token.").takes::<TokenWanted>().says(RECORDS).problems(TOKENS),
        Route::post("/v1/tokens/{id}/revoke", "revoke_token",  post(tokens::revoke),     "Revoke a token: the next call that shows it is denied.").says(RECORDS).problems(TOKENS),
        Route::post("/v1/rotate-key",       "rotate_key",      post(tokens::rotate),     "Sign with a new key from now on.").says(RECORDS),
        Route::get("/v1/audit",             "records",         get(trail::list),         "Records of the trail, newest first.").asks::<trail::Asked>().says(RECORDS),
        Route::get("/v1/audit/export",      "export",          get(trail::export),       "All records, oldest first.").asks::<trail::Asked>().says(&["application/jsonl", "text/csv"]),
        Route::get("/v1/audit/{id}",        "record",          get(trail::show),         "One record, by its id or the beginning of it.").says(RECORDS).problems(MISSING),
    ]
}

impl Route {
    fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        handler: MethodRouter<Admin>,
        summary: &'static str,
    ) -> Self {
        let answer = Answer::Text(&["text/plain"]);
        Self {
            method,
            path,
            id,
            summary,
            query: None,
            body: None,
            answer,
            if_match: false,
            problems: &[],
            handler,
        }
    }

    fn get(
        path: &'static str,
        id: &'static str,
        handler: MethodRouter<Admin>,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::GET, path, id, handler, summary)
    }

    fn post(
        path: &'static str,
        id: &'static str,
        handler: MethodRouter<Admin>,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::POST, path, id, handler, summary)
    }

    fn asks<T: Shape>(self) -> Self {
        Self { query: Some(fields::<T>), ..self }
    }

    fn takes<T: Shape>(self) -> Self {
        Self { body: Some(Answer::Json(schema::<T>)), ..self }
    }

    fn takes_text(self, kinds: &'static [&'static str]) -> Self {
        Self { body: Some(Answer::Text(kinds)), ..self }
    }

    fn answers<T: Shape>(self) -> Self {
        Self { answer: Answer::Json(schema::<T>), ..self }
    }

    fn says(self, kinds: &'static [&'static str]) -> Self {
        Self { answer: Answer::Text(kinds), ..self }
    }

    fn if_match(self) -> Self {
        Self { if_match: true, ..self }
    }

    fn problems(self, problems: &'static [(u16, &'static str)]) -> Self {
        Self { problems, ..self }
    }
}

fn schema<T: Shape>(schemas: &mut Schemas) -> Value {
    T::collect(schemas);
    T::schema()
}

/// The schema of a shape itself, which is not kept among the named ones.
fn fields<T: Shape>(_: &mut Schemas) -> Value {
    let mut own = Schemas::new();
    T::collect(&mut own);
    let name = T::schema();
    let name =
        name.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    own.remove(name).unwrap_or_default()
}

/// All routes, behind the one question who asks.
pub(super) fn router(admin: Admin) -> Router {
    let mut router = Router::new();
    for route in routes() {
        router = router.route(route.path, route.handler);
    }
    router
        .fallback(|| async {
            Problem::new(
                StatusCode::NOT_FOUND,
                "there is nothing here: `GET /v1/openapi.json` describes what there is",
            )
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not by that method")
        })
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(middleware::from_fn_with_state(admin.clone(), caller::identify))
        .with_state(admin)
}

async fn status(State(admin): State<Admin>, caller: Caller) -> Result<axum::Json<Status>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "read how the daemon is doing")).await?);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let policy = admin.policy.current();
    Ok(axum::Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: format!("{:.0}", admin.started),
        policy: policy.digest.clone(),
        policy_number: policy.number,
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
    }))
}

async fn reload(State(admin): State<Admin>, caller: Caller) -> Result<axum::Json<Reloaded>, Problem> {
    drop(
        admin
            .permit(&caller, &Wish::read(Action::PolicyWrite, "*", "read policy, directory and keys again"))
            .await?,
    );
    // Reading files may wait for a disk; requests do not.
    let done = tokio::task::spawn_blocking(move || (admin.reload)()).await;
    match done {
        Ok(Ok(policy)) => Ok(axum::Json(Reloaded { policy })),
        Ok(Err(problems)) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problems.join("\n"))),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

async fn document() -> axum::Json<Value> {
    axum::Json(openapi::document(&routes()))
}
