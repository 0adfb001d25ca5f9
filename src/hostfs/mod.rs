//! What the host paths in a call lead to on the host: links followed, and who could change the way.
//!
//! The engine reads a path as it is written; dockerd mounts what it leads to. So a link needs the grant on both,
//! and a way that somebody else than root can change needs one of its own: `host.mount-unguarded` on the directory.

mod settings;
mod walk;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use settings::Settings;
pub use walk::WalkError;

use crate::authz::{Action, Index, Requirement, Requirements, Subject};
use crate::engine::is_sensitive_path;
use walk::Found;

/// Walks at one time. One that hangs, on a share whose server is gone, keeps its place until it ends.
const AT_ONCE: usize = 8;

/// Different paths in one call; far more than any client sends.
const PATHS: usize = 64;

/// Looks at the host's file system.
#[derive(Debug)]
pub struct HostFs {
    settings: Settings,
    slots: Arc<Semaphore>,
}

/// Why nobody knows what a call would mount; the call is denied.
#[derive(Debug, thiserror::Error)]
pub enum HostPathError {
    /// A path that cannot be followed.
    #[error("where `{0}` leads on this host is not known: {1}")]
    Walk(String, #[source] WalkError),
    /// The file system did not answer.
    #[error("where the paths of this call lead on this host is not known: no answer within {0} s")]
    Deadline(f64),
    /// More than any client asks for.
    #[error("the call names more than {PATHS} paths of this host; split it")]
    TooMany,
    /// A defect of ours, contained.
    #[error("where the paths of this call lead on this host is not known")]
    Internal,
}

impl HostFs {
    /// One that looks where the settings say.
    pub fn new(settings: Settings) -> Self {
        Self { settings, slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Adds what a call needs because of where its paths lead, where that could change the decision.
    ///
    /// Nothing is looked at for whoever may mount everything, nor for a path that is not granted as it is written.
    /// The answer holds for this moment: [`Action::HostMountUnguarded`] is what holds whoever could change it.
    pub async fn settle(
        &self,
        index: &Index,
        subject: &Subject,
        requirements: &mut Requirements,
    ) -> Result<(), HostPathError> {
        let open: Vec<Requirement> =
            requirements.iter().filter(|needed| depends_on_links(index, subject, needed)).cloned().collect();
        let mut paths: Vec<String> = open.iter().map(|needed| needed.resource.name.clone()).collect();
        paths.sort();
        paths.dedup();
        if paths.is_empty() {
            return Ok(());
        }
        if paths.len() > PATHS {
            return Err(HostPathError::TooMany);
        }
        for (path, found) in self.walk(paths).await? {
            for needed in open.iter().filter(|needed| needed.resource.name == path) {
                add(index, subject, needed, &found, requirements);
            }
        }
        Ok(())
    }

    async fn walk(&self, paths: Vec<String>) -> Result<Vec<(String, Found)>, HostPathError> {
        let (slots, root) = (Arc::clone(&self.slots), self.settings.root.clone());
        let walking = async move {
            let slot = slots.acquire_owned().await.map_err(|_| HostPathError::Internal)?;
            let walked = tokio::task::spawn_blocking(move || {
                let _slot = slot;
                let walk = |path: String| match walk::walk(&root, &path, 0) {
                    Ok(found) => Ok((path, found)),
                    Err(error) => Err(HostPathError::Walk(path, error)),
                };
                paths.into_iter().map(walk).collect::<Result<Vec<_>, _>>()
            });
            walked.await.map_err(|_| HostPathError::Internal)?
        };
        let deadline = self.settings.deadline;
        // Fail closed: what may hang for ever is not mounted unseen.
        timeout(deadline, walking).await.unwrap_or(Err(HostPathError::Deadline(deadline.as_secs_f64())))
    }
}

/// Whether the decision on a requirement could change with where its path leads.
fn depends_on_links(index: &Index, subject: &Subject, needed: &Requirement) -> bool {
    let everything = |action| index.grants_everything(subject, action);
    let decided = match needed.action {
        Action::HostMount | Action::HostMountReadonly => {
            everything(needed.action) && everything(Action::HostMountSensitive)
        }
        Action::HostMountPropagation | Action::HostDevice | Action::HostPath => everything(needed.action),
        _ => true,
    };
    !decided && needed.resource.name.starts_with('/') && index.lets_through(subject, needed)
}

/// Adds what a path needs beside the requirement on it as it is written.
fn add(
    index: &Index,
    subject: &Subject,
    needed: &Requirement,
    found: &Found,
    requirements: &mut Requirements,
) {
    requirements.push(Requirement::of_kind(needed.action, needed.resource.kind, &found.path));
    let mounted = matches!(needed.action, Action::HostMount | Action::HostMountReadonly);
    if mounted && is_sensitive_path(&found.path) {
        requirements.push(Requirement::new(Action::HostMountSensitive, &found.path));
    }
    for directory in &found.directories {
        if directory.unguarded || may_change(index, subject, &directory.path) {
            requirements.push(Requirement::new(Action::HostMountUnguarded, &directory.path));
        }
    }
}

/// Whether the subject may mount the directory for writing, and so put links in it as root of a container.
fn may_change(index: &Index, subject: &Subject, directory: &str) -> bool {
    let may = |action| index.lets_through(subject, &Requirement::new(action, directory));
    may(Action::HostMount) && (!is_sensitive_path(directory) || may(Action::HostMountSensitive))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::authz::{Actions, Effect, Grant, Pattern, Permission, Principal, Rules};

    /// A host with `/srv/data/app`, `/srv/data/etc` that leads to `/etc`, and `/open` that all can write.
    fn host() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for directory in ["srv/data/app/deep", "etc", "open/mine"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        symlink("/etc", at("srv/data/etc")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
        dir
    }

    fn everyone_may(permissions: &[(Effect, Action, &str)]) -> Index {
        let permissions = permissions
            .iter()
            .map(|(effect, action, pattern)| {
                let resource = Pattern::parse(pattern).unwrap();
                ("r".to_owned(), Permission { actions: Actions::One(*action), resource, effect: *effect })
            })
            .collect();
        let grant = Grant::new(Principal::Everyone, "r");
        Index::new(&Rules { permissions, grants: vec![grant], ..Rules::default() }).unwrap()
    }

    async fn added(root: &Path, index: &Index, action: Action, path: &str) -> Result<Vec<String>, String> {
        let hostfs = HostFs::new(Settings { root: root.to_owned(), deadline: Duration::from_mins(1) });
        let mut requirements = Requirements::new(Requirement::any(Action::ContainerCreate));
        requirements.push(Requirement::new(action, path));
        let settled = hostfs.settle(index, &Subject::anonymous(), &mut requirements).await;
        settled.map_err(|error| error.to_string())?;
        Ok(requirements.iter().skip(2).map(ToString::to_string).collect())
    }

    /// Nobody but root can make what counts as root's own.
    fn are_root(dir: &tempfile::TempDir) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(dir.path()).unwrap().uid() == 0
    }

    #[tokio::test]
    async fn a_link_needs_what_it_leads_to_as_well_and_says_so_if_that_is_sensitive() {
        let host = host();
        let index = everyone_may(&[
            (Effect::Allow, Action::HostMountReadonly, "path:/srv/**"),
            (Effect::Allow, Action::HostMountUnguarded, "*"),
        ]);
        let added = added(host.path(), &index, Action::HostMountReadonly, "/srv/data/etc").await.unwrap();
        let added: Vec<_> = added.iter().filter(|needed| !needed.contains("unguarded")).collect();
        assert_eq!(added, ["host.mount-readonly path:/etc", "host.mount-sensitive path:/etc"]);
    }

    #[tokio::test]
    async fn a_link_is_followed_too_where_the_denial_would_only_be_observed() {
        let host = host();
        let index = everyone_may(&[(Effect::Allow, Action::ModeObserve, "path:/srv/**")]);
        let added = added(host.path(), &index, Action::HostMountReadonly, "/srv/data/etc").await.unwrap();
        assert!(added.contains(&"host.mount-sensitive path:/etc".to_owned()), "{added:?}");
    }

    #[tokio::test]
    async fn a_way_that_others_can_change_needs_a_grant_on_the_directory() {
        let host = host();
        if !are_root(&host) {
            return;
        }
        let index = everyone_may(&[(Effect::Allow, Action::HostMountReadonly, "path:/**")]);
        let readonly = Action::HostMountReadonly;
        assert_eq!(added(host.path(), &index, readonly, "/srv/data/app/deep").await, Ok(vec![]));
        assert_eq!(
            added(host.path(), &index, readonly, "/open/mine").await,
            Ok(vec!["host.mount-unguarded path:/open".to_owned()])
        );
        assert_eq!(
            added(host.path(), &index, readonly, "/open/nothing/yet").await,
            Ok(vec!["host.mount-unguarded path:/open".to_owned()])
        );
    }

    #[tokio::test]
    async fn what_the_subject_may_mount_for_writing_is_a_way_that_it_can_change() {
        let host = host();
        if !are_root(&host) {
            return;
        }
        let index = everyone_may(&[(Effect::Allow, Action::HostMount, "path:/srv/data/**")]);
        assert_eq!(added(host.path(), &index, Action::HostMount, "/srv/data/app").await, Ok(vec![]));
        assert_eq!(
            added(host.path(), &index, Action::HostMount, "/srv/data/app/deep").await,
            Ok(vec!["host.mount-unguarded path:/srv/data/app".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_device_leads_where_its_link_leads() {
        let host = host();
        symlink("/dev/sda", host.path().join("srv/disk")).unwrap();
        let index = everyone_may(&[
            (Effect::Allow, Action::HostDevice, "device:/srv/*"),
            (Effect::Allow, Action::HostMountUnguarded, "*"),
        ]);
        let added = added(host.path(), &index, Action::HostDevice, "/srv/disk").await.unwrap();
        assert_eq!(added.first().map(String::as_str), Some("host.device device:/dev/sda"));
    }

    #[tokio::test]
    async fn nothing_is_looked_at_where_it_could_not_change_the_decision() {
        let nowhere = Path::new("/nowhere/at/all");
        let all = everyone_may(&[
            (Effect::Allow, Action::HostMount, "*"),
            (Effect::Allow, Action::HostMountSensitive, "path:*"),
        ]);
        assert_eq!(added(nowhere, &all, Action::HostMount, "/srv").await, Ok(vec![]));
        let other = everyone_may(&[(Effect::Allow, Action::HostMount, "path:/other")]);
        assert_eq!(added(nowhere, &other, Action::HostMount, "/srv").await, Ok(vec![]));
        // One denial, or one kind that is not granted whole, and it has to be looked at.
        for open in [
            everyone_may(&[(Effect::Allow, Action::HostMount, "*")]),
            everyone_may(&[
                (Effect::Allow, Action::HostMount, "*"),
                (Effect::Deny, Action::HostMount, "path:/etc"),
                (Effect::Allow, Action::HostMountSensitive, "*"),
            ]),
        ] {
            let added = added(nowhere, &open, Action::HostMount, "/srv").await;
            assert!(added.is_err(), "{added:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_followed_or_is_not_answered_is_an_error() {
        let host = host();
        symlink("loop", host.path().join("srv/loop")).unwrap();
        let index = everyone_may(&[(Effect::Allow, Action::HostMount, "path:/srv/**")]);
        assert_eq!(
            added(host.path(), &index, Action::HostMount, "/srv/loop").await,
            Err("where `/srv/loop` leads on this host is not known: it leads over more than 40 symbolic links"
                .to_owned())
        );
        let hostfs =
            HostFs::new(Settings { root: host.path().to_owned(), deadline: Duration::from_millis(1) });
        // As if walks hung.
        let _all = hostfs.slots.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let mut requirements = Requirements::new(Requirement::new(Action::HostMount, "/srv/data"));
        let settled = hostfs.settle(&index, &Subject::anonymous(), &mut requirements).await;
        assert!(matches!(settled, Err(HostPathError::Deadline(_))), "{settled:?}");
    }

    #[tokio::test]
    async fn a_call_with_more_paths_than_clients_send_is_refused() {
        let host = host();
        let index = everyone_may(&[(Effect::Allow, Action::HostMount, "path:/srv/**")]);
        let mut many = Requirements::new(Requirement::any(Action::ContainerCreate));
        (0..=PATHS).for_each(|n| many.push(Requirement::new(Action::HostMount, format!("/srv/{n}"))));
        let hostfs = HostFs::new(Settings { root: host.path().to_owned(), ..Settings::default() });
        let settled = hostfs.settle(&index, &Subject::anonymous(), &mut many).await;
        assert!(matches!(settled, Err(HostPathError::TooMany)), "{settled:?}");
    }
}
