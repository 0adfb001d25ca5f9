//! What administrators do: decided like everything else, and on record before it is done.

use std::sync::LazyLock;

use hyper::StatusCode;

use super::Admin;
use super::peer::Administrator;
use super::problem::Problem;
use crate::audit::{Actor, AdminEntry, DecisionId, Object, Verdict};
use crate::authz::{
    Actions, Decision, Effect, Index, Pattern, Permission, Requirement, Requirements, Rules, Subject,
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
pub(super) fn decided(
    admin: &Admin,
    who: &Administrator,
    needed: &Requirement,
    detail: &str,
) -> Result<(), Problem> {
    entry(admin, who, needed, detail).1
}

/// The same, once it is on record; for what changes something.
pub(super) async fn recorded(
    admin: &Admin,
    who: &Administrator,
    needed: &Requirement,
    detail: &str,
) -> Result<(), Problem> {
    let (entry, decided) = entry(admin, who, needed, detail);
    // What is not on record is not done.
    admin.trail.admin(entry).await.map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not done, because {error}"))
    })?;
    decided
}

fn entry(
    admin: &Admin,
    who: &Administrator,
    needed: &Requirement,
    detail: &str,
) -> (AdminEntry, Result<(), Problem>) {
    let roles = vec![ROLE.to_owned()];
    let subject = Subject { user: Some(who.name.clone()), groups: Vec::new(), roles: Some(roles.clone()) };
    let requirements = Requirements::new(needed.clone());
    let decision = WAY_BACK_IN.as_ref().map(|index| index.decide(&subject, "wharfinger", &requirements));
    let (verdict, decided) = match decision {
        Some(Decision::Permit(_)) => (Verdict::Permit, Ok(())),
        Some(Decision::Deny(denial)) => {
            (Verdict::Deny, Err(Problem::new(StatusCode::FORBIDDEN, denial.message)))
        }
        // A defect of ours; and without a decision nothing is done.
        None => (Verdict::Deny, Err(Problem::new(StatusCode::FORBIDDEN, "there is no policy to decide by"))),
    };
    let time = (admin.now)();
    let entry = AdminEntry {
        id: DecisionId::new(time, (admin.random)()),
        time,
        actor: Actor {
            user: Some(who.name.clone()),
            groups: Vec::new(),
            roles,
            how: format!("admin socket, uid {}", who.uid),
        },
        operation: needed.action.name().to_owned(),
        object: Some(Object::from(&needed.resource)),
        decision: verdict,
        message: detail.to_owned(),
    };
    (entry, decided)
}
