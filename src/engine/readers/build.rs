//! Classic builds: all that is known of one is its query.

use super::needs::Needs;
use super::{Request, endpoint, isolation, names, url};
use crate::authz::{Action, Resource};
use crate::engine::json::Json;
use crate::engine::{Door, Refusal, RefusalCode};

/// `POST /build`. The Dockerfile is in the body, which no door shows: whoever may build may run
/// and fetch what he likes inside the build.
pub(in crate::engine) fn image(request: &Request<'_>) -> Result<Needs, Refusal> {
    let mut tags = Vec::new();
    for tag in request.query.all("t").filter(|tag| !tag.is_empty()) {
        tags.push(names::tagged(tag, "")?);
    }
    let mut tags = tags.into_iter();
    let mut needs = request.needs(tags.next().unwrap_or_default());
    tags.for_each(|tag| needs.add(request.operation, tag));
    match request.door {
        // Fail closed: a form body could override all of the query, and dockerd would not tell.
        Door::Plugin => needs.any(Action::BuildUnchecked),
        Door::Gateway => {}
    }
    remote(&mut needs, request.key("remote"))?;
    endpoint::mode(&mut needs, request.key("networkmode"))
        .ok_or_else(|| invalid("networkmode", "a network mode"))?;
    if !request.key("cgroupparent").is_empty() {
        needs.add(Action::HostCgroup, request.key("cgroupparent"));
    }
    for option in request.query.all("securityopt") {
        isolation::security_option(&mut needs, option)
            .ok_or_else(|| invalid("securityopt", "a security option such as `label=disable`"))?;
    }
    if !request.query.json("ulimits")?.is_zero() {
        needs.add(Action::HostLimit, "Ulimits");
    }
    for output in request.query.json("outputs")?.as_list("outputs")? {
        exporter(&mut needs, output)?;
    }
    Ok(needs)
}

/// `POST /build/cancel`.
#[expect(clippy::unnecessary_wraps, reason = "it stands in the route table beside readers that can refuse")]
pub(in crate::engine) fn cancel(request: &Request<'_>) -> Result<Needs, Refusal> {
    Ok(request.needs(request.key("id")))
}

/// Where the daemon fetches the build context from, in every form that it knows.
fn remote(needs: &mut Needs, remote: &str) -> Result<(), Refusal> {
    let url = match remote {
        // Sent with the request, or through the client's session.
        "" | "client-session" => return Ok(()),
        _ if remote.starts_with("github.com/") => url::canonical(remote, "https")?,
        _ => match remote.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
            Some((host, path)) => url::canonical(&format!("{host}/{path}"), "ssh")?,
            None if remote.contains("://") => url::canonical(remote, "https")?,
            None => return Err(invalid("remote", "a URL")),
        },
    };
    needs.add(Action::HostFetch, url);
    Ok(())
}

/// BuildKit's exporters: those that write to the client need nothing, those that name an image do.
fn exporter(needs: &mut Needs, output: &Json) -> Result<(), Refusal> {
    let output = output.as_fields("outputs", &["Type", "Attrs"])?;
    needs.note_unknown(&output);
    let kind = output.text("Type")?;
    if !matches!(kind, "" | "local" | "tar" | "oci" | "docker" | "cacheonly" | "image" | "moby") {
        needs.unknown(format!("outputs.{kind}"));
    }
    let attributes = output.text_map("Attrs")?;
    let attribute = |key| attributes.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    // BuildKit takes the bare word for a yes.
    let pushed = !matches!(attribute("push"), None | Some("0" | "f" | "F" | "false" | "FALSE" | "False"));
    let names = attribute("name").unwrap_or_default();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let name = names::tagged(name, "")?;
        if pushed {
            needs.add(Action::ImagePush, &name);
        }
        needs.add(Action::ImageBuild, name);
    }
    if pushed && names.is_empty() {
        needs.add(Action::ImagePush, Resource::ANY);
    }
    Ok(())
}

fn invalid(key: &str, wanted: &str) -> Refusal {
    Refusal::new(RefusalCode::QueryInvalid, format!("the query parameter `{key}` is not {wanted}"))
}
