//! From what was looked up to what a requirement stands for.

use super::images;
use super::lookup::{self, Candidate};
use super::objects::Key;
use super::resolve::{Answers, Found, key_of};
use crate::authz::{Action, Index, Kind, Meaning, Named, Requirement, Requirements, Subject};

/// The predefined network that is the host's own.
const HOST_NETWORK: &str = "host";

/// Whether the daemon can say what a requirement's name stands for. A name that is only to be given stands for itself.
pub(super) fn can_be_looked_up(requirements: &Requirements, requirement: &Requirement) -> bool {
    match requirement.resource.kind {
        Kind::Image => images::refers_to_image(requirement),
        kind => lookup::has_names(kind) && !is_new(requirements, requirement),
    }
}

/// Whether the name is given by the call and not there before.
fn is_new(requirements: &Requirements, requirement: &Requirement) -> bool {
    match requirement.action {
        Action::ContainerCreate
        | Action::NetworkCreate
        | Action::ServiceCreate
        | Action::SecretCreate
        | Action::ConfigCreate => true,
        Action::ContainerRename => old_name(requirements) != Some(requirement),
        _ => false,
    }
}

/// The container that is renamed, which the reader names first.
fn old_name(requirements: &Requirements) -> Option<&Requirement> {
    requirements.iter().find(|requirement| requirement.action == Action::ContainerRename)
}

/// The name that something gets belongs to whoever owns it: no object has that name, or the daemon refuses.
pub(super) fn renamed(requirements: &Requirements, answers: &mut Answers) {
    let Some(old) = old_name(requirements) else { return };
    let owner = answers.get(&key_of(old)).and_then(|answer| answer.owner.clone());
    for new in requirements.iter().filter(|requirement| requirement.action == Action::ContainerRename) {
        answers.entry(key_of(new)).or_default().owner.clone_from(&owner);
    }
}

/// The networks of a call that could be the host's own under its ID, where that needs what is not granted.
pub(super) fn could_be_host_network(
    index: &Index,
    subject: &Subject,
    requirements: &Requirements,
) -> Vec<Key> {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let used = requirements.iter().filter(|requirement| {
        matches!(requirement.action, Action::NetworkUse | Action::NetworkConnect)
            && requirement.resource.kind == Kind::Network
            && hex(&requirement.resource.name)
    });
    let used: Vec<Key> = used.map(key_of).collect();
    if used.is_empty() || index.grants(subject, &host_network()) {
        return Vec::new();
    }
    used
}

/// Adds what the host's own network needs, whatever it is called by.
pub(super) fn add_host_network(disguised: &[Key], answers: &Answers, requirements: &mut Requirements) {
    let is_host = |key: &Key| match answers.get(key).and_then(|answer| answer.found.as_ref()) {
        Some(Found::Objects(found)) => {
            found.iter().any(|network| network.names.iter().any(|n| n == HOST_NETWORK))
        }
        // Fail closed: nobody could say that it is not.
        Some(Found::Image(_) | Found::Container(_)) | None => true,
    };
    if disguised.iter().any(is_host) {
        requirements.push(host_network());
    }
}

fn host_network() -> Requirement {
    Requirement::new(Action::HostNamespace, "net")
}

/// Fills in what the names stand for that were `asked` about.
pub(super) fn assign(requirements: &mut Requirements, answers: &Answers, asked: impl Fn(&Key) -> bool) {
    for meaningless in meaningless(requirements, answers) {
        requirements.drop_meaningless(&meaningless);
    }
    let all = requirements.clone();
    requirements.assign_meanings(|requirement| {
        let key = key_of(requirement);
        if !asked(&key) || !can_be_looked_up(&all, requirement) {
            return None;
        }
        Some(match answers.get(&key).and_then(|answer| answer.found.as_ref()) {
            Some(Found::Objects(candidates)) => Meaning::of(candidates.iter().map(named).collect()),
            Some(Found::Image(Some(image))) => image.meaning(requirement),
            Some(Found::Image(None)) => Meaning::Written,
            Some(Found::Container(_)) | None => Meaning::Unknown,
        })
    });
}

/// Of a text that could be a name and the beginning of an ID, what it turned out not to be.
///
/// If there is neither, both stay: what comes to be there in between must not be anything else than was judged.
fn meaningless(requirements: &Requirements, answers: &Answers) -> Vec<Requirement> {
    let there = |requirement: &Requirement| match answers.get(&key_of(requirement))?.found.as_ref()? {
        Found::Image(image) => Some(image.is_some()),
        Found::Objects(_) | Found::Container(_) => None,
    };
    let mut meaningless = Vec::new();
    for prefix in requirements {
        let Some(name) = images::twin(requirements, prefix) else { continue };
        match (there(name), there(prefix)) {
            (Some(true), Some(false)) => meaningless.push(prefix.clone()),
            (Some(false), Some(true)) => meaningless.push(name.clone()),
            _ => {}
        }
    }
    meaningless
}

fn named(candidate: &Candidate) -> Named {
    // The name that a link gives is in the hands of who made the link.
    let (others, names) = candidate.names.iter().cloned().partition(|name: &String| name.contains('/'));
    let short = candidate.id.get(..12).filter(|short| short.len() < candidate.id.len());
    let ids = [Some(candidate.id.as_str()), short].into_iter().flatten().map(str::to_owned).collect();
    Named { names, ids, others }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authz::{Actions, Decision, Effect, Grant, Pattern, Permission, Principal, Rules};
    use crate::inventory::fake::{Fake, call, subject};

    const ID: &str = "abc1110000000000000000000000000000000000000000000000000000000000";
    const OTHER: &str = "fff2220000000000000000000000000000000000000000000000000000000000";
    const IMAGE: &str = "sha256:abc1110000000000000000000000000000000000000000000000000000000000";

    /// Rules such as `allow container:web-*`, for everybody and every action.
    fn everyone(rules: &[&str]) -> Index {
        let permissions = rules.iter().map(|rule| {
            let (effect, pattern) = rule.split_once(' ').unwrap();
            let effect = if effect == "deny" { Effect::Deny } else { Effect::Allow };
            let resource = Pattern::parse(pattern).unwrap();
            ("r".to_owned(), Permission { actions: Actions::Any, resource, effect })
        });
        let grant = Grant::new(Principal::Everyone, "r");
        let permissions = permissions.collect();
        Index::new(&Rules { permissions, grants: vec![grant], ..Rules::default() }).unwrap()
    }

    /// The requirements that were left, or the message of the denial.
    async fn judged_by(
        inventory: &crate::inventory::Inventory,
        index: &Index,
        mut requirements: Requirements,
    ) -> Result<Vec<String>, String> {
        inventory.resolve(index, &subject("alice"), &mut requirements).await;
        match index.decide(&subject("alice"), "docker", &requirements) {
            Decision::Permit(_) | Decision::PermitInPart(_) => {
                Ok(requirements.iter().map(ToString::to_string).collect())
            }
            Decision::Deny(denial) | Decision::Observe(_, denial) => Err(denial.message),
        }
    }

    async fn may(fake: &Fake, rules: &[&str], requirements: Requirements) -> bool {
        judged_by(&fake.inventory(), &everyone(rules), requirements).await.is_ok()
    }

    fn stop(name: &str) -> Requirements {
        call(Action::ContainerStop, name)
    }

    fn image(action: Action, names: &[&str]) -> Requirements {
        let mut requirements = call(action, names[0]);
        for name in names {
            requirements.push(Requirement::new(action, *name));
        }
        requirements
    }

    #[tokio::test]
    async fn a_permission_on_a_name_holds_by_id_and_a_denial_cannot_be_evaded_by_one() {
        let fake = Fake::start();
        fake.add(Kind::Container, ID, &["/web-1"]);
        fake.add(Kind::Container, OTHER, &["/db", "/web-1/db"]);
        for text in ["web-1", ID, "abc111000000", "abc", "a"] {
            assert!(may(&fake, &["allow container:web-*"], stop(text)).await, "{text}");
        }
        for text in ["db", OTHER, "fff222000000", "fff", "f", "web-1/db"] {
            assert!(
                !may(&fake, &["allow container:web-*", "allow container:f*"], stop(text)).await,
                "{text}"
            );
            assert!(!may(&fake, &["allow *", "deny container:db"], stop(text)).await, "{text}");
            assert!(may(&fake, &["allow *", "deny container:web-1"], stop(text)).await, "{text}");
        }
    }

    #[tokio::test]
    async fn a_permission_on_an_id_holds_by_name_and_only_without_wildcards() {
        let fake = Fake::start();
        fake.add(Kind::Container, ID, &["/web-1"]);
        for id in [ID, ID.split_at(12).0] {
            for text in ["web-1", ID, "abc"] {
                assert!(may(&fake, &[&format!("allow container:{id}")], stop(text)).await, "{id} {text}");
                assert!(!may(&fake, &["allow *", &format!("deny container:{id}")], stop(text)).await);
            }
        }
        assert!(!may(&fake, &["allow container:abc*"], stop(ID)).await);
        assert!(may(&fake, &["allow *", "deny container:abc*"], stop(ID)).await);
    }

    #[tokio::test]
    async fn a_text_that_could_mean_two_things_needs_both() {
        let fake = Fake::start();
        fake.add(Kind::Container, ID, &["/fff"]);
        fake.add(Kind::Container, OTHER, &["/db"]);
        assert!(!may(&fake, &["allow container:fff"], stop("fff")).await);
        assert!(!may(&fake, &["allow *", "deny container:db"], stop("fff")).await);
        assert!(may(&fake, &["allow container:**f*"], stop(ID)).await);
    }

    #[tokio::test]
    async fn a_name_that_is_only_to_be_given_stands_for_itself() {
        let fake = Fake::start();
        fake.add(Kind::Container, ID, &["/db"]);
        assert!(may(&fake, &["allow container:a*"], call(Action::ContainerCreate, "abc")).await);
        let mut rename = call(Action::ContainerRename, ID);
        rename.push(Requirement::new(Action::ContainerRename, "a"));
        assert!(may(&fake, &["allow container:db", "allow container:a"], rename.clone()).await);
        assert!(!may(&fake, &["allow container:a"], rename.clone()).await);
        assert!(!may(&fake, &["allow container:db"], rename).await);
    }

    #[tokio::test]
    async fn the_daemon_is_asked_only_where_a_name_could_decide() {
        let fake = Fake::start();
        fake.add(Kind::Container, ID, &["/web"]);
        for (rules, requirements) in [
            (&["allow *"][..], stop("abc")),
            (&["allow container:*", "allow container:web"], stop(ID)),
            (&["allow container:web"], stop("web")),
            (&["allow *", "deny container:db"], stop("web")),
            (&["allow image:docker.io/library/*"], call(Action::ImageUse, "docker.io/library/nginx:1")),
            (&["allow *", "deny image:docker.io/library/*"], call(Action::ImagePull, "docker.io/a/b:1")),
            (&["deny container:*"], stop("abc")),
        ] {
            judged_by(&fake.inventory(), &everyone(rules), requirements).await.ok();
        }
        assert_eq!(fake.asked(), [""; 0]);
    }

    #[tokio::test]
    async fn nothing_is_granted_by_name_where_the_daemon_does_not_answer() {
        for make_deaf in [Fake::fail, Fake::fall_silent] {
            let fake = Fake::start();
            make_deaf(&fake);
            let inventory = fake.inventory_waiting(Duration::from_millis(1));
            let message = judged_by(&inventory, &everyone(&["allow container:abc*"]), stop("abc")).await;
            assert_eq!(
                message.unwrap_err(),
                "alice may not container.stop container:abc (docker): no role that alice holds grants it; what \
                 `abc` stands for could not be found out, as dockerd did not say in time"
            );
            let denied = everyone(&["allow *", "deny container:db"]);
            assert!(judged_by(&inventory, &denied, stop("abc")).await.is_err());
            assert!(judged_by(&inventory, &everyone(&["allow *"]), stop("abc")).await.is_ok());
            let image = call(Action::ImageUse, IMAGE);
            assert!(judged_by(&inventory, &everyone(&["allow image:sha256:*"]), image).await.is_err());
        }
    }

    #[tokio::test]
    async fn an_image_by_its_id_is_judged_by_what_it_is_called() {
        let fake = Fake::start();
        fake.add(Kind::Image, IMAGE, &["busybox:1", "registry.example.com/team/app:2"]);
        let used = || call(Action::ImageUse, IMAGE);
        for (rules, expected) in [
            (&["allow image:docker.io/library/*"][..], true),
            (&["allow image:registry.example.com/**"], true),
            (&["allow image:docker.io/other/*"], false),
            (&["allow image:docker.io/library/*", "deny image:registry.example.com/**"], false),
            (&["allow *", "deny image:registry.example.com/team/*"], false),
            (&["allow image:sha256:*"], false),
            (&[&format!("allow image:{IMAGE}")], true),
        ] {
            assert_eq!(may(&fake, rules, used()).await, expected, "{rules:?}");
        }
        // A removal takes both names away.
        let removed = || call(Action::ImageDelete, IMAGE);
        assert!(!may(&fake, &["allow image:docker.io/library/*"], removed()).await);
        assert!(may(&fake, &["allow image:**/*:*"], removed()).await);
    }

    #[tokio::test]
    async fn an_image_without_a_name_goes_by_its_id() {
        let fake = Fake::start();
        fake.add(Kind::Image, IMAGE, &["<none>:<none>"]);
        assert!(may(&fake, &["allow image:sha256:*"], call(Action::ImageUse, IMAGE)).await);
        assert!(!may(&fake, &["allow image:docker.io/library/*"], call(Action::ImageUse, IMAGE)).await);
    }

    #[tokio::test]
    async fn an_image_by_name_is_allowed_by_that_name_and_denied_by_any() {
        let fake = Fake::start();
        fake.add(Kind::Image, IMAGE, &["busybox:1", "evil:1"]);
        let used = || call(Action::ImageUse, "docker.io/library/busybox:1");
        assert!(may(&fake, &["allow *", "deny image:docker.io/library/other:1"], used()).await);
        assert!(!may(&fake, &["allow *", "deny image:docker.io/library/evil:*"], used()).await);
        // By name it could be another image a moment later.
        assert!(!may(&fake, &["allow image:docker.io/library/evil:*"], used()).await);
        assert!(!may(&fake, &[&format!("allow image:{IMAGE}")], used()).await);
    }

    #[tokio::test]
    async fn a_short_id_is_judged_as_what_it_turns_out_to_be() {
        let fake = Fake::start();
        fake.add(Kind::Image, IMAGE, &["registry.example.com/team/app:2"]);
        let used = || image(Action::ImageUse, &["docker.io/library/abc1:latest", "sha256:abc1"]);
        let judged = async |rules: &[&str]| judged_by(&fake.inventory(), &everyone(rules), used()).await;
        assert_eq!(
            judged(&["allow image:registry.example.com/**"]).await,
            Ok(vec!["image.use image:sha256:abc1".to_owned()])
        );
        assert!(judged(&["allow image:docker.io/library/*"]).await.is_err());

        fake.remove(IMAGE);
        fake.add(Kind::Image, "sha256:beef", &["abc1:latest"]);
        assert_eq!(
            judged(&["allow image:docker.io/library/*"]).await,
            Ok(vec!["image.use image:docker.io/library/abc1:latest".to_owned()])
        );

        // Neither is there: what appears in between must be what was judged.
        fake.remove("sha256:beef");
        assert!(judged(&["allow image:docker.io/library/*"]).await.is_err());
        // Both are.
        fake.add(Kind::Image, "sha256:beef", &["abc1:latest"]);
        fake.add(Kind::Image, IMAGE, &["registry.example.com/team/app:2"]);
        assert!(judged(&["allow image:docker.io/library/*"]).await.is_err());
        assert!(judged(&["allow image:**/*:*"]).await.is_ok());
    }

    #[tokio::test]
    async fn the_hosts_network_under_its_id_needs_the_hosts_namespace() {
        let fake = Fake::start();
        fake.add(Kind::Network, ID, &["host"]);
        fake.add(Kind::Network, OTHER, &["backend"]);
        let used = |name: &str| call(Action::NetworkUse, name);
        let users = &["allow network:*"];
        for text in [ID, "abc111", "a"] {
            assert!(!may(&fake, users, used(text)).await, "{text}");
            assert!(may(&fake, &["allow *"], used(text)).await, "{text}");
        }
        for text in [OTHER, "fff", "backend"] {
            assert!(may(&fake, users, used(text)).await, "{text}");
        }
        fake.fail();
        assert!(!may(&fake, users, used(OTHER)).await);
        assert!(may(&fake, users, used("backend")).await);
    }
}
