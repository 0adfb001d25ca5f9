//! Learning and forgetting: what calls are going to change, and what the daemon says that they did.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{error, warn};

use super::daemon::AskError;
use super::expected::{CREATES, Change, Expected, PRUNES, REMOVES, created};
use super::objects::{Added, Key};
use super::records::Row;
use super::{Inventory, Ledger, lookup};
use crate::authz::{Action, Kind, Owner, Requirements, Resource, Subject};
use crate::store::StoreError;

/// Volumes of one call that can become its subject's.
const VOLUMES: usize = 16;

/// Created, as every successful creation says itself.
const CREATED: u16 = 201;

/// No content, as every successful removal of one object says itself.
const REMOVED: u16 = 204;

impl Inventory {
    /// What a call is going to change, if the daemon carries it out; asked before the call is let through.
    ///
    /// A volume that is there already stays whose it is: the daemon reports its creation as done, also if it did
    /// nothing. Where the daemon cannot be asked, the volume is taken to be there, and so becomes nobody's.
    pub async fn expect(
        &self,
        subject: &Subject,
        operation: Action,
        object: &Resource,
        requirements: &Requirements,
    ) -> Option<Expected> {
        if PRUNES.contains(&operation) {
            return Some(Expected(Change::Pruned, None));
        }
        if let Some(kind) = kind_of(REMOVES, operation) {
            let key = Key { kind, id: object.name.clone() };
            let (_, age) = self.ledger.objects().get(&key)?;
            return Some(Expected(Change::Removed { key, age }, None));
        }
        let kind = kind_of(CREATES, operation)?;
        // What nobody known creates is nobody's.
        let owner = Owner { user: subject.user.clone()?, groups: subject.groups.clone() };
        let name = (object.name != Resource::ANY).then(|| object.name.clone());
        let mut volumes = Vec::new();
        if kind == Kind::Container {
            volumes = self.absent(volumes_of(requirements)).await;
        }
        if let (Kind::Volume, Some(name)) = (kind, &name) {
            self.absent(vec![name.clone()]).await.pop()?;
        }
        Some(Expected(Change::Created { kind, name, volumes, owner }, Some(self.pending.begin())))
    }

    /// Learns from the daemon's answer; returns once what was learned would survive power loss.
    ///
    /// dockerd waits for this before it answers the client, so nobody knows an ID that is not known here. An end
    /// of ours between the creation and this leaves the object nobody's: fails closed.
    pub async fn learn(self: &Arc<Self>, expected: Expected, status: Option<u16>, body: Option<&[u8]>) {
        // Whoever waits for an owner waits until this is over.
        let Expected(change, _pending) = expected;
        match change {
            Change::Created { kind, name, volumes, owner } if status == Some(CREATED) => {
                let Some(id) = body.and_then(|body| created(kind, body)) else {
                    warn!(
                        kind = kind.name(),
                        "the daemon created something and did not say what: it is nobody's"
                    );
                    return;
                };
                let created = (self.now)().as_millisecond();
                let row = |kind, id, name| Row { key: Key { kind, id }, name, owner: owner.clone(), created };
                let mut rows = vec![row(kind, id, name)];
                rows.extend(volumes.into_iter().map(|volume| row(Kind::Volume, volume, None)));
                self.change(move |ledger| ledger.add(rows)).await;
            }
            Change::Removed { key, age } if status == Some(REMOVED) => {
                self.change(move |ledger| ledger.remove(vec![(key, age)])).await;
            }
            Change::Pruned if status.is_some() => {
                let inventory = Arc::clone(self);
                tokio::spawn(async move { inventory.sweep().await });
            }
            // The daemon did not do it.
            Change::Created { .. } | Change::Removed { .. } | Change::Pruned => {}
        }
    }

    /// Those volumes that do not exist, which are forgotten thereby, if they were known.
    async fn absent(&self, names: Vec<String>) -> Vec<String> {
        let deadline = Instant::now() + self.settings.deadline;
        let mut under_way = JoinSet::new();
        for name in names.into_iter().take(VOLUMES) {
            // Before the daemon is asked: what is learned meanwhile has another age, and stays.
            let age =
                self.ledger.objects().get(&Key { kind: Kind::Volume, id: name.clone() }).map(|(_, age)| age);
            let daemon = Arc::clone(&self.daemon);
            under_way.spawn(async move {
                let exists = timeout_at(deadline, lookup::volume_exists(&daemon, &name)).await;
                (name, age, exists.unwrap_or(Err(AskError::Deadline)))
            });
        }
        let (mut absent, mut gone) = (Vec::new(), Vec::new());
        while let Some(ended) = under_way.join_next().await {
            match ended {
                Ok((_, _, Ok(true))) => {}
                Ok((name, age, Ok(false))) => {
                    gone.extend(age.map(|age| (Key { kind: Kind::Volume, id: name.clone() }, age)));
                    absent.push(name);
                }
                Ok((_, _, Err(error))) => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    warn!(%error, "a volume becomes nobody's: the daemon could not be asked whether it exists");
                }
                Err(error) => warn!(%error, "a look-up failed"),
            }
        }
        if !gone.is_empty() {
            self.change(move |ledger| ledger.remove(gone)).await;
        }
        absent
    }

    /// Changes file and memory, off the asynchronous path.
    pub(super) async fn change(
        &self,
        change: impl FnOnce(&Ledger) -> Result<(), StoreError> + Send + 'static,
    ) {
        let ledger = Arc::clone(&self.ledger);
        let failed = match tokio::task::spawn_blocking(move || change(&ledger)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic.to_string(),
        };
        // What memory holds still counts until the next start; then it is nobody's.
        self.counts.unlearned.fetch_add(1, Ordering::Relaxed);
        error!(error = failed, "the inventory could not be written");
    }
}

impl Ledger {
    /// Remembers what is new; the first owner of anything stays.
    fn add(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let mut records = self.records();
        let mut written = Ok(());
        for row in rows {
            let added = self.objects().add(row.key.clone(), row.owner.clone());
            match added {
                Added::New(gone) => {
                    written = written.and(records.insert(&row));
                    if let Some(gone) = gone {
                        written = written.and(records.remove(&[gone]));
                    }
                }
                Added::Known => {}
                Added::Full => warn!(kind = row.key.kind.name(), "too many objects: one more is nobody's"),
            }
        }
        written
    }

    /// Forgets those entries that are still the ones that were seen.
    pub(super) fn remove(&self, entries: Vec<(Key, u64)>) -> Result<(), StoreError> {
        let mut records = self.records();
        let mut objects = self.objects();
        let gone: Vec<Key> =
            entries.into_iter().filter(|(key, age)| objects.remove(key, *age)).map(|(key, _)| key).collect();
        drop(objects);
        records.remove(&gone)
    }
}

fn kind_of(table: &[(Action, Kind)], operation: Action) -> Option<Kind> {
    table.iter().find(|(action, _)| *action == operation).map(|(_, kind)| *kind)
}

/// The named volumes that a new container mounts, and that the daemon makes where they are not there.
fn volumes_of(requirements: &Requirements) -> Vec<String> {
    let volumes = requirements.iter().filter(|requirement| requirement.action == Action::VolumeUse);
    volumes
        .map(|requirement| requirement.resource.name.clone())
        .filter(|name| name != Resource::ANY)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::authz::Requirement;
    use crate::inventory::fake::{Fake, call, done, subject};

    fn owner(inventory: &Inventory, kind: Kind, id: &str) -> Option<String> {
        inventory.owner(kind, id).map(|owner| owner.user.clone())
    }

    #[tokio::test]
    async fn whoever_creates_something_owns_it_also_after_a_restart() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        for (action, kind, body) in [
            (Action::ContainerCreate, Kind::Container, r#"{"Id":"c1"}"#),
            (Action::ContainerExec, Kind::Exec, r#"{"Id":"e1"}"#),
            (Action::NetworkCreate, Kind::Network, r#"{"Id":"n1"}"#),
            (Action::VolumeCreate, Kind::Volume, r#"{"Name":"v1"}"#),
            (Action::ServiceCreate, Kind::Service, r#"{"ID":"s1"}"#),
            (Action::SecretCreate, Kind::Secret, r#"{"ID":"x1"}"#),
            (Action::ConfigCreate, Kind::Config, r#"{"ID":"y1"}"#),
        ] {
            done(&inventory, "alice", &call(action, "web"), 201, body).await;
            let id = inventory.ledger.objects().of(kind)[0].0.id.clone();
            assert!(body.contains(&id));
            let expected =
                Some(Arc::new(Owner { user: "alice".to_owned(), groups: vec!["devs".to_owned()] }));
            assert_eq!(inventory.owner(kind, &id), expected, "{action}");
            assert_eq!(fake.inventory().owner(kind, &id), expected, "{action}");
        }
        assert_eq!(fake.inventory().len(), 7);
    }

    #[tokio::test]
    async fn what_the_daemon_did_not_create_or_nobody_known_created_is_nobodys() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        let create = call(Action::ContainerCreate, "web");
        done(&inventory, "alice", &create, 409, r#"{"message":"taken"}"#).await;
        done(&inventory, "alice", &create, 200, r#"{"Id":"c1"}"#).await;
        done(&inventory, "alice", &create, 201, r#"{"Warnings":[]}"#).await;
        done(&inventory, "alice", &call(Action::ImagePull, "web"), 201, r#"{"Id":"c1"}"#).await;
        let anonymous = Subject::anonymous();
        let object = Resource::any(Kind::Container);
        assert!(inventory.expect(&anonymous, Action::ContainerCreate, &object, &create).await.is_none());
        assert!(inventory.is_empty());
    }

    #[tokio::test]
    async fn creating_a_volume_that_is_there_already_does_not_take_it_over() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        let create = call(Action::VolumeCreate, "data");
        fake.add(Kind::Volume, "data", &[]);
        done(&inventory, "bob", &create, 201, r#"{"Name":"data"}"#).await;
        assert_eq!(owner(&inventory, Kind::Volume, "data"), None);

        fake.remove("data");
        done(&inventory, "alice", &create, 201, r#"{"Name":"data"}"#).await;
        fake.add(Kind::Volume, "data", &[]);
        done(&inventory, "bob", &create, 201, r#"{"Name":"data"}"#).await;
        assert_eq!(owner(&inventory, Kind::Volume, "data").as_deref(), Some("alice"));
    }

    #[tokio::test]
    async fn of_two_who_create_a_volume_at_once_the_first_owns_it() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        let create = call(Action::VolumeCreate, "data");
        let object = Resource::new(Kind::Volume, "data");
        let expected =
            inventory.expect(&subject("bob"), Action::VolumeCreate, &object, &create).await.unwrap();
        done(&inventory, "alice", &create, 201, r#"{"Name":"data"}"#).await;
        inventory.learn(expected, Some(201), Some(br#"{"Name":"data"}"#)).await;
        assert_eq!(owner(&inventory, Kind::Volume, "data").as_deref(), Some("alice"));
    }

    #[tokio::test]
    async fn a_volume_that_went_unheard_of_is_not_its_old_owners_when_it_is_made_again() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        done(&inventory, "alice", &call(Action::VolumeCreate, "data"), 201, r#"{"Name":"data"}"#).await;
        let mut create = call(Action::ContainerCreate, "web");
        create.push(Requirement::new(Action::VolumeUse, "data"));
        done(&inventory, "bob", &create, 201, r#"{"Id":"c1"}"#).await;
        assert_eq!(owner(&inventory, Kind::Volume, "data").as_deref(), Some("bob"));
        assert_eq!(owner(&fake.inventory(), Kind::Volume, "data").as_deref(), Some("bob"));
    }

    #[tokio::test]
    async fn a_volume_without_a_name_is_its_creators() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        done(&inventory, "alice", &call(Action::VolumeCreate, "*"), 201, r#"{"Name":"ab12"}"#).await;
        assert_eq!(owner(&inventory, Kind::Volume, "ab12").as_deref(), Some("alice"));
    }

    #[tokio::test]
    async fn a_volume_becomes_nobodys_where_the_daemon_does_not_answer() {
        for make_deaf in [Fake::fail, Fake::fall_silent] {
            let fake = Fake::start();
            let inventory = fake.inventory_waiting(Duration::from_millis(1));
            make_deaf(&fake);
            done(&inventory, "alice", &call(Action::VolumeCreate, "data"), 201, r#"{"Name":"data"}"#).await;
            assert!(inventory.is_empty());
            assert_eq!(inventory.counts().failed.load(Ordering::Relaxed), 1);
        }
    }

    #[tokio::test]
    async fn what_is_removed_is_forgotten_for_good() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        done(&inventory, "alice", &call(Action::VolumeCreate, "data"), 201, r#"{"Name":"data"}"#).await;
        let delete = call(Action::VolumeDelete, "data");
        done(&inventory, "carol", &delete, 409, "").await;
        assert_eq!(owner(&inventory, Kind::Volume, "data").as_deref(), Some("alice"));
        done(&inventory, "carol", &delete, 204, "").await;
        assert!(inventory.is_empty());
        assert!(fake.inventory().is_empty());
    }

    #[tokio::test]
    async fn a_late_report_of_a_removal_does_not_touch_what_was_created_since() {
        let fake = Fake::start();
        let inventory = fake.inventory();
        let (create, delete) = (call(Action::VolumeCreate, "data"), call(Action::VolumeDelete, "data"));
        done(&inventory, "alice", &create, 201, r#"{"Name":"data"}"#).await;
        let object = Resource::new(Kind::Volume, "data");
        let removal =
            inventory.expect(&subject("alice"), Action::VolumeDelete, &object, &delete).await.unwrap();
        done(&inventory, "bob", &create, 201, r#"{"Name":"data"}"#).await;
        inventory.learn(removal, Some(204), None).await;
        assert_eq!(owner(&inventory, Kind::Volume, "data").as_deref(), Some("bob"));
    }
}
