//! Images: what comes from a registry, a URL or an archive, and under which name.

use super::needs::Needs;
use super::{Request, names, url};
use crate::authz::Action;
use crate::engine::{Refusal, RefusalCode};

/// `POST /images/create`: a pull, an import from a URL, or an import of the body.
pub(in crate::engine) fn create(request: &Request<'_>) -> Result<Needs, Refusal> {
    let (from_image, from_source) = (request.key("fromImage"), request.key("fromSrc"));
    if from_image.is_empty() && from_source.is_empty() {
        return Err(Refusal::new(
            RefusalCode::QueryInvalid,
            "the query says neither `fromImage`, what to pull, nor `fromSrc`, what to import",
        ));
    }
    // With both, the daemon pulls.
    if !from_image.is_empty() {
        must_hold(request)?;
        // How old clients ask for all tags.
        let from_image = from_image.strip_suffix(':').unwrap_or(from_image);
        return Ok(request.needs(names::tagged_or_all(from_image, request.key("tag"))?));
    }
    let name = names::tagged(request.key("repo"), request.key("tag"))?;
    let mut needs = Needs::new(Action::ImageImport, name).known_as("docker import");
    if from_source == "-" {
        if !request.query_holds {
            // Fail closed: what looks like an import could pull or fetch instead.
            needs.any(Action::ImageImportUnchecked);
        }
    } else {
        must_hold(request)?;
        needs.add(Action::HostFetch, url::canonical(from_source, "http")?);
    }
    Ok(needs)
}

/// Refuses a query that a body could override.
fn must_hold(request: &Request<'_>) -> Result<(), Refusal> {
    if request.query_holds {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalCode::BodyUnexpected,
        "this call takes no body, and one could be hidden in it; send it with `Content-Length: 0`",
    ))
}

/// `POST /images/{name}/push`; without a tag it pushes all tags.
pub(in crate::engine) fn push(request: &Request<'_>) -> Result<Needs, Refusal> {
    Ok(request.needs(names::tagged_or_all(request.name(), request.key("tag"))?))
}

/// `POST /images/{name}/tag`: the new name, and the image that others will get by it.
pub(in crate::engine) fn tag(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut needs = request.needs(names::tagged(request.key("repo"), request.key("tag"))?);
    names::add_image(&mut needs, Action::ImageUse, request.name())?;
    Ok(needs)
}

/// `GET /images/get`, every name of which is saved.
pub(in crate::engine) fn save(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut saved = Vec::new();
    for text in request.query.all("names") {
        saved.extend(names::image(text)?);
    }
    let mut saved = saved.into_iter();
    let mut needs = request.needs(saved.next().unwrap_or_default());
    saved.for_each(|name| needs.add(request.operation, name));
    Ok(needs)
}

/// `GET /images/search`: the term may begin with a registry's host, told from a repository of
/// Docker Hub as the daemon tells it.
#[expect(clippy::unnecessary_wraps, reason = "it stands in the route table beside readers that can refuse")]
pub(in crate::engine) fn search(request: &Request<'_>) -> Result<Needs, Refusal> {
    let term = request.key("term");
    let term = term.split_once("://").map_or(term, |(_, rest)| rest);
    let host = term.split_once('/').map_or("", |(host, _)| host).to_ascii_lowercase();
    let named = host.contains(['.', ':']) || host == "localhost";
    Ok(request.needs(if named && host != "index.docker.io" { host } else { "docker.io".to_owned() }))
}
