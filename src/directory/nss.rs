//! The host's own users and groups, as `id USER` shows them: what NSS knows, from files, sssd or winbind.

use std::ffi::CString;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, User, getgrouplist};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::cache::{Cache, Limits, MAX_NAMES};
use super::explain::Via;
use super::{DirectoryError, DirectoryStatus, Explained, Looked, Membership, Refused};
use crate::identity::check_name;

/// How many look-ups are under way at once. Each holds a thread for as long as the module behind it likes.
const IN_FLIGHT: usize = 8;

/// The longest time for one look-up; a thread that takes longer goes on by itself, and keeps its place.
const DEADLINE: Duration = Duration::from_secs(4);

/// More groups of one user are an error.
const MAX_GROUPS: usize = 2000;

/// The same times as for LDAP: NSS may be a directory, over the network, in another coat.
const LIMITS: Limits = Limits {
    ttl: Duration::from_mins(1),
    negative_ttl: Duration::from_secs(10),
    grace: Duration::from_mins(10),
    call_deadline: Duration::from_millis(1500),
    max_entries: 10_000,
    max_names: MAX_NAMES,
};

/// Users and groups of the host, behind a cache.
#[derive(Debug)]
pub struct NssDirectory {
    cache: Cache,
    slots: Arc<Semaphore>,
}

impl NssDirectory {
    pub(super) fn new() -> Self {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let asked = Arc::clone(&slots);
        let source = Box::new(move |user| -> Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(ask(Arc::clone(&asked), user))
        });
        Self { cache: Cache::new(LIMITS, source, Cache::monotonic()), slots }
    }

    pub(super) async fn groups(&self, user: &str) -> Result<Looked, DirectoryError> {
        self.cache.groups(user).await
    }

    pub(super) fn expire(&self) {
        self.cache.expire();
    }

    pub(super) fn flush(&self, user: Option<&str>) -> usize {
        self.cache.flush(user)
    }

    pub(super) fn status(&self) -> DirectoryStatus {
        DirectoryStatus { cache: Some(self.cache.status()), ..DirectoryStatus::plain("nss") }
    }

    /// What the host says now, past the cache.
    pub(super) async fn explain(&self, user: &str) -> Explained {
        let told = Explained {
            presented: user.to_owned(),
            source: "the host's users and groups (NSS)".to_owned(),
            ..Explained::default()
        };
        match ask(Arc::clone(&self.slots), user.to_owned()).await {
            Ok(looked) => Explained {
                user: Some(looked.user),
                groups: looked.groups.into_iter().map(|group| Membership::new(group, &Via::Told)).collect(),
                ..told
            },
            Err(error) => Explained { error: Some(error.to_string()), ..told },
        }
    }
}

/// One look-up on a thread of its own, since NSS blocks, for as long as it likes.
async fn ask(slots: Arc<Semaphore>, user: String) -> Result<Looked, DirectoryError> {
    let unavailable = |reason: &str| DirectoryError::Unavailable(reason.to_owned());
    let asked = async {
        let slot = slots.acquire_owned().await.map_err(|_| unavailable("the daemon is shutting down"))?;
        let looked = tokio::task::spawn_blocking(move || {
            let looked = look_up(&user);
            drop(slot);
            looked
        });
        looked.await.map_err(|_| unavailable("the host's answer could not be read"))?
    };
    let late = || unavailable("the host's users and groups (NSS) did not answer in time");
    timeout(DEADLINE, asked).await.map_err(|_| late())?
}

fn look_up(name: &str) -> Result<Looked, DirectoryError> {
    let failed = |errno: Errno| DirectoryError::Unavailable(format!("NSS: {}", errno.desc()));
    let user = User::from_name(name).map_err(failed)?.ok_or(DirectoryError::NoSuchUser)?;
    // NSS may know a name in several spellings; policies know the user's own.
    if check_name(&user.name).is_err() {
        return Err(DirectoryError::Refused(Refused::Unnamed));
    }
    let c_name = CString::new(user.name.as_str()).map_err(|_| DirectoryError::NoSuchUser)?;
    let numbers = getgrouplist(&c_name, user.gid).map_err(failed)?;
    if numbers.len() > MAX_GROUPS {
        return Err(DirectoryError::Incomplete(format!("the user is in more than {MAX_GROUPS} groups")));
    }
    let mut groups = numbers.into_iter().map(group_name).collect::<Result<Vec<_>, _>>()?;
    groups.sort();
    groups.dedup();
    Ok(Looked { user: user.name, groups, stale: false })
}

fn group_name(number: Gid) -> Result<String, DirectoryError> {
    let failed = |errno: Errno| DirectoryError::Unavailable(format!("NSS: {}", errno.desc()));
    match Group::from_gid(number).map_err(failed)? {
        Some(group) if check_name(&group.name).is_ok() => Ok(group.name),
        // Left out, its denials would be left out with it.
        Some(_) | None => Err(DirectoryError::Incomplete(format!(
            "the user's group {number} has no good name on this host: see `getent group {number}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn users_of_the_host_have_its_groups_and_nobody_else_is_known() {
        let directory = NssDirectory::new();
        let root = directory.groups("root").await.unwrap();
        assert_eq!((root.user.as_str(), root.groups.contains(&"root".to_owned())), ("root", true));
        let told = directory.explain("root").await;
        assert_eq!(
            told.groups.iter().map(|group| &group.group).collect::<Vec<_>>(),
            root.groups.iter().collect::<Vec<_>>()
        );
        for stranger in ["no-such-user-here", "0", "root:", "ro\0ot"] {
            assert_eq!(directory.groups(stranger).await, Err(DirectoryError::NoSuchUser), "{stranger:?}");
        }
        assert_eq!(directory.status().cache.unwrap().users, 1);
    }

    #[test]
    fn a_group_without_a_name_is_not_left_out() {
        assert_eq!(
            group_name(Gid::from_raw(4_123_456_789)).unwrap_err().to_string(),
            "identity incomplete: the user's group 4123456789 has no good name on this host: see `getent group 4123456789`"
        );
    }
}
