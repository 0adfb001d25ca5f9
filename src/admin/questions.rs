//! Questions: may somebody, who may, what holds somebody, what would be decided, are expectations met.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;

use super::Admin;
use super::answers::{
    Can, CanAsked, Found, Held, HeldAsked, HeldPermission, Holder, TestAsked, TestResult, TestResults, Who,
    WhoAsked,
};
use super::caller::{self, Caller};
use super::extract::Ask;
use super::gate::Wish;
use super::lists;
use super::problem::Problem;
use crate::authz::{Action, Decision, Finding, Principal, Subject};
use crate::engine::{self, Call, Door};
use crate::plugin::wire::Question;
use crate::policy::{self, Expectations, Loaded};

/// Users whose groups are looked up for one question.
const LOOKED_UP: usize = 100;

/// The longest file of expectations, in bytes.
const LONGEST: u64 = 4 << 20;

pub(super) async fn can(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<CanAsked>,
) -> Result<Json<Can>, Problem> {
    let subject = subject(&admin, &caller, asked.user.as_deref(), asked.groups.as_deref()).await?;
    let policy = admin.policy.current();
    let needed = policy::needed(&policy.rules, &subject, &asked.action, asked.resource.as_deref())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let decision = policy.index.decide(&subject, &asked.action, &needed);
    Ok(Json(answer(&subject, &decision)))
}

pub(super) async fn held(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<HeldAsked>,
) -> Result<Json<Held>, Problem> {
    let subject = subject(&admin, &caller, asked.user.as_deref(), asked.groups.as_deref()).await?;
    let policy = admin.policy.current();
    let mut permissions = Vec::new();
    for (role, path) in policy.index.paths_of(&subject) {
        for (_, held) in policy.rules.permissions.iter().filter(|(of, _)| *of == role) {
            let held = lists::permission(held);
            permissions.push(HeldPermission {
                effect: held.effect,
                action: held.action,
                resource: held.resource,
                role: role.clone(),
                path: path.clone(),
            });
        }
    }
    Ok(Json(Held { user: subject.to_string(), groups: subject.groups, permissions }))
}

pub(super) async fn who_can(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<WhoAsked>,
) -> Result<Json<Who>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "ask who may do something")).await?);
    let policy = admin.policy.current();
    let now = (admin.now)().as_second();
    let mut principals: Vec<&Principal> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for grant in policy.rules.grants.iter().filter(|grant| grant.holds_at(now)) {
        if seen.insert(&grant.principal) {
            principals.push(&grant.principal);
        }
    }
    let users = principals.iter().filter(|principal| matches!(principal, Principal::User(_))).count();
    let complete = users <= LOOKED_UP;
    let mut holders = Vec::new();
    for principal in principals {
        let subject = match principal {
            // With all groups, for one of them could be denied it.
            Principal::User(user) if complete => match caller::with_groups(&admin, user, Vec::new()).await {
                Ok(subject) => subject,
                // Whom the directory does not know may nothing.
                Err(_) => continue,
            },
            _ => policy::standing_for(principal),
        };
        let needed = policy::needed(&policy.rules, &subject, &asked.action, asked.resource.as_deref())
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        if let Decision::Permit(findings) = policy.index.decide(&subject, "", &needed) {
            let path = findings.first().and_then(|finding| finding.decided_by.as_ref());
            let path = path.map(|by| by.path.clone()).unwrap_or_default();
            let until = ends(&policy, principal, &path).and_then(lists::time);
            holders.push(Holder { principal: principal.to_string(), path, until });
        }
    }
    Ok(Json(Who { holders, complete }))
}

pub(super) async fn simulate(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<HeldAsked>,
    body: Bytes,
) -> Result<Response, Problem> {
    let subject = subject(&admin, &caller, asked.user.as_deref(), asked.groups.as_deref()).await?;
    let policy = admin.policy.current();
    let mut lines = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)) {
        let line = judged(&admin, &policy, &subject, line).await;
        lines.extend(serde_json::to_vec(&line).unwrap_or_default());
        lines.push(b'\n');
    }
    Ok(([(CONTENT_TYPE, "application/jsonl")], lines).into_response())
}

pub(super) async fn test(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<TestAsked>,
) -> Result<Json<TestResults>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "test the policy")).await?);
    let Some(expectations) = expectations(&admin)? else {
        let message = "the config names no `expectations` in [policy]: `wharfinger policy test FILE` tests against a file";
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    };
    let policy = match asked.version {
        None => admin.policy.current(),
        Some(number) => {
            let text = admin.policy.text(number).map_err(|error| Problem::change(&error))?;
            let loaded =
                policy::load(policy::MODEL, &text).map_err(|error| Problem::change(&error.into()))?;
            Arc::new(loaded.at((admin.now)()))
        }
    };
    let tests: Vec<TestResult> = expectations
        .test(&policy)
        .into_iter()
        .map(|tested| TestResult { name: tested.name, failure: tested.failure })
        .collect();
    let failed = tests.iter().filter(|test| test.failure.is_some()).count() as u64;
    Ok(Json(TestResults { tests, failed }))
}

/// The expectations that the config names, read anew each time: whoever changes them need not reload anything.
pub(super) fn expectations(admin: &Admin) -> Result<Option<Expectations>, Problem> {
    use std::io::Read as _;
    let Some(path) = &admin.expectations else { return Ok(None) };
    // Fail closed: expectations that cannot be read are not met.
    let wrong = |why: String| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("the expectations `{}`: {why}", path.display()),
        )
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    Expectations::parse(&text).map(Some).map_err(|error| wrong(error.to_string()))
}

/// Who is asked about; others than oneself only by those who may read the policy.
async fn subject(
    admin: &Admin,
    caller: &Caller,
    user: Option<&str>,
    groups: Option<&str>,
) -> Result<Subject, Problem> {
    if user.is_none() && groups.is_none() {
        return Ok(caller.subject.clone());
    }
    drop(admin.permit(caller, &Wish::read(Action::PolicyRead, "*", "ask about somebody else")).await?);
    match (user, groups) {
        (Some("anonymous"), _) => Ok(Subject::anonymous()),
        (user, Some(groups)) => Ok(Subject {
            user: user.map(str::to_owned).or_else(|| caller.subject.user.clone()),
            groups: groups
                .split(',')
                .map(str::trim)
                .filter(|group| !group.is_empty())
                .map(str::to_owned)
                .collect(),
            roles: None,
        }),
        (user, None) => caller::with_groups(admin, user.unwrap_or_default(), Vec::new()).await,
    }
}

fn answer(subject: &Subject, decision: &Decision) -> Can {
    Can {
        permit: decision.is_permit(),
        user: subject.to_string(),
        groups: subject.groups.clone(),
        message: decision.denial().map(|denial| denial.message.clone()).unwrap_or_default(),
        mode: match decision {
            Decision::Observe(mode, _) => Some(mode.name().to_owned()),
            Decision::Permit(_) | Decision::PermitInPart(_) | Decision::Deny(_) => None,
        },
        findings: decision.findings().iter().map(found).collect(),
    }
}

fn found(finding: &Finding) -> Found {
    let by = finding.decided_by.as_ref();
    Found {
        action: finding.requirement.action.name().to_owned(),
        resource: finding.requirement.resource.to_string(),
        granted: finding.is_granted(),
        permission: by.map(|by| by.permission.clone()),
        role: by.map(|by| by.role.clone()),
        path: by.map(|by| by.path.clone()),
    }
}

/// One question of dockerd, as it would be decided now.
async fn judged(admin: &Admin, policy: &Loaded, subject: &Subject, line: &[u8]) -> serde_json::Value {
    let refused = |operation: Option<Action>, code: &str, message: String| {
        serde_json::json!({
            "operation": operation.map(Action::name), "verb": null, "permit": false,
            "message": format!("refused ({code}): {message}"), "findings": [],
        })
    };
    let question = match Question::read(line) {
        Ok(question) => question,
        Err(error) => return refused(None, "question-invalid", error.to_string()),
    };
    let read = engine::classify(&Call {
        method: &question.request_method,
        uri: &question.request_uri,
        headers: &question.request_headers,
        body: question.request_body.as_deref(),
        door: Door::Plugin,
    });
    let mut classified = match read {
        Ok(classified) => classified,
        Err(refusal) => return refused(refusal.operation, refusal.code.name(), refusal.message),
    };
    admin.inventory.resolve(&policy.index, subject, &mut classified.requirements).await;
    let decision = policy.index.decide(subject, classified.verb, &classified.requirements);
    let can = answer(subject, &decision);
    serde_json::json!({
        "operation": classified.operation.name(), "verb": classified.verb, "permit": can.permit,
        "message": can.message, "findings": can.findings,
    })
}

/// When the grant at the head of a path ends.
fn ends(policy: &Loaded, principal: &Principal, path: &str) -> Option<i64> {
    let role = path.split(" > ").nth(1)?;
    policy.rules.grants.iter().find(|grant| grant.principal == *principal && grant.role == role)?.until
}
