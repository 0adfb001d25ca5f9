//! Readers of calls whose path says it all.

use super::needs::Needs;
use super::{Request, names};
use crate::authz::Resource;
use crate::engine::Refusal;

/// The operation on everything of its kind.
#[expect(clippy::unnecessary_wraps, reason = "it stands in the route table beside readers that can refuse")]
pub(in crate::engine) fn all(request: &Request<'_>) -> Result<Needs, Refusal> {
    Ok(request.needs(Resource::ANY))
}

/// The operation on the object that the path names.
#[expect(clippy::unnecessary_wraps, reason = "it stands in the route table beside readers that can refuse")]
pub(in crate::engine) fn named(request: &Request<'_>) -> Result<Needs, Refusal> {
    Ok(request.needs(request.name()))
}

/// The operation on the image that the path names.
pub(in crate::engine) fn image(request: &Request<'_>) -> Result<Needs, Refusal> {
    let found = names::image(request.name())?;
    let mut found = found.into_iter();
    let mut needs = request.needs(found.next().unwrap_or_default());
    found.for_each(|name| needs.add(request.operation, name));
    Ok(needs)
}
