//! From the names in a call to the creators of what they mean.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::daemon::AskError;
use super::objects::Key;
use super::{Inventory, lookup};
use crate::authz::{Action, Index, Kind, Owner, Requirement, Requirements, Subject};

/// Different names in one call that are looked up; whose the others are stays unknown.
const NAMES: usize = 16;

type Owners = HashMap<Key, Arc<Owner>>;

impl Inventory {
    /// Fills in who created what the call is about, where that could change the decision.
    ///
    /// A full ID is known without asking; so most calls of `docker run` and `docker exec`, and all of an
    /// administrator, cost nothing here. Where the daemon cannot be asked, or takes too long, the creator stays
    /// unknown: then `@own` and `@group` do not cover it, and the call fails closed.
    pub async fn resolve(&self, index: &Index, subject: &Subject, requirements: &mut Requirements) {
        let mut seen = HashSet::new();
        let mut asked: Vec<Key> = index.awaits_owner(subject, requirements).into_iter().map(key_of).collect();
        asked.retain(|key| seen.insert(key.clone()));
        if asked.is_empty() {
            return;
        }
        let (mut owners, unknown) = self.known(asked);
        self.look_up(unknown, &mut owners).await;
        renamed(requirements, &mut owners);
        requirements.assign_owners(|resource| {
            let key = Key { kind: resource.kind, id: unslashed(&resource.name) };
            owners.get(&key).cloned()
        });
    }

    /// What is known by its full ID, and what may be a name.
    ///
    /// The daemon takes a full ID for the object that has it before it looks at any name.
    fn known(&self, asked: Vec<Key>) -> (Owners, Vec<Key>) {
        let objects = self.ledger.objects();
        let (mut owners, mut unknown) = (Owners::new(), Vec::new());
        for key in asked {
            match objects.get(&key) {
                Some((owner, _)) => drop(owners.insert(key, owner)),
                None if lookup::has_names(key.kind) => unknown.push(key),
                None => {}
            }
        }
        (owners, unknown)
    }

    /// Looks all names up at the same time, within one deadline.
    async fn look_up(&self, names: Vec<Key>, owners: &mut Owners) {
        let deadline = Instant::now() + self.settings.deadline;
        let mut under_way = JoinSet::new();
        for name in names.into_iter().take(NAMES) {
            self.counts.looked_up.fetch_add(1, Ordering::Relaxed);
            let daemon = Arc::clone(&self.daemon);
            under_way.spawn(async move {
                let found = timeout_at(deadline, lookup::candidates(&daemon, name.kind, &name.id)).await;
                (name, found.unwrap_or(Err(AskError::Deadline)))
            });
        }
        while let Some(ended) = under_way.join_next().await {
            match ended {
                Ok((name, Ok(ids))) => {
                    if let Some(owner) = self.one_owner(name.kind, ids) {
                        owners.insert(name, owner);
                    }
                }
                Ok((name, Err(error))) => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    warn!(kind = name.kind.name(), %error, "nobody knows whose it is: the daemon could not be asked");
                }
                Err(error) => warn!(%error, "a look-up failed"),
            }
        }
    }

    /// The creator of all of them, if that is one.
    fn one_owner(&self, kind: Kind, ids: Vec<String>) -> Option<Arc<Owner>> {
        let objects = self.ledger.objects();
        let mut owners = ids.into_iter().map(|id| objects.get(&Key { kind, id }).map(|(owner, _)| owner));
        let first = owners.next()??;
        owners.all(|owner| owner.as_ref() == Some(&first)).then_some(first)
    }
}

fn key_of(requirement: &Requirement) -> Key {
    Key { kind: requirement.resource.kind, id: unslashed(&requirement.resource.name) }
}

/// The daemon puts a slash before a container's name, and takes one there for nothing.
fn unslashed(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

/// The name that something gets belongs to whoever owns it: no object has that name, or the daemon refuses.
fn renamed(requirements: &Requirements, owners: &mut Owners) {
    let mut renames = requirements.iter().filter(|requirement| requirement.action == Action::ContainerRename);
    let Some(old) = renames.next() else { return };
    let owner = owners.get(&key_of(old)).cloned();
    for new in renames {
        match &owner {
            Some(owner) => drop(owners.insert(key_of(new), Arc::clone(owner))),
            None => drop(owners.remove(&key_of(new))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authz::{Actions, Decision, Effect, Grant, Pattern, Permission, Principal, Rules};
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
        assert_eq!(fake.asked(), [""; 0]);
    }
}
