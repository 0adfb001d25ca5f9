//! Readers of calls whose path says it all.

use super::needs::Needs;
use super::{Request, names};
use crate::authz::Resource;
use crate::engine::json::Json;
use crate::engine::{Refusal, RefusalCode};

/// The operation on everything of its kind. Filters only choose among what the operation is
/// about, so they need nothing; but they must be what every reader takes them for.
pub(in crate::engine) fn all(request: &Request<'_>) -> Result<Needs, Refusal> {
    match request.query.json("filters")? {
        Json::Null | Json::Object(_) => Ok(request.needs(Resource::ANY)),
        Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
            Err(Refusal::new(RefusalCode::QueryInvalid, "the query parameter `filters` is not a JSON object"))
        }
    }
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
