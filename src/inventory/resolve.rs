//! From the names in a call to what they stand for and who created it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::daemon::{AskError, Daemon};
use super::images::{self, Image};
use super::lookup::{self, Candidate};
use super::objects::Key;
use super::{Inventory, meanings, mounts};
use crate::authz::{Index, Kind, Need, Owner, Requirement, Requirements, Resource, Subject};

/// Different names in one call that are looked up; what the others stand for stays unknown.
const NAMES: usize = 16;

/// What is asked about one name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    owner: bool,
    meaning: bool,
}

/// What was found out about one name; nothing where it could not be found out.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) owner: Option<Arc<Owner>>,
    pub(super) found: Option<Found>,
}

/// What the daemon says that a name stands for.
#[derive(Debug)]
pub(super) enum Found {
    /// Objects of a kind that can be listed.
    Objects(Vec<Candidate>),
    /// An image, or none.
    Image(Option<Image>),
    /// The container of a prepared command, if it may be whose the container is.
    Container(Option<String>),
}

/// Names that were asked about, and what was found out.
pub(super) type Answers = HashMap<Key, Answer>;

impl Inventory {
    /// Fills in what the names of a call stand for and who created that, where it could change the decision.
    ///
    /// A full ID's owner is known without asking; so most calls of `docker run` and `docker exec`, and all of an
    /// administrator, cost nothing here. Where the daemon cannot be asked, or takes too long, nothing that goes by
    /// creator or name covers the requirement, and what is denied by name concerns it: the call fails closed.
    pub async fn resolve(&self, index: &Index, subject: &Subject, requirements: &mut Requirements) {
        let mut asked: BTreeMap<Key, Asked> = BTreeMap::new();
        for awaited in index.awaits(subject, requirements) {
            let requirement = awaited.requirement;
            let plain = is_plain_name(requirements, requirement);
            let needed = |need| need == Need::Always || (need == Need::UnlessPlainName && !plain);
            let meaning = needed(awaited.meaning) && meanings::can_be_looked_up(requirements, requirement);
            let owner = needed(awaited.owner);
            if owner || meaning {
                let entry = asked.entry(key_of(requirement)).or_default();
                entry.owner |= owner;
                entry.meaning |= meaning;
            }
        }
        let disguised = meanings::could_be_host_network(index, subject, requirements);
        let reached = mounts::reached(index, subject, requirements);
        for key in disguised.iter().chain(&reached) {
            asked.entry(key.clone()).or_default().meaning = true;
        }
        if asked.is_empty() {
            return;
        }
        let mut answers = self.known(&asked);
        let open = asked.iter().filter(|(key, asked)| is_open(key, **asked, &answers));
        let open: Vec<Key> = open.map(|(key, _)| key.clone()).collect();
        self.look_up(open, &mut answers).await;
        meanings::add_host_network(&disguised, &answers, requirements);
        for mounted in mounts::needed(&reached, &answers) {
            let key = key_of(&mounted);
            let owner = self.ledger.objects().get(&key).map(|(owner, _)| owner);
            answers.entry(key).or_insert(Answer { owner, found: None });
            requirements.push(mounted);
        }
        meanings::renamed(requirements, &mut answers);
        let meant = |key: &Key| asked.get(key).is_some_and(|asked| asked.meaning);
        meanings::assign(requirements, &answers, meant);
        requirements.assign_owners(|resource| answers.get(&key_of_resource(resource))?.owner.clone());
    }

    /// What is known by its full ID.
    ///
    /// The daemon takes a full ID for the object that has it before it looks at any name.
    fn known(&self, asked: &BTreeMap<Key, Asked>) -> Answers {
        let objects = self.ledger.objects();
        let owner = |key: &Key| objects.get(key).map(|(owner, _)| owner);
        asked.keys().map(|key| (key.clone(), Answer { owner: owner(key), found: None })).collect()
    }

    /// Looks all names up at the same time, within one deadline.
    async fn look_up(&self, names: Vec<Key>, answers: &mut Answers) {
        let deadline = Instant::now() + self.settings.deadline;
        let mut under_way = JoinSet::new();
        for key in names.into_iter().take(NAMES) {
            self.counts.looked_up.fetch_add(1, Ordering::Relaxed);
            let daemon = Arc::clone(&self.daemon);
            under_way.spawn(async move {
                let found = timeout_at(deadline, find(&daemon, &key)).await;
                (key, found.unwrap_or(Err(AskError::Deadline)))
            });
        }
        while let Some(ended) = under_way.join_next().await {
            match ended {
                Ok((key, Ok(found))) => {
                    let owner = self.owner_of(&key, &found);
                    let answer = answers.entry(key).or_default();
                    answer.owner = answer.owner.take().or(owner);
                    answer.found = Some(found);
                }
                Ok((key, Err(error))) => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    warn!(kind = key.kind.name(), %error, "nobody knows what it is: the daemon could not be asked");
                }
                Err(error) => warn!(%error, "a look-up failed"),
            }
        }
    }

    /// The creator of all that was found, if that is one.
    fn owner_of(&self, key: &Key, found: &Found) -> Option<Arc<Owner>> {
        let objects = self.ledger.objects();
        let owner = |kind, id: &str| objects.get(&Key { kind, id: id.to_owned() }).map(|(owner, _)| owner);
        match found {
            Found::Objects(candidates) => {
                let mut owners = candidates.iter().map(|candidate| owner(key.kind, &candidate.id));
                let first = owners.next()??;
                owners.all(|owner| owner.as_ref() == Some(&first)).then_some(first)
            }
            // Whose the container is may run the same command in it anyway.
            Found::Container(container) => owner(Kind::Container, container.as_deref()?),
            Found::Image(_) => None,
        }
    }
}

async fn find(daemon: &Daemon, key: &Key) -> Result<Found, AskError> {
    Ok(match key.kind {
        Kind::Image => Found::Image(images::inspect(daemon, &key.id).await?),
        Kind::Exec => Found::Container(lookup::container_of_exec(daemon, &key.id).await?),
        kind => Found::Objects(lookup::candidates(daemon, kind, &key.id).await?),
    })
}

/// Whether the daemon has to be asked about a name.
fn is_open(key: &Key, asked: Asked, answers: &Answers) -> bool {
    let owner_missing = asked.owner && answers.get(key).is_none_or(|answer| answer.owner.is_none());
    match key.kind {
        Kind::Image => asked.meaning,
        Kind::Exec => owner_missing,
        kind => lookup::has_names(kind) && (asked.meaning || owner_missing),
    }
}

fn is_plain_name(requirements: &Requirements, requirement: &Requirement) -> bool {
    match requirement.resource.kind {
        Kind::Image => images::is_plain_name(requirements, requirement),
        kind => lookup::is_plain_name(kind, &key_of(requirement).id),
    }
}

pub(super) fn key_of(requirement: &Requirement) -> Key {
    key_of_resource(&requirement.resource)
}

/// The daemon puts a slash before a container's name, and takes one there for nothing.
fn key_of_resource(resource: &Resource) -> Key {
    let name = resource.name.strip_prefix('/').unwrap_or(&resource.name);
    Key { kind: resource.kind, id: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authz::{Action, Actions, Decision, Effect, Grant, Pattern, Permission, Principal, Rules};
    use crate::inventory::fake::{Fake, call, done, subject};

    const ID: &str = "abc1110000000000000000000000000000000000000000000000000000000000";

    fn everyone_may(pattern: &str) -> Index {
        let permission = Permission {
            actions: Actions::Any,
            resource: Pattern::parse(pattern).unwrap(),
            effect: Effect::Allow,
        };
        let grant = Grant::new(Principal::Everyone, "r");
        let rules = Rules {
            permissions: vec![("r".to_owned(), permission)],
            grants: vec![grant],
            ..Rules::default()
        };
        Index::new(&rules).unwrap()
    }

    async fn may(inventory: &Inventory, user: &str, mut requirements: Requirements) -> bool {
        let index = everyone_may("container:@own");
        inventory.resolve(&index, &subject(user), &mut requirements).await;
        matches!(index.decide(&subject(user), "docker", &requirements), Decision::Permit(_))
    }

    /// A daemon with a container `web` that alice created.
    async fn with_web(fake: &Fake) -> Arc<Inventory> {
        let inventory = fake.inventory();
        let body = format!(r#"{{"Id":"{ID}"}}"#);
        done(&inventory, "alice", &call(Action::ContainerCreate, "web"), 201, &body).await;
        fake.add(Kind::Container, ID, &["/web"]);
        inventory
    }

    #[tokio::test]
    async fn the_creator_may_by_name_id_and_prefix_and_nobody_else() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        for name in ["web", "/web", ID, "abc111", "a"] {
            let stop = call(Action::ContainerStop, name);
            assert!(may(&inventory, "alice", stop.clone()).await, "{name}");
            assert!(!may(&inventory, "bob", stop).await, "{name}");
        }
        assert!(!may(&inventory, "alice", call(Action::ContainerStop, "other")).await);
    }

    #[tokio::test]
    async fn a_name_counts_for_what_it_means_now() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        fake.remove(ID);
        fake.add(Kind::Container, ID, &["/db2"]);
        fake.add(Kind::Container, "fff222", &["/web"]);
        assert!(may(&inventory, "alice", call(Action::ContainerStop, "db2")).await);
        assert!(!may(&inventory, "alice", call(Action::ContainerStop, "web")).await);
    }

    #[tokio::test]
    async fn a_name_that_another_id_begins_with_is_nobodys() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        fake.remove(ID);
        fake.add(Kind::Container, ID, &["/fff2"]);
        assert!(may(&inventory, "alice", call(Action::ContainerStop, "fff2")).await);
        fake.add(Kind::Container, "fff222", &["/bobs"]);
        assert!(!may(&inventory, "alice", call(Action::ContainerStop, "fff2")).await);
    }

    #[tokio::test]
    async fn a_name_through_a_link_means_what_is_linked() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        fake.add(Kind::Container, "fff222", &["/bobs", "/web/alias"]);
        assert!(!may(&inventory, "alice", call(Action::ContainerStop, "web/alias")).await);
    }

    #[tokio::test]
    async fn a_new_name_belongs_to_the_owner_of_what_gets_it() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        let mut rename = call(Action::ContainerRename, "web");
        rename.push(Requirement::new(Action::ContainerRename, "fresh"));
        assert!(may(&inventory, "alice", rename.clone()).await);
        assert!(!may(&inventory, "bob", rename).await);
    }

    #[tokio::test]
    async fn every_container_of_a_call_must_be_the_subjects() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        fake.add(Kind::Container, "fff222", &["/bobs"]);
        let mut stop = call(Action::ContainerStop, "web");
        stop.push(Requirement::new(Action::ContainerJoin, "web"));
        assert!(may(&inventory, "alice", stop.clone()).await);
        stop.push(Requirement::new(Action::ContainerJoin, "bobs"));
        assert!(!may(&inventory, "alice", stop).await);
    }

    #[tokio::test]
    async fn an_unknown_creator_is_nobody_where_the_daemon_does_not_answer() {
        for make_deaf in [Fake::fail, Fake::fall_silent] {
            let fake = Fake::start();
            with_web(&fake).await;
            let inventory = fake.inventory_waiting(Duration::from_millis(1));
            make_deaf(&fake);
            assert!(!may(&inventory, "alice", call(Action::ContainerStop, "web")).await);
            assert!(may(&inventory, "alice", call(Action::ContainerStop, ID)).await);
            assert_eq!(inventory.counts().failed.load(Ordering::Relaxed), 1);
        }
    }

    #[tokio::test]
    async fn the_daemon_is_asked_only_where_a_scope_could_decide() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        let mut stop = call(Action::ContainerStop, "web");
        inventory.resolve(&everyone_may("*"), &subject("bob"), &mut stop).await;
        inventory.resolve(&everyone_may("container:@own"), &Subject::anonymous(), &mut stop).await;
        let mut by_id = call(Action::ContainerStop, ID);
        inventory.resolve(&everyone_may("container:@own"), &subject("bob"), &mut by_id).await;
        assert_eq!(fake.asked(), [""; 0]);
        assert_eq!(inventory.counts().looked_up.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_call_that_names_many_things_is_not_looked_up_without_end() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        let mut many = call(Action::ContainerStop, "web");
        (0..100).for_each(|n| many.push(Requirement::new(Action::ContainerJoin, format!("other-{n}"))));
        assert!(!may(&inventory, "alice", many).await);
        assert_eq!(fake.asked().len(), NAMES);
    }

    #[tokio::test]
    async fn an_exec_is_whose_it_was_prepared_for() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        done(&inventory, "alice", &call(Action::ContainerExec, ID), 201, r#"{"Id":"e1"}"#).await;
        let index = everyone_may("exec:@own");
        for (user, id, expected) in [("alice", "e1", true), ("bob", "e1", false), ("alice", "e2", false)] {
            let mut start = call(Action::ExecStart, id);
            inventory.resolve(&index, &subject(user), &mut start).await;
            let decision = index.decide(&subject(user), "docker exec", &start);
            assert_eq!(matches!(decision, Decision::Permit(_)), expected, "{user} {id}");
        }
        // What is known of needs no question; what is not could have been prepared before Wharfinger.
        assert_eq!(fake.asked(), ["/exec/e2/json"]);
    }

    #[tokio::test]
    async fn an_exec_that_nobody_is_known_to_have_prepared_is_its_containers_owners() {
        let fake = Fake::start();
        let inventory = with_web(&fake).await;
        fake.add_exec("e1", ID, false);
        fake.add_exec("e2", ID, true);
        fake.add_exec("e3", "of somebody else", false);
        let index = everyone_may("exec:@own");
        for (user, id, expected) in
            [("alice", "e1", true), ("bob", "e1", false), ("alice", "e2", false), ("alice", "e3", false)]
        {
            let mut start = call(Action::ExecStart, id);
            inventory.resolve(&index, &subject(user), &mut start).await;
            let decision = index.decide(&subject(user), "docker exec", &start);
            assert_eq!(matches!(decision, Decision::Permit(_)), expected, "{user} {id}");
        }
    }
}
