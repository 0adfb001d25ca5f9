//! The trail asked again: what another policy would have decided, and what was only observed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;
use jiff::Timestamp;

use super::Admin;
use super::answers::{Effect, Report, ReportAsked, ReportLine, Shift};
use super::caller::Caller;
use super::extract::Ask;
use super::gate::Wish;
use super::problem::Problem;
use crate::audit::{self, DecisionEntry, Filter, Reader};
use crate::authz::{Action, Index, Owner, Requirement, Requirements, Resource, Subject};
use crate::policy::Loaded;

/// Decisions that are looked at for one answer.
pub(super) const MOST: u64 = 500_000;

/// Lines of an answer.
const LINES: usize = 1000;

/// Since when, where nobody says.
const SINCE: &str = "7d";

/// Which decisions of the trail a policy would change, compared with the one in force.
pub(super) async fn effect(admin: &Admin, since: &str, new: &Loaded) -> Result<Effect, Problem> {
    let current = admin.policy.current();
    let (old, new) = (Arc::clone(&current), new.at((admin.now)()));
    let (from, filter) = since_filter(admin, Some(since))?;
    let database = admin.database.clone();
    blocking(move || {
        let mut shifts: HashMap<Alike, Shift> = HashMap::new();
        let mut known: HashMap<Alike, Option<(bool, bool, String)>> = HashMap::new();
        let mut decisions = 0;
        let reader = Reader::open(database)?;
        let complete = audit::decisions(&reader, &filter, MOST, |entry| {
            decisions += 1;
            let alike = Alike::of(&entry);
            let Some((before, after, why)) =
                known.entry(alike.clone()).or_insert_with(|| compare(&entry, &old.index, &new.index)).clone()
            else {
                return;
            };
            let shift = shifts.entry(alike).or_insert_with(|| Shift {
                user: entry.actor.user.clone().unwrap_or_else(|| "anonymous".to_owned()),
                operation: entry.operation.clone().unwrap_or_default(),
                object: entry.object.as_ref().map(ToString::to_string).unwrap_or_default(),
                before: word(before),
                after: word(after),
                why,
                count: 0,
                last: String::new(),
                example: String::new(),
            });
            shift.count += 1;
            shift.last = entry.time.to_string();
            shift.example = entry.id.to_string();
        })?;
        let changed = most_frequent(shifts.into_values(), |shift| (shift.count, shift.last.clone()));
        Ok(Effect { since: from.to_string(), decisions, complete, changed })
    })
    .await
}

pub(super) async fn would_deny(
    State(admin): State<Admin>,
    caller: Caller,
    Ask(asked): Ask<ReportAsked>,
) -> Result<Json<Report>, Problem> {
    drop(admin.permit(&caller, &Wish::read(Action::AuditRead, "*", "read what was only observed")).await?);
    let (from, filter) = since_filter(&admin, asked.since.as_deref())?;
    blocking(move || {
        let mut lines: HashMap<(Option<String>, String, String, String), ReportLine> = HashMap::new();
        let mut decisions = 0;
        let reader = Reader::open(admin.database)?;
        let complete = audit::decisions(&reader, &filter, MOST, |entry| {
            decisions += 1;
            let Some(mode) = &entry.mode else { return };
            let missing =
                entry.requirements.iter().filter(|finding| finding.effect != Some(audit::Effect::Allow));
            for finding in missing {
                let key = (
                    entry.actor.user.clone(),
                    finding.action.clone(),
                    finding.resource.clone(),
                    mode.clone(),
                );
                let line = lines.entry(key).or_insert_with(|| ReportLine {
                    user: entry.actor.user.clone().unwrap_or_else(|| "anonymous".to_owned()),
                    roles: Vec::new(),
                    action: finding.action.clone(),
                    resource: finding.resource.clone(),
                    mode: mode.clone(),
                    count: 0,
                    last: String::new(),
                    example: String::new(),
                });
                line.count += 1;
                line.roles.clone_from(&entry.actor.roles);
                line.last = entry.time.to_string();
                line.example = entry.id.to_string();
            }
        })?;
        let lines = most_frequent(lines.into_values(), |line| (line.count, line.last.clone()));
        Ok(Report { since: from.to_string(), decisions, complete, lines })
    })
    .await
    .map(Json)
}

/// Decisions that no policy tells apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Alike {
    user: Option<String>,
    groups: Vec<String>,
    operation: Option<String>,
    needed: Vec<(String, String, Option<String>)>,
}

impl Alike {
    fn of(entry: &DecisionEntry) -> Self {
        let needed = entry
            .requirements
            .iter()
            .map(|finding| (finding.action.clone(), finding.resource.clone(), finding.permission.clone()));
        Self {
            user: entry.actor.user.clone(),
            groups: entry.actor.groups.clone(),
            operation: entry.operation.clone(),
            needed: needed.collect(),
        }
    }
}

/// What both policies say and why, if they differ; `None` also where no role was asked.
fn compare(entry: &DecisionEntry, old: &Index, new: &Index) -> Option<(bool, bool, String)> {
    let subject = Subject { user: entry.actor.user.clone(), groups: entry.actor.groups.clone(), roles: None };
    let mut needed = entry.requirements.iter().map(|finding| requirement(finding, &subject));
    let mut requirements = Requirements::new(needed.next()??);
    for requirement in needed {
        // An action that is not known any more cannot be decided about.
        requirements.push(requirement?);
    }
    let [before, after] = [old, new].map(|index| index.decide(&subject, "", &requirements));
    let why = after.denial().map(|denial| {
        let missing = denial.findings.iter().filter(|finding| !finding.is_granted());
        missing.map(|finding| finding.requirement.to_string()).collect::<Vec<_>>().join(", ")
    });
    let (before, after) = (before.is_permit(), after.is_permit());
    (before != after).then(|| (before, after, why.unwrap_or_default()))
}

/// A requirement of the trail. Who had created the resource it does not say, but a permission on a scope that decided
/// then does.
fn requirement(finding: &audit::Finding, subject: &Subject) -> Option<Requirement> {
    let action = Action::parse(&finding.action)?;
    let mut resource = Resource::parse(&finding.resource)?;
    let scope = finding.permission.as_deref().and_then(|permission| permission.rsplit_once('@'));
    let owner = |user: Option<String>| {
        Arc::new(Owner { user: user.unwrap_or_default(), groups: subject.groups.clone() })
    };
    resource.owner = match scope {
        Some((_, "own")) => Some(owner(subject.user.clone())),
        Some((_, "group")) => Some(owner(None)),
        Some(_) | None => None,
    };
    Some(Requirement { action, resource })
}

pub(super) fn since_filter(admin: &Admin, since: Option<&str>) -> Result<(Timestamp, Filter), Problem> {
    let since = audit::moment(since.unwrap_or(SINCE), (admin.now)())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok((since, Filter { since: Some(since), ..Filter::default() }))
}

fn most_frequent<T, K: Ord>(all: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by_key(|line| std::cmp::Reverse(key(line)));
    all.truncate(LINES);
    all
}

fn word(permit: bool) -> String {
    if permit { "permit".to_owned() } else { "deny".to_owned() }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, audit::QueryError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(super::trail::problem(&error)),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}
