//! Changing the policy: worked out, checked whole, decided, recorded, and only then made.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use hyper::StatusCode;
use hyper::header::{ETAG, IF_MATCH};

use super::Admin;
use super::answers::{ChangeAsked, Changed};
use super::caller::{self, Caller};
use super::extract;
use super::gate::Wish;
use super::problem::Problem;
use super::{replay, versions};
use crate::audit::Change;
use crate::authz::{Action, Owner, Principal, Requirements};
use crate::policy::{self, Author, Prepared, Proposal, What};

/// Lines of a change that its record keeps; the version has all of them.
const RECORDED: usize = 100;

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

pub(super) async fn change(
    State(admin): State<Admin>,
    caller: Caller,
    headers: HeaderMap,
    extract::Json(asked): extract::Json<ChangeAsked>,
) -> Result<Response, Problem> {
    let base = base(&headers, asked.text.is_some())?;
    let what = what(&asked)?;
    // One change after the other, from here to its end.
    let _turn = Arc::clone(&admin.state.changing).lock_owned().await;
    let prepared = prepare(&admin, &caller, Proposal { base, change: what }).await?;
    let mut requirements = prepared.requirements();
    relate(&admin, &prepared, &mut requirements).await?;
    let dry_run = asked.dry_run.unwrap_or(false);
    let mut answer = answer(&admin, &prepared)?;
    if dry_run || asked.since.is_some() {
        // What it would do tells of the policy and of the trail.
        drop(
            admin.permit(&caller, &Wish::read(Action::PolicyRead, "*", "try a change of the policy")).await?,
        );
    }
    if let Some(since) = &asked.since {
        drop(admin.permit(&caller, &Wish::read(Action::AuditRead, "*", "read the trail")).await?);
        answer.effect = Some(replay::effect(&admin, since, &prepared.loaded).await?);
    }
    if dry_run {
        return Ok(Json(answer).into_response());
    }
    let order = Order { requirements, reason: asked.reason.as_deref().unwrap_or_default() };
    let force = asked.force.unwrap_or(false);
    let number = commit(&admin, &caller, prepared, order, &answer, force).await?;
    answer.version = Some(number);
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(ETAG, versions::etag(number));
    Ok(response)
}

/// What a change needs, and why it is made.
pub(super) struct Order<'a> {
    /// Everything that must be granted.
    pub(super) requirements: Requirements,
    /// Why.
    pub(super) reason: &'a str,
}

/// Makes a change that is asked for in another way than by the route for changes.
pub(super) async fn make(
    admin: &Admin,
    caller: &Caller,
    proposal: Proposal,
    order: Order<'_>,
) -> Result<u64, Problem> {
    let _turn = Arc::clone(&admin.state.changing).lock_owned().await;
    let prepared = prepare(admin, caller, proposal).await?;
    let answer = answer(admin, &prepared)?;
    commit(admin, caller, prepared, order, &answer, false).await
}

/// Decides, records, and puts it in force.
async fn commit(
    admin: &Admin,
    caller: &Caller,
    prepared: Prepared,
    order: Order<'_>,
    answer: &Changed,
    force: bool,
) -> Result<u64, Problem> {
    let reason = reason(order.reason);
    let mut wish =
        Wish { requirements: order.requirements, sentence: sentence(&prepared), acts: false, change: None };
    // First whether it is permitted at all: what is wrong with a change tells of the policy.
    drop(admin.permit(caller, &wish).await?);
    unforced(answer, force)?;
    wish.acts = true;
    wish.change = Some(recorded(answer, admin.policy.current().digest.clone(), &reason));
    drop(admin.permit(caller, &wish).await?);
    let author = Author { name: caller.name(), how: caller.how.clone(), reason };
    let store = Arc::clone(&admin.policy);
    // The disk may take its time; requests do not wait for it.
    let failure = match tokio::task::spawn_blocking(move || store.commit(prepared, &author)).await {
        Ok(Ok(loaded)) => return Ok(loaded.number),
        Ok(Err(error)) => Problem::change(&error),
        Err(error) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    admin.record_failure(caller, &wish, "the change could not be kept").await;
    Err(failure)
}

/// What a change would do, before anything is decided about it.
fn answer(admin: &Admin, prepared: &Prepared) -> Result<Changed, Problem> {
    Ok(Changed {
        version: None,
        base: prepared.base(),
        digest: prepared.loaded.digest.clone(),
        diff: prepared.diff.clone(),
        flaws: prepared.flaws.iter().cloned().collect(),
        failures: failures(admin, prepared)?,
        effect: None,
    })
}

/// The version that a change is made for.
fn base(headers: &HeaderMap, needed: bool) -> Result<Option<u64>, Problem> {
    let Some(tag) = headers.get(IF_MATCH) else {
        if needed {
            let message = "a whole policy replaces what others wrote meanwhile: send `If-Match` with the `ETag` that `GET /v1/policy` gave";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, message));
        }
        return Ok(None);
    };
    let number = tag.to_str().ok().and_then(|tag| tag.trim().trim_matches('"').parse().ok());
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "`If-Match` is a version's number in quotes, such as `\"7\"`",
        )),
    }
}

fn what(asked: &ChangeAsked) -> Result<What, Problem> {
    match (&asked.edits, &asked.text, asked.version) {
        (Some(edits), None, None) if !edits.is_empty() => Ok(What::Edits(edits.clone())),
        (None, None, Some(version)) => Ok(What::Version(version)),
        (None, Some(text), None) => match asked.form.as_deref() {
            None | Some("csv") => Ok(What::Text(text.clone())),
            Some("toml") => policy::from_toml(text)
                .map(What::Text)
                .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
            Some(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "`form` is `csv` or `toml`")),
        },
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "a change has one of `edits`, `text` and `version`, and `edits` is not empty",
        )),
    }
}

/// Works it out off the asynchronous threads: a policy can be long.
async fn prepare(admin: &Admin, caller: &Caller, proposal: Proposal) -> Result<Prepared, Problem> {
    if let Some(path) = admin.policy.file()
        && !caller.root
    {
        // Where changes are made is nobody's business who may not read the policy.
        drop(
            admin
                .permit(caller, &Wish::read(Action::PolicyRead, "*", "read where the policy is kept"))
                .await?,
        );
        return Err(Problem::change(&policy::ChangeError::FileIsTruth(path.to_owned())));
    }
    let store = Arc::clone(&admin.policy);
    match tokio::task::spawn_blocking(move || store.prepare(&proposal)).await {
        Ok(Ok(prepared)) => Ok(prepared),
        Ok(Err(error)) => {
            // Messages about a policy tell of it.
            drop(
                admin
                    .permit(
                        caller,
                        &Wish::read(Action::PolicyRead, "*", "be told what is wrong with a change"),
                    )
                    .await?,
            );
            Err(Problem::change(&error))
        }
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// Expectations that hold now and would not hold then.
fn failures(admin: &Admin, prepared: &Prepared) -> Result<Vec<String>, Problem> {
    let Some(expectations) = super::questions::expectations(admin)? else { return Ok(Vec::new()) };
    let before = expectations.failures(&admin.policy.current());
    let mut after = expectations.failures(&prepared.loaded);
    after.retain(|failure| !before.contains(failure));
    Ok(after)
}

/// Says of those who get or lose a role which groups they are in, so that `policy:@group` can decide about them.
async fn relate(admin: &Admin, prepared: &Prepared, requirements: &mut Requirements) -> Result<(), Problem> {
    let mut owners = std::collections::BTreeMap::new();
    for grant in prepared.grants() {
        let owner = match &grant.principal {
            // Somebody whom the directory does not know is in nobody's group.
            Principal::User(user) => match caller::with_groups(admin, user, Vec::new()).await {
                Ok(subject) => Owner { user: subject.user.unwrap_or_default(), groups: subject.groups },
                Err(_) => continue,
            },
            Principal::Group(group) => Owner { user: String::new(), groups: vec![group.clone()] },
            Principal::Anonymous | Principal::Everyone => continue,
        };
        owners.insert(policy::principal_name(&grant.principal), Arc::new(owner));
    }
    requirements.assign_owners(|resource| owners.get(&resource.name).cloned());
    Ok(())
}

fn unforced(answer: &Changed, force: bool) -> Result<(), Problem> {
    let flaws = answer.flaws.iter().filter(|flaw| flaw.refused).map(|flaw| flaw.message.clone());
    let failures = answer.failures.iter().map(|failure| format!("expected: {failure}"));
    let refused: Vec<String> = flaws.chain(failures).collect();
    if force || refused.is_empty() {
        return Ok(());
    }
    let message = format!("{}; if that is meant, force it", refused.join("\n"));
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message))
}

fn sentence(prepared: &Prepared) -> String {
    let first = prepared.diff.iter().find(|line| !line.trim_start_matches(['+', '-', ' ']).is_empty());
    let more = prepared.diff.len().saturating_sub(1);
    let first = first.map(String::as_str).unwrap_or_default();
    if more == 0 { format!("change `{first}`") } else { format!("change `{first}` and {more} more lines") }
}

fn recorded(answer: &Changed, before: String, reason: &str) -> Change {
    let mut diff: Vec<String> = answer.diff.iter().take(RECORDED).cloned().collect();
    if answer.diff.len() > RECORDED {
        diff.push(format!("… and {} more lines", answer.diff.len() - RECORDED));
    }
    Change { before, after: answer.digest.clone(), diff, reason: reason.to_owned() }
}

/// One line, without what could steer a terminal.
fn reason(asked: &str) -> String {
    asked.trim().chars().take(LONGEST_REASON).map(crate::engine::harmless).collect()
}
