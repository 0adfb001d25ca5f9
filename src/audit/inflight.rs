//! Calls that were let through and whose response has not come yet, found again by their content.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

/// What makes two questions of dockerd the same call: everything that it repeats with the response.
///
/// dockerd gives a call no id. Clients that send a `Traceparent` header make the match exact;
/// without one, equal calls in flight at the same time are told apart by their order only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The SHA-256 of the parts, each with its length before it.
    pub fn of<'a>(
        user: &str,
        method: &str,
        uri: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) -> Self {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(user.as_bytes());
        part(method.as_bytes());
        part(uri.as_bytes());
        part(body);
        // Last, as their number varies; a map's order makes equal headers equal bytes.
        for (name, value) in headers {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

/// A bounded table from content to calls in flight, first in first out among equals.
///
/// An entry can stay for days: the response to an attach comes when the session ends. When the
/// table is full the oldest entry goes, is counted, and its call keeps an unknown outcome.
#[derive(Debug)]
pub struct InFlight<T> {
    capacity: usize,
    table: Mutex<Table<T>>,
}

#[derive(Debug)]
struct Table<T> {
    next: u64,
    dropped: u64,
    by_content: HashMap<ContentHash, VecDeque<(u64, T)>>,
    by_age: BTreeMap<u64, ContentHash>,
}

impl<T> InFlight<T> {
    /// How many calls are remembered unless told otherwise.
    pub const CAPACITY: usize = 65_536;

    /// An empty table for at most `capacity` calls.
    pub fn new(capacity: usize) -> Self {
        let table = Table { next: 0, dropped: 0, by_content: HashMap::new(), by_age: BTreeMap::new() };
        Self { capacity, table: Mutex::new(table) }
    }

    /// Remembers a call that was let through.
    pub fn insert(&self, content: ContentHash, call: T) {
        let mut table = self.table();
        while table.by_age.len() >= self.capacity.max(1) {
            if table.drop_oldest().is_none() {
                break;
            }
            table.dropped += 1;
        }
        let age = table.next;
        table.next += 1;
        table.by_age.insert(age, content);
        table.by_content.entry(content).or_default().push_back((age, call));
    }

    /// Finds and forgets the oldest call of that content.
    pub fn take(&self, content: ContentHash) -> Option<T> {
        let mut table = self.table();
        let (age, call) = table.pop(content)?;
        table.by_age.remove(&age);
        Some(call)
    }

    /// How many calls wait for their response.
    pub fn len(&self) -> usize {
        self.table().by_age.len()
    }

    /// Whether no call waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls were forgotten for want of space.
    pub fn dropped(&self) -> u64 {
        self.table().dropped
    }

    fn table(&self) -> MutexGuard<'_, Table<T>> {
        // Nothing between lock and unlock can leave the table half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Table<T> {
    fn drop_oldest(&mut self) -> Option<T> {
        let (_, content) = self.by_age.pop_first()?;
        self.pop(content).map(|(_, call)| call)
    }

    fn pop(&mut self, content: ContentHash) -> Option<(u64, T)> {
        let calls = self.by_content.get_mut(&content)?;
        let first = calls.pop_front();
        if calls.is_empty() {
            self.by_content.remove(&content);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(user: &str, uri: &str, trace: &str) -> ContentHash {
        ContentHash::of(user, "POST", uri, [("Traceparent", trace)], b"{}")
    }

    #[test]
    fn equal_calls_are_answered_in_the_order_they_came() {
        let calls = InFlight::new(8);
        let same = content("alice", "/containers/a/start", "");
        calls.insert(same, 1);
        calls.insert(content("bob", "/containers/a/start", ""), 2);
        calls.insert(same, 3);
        assert_eq!([calls.take(same), calls.take(same), calls.take(same)], [Some(1), Some(3), None]);
        assert_eq!((calls.len(), calls.dropped()), (1, 0));
    }

    #[test]
    fn every_part_tells_calls_apart() {
        let all = [
            content("alice", "/a", "1"),
            content("alice", "/a", "2"),
            content("alice", "/b", "1"),
            content("bob", "/a", "1"),
            content("ali", "ce/a", "1"),
            ContentHash::of("alice", "GET", "/a", [("Traceparent", "1")], b"{}"),
            ContentHash::of("alice", "POST", "/a", [("Traceparent", "1")], b"{ }"),
            ContentHash::of("alice", "POST", "/a", [], b"{}"),
        ];
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), all.len());
    }

    #[test]
    fn the_oldest_call_goes_when_the_table_is_full() {
        let calls = InFlight::new(2);
        let (a, b, c) = (content("a", "", ""), content("b", "", ""), content("c", "", ""));
        calls.insert(a, 'a');
        calls.insert(b, 'b');
        calls.insert(c, 'c');
        assert_eq!((calls.len(), calls.dropped()), (2, 1));
        assert_eq!([calls.take(a), calls.take(b), calls.take(c)], [None, Some('b'), Some('c')]);
        assert!(calls.is_empty());
    }
}
