//! A container's files include what is mounted in it: whoever reads or writes them needs what mounting it needs.

use serde::Deserialize;

use super::objects::Key;
use super::resolve::{Answers, Found, key_of};
use crate::authz::{Action, Index, Requirement, Requirements, Subject};
use crate::engine::is_sensitive_path;

/// What a mount can need; for whoever holds all of it nothing is looked up.
const POWERS: [Action; 4] =
    [Action::HostMount, Action::HostMountReadonly, Action::HostMountSensitive, Action::VolumeUse];

/// A mount of a container, as the daemon's lists and inspections show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Mount {
    r#type: String,
    /// The volume's name.
    name: String,
    /// Where it is on the host.
    source: String,
    #[serde(rename = "RW")]
    writable: bool,
}

/// The containers whose files a call reads or writes, where what is mounted there could change the decision.
pub(super) fn reached(index: &Index, subject: &Subject, requirements: &Requirements) -> Vec<Key> {
    if POWERS.iter().all(|power| index.grants_everything(subject, *power)) {
        return Vec::new();
    }
    let archives = requirements.iter().filter(|requirement| {
        matches!(requirement.action, Action::ContainerArchiveGet | Action::ContainerArchivePut)
    });
    archives.map(key_of).collect()
}

/// What the mounts of those containers need.
pub(super) fn needed(reached: &[Key], answers: &Answers) -> Vec<Requirement> {
    let of_one = |key: &Key| match answers.get(key).and_then(|answer| answer.found.as_ref()) {
        Some(Found::Objects(found)) => {
            found.iter().flat_map(|container| &container.mounts).flat_map(of).collect()
        }
        // Fail closed: what nobody could tell may be the whole host.
        Some(Found::Image(_) | Found::Container(_)) | None => vec![Requirement::new(Action::HostMount, "*")],
    };
    reached.iter().flat_map(of_one).collect()
}

fn of(mount: &Mount) -> Vec<Requirement> {
    match mount.r#type.as_str() {
        "bind" => {
            let action = if mount.writable { Action::HostMount } else { Action::HostMountReadonly };
            let mut needed = vec![Requirement::new(action, &mount.source)];
            if is_sensitive_path(&mount.source) {
                needed.push(Requirement::new(Action::HostMountSensitive, &mount.source));
            }
            needed
        }
        "volume" if !is_anonymous(&mount.name) => vec![Requirement::new(Action::VolumeUse, &mount.name)],
        // Memory, an image's files, and a volume without a name of its own: the container's, and nobody else's.
        "volume" | "tmpfs" | "image" => Vec::new(),
        // Fail closed: a kind of mount that this version does not know.
        _ => vec![Requirement::new(Action::HostMount, "*")],
    }
}

/// Whether the daemon made the name up: creating the container needed nothing for such a volume either.
fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::{Actions, Effect, Grant, Kind, Pattern, Permission, Principal, Rules};
    use crate::inventory::fake::{Fake, call, subject};

    /// Everybody may do everything with containers, and what is said.
    fn everyone_may(patterns: &[&str]) -> Index {
        let patterns = patterns.iter().chain(&["container:*"]);
        let permissions = patterns.map(|pattern| {
            let resource = Pattern::parse(pattern).unwrap();
            ("r".to_owned(), Permission { actions: Actions::Any, resource, effect: Effect::Allow })
        });
        let permissions = permissions.collect();
        let grants = vec![Grant::new(Principal::Everyone, "r")];
        Index::new(&Rules { permissions, grants, ..Rules::default() }).unwrap()
    }

    async fn resolved(fake: &Fake, index: &Index, mut requirements: Requirements) -> Vec<String> {
        fake.inventory().resolve(index, &subject("alice"), &mut requirements).await;
        requirements.iter().skip(1).map(ToString::to_string).collect()
    }

    fn with_mounts(mounts: &serde_json::Value) -> Fake {
        let fake = Fake::start();
        fake.add(Kind::Container, "abc111", &["/web"]);
        fake.mount("abc111", mounts);
        fake
    }

    #[tokio::test]
    async fn files_of_a_container_need_what_mounting_its_mounts_needs() {
        let anonymous = "ab".repeat(32);
        for (mount, expected) in [
            (
                serde_json::json!({"Type": "bind", "Source": "/srv", "RW": true}),
                &["host.mount path:/srv"][..],
            ),
            (
                serde_json::json!({"Type": "bind", "Source": "/srv", "RW": false}),
                &["host.mount-readonly path:/srv"],
            ),
            (
                serde_json::json!({"Type": "bind", "Source": "/proc", "RW": true}),
                &["host.mount path:/proc", "host.mount-sensitive path:/proc"],
            ),
            (
                serde_json::json!({"Type": "volume", "Name": "data", "Source": "/v", "RW": true}),
                &["volume.use volume:data"],
            ),
            (serde_json::json!({"Type": "volume", "Name": anonymous, "Source": "/v", "RW": true}), &[]),
            (serde_json::json!({"Type": "tmpfs", "RW": true}), &[]),
            (serde_json::json!({"Type": "cluster", "Name": "x"}), &["host.mount path:*"]),
        ] {
            let fake = with_mounts(&serde_json::json!([mount]));
            for action in [Action::ContainerArchiveGet, Action::ContainerArchivePut] {
                for name in ["web", "abc111", "abc"] {
                    assert_eq!(
                        resolved(&fake, &everyone_may(&[]), call(action, name)).await,
                        expected,
                        "{mount} {name}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_for_whoever_may_mount_everything_nor_for_other_calls() {
        let fake = with_mounts(&serde_json::json!([{"Type": "bind", "Source": "/srv", "RW": true}]));
        let (all, none) = (everyone_may(&["*"]), everyone_may(&[]));
        assert_eq!(resolved(&fake, &all, call(Action::ContainerArchivePut, "web")).await, [""; 0]);
        assert_eq!(resolved(&fake, &none, call(Action::ContainerStop, "web")).await, [""; 0]);
        assert_eq!(fake.asked(), [""; 0]);
    }

    #[tokio::test]
    async fn files_of_a_container_that_nobody_can_tell_of_need_the_whole_host() {
        let fake = with_mounts(&serde_json::json!([]));
        fake.fail();
        let archive = call(Action::ContainerArchiveGet, "web");
        assert_eq!(resolved(&fake, &everyone_may(&[]), archive).await, ["host.mount path:*"]);
    }
}
