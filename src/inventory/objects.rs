//! The objects whose creator is known, in memory: what the request path looks at.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::authz::{Kind, Owner};

/// An object as it is remembered: by its full ID, and a volume by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) id: String,
}

/// How many objects are remembered; far more than a host can hold.
const OBJECTS: usize = 1 << 18;

/// How many commands prepared with `docker exec` are remembered; the daemon forgets them soon after their end.
const EXECS: usize = 1 << 14;

/// How many of those that are gone are remembered; the daemon itself remembers 256 events.
const GONE: usize = 1 << 12;

/// Objects and their creators; bounded.
#[derive(Debug, Default)]
pub(super) struct Objects {
    next: u64,
    known: HashMap<Key, Entry>,
    execs: BTreeMap<u64, Key>,
    /// What is gone, oldest first: what happened to it is still told.
    gone: VecDeque<(Key, Arc<Owner>)>,
    /// One copy of each owner: somebody in many groups creates many things.
    owners: HashSet<Arc<Owner>>,
}

#[derive(Debug)]
struct Entry {
    owner: Arc<Owner>,
    /// Tells an entry from a later one under the same key.
    age: u64,
}

/// What became of an object that was to be remembered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It is remembered; and the oldest exec is not any more, where there were too many.
    New(Option<Key>),
    /// Somebody was there first, and stays.
    Known,
    /// There is no space: it is nobody's.
    Full,
}

impl Objects {
    /// Remembers an object, unless it is known already: the first owner stays.
    pub(super) fn add(&mut self, key: Key, owner: Owner) -> Added {
        if self.known.contains_key(&key) {
            return Added::Known;
        }
        let mut gone = None;
        if key.kind == Kind::Exec {
            if self.execs.len() >= EXECS {
                gone = self.execs.pop_first().map(|(_, oldest)| oldest);
            }
            if let Some(oldest) = &gone {
                self.known.remove(oldest);
            }
            self.execs.insert(self.next, key.clone());
        } else if self.known.len() >= OBJECTS + EXECS {
            return Added::Full;
        }
        let owner = self.owners.get(&owner).cloned().unwrap_or_else(|| Arc::new(owner));
        self.owners.insert(Arc::clone(&owner));
        self.known.insert(key, Entry { owner, age: self.next });
        self.next += 1;
        Added::New(gone)
    }

    /// Who created the object, and the entry's age.
    pub(super) fn get(&self, key: &Key) -> Option<(Arc<Owner>, u64)> {
        self.known.get(key).map(|entry| (Arc::clone(&entry.owner), entry.age))
    }

    /// Who created the object, also of one that is gone.
    pub(super) fn get_ever(&self, key: &Key) -> Option<Arc<Owner>> {
        let gone =
            || self.gone.iter().rev().find(|(known, _)| known == key).map(|(_, owner)| Arc::clone(owner));
        self.get(key).map(|(owner, _)| owner).or_else(gone)
    }

    /// Forgets the object, if its entry is still the one of that age.
    pub(super) fn remove(&mut self, key: &Key, age: u64) -> bool {
        if self.known.get(key).is_none_or(|entry| entry.age != age) {
            return false;
        }
        if let Some(entry) = self.known.remove(key) {
            if self.gone.len() >= GONE {
                self.gone.pop_front();
            }
            self.gone.push_back((key.clone(), entry.owner));
        }
        self.execs.remove(&age);
        // One left is the set's own.
        self.owners.retain(|owner| Arc::strong_count(owner) > 1);
        true
    }

    /// The objects of a kind and the ages of their entries.
    pub(super) fn of(&self, kind: Kind) -> Vec<(Key, u64)> {
        let of_kind = self.known.iter().filter(|(key, _)| key.kind == kind);
        of_kind.map(|(key, entry)| (key.clone(), entry.age)).collect()
    }

    /// How many objects are remembered.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str) -> Owner {
        Owner { user: user.to_owned(), groups: vec!["devs".to_owned()] }
    }

    fn key(kind: Kind, id: impl Into<String>) -> Key {
        Key { kind, id: id.into() }
    }

    #[test]
    fn the_first_owner_stays_until_the_object_is_gone() {
        let mut objects = Objects::default();
        let data = key(Kind::Volume, "data");
        assert_eq!(objects.add(data.clone(), owner("alice")), Added::New(None));
        assert_eq!(objects.add(data.clone(), owner("bob")), Added::Known);
        let (first, age) = objects.get(&data).unwrap();
        assert_eq!(*first, owner("alice"));
        assert!(objects.remove(&data, age));
        assert_eq!(objects.add(data.clone(), owner("bob")), Added::New(None));
        assert_eq!(*objects.get(&data).unwrap().0, owner("bob"));
    }

    #[test]
    fn an_entry_is_only_forgotten_by_whoever_saw_that_entry() {
        let mut objects = Objects::default();
        let data = key(Kind::Volume, "data");
        objects.add(data.clone(), owner("alice"));
        let (_, age) = objects.get(&data).unwrap();
        objects.remove(&data, age);
        objects.add(data.clone(), owner("bob"));
        assert!(!objects.remove(&data, age));
        assert_eq!(*objects.get(&data).unwrap().0, owner("bob"));
    }

    #[test]
    fn kinds_are_worlds_of_their_own() {
        let mut objects = Objects::default();
        objects.add(key(Kind::Network, "a"), owner("alice"));
        assert_eq!(objects.get(&key(Kind::Volume, "a")), None);
        assert_eq!(objects.of(Kind::Network).len(), 1);
        assert_eq!(objects.of(Kind::Volume), []);
    }

    #[test]
    fn of_too_many_execs_the_oldest_goes_and_nothing_else() {
        let mut objects = Objects::default();
        objects.add(key(Kind::Container, "c"), owner("alice"));
        for n in 0..EXECS {
            assert_eq!(objects.add(key(Kind::Exec, n.to_string()), owner("alice")), Added::New(None));
        }
        let gone = key(Kind::Exec, "0");
        assert_eq!(objects.add(key(Kind::Exec, "last"), owner("alice")), Added::New(Some(gone.clone())));
        assert_eq!(objects.get(&gone), None);
        assert_eq!(objects.len(), EXECS + 1);
        assert!(objects.get(&key(Kind::Container, "c")).is_some());
    }

    #[test]
    fn equal_owners_are_kept_once_and_only_as_long_as_needed() {
        let mut objects = Objects::default();
        for id in ["a", "b"] {
            objects.add(key(Kind::Container, id), owner("alice"));
        }
        assert_eq!(objects.owners.len(), 1);
        for (key, age) in objects.of(Kind::Container) {
            objects.remove(&key, age);
        }
        assert_eq!(objects.owners.len(), 1);
        objects.add(key(Kind::Container, "c"), owner("alice"));
        for n in 0..=GONE {
            let bobs = key(Kind::Container, n.to_string());
            objects.add(bobs.clone(), owner("bob"));
            let (_, age) = objects.get(&bobs).unwrap();
            objects.remove(&bobs, age);
        }
        let (c, age) = objects.of(Kind::Container).pop().unwrap();
        objects.remove(&c, age);
        assert_eq!(objects.owners.len(), 2);
        assert_eq!(objects.gone.len(), GONE);
    }

    #[test]
    fn what_is_gone_was_somebodys_and_a_new_one_of_that_name_is_anothers() {
        let mut objects = Objects::default();
        let data = key(Kind::Volume, "data");
        let user = |objects: &Objects| objects.get_ever(&data).map(|owner| owner.user.clone());
        objects.add(data.clone(), owner("alice"));
        let (_, age) = objects.get(&data).unwrap();
        objects.remove(&data, age);
        assert_eq!((objects.get(&data), user(&objects).as_deref()), (None, Some("alice")));
        objects.add(data.clone(), owner("bob"));
        assert_eq!(user(&objects).as_deref(), Some("bob"));
    }
}
