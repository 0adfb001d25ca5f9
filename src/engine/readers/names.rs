//! The one spelling of names: containers, images and plugins.

use super::needs::Needs;
use crate::authz::Action;
use crate::engine::reference::{self, Reference};
use crate::engine::{Refusal, RefusalCode};

/// A container's name or ID without the slash that the daemon puts before names.
pub(super) fn container(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// Every name that an image may go by which a text names: what is also the beginning of an ID is both.
pub(super) fn image(text: &str) -> Result<Vec<String>, Refusal> {
    Ok(match reference::normalize(text)? {
        Reference::Named { canonical } | Reference::Id(canonical) => vec![canonical],
        Reference::NameOrIdPrefix { canonical, prefix } => vec![canonical, prefix],
    })
}

/// Adds an action on the image that a text names; no text means no image that could be known.
pub(super) fn add_image(needs: &mut Needs, action: Action, text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        needs.any(action);
        return Ok(());
    }
    for name in image(text)? {
        needs.add(action, name);
    }
    Ok(())
}

/// The name that a repository and a tag or digest beside it make, as the daemon joins them: the
/// tag beside it replaces one that is written in the repository. Empty for no repository.
pub(super) fn tagged(repository: &str, tag: &str) -> Result<String, Refusal> {
    if repository.is_empty() {
        return Ok(String::new());
    }
    let mut name = reference::parse(repository)?;
    if !tag.is_empty() {
        let joined = if tag.contains(':') { format!("x@{tag}") } else { format!("x:{tag}") };
        let parsed = reference::parse(&joined).map_err(|_| {
            Refusal::new(RefusalCode::ReferenceInvalid, format!("`{tag}` is neither tag nor digest"))
        })?;
        // Where the repository has a digest, newer daemons keep it beside the tag, older ones do
        // not: both cannot be meant.
        if name.digest.is_some() {
            return Err(Refusal::new(
                RefusalCode::ReferenceInvalid,
                "an image is named with a digest and with a tag beside it; give one of them",
            ));
        }
        (name.tag, name.digest) = (parsed.tag, parsed.digest);
    }
    Ok(name.canonical())
}

/// As [`tagged`], where no tag at all means all tags of the repository.
pub(super) fn tagged_or_all(repository: &str, tag: &str) -> Result<String, Refusal> {
    let name = tagged(repository, tag)?;
    let written = reference::parse(repository)?;
    if tag.is_empty() && written.tag.is_none() && written.digest.is_none() {
        return Ok(format!("{}:*", written.repository));
    }
    Ok(name)
}

/// A managed plugin's reference or ID in canonical form.
pub(super) fn plugin(text: &str) -> Result<Vec<String>, Refusal> {
    image(text)
}
