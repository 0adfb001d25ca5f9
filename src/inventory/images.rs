//! Images: from an ID, its beginning or a name to everything that the image is called.

use serde::Deserialize;

use super::daemon::{ANSWER_LIMIT, AskError, Daemon};
use crate::authz::{Action, Kind, Meaning, Named, Requirement, Requirements};
use crate::engine::canonical_image;

/// An image of the daemon's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    id: String,
    tags: Vec<String>,
    digests: Vec<String>,
}

/// The image that an ID, the beginning of one, or a canonical name means now.
pub(super) async fn inspect(daemon: &Daemon, reference: &str) -> Result<Option<Image>, AskError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspected {
        id: String,
        repo_tags: Option<Vec<String>>,
        repo_digests: Option<Vec<String>>,
    }
    if !reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/:@".contains(&byte)) {
        return Err(AskError::BrokenOff);
    }
    let body = match daemon.get(&format!("/images/{reference}/json"), ANSWER_LIMIT).await? {
        (hyper::StatusCode::OK, body) => body,
        (hyper::StatusCode::NOT_FOUND, _) => return Ok(None),
        (status, _) => return Err(AskError::Status(status)),
    };
    let Inspected { id, repo_tags, repo_digests } = serde_json::from_slice(&body)?;
    // The daemon also takes the beginning of an ID for a name and tag, of which somebody could have made one.
    if reference.starts_with("sha256:") && !id.starts_with(reference) {
        return Err(AskError::BrokenOff);
    }
    let canonical = |names: Option<Vec<String>>| -> Vec<String> {
        names.iter().flatten().filter_map(|name| canonical_image(name)).collect()
    };
    Ok(Some(Image { id, tags: canonical(repo_tags), digests: canonical(repo_digests) }))
}

/// Whether an action on a resource of that kind names an image that is there already.
pub(super) fn refers_to_image(requirement: &Requirement) -> bool {
    requirement.resource.kind == Kind::Image
        && matches!(
            requirement.action,
            Action::ImageUse
                | Action::ImageInspect
                | Action::ImageHistory
                | Action::ImageAttestations
                | Action::ImageSave
                | Action::ImageDelete
        )
}

/// Whether the text can be nothing but a name: no ID, and no name that could also be the beginning of one.
pub(super) fn is_plain_name(requirements: &Requirements, requirement: &Requirement) -> bool {
    !requirement.resource.name.starts_with("sha256:")
        && !requirements.iter().any(|other| twin(requirements, other) == Some(requirement))
}

/// The requirement on a name that was written as what could also be the beginning of this one's ID.
pub(super) fn twin<'r>(requirements: &'r Requirements, prefix: &Requirement) -> Option<&'r Requirement> {
    let digits = prefix.resource.name.strip_prefix("sha256:").filter(|digits| digits.len() < 64)?;
    let names = [format!("docker.io/library/{digits}:latest"), format!("docker.io/library/sha256:{digits}")];
    requirements.iter().find(|other| {
        other.action == prefix.action
            && other.resource.kind == Kind::Image
            && names.contains(&other.resource.name)
    })
}

impl Image {
    /// What a requirement on this image means.
    ///
    /// An ID is fixed to its contents, so any of the image's names may allow it; a name can be given to other
    /// contents at any time, so only itself may. A removal by ID takes all names away, so each must be allowed.
    pub(super) fn meaning(&self, requirement: &Requirement) -> Meaning {
        let written = &requirement.resource.name;
        let short = self.id.strip_prefix("sha256:").and_then(|digits| digits.get(..12));
        let ids: Vec<String> =
            [Some(self.id.as_str()), short].into_iter().flatten().map(str::to_owned).collect();
        let all: Vec<String> = self.tags.iter().chain(&self.digests).cloned().collect();
        if !written.starts_with("sha256:") {
            let others = all.into_iter().chain(ids).collect();
            return Meaning::of(vec![Named { names: vec![written.clone()], ids: Vec::new(), others }]);
        }
        if all.is_empty() {
            return Meaning::of(vec![Named { names: vec![self.id.clone()], ids, others: Vec::new() }]);
        }
        if requirement.action != Action::ImageDelete {
            return Meaning::of(vec![Named { names: all, ids, others: Vec::new() }]);
        }
        let taken = if self.tags.is_empty() { &self.digests } else { &self.tags };
        let one = |name: &String| Named { names: vec![name.clone()], ids: ids.clone(), others: all.clone() };
        Meaning::of(taken.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::fake::Fake;

    const ID: &str = "sha256:abc1110000000000000000000000000000000000000000000000000000000000";

    #[tokio::test]
    async fn an_image_is_told_with_its_names_in_canonical_form() {
        let fake = Fake::start();
        fake.add(Kind::Image, ID, &["busybox:1", "registry.example.com/team/app:2", "<none>:<none>"]);
        let expected = Image {
            id: ID.to_owned(),
            tags: vec![
                "docker.io/library/busybox:1".to_owned(),
                "registry.example.com/team/app:2".to_owned(),
            ],
            digests: Vec::new(),
        };
        for reference in [ID, "sha256:abc111", "docker.io/library/busybox:1"] {
            assert_eq!(
                inspect(&fake.daemon(), reference).await.unwrap(),
                Some(expected.clone()),
                "{reference}"
            );
        }
        assert_eq!(inspect(&fake.daemon(), "sha256:fff").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_name_that_looks_like_an_id_is_not_taken_for_one() {
        let fake = Fake::start();
        fake.add(Kind::Image, ID, &["sha256:beef"]);
        assert!(inspect(&fake.daemon(), "sha256:beef").await.is_err());
        assert!(inspect(&fake.daemon(), "a b").await.is_err());
    }

    #[test]
    fn what_was_written_as_a_short_id_has_a_twin_that_is_a_name() {
        let mut requirements = Requirements::new(Requirement::new(Action::ContainerCreate, "web"));
        let name = Requirement::new(Action::ImageUse, "docker.io/library/cafe:latest");
        let prefix = Requirement::new(Action::ImageUse, "sha256:cafe");
        requirements.push(name.clone());
        requirements.push(prefix.clone());
        assert_eq!(twin(&requirements, &prefix), Some(&name));
        assert_eq!(twin(&requirements, &name), None);
        assert!(!is_plain_name(&requirements, &name));
        assert!(!is_plain_name(&requirements, &prefix));
        let alone = Requirements::new(name.clone());
        assert!(is_plain_name(&alone, &name));
    }
}
