//! What a record takes over from a decision and from a request, and what it leaves out.

use jiff::Timestamp;

use crate::authz;

use super::{
    Actor, AdminEntry, DecisionEntry, DecisionId, Door, Effect, Finding, Http, Object, Source, Verdict,
    redact,
};

impl DecisionEntry {
    /// The entry of a decision, with everything taken over that the decision knows.
    pub fn new(id: DecisionId, time: Timestamp, door: Door, http: Http, decision: &authz::Decision) -> Self {
        let denial = decision.denial();
        let cause = denial.map(|denial| denial.cause);
        Self {
            id,
            time,
            actor: Actor::default(),
            source: Source { door },
            operation: None,
            verb: None,
            object: None,
            http,
            requirements: decision.findings().iter().map(Finding::from).collect(),
            decision: verdict(decision),
            mode: match decision {
                authz::Decision::Observe(mode, _) => Some(mode.name().to_owned()),
                authz::Decision::Permit(_) | authz::Decision::PermitInPart(_) | authz::Decision::Deny(_) => {
                    None
                }
            },
            cause: cause.map(|cause| cause.name().to_owned()),
            code: cause.and_then(authz::Cause::code).map(str::to_owned),
            message: denial.map(|denial| redact::text(&denial.message)),
            policy_version: String::new(),
            duration_us: 0,
        }
    }
}

impl AdminEntry {
    /// The entry of a decision about what an administrator asks: `asked` says it in one sentence.
    ///
    /// A decision that only observes is a denial here: nobody is let in to change the rules for the sake of a trial.
    pub fn new(
        id: DecisionId,
        time: Timestamp,
        door: Door,
        operation: authz::Action,
        asked: &str,
        decision: &authz::Decision,
    ) -> Self {
        let denial = decision.denial();
        Self {
            id,
            time,
            actor: Actor::default(),
            source: Source { door },
            operation: operation.name().to_owned(),
            object: None,
            requirements: decision.findings().iter().map(Finding::from).collect(),
            decision: if decision.is_permit() { Verdict::Permit } else { Verdict::Deny },
            cause: denial.map(|denial| denial.cause.name().to_owned()),
            message: redact::text(denial.map_or(asked, |denial| &denial.message)),
            change: None,
            policy_version: String::new(),
        }
    }
}

fn verdict(decision: &authz::Decision) -> Verdict {
    if decision.lets_through() { Verdict::Permit } else { Verdict::Deny }
}

impl Http {
    /// What may be written down of a request: `target` is the raw request target.
    pub fn new(method: &str, target: &str, user_agent: Option<&str>) -> Self {
        Self {
            method: redact::text(method),
            path: redact::path(target),
            query_keys: redact::query_keys(target),
            user_agent: user_agent.map(redact::user_agent),
        }
    }
}

impl From<&authz::Resource> for Object {
    fn from(resource: &authz::Resource) -> Self {
        Self { kind: resource.kind.name().to_owned(), name: redact::text(&resource.name) }
    }
}

impl From<&authz::Finding> for Finding {
    fn from(finding: &authz::Finding) -> Self {
        let by = finding.decided_by.as_ref();
        Self {
            action: finding.requirement.action.name().to_owned(),
            resource: redact::text(&finding.requirement.resource.to_string()),
            effect: by.map(|by| match by.effect {
                authz::Effect::Allow => Effect::Allow,
                authz::Effect::Deny => Effect::Deny,
            }),
            permission: by.map(|by| by.permission.clone()),
            role: by.map(|by| by.role.clone()),
            path: by.map(|by| by.path.clone()),
        }
    }
}
