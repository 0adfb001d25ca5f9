//! The one gate of the admin interface: the policy decides who may do what here too, and denials are on record.

use hyper::StatusCode;
use tracing::{error, info};

use super::Admin;
use super::caller::Caller;
use super::problem::Problem;
use crate::audit::{AdminEntry, Change, DecisionId, Object};
use crate::authz::{Action, Cause, Decision, Denial, Requirement, Requirements};

/// What a caller wants to do.
#[derive(Debug)]
pub(super) struct Wish {
    /// Everything that must be granted; the first is what the record calls it.
    pub(super) requirements: Requirements,
    /// It in one sentence, for the record.
    pub(super) sentence: String,
    /// Whether it does something, and so has to be on record first.
    pub(super) acts: bool,
    /// What it changes of the policy.
    pub(super) change: Option<Change>,
}

/// The proof that the policy permits it, and that the record says so where it changes something.
#[derive(Debug)]
#[must_use]
pub(super) struct Permitted(Option<DecisionId>);

impl Permitted {
    /// The record's id; empty where there is no record, because nothing is done.
    pub(super) fn id(&self) -> String {
        self.0.map(|id| id.to_string()).unwrap_or_default()
    }
}

impl Wish {
    /// To read something.
    pub(super) fn read(action: Action, name: &str, sentence: impl Into<String>) -> Self {
        Self {
            requirements: Requirements::new(Requirement::new(action, name)),
            sentence: sentence.into(),
            acts: false,
            change: None,
        }
    }

    /// To do something other than changing the policy.
    pub(super) fn act(action: Action, name: &str, sentence: impl Into<String>) -> Self {
        Self { acts: true, ..Self::read(action, name, sentence) }
    }
}

impl Admin {
    /// Decides, and records every denial, and all that is done before it is.
    ///
    /// Root on the local socket is not asked about: it could change the files of this program as well.
    pub(super) async fn permit(&self, caller: &Caller, wish: &Wish) -> Result<Permitted, Problem> {
        let policy = self.policy.current();
        let decision = if caller.root {
            Decision::Permit(Vec::new())
        } else {
            policy.index.decide(&caller.subject, &wish.sentence, &wish.requirements)
        };
        // Fail closed: nothing here is filtered, so a part is nothing.
        let decision = match decision {
            Decision::PermitInPart(findings) => Decision::Deny(Denial {
                cause: Cause::NotGranted,
                message: format!("{} may not {}: it is granted in part only", caller.name(), wish.sentence),
                findings,
            }),
            Decision::Permit(_) | Decision::Deny(_) | Decision::Observe(..) => decision,
        };
        if decision.is_permit() && !wish.acts {
            return Ok(Permitted(None));
        }
        let id = self.record(caller, wish, &decision).await?;
        match decision.denial() {
            None => Ok(Permitted(Some(id))),
            Some(denial) => {
                info!(%id, user = caller.name(), wish.sentence, "denied on the admin interface");
                Err(Problem::new(StatusCode::FORBIDDEN, format!("{} [{id}]", denial.message)))
            }
        }
    }

    /// Records that something which was permitted could not be done after all.
    pub(super) async fn record_failure(&self, caller: &Caller, wish: &Wish, why: &str) {
        let message = format!("{}: it was permitted and could not be done: {why}", wish.sentence);
        let denial = Denial { cause: Cause::Internal, message, findings: Vec::new() };
        if let Err(problem) = self.record(caller, wish, &Decision::Deny(denial)).await {
            error!(?problem, why, "a change was recorded, was not made, and the trail cannot say so");
        }
    }

    async fn record(&self, caller: &Caller, wish: &Wish, decision: &Decision) -> Result<DecisionId, Problem> {
        let (time, policy) = ((self.now)(), self.policy.current());
        let id = DecisionId::new(time, (self.random)());
        let first = wish.requirements.iter().next();
        let operation = first.map_or(Action::PolicyWrite, |requirement| requirement.action);
        let mut entry = AdminEntry::new(id, time, caller.door, operation, &wish.sentence, decision);
        entry.actor = caller.actor(policy.index.roles_of(&caller.subject));
        entry.object = first.map(|requirement| Object::from(&requirement.resource));
        entry.change.clone_from(&wish.change);
        entry.policy_version.clone_from(&policy.digest);
        // What is not on record is not done.
        let recorded = self.trail.admin(entry).await.map_err(|error| {
            let message =
                format!("the audit trail cannot be written, so nothing is done: {}", error.summary());
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })?;
        Ok(recorded.id())
    }
}
