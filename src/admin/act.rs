//! What administrators do: decided like everything else, and on record before it is done.

use std::sync::LazyLock;

use hyper::StatusCode;

use super::Admin;
use super::peer::Administrator;
use super::problem::Problem;
use crate::audit::{Actor, AdminEntry, DecisionId, Door, Object, Verdict};
use crate::authz::{
    Actions, Cause, Decision, Denial, Effect, Index, Pattern, Permission, Requirement, Requirements, Rules,
    Subject,
};

/// The role of whoever may use the admin socket.
const ROLE: &str = "admin";

/// The policy of the admin socket, whatever the policy in force says: root can always get back in.
static WAY_BACK_IN: LazyLock<Option<Index>> = LazyLock::new(|| {
    let everything =
        Permission { actions: Actions::Any, resource: Pattern::parse("*").ok()?, effect: Effect::Allow };
    Index::new(&Rules { permissions: vec![(ROLE.to_owned(), everything)], ..Rules::default() }).ok()
});

/// Lets through what the decision permits; for what changes nothing.
pub(super) fn decided(who: &Administrator, needed: &Requirement) -> Result<(), Problem> {
    permitted(&decide(who, needed).0)
}

/// The same, once it is on record; for what changes something. `detail` says what, without any secret.
pub(super) async fn recorded(
    admin: &Admin,
    who: &Administrator,
    needed: &Requirement,
    detail: &str,
) -> Result<(), Problem> {
    let (decision, roles) = decide(who, needed);
    let time = (admin.now)();
    let id = DecisionId::new(time, (admin.random)());
    let actor =
        Actor { user: Some(who.name.clone()), groups: Vec::new(), roles, how: format!("uid {}", who.uid) };
    let entry = AdminEntry {
        actor,
        object: Some(Object::from(&needed.resource)),
        policy_version: admin.policy.current().digest.clone(),
        ..AdminEntry::new(id, time, Door::AdminSocket, needed.action, detail, &decision)
    };
    // What is not on record is not done.
    let recorded = admin.trail.admin(entry).await.map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not done, because {error}"))
    })?;
    match recorded.verdict() {
        Verdict::Permit => Ok(()),
        Verdict::Deny => permitted(&decision).and(Err(Problem::new(StatusCode::FORBIDDEN, "denied"))),
    }
}

/// The decision, and the roles that made it: those of the socket, where only root and the daemon's user come so far.
fn decide(who: &Administrator, needed: &Requirement) -> (Decision, Vec<String>) {
    let roles = vec![ROLE.to_owned()];
    let subject = Subject { user: Some(who.name.clone()), groups: Vec::new(), roles: Some(roles.clone()) };
    let requirements = Requirements::new(needed.clone());
    let decision = match WAY_BACK_IN.as_ref() {
        Some(index) => index.decide(&subject, "wharfinger", &requirements),
        // A defect of ours; and without a policy nothing is done.
        None => Decision::Deny(Denial {
            cause: Cause::Internal,
            message: "there is no policy to decide by".to_owned(),
            findings: Vec::new(),
        }),
    };
    (decision, roles)
}

fn permitted(decision: &Decision) -> Result<(), Problem> {
    match decision {
        Decision::Permit(_) => Ok(()),
        // Fail closed: nothing here is filtered.
        Decision::PermitInPart(_) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "this is granted in part only".to_owned()))
        }
        Decision::Observe(_, denial) | Decision::Deny(denial) => {
            Err(Problem::new(StatusCode::FORBIDDEN, denial.message.clone()))
        }
    }
}
