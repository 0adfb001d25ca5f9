//! From a verdict to what becomes of the daemon's answer: as it is, in part, or not there at all.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;

use super::system::Counts;
use super::viewer::{Thing, Viewer};
use super::{Line, Plan, ViewError, Views, events, hidden, lists, redact, system};
use crate::authz::{Action, Cause, Decision, Kind, Requirement};
use crate::engine::{self, Recognised};
use crate::inventory::{Found, Inventory};
use crate::plugin::{Ticket, Verdict};

/// The longest answer that is filtered: more than ten thousand containers.
const LIMIT: usize = 64 << 20;

/// What inspects one thing.
const INSPECTIONS: &[Action] = &[
    Action::ContainerInspect,
    Action::ImageInspect,
    Action::VolumeInspect,
    Action::NetworkInspect,
    Action::PluginInspect,
    Action::NodeInspect,
    Action::ServiceInspect,
    Action::TaskInspect,
    Action::SecretInspect,
    Action::ConfigInspect,
];

impl Plan {
    /// What becomes of the answer with this status, to the call of the ticket, on which the verdict was given.
    ///
    /// A call that was denied arrives here too: the daemon's 403 may have to be a 404.
    pub async fn of(ticket: &Ticket, verdict: &Verdict, status: StatusCode, views: &Views) -> Self {
        // What cannot be read was refused, and is about nothing.
        let Ok(call) = engine::recognise(&ticket.method, &ticket.uri) else { return Self::Pass };
        let sight = verdict.policy.index.sight(&verdict.subject);
        let inventory = &views.inventory;
        let viewer = Viewer { sight, owners: Arc::<Inventory>::clone(inventory) };
        match &verdict.decision {
            Decision::Deny(denial) => match denial.cause {
                Cause::NotGranted | Cause::Denied => denied(&viewer, inventory, &call).await,
                Cause::Refused(_)
                | Cause::Identity
                | Cause::Directory
                | Cause::DirectoryUnavailable
                | Cause::AuditUnavailable
                | Cause::Internal => Self::Pass,
            },
            Decision::Permit(_) | Decision::PermitInPart(_) | Decision::Observe(..) => {
                let object = verdict.classified.iter().flat_map(|classified| &classified.requirements).next();
                let plan = permitted(&viewer, inventory, &call, object, status).await;
                match (&verdict.decision, plan) {
                    // Fail closed: a part was promised, and this would be everything.
                    (Decision::PermitInPart(_), Self::Pass)
                        if status.is_success() && !lists::are_whole(&viewer, call.operation) =>
                    {
                        whole(|_| Err(ViewError::internal()))
                    }
                    (_, plan) => plan,
                }
            }
        }
    }
}

/// A denied call is one about nothing, if what it is about is not visible.
async fn denied(viewer: &Viewer, inventory: &Inventory, call: &Recognised) -> Plan {
    let Some((kind, name)) = hidden::named(call) else { return Plan::Pass };
    // Whoever sees nothing of the kind learns nothing from a denial, and better knows why.
    if viewer.sight.is_blind(kind) || is_visible(viewer, inventory, kind, name).await {
        return Plan::Pass;
    }
    hidden::words(call.operation, kind, name).map_or(Plan::Pass, Plan::Hidden)
}

async fn permitted(
    viewer: &Viewer,
    inventory: &Arc<Inventory>,
    call: &Recognised,
    object: Option<&Requirement>,
    status: StatusCode,
) -> Plan {
    let operation = call.operation;
    for (kind, name) in engine::anchors(operation, &call.target) {
        if !is_visible(viewer, inventory, kind, &name).await
            && let Some(words) = hidden::words(operation, kind, &name)
        {
            return Plan::Hidden(words);
        }
    }
    // What the daemon says of a failure is about what the client has sent.
    if !status.is_success() {
        return Plan::Pass;
    }
    match operation {
        Action::SystemEvents => followed(viewer.clone(), Arc::clone(inventory)),
        Action::SystemInfo => facts(viewer.clone(), inventory).await,
        Action::SystemDf if lists::are_whole(viewer, operation) => Plan::Pass,
        Action::SystemDf => {
            let viewer = viewer.clone();
            whole(move |answer| system::disk_usage(&viewer, answer))
        }
        Action::ImageHistory => history(viewer.clone(), object),
        _ if INSPECTIONS.contains(&operation) => inspected(viewer.clone(), call),
        _ => listed(viewer.clone(), operation),
    }
}

fn listed(viewer: Viewer, operation: Action) -> Plan {
    if lists::of(operation).next().is_none() || lists::are_whole(&viewer, operation) {
        return Plan::Pass;
    }
    whole(move |answer| {
        lists::of(operation).try_fold(answer.to_owned(), |answer, list| list.filtered(&viewer, &answer))
    })
}

/// One thing, which is not there if another of its names than the one it was asked for by is denied.
fn inspected(viewer: Viewer, call: &Recognised) -> Plan {
    let (operation, kind) = (call.operation, call.operation.kind());
    if lists::shows_all(&viewer, kind) && viewer.sight.is_whole(kind) {
        return Plan::Pass;
    }
    let asked_for = call.names.first().cloned().unwrap_or_default();
    whole(move |answer| {
        let thing = Thing::read(kind, answer)?;
        if !viewer.sees(&thing) {
            let words = hidden::words(operation, kind, &asked_for).unwrap_or_default();
            return Err(ViewError::hidden(words));
        }
        lists::shown(&viewer, &thing, answer)
    })
}

fn history(viewer: Viewer, image: Option<&Requirement>) -> Plan {
    let reads = image.is_some_and(|image| viewer.sight.reads_environment_of(&image.resource, None));
    if reads && viewer.sight.is_whole(Kind::Image) {
        return Plan::Pass;
    }
    whole(move |answer| {
        let answer = lists::history(&viewer, answer)?;
        if reads { Ok(answer) } else { redact::history(&answer) }
    })
}

fn followed(viewer: Viewer, inventory: Arc<Inventory>) -> Plan {
    if viewer.sight.is_everything() {
        return Plan::Pass;
    }
    let mut waited = false;
    Plan::Lines(Box::new(move |line| {
        let line = text(line)?;
        let shown = events::is_visible(&viewer, line)?;
        // Whoever made it may be about to become known; for others it stays hidden.
        if !shown
            && !std::mem::replace(&mut waited, true)
            && let Some((kind, id)) = events::of_somebody_unknown(&viewer, line)
            && inventory.may_learn(kind, &id)
        {
            let inventory = Arc::clone(&inventory);
            return Ok(Line::Later(Box::pin(async move { inventory.await_owner(kind, &id).await })));
        }
        waited = false;
        Ok(if shown { Line::Shown } else { Line::Hidden })
    }))
}

async fn facts(viewer: Viewer, inventory: &Inventory) -> Plan {
    let mut counts = None;
    if !viewer.sight.is_whole(Kind::Container) || !viewer.sight.is_whole(Kind::Image) {
        let counted =
            match tokio::join!(inventory.everything(Kind::Container), inventory.everything(Kind::Image)) {
                (Some(containers), Some(images)) => {
                    text(&containers).and_then(|containers| Counts::of(&viewer, containers, text(&images)?))
                }
                _ => Err(ViewError::unasked()),
            };
        match counted {
            Ok(counted) => counts = Some(counted),
            Err(error) => return whole(|_| Err(error)),
        }
    }
    whole(move |answer| system::info(counts, answer))
}

/// Whether everything that the daemon could take a text for is visible.
///
/// All of it: the beginning of an ID that others have as well must not tell of them.
async fn is_visible(viewer: &Viewer, inventory: &Inventory, kind: Kind, name: &str) -> bool {
    if viewer.sight.is_whole(kind) {
        return true;
    }
    let name = name.strip_prefix('/').filter(|_| kind == Kind::Container).unwrap_or(name);
    let itself = || {
        let names = if kind == Kind::Image { engine::canonical_image(name) } else { Some(name.to_owned()) };
        Thing::new(kind, name, names.into_iter().collect())
    };
    match inventory.identify(kind, name).await {
        Some(Found::Things(things)) if things.is_empty() => viewer.sees(&itself()),
        Some(Found::Things(things)) => {
            things.into_iter().all(|(id, names)| viewer.sees(&Thing::new(kind, &id, names)))
        }
        Some(Found::Inspected(answer)) => {
            let read = text(&answer).and_then(|answer| Thing::read(kind, answer));
            read.is_ok_and(|thing| viewer.sees(&thing))
        }
        Some(Found::Itself) => viewer.sees(&itself()),
        // Fail closed: what is not known to be visible is hidden.
        None => false,
    }
}

fn whole(change: impl FnOnce(&str) -> Result<String, ViewError> + Send + 'static) -> Plan {
    let change = Box::new(|answer: Bytes| change(text(&answer)?).map(Bytes::from));
    Plan::Whole { limit: LIMIT, change }
}

fn text(bytes: &[u8]) -> Result<&str, ViewError> {
    std::str::from_utf8(bytes).map_err(|_| ViewError::internal())
}
