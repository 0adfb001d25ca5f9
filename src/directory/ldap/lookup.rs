//! One look-up on one connection: the user's entry, then the groups, complete or an error.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use ldap3::Scope;
use tokio::time::Instant;

use super::Failure;
use super::connection::{Connection, Found, Search};
use super::entry::Entry;
use super::person::{Person, person};
use super::preset::GroupsBy;
use super::profile::Profile;
use super::{member_of, token_groups, walk};
use crate::directory::{DirectoryError, Looked, Step, Via};
use crate::identity::check_name;

/// The largest number of groups of one user.
pub(super) const MAX_GROUPS: usize = 2000;

/// Codes that say that the server is in trouble, and another one may not be (RFC 4511 appendix A).
const TROUBLE: [u32; 4] = [1, 51, 52, 80];

/// The groups of a user: name to how they are come by.
pub(super) type Memberships = BTreeMap<String, Via>;

/// A look-up that is under way.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) connection: &'a Connection,
    pub(super) profile: &'a Profile,
    pub(super) now: Timestamp,
    /// Where every search is noted, if somebody wants to be told how the answer came about.
    pub(super) trace: Option<&'a Trace>,
}

/// What a look-up did.
#[derive(Debug, Default)]
pub(super) struct Trace(Mutex<Vec<Step>>);

impl Trace {
    /// Notes that something took the time since then, and how many entries it gave.
    pub(super) fn note(&self, what: &str, since: Instant, entries: usize) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a hundred searches of one kind, their sum tells more.
        match steps.last_mut().filter(|last| last.what == what) {
            Some(last) => {
                last.micros = last.micros.saturating_add(micros);
                last.times += 1;
                last.entries += entries;
            }
            None => steps.push(Step { what: what.to_owned(), times: 1, entries, micros }),
        }
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user's canonical name and all groups.
pub(super) async fn look_up(asking: Asking<'_>, name: &str) -> Result<Looked, Failure> {
    let person = person(asking, name).await?;
    let groups = groups(asking, &person).await?;
    Ok(Looked { user: person.name, groups: groups.into_keys().collect(), stale: false })
}

/// All groups of the user.
pub(super) async fn groups(asking: Asking<'_>, person: &Person) -> Result<Memberships, Failure> {
    match asking.profile.groups {
        GroupsBy::Walk => walk::groups(asking, &person.entry.dn).await,
        GroupsBy::Name => {
            let mut groups = by_name(asking, person).await?;
            groups.extend(primary(asking, person).await?);
            bounded(groups)
        }
        GroupsBy::MemberOf => {
            let mut groups = member_of::groups(asking, &person.entry).await?;
            groups.extend(primary(asking, person).await?);
            bounded(groups)
        }
        GroupsBy::TokenGroups => token_groups::groups(asking, person).await,
    }
}

/// The groups that name the user. The name is the entry's own: members are compared by case, entries are not.
async fn by_name(asking: Asking<'_>, person: &Person) -> Result<Memberships, Failure> {
    let filter = asking.profile.group_filter.fill(&person.name);
    let found = asking.groups("groups that name the user", &filter, &[]).await?;
    found.iter().map(|group| Ok((group_name(asking.profile, group)?, Via::Member(Vec::new())))).collect()
}

/// The groups with the number in the user's entry, and what they are members of; often there is no such group.
async fn primary(asking: Asking<'_>, person: &Person) -> Result<Memberships, Failure> {
    let Some(filter) = &asking.profile.primary_filter else { return Ok(Memberships::new()) };
    let mut groups = Memberships::new();
    for number in person.entry.texts("gidNumber")? {
        let more: &[&str] = match asking.profile.groups {
            GroupsBy::MemberOf => &["memberOf"],
            GroupsBy::Walk | GroupsBy::Name | GroupsBy::TokenGroups => &[],
        };
        for group in asking.groups("primary group", &filter.fill(number), more).await? {
            groups.insert(group_name(asking.profile, &group)?, Via::Primary);
            if asking.profile.groups == GroupsBy::MemberOf {
                groups.extend(member_of::groups(asking, &group).await?);
            }
        }
    }
    Ok(groups)
}

impl Asking<'_> {
    /// The entries of a search that came to its end.
    pub(super) async fn search(&self, what: &str, search: Search<'_>) -> Result<Vec<Entry>, Failure> {
        let found = self.found(what, search).await?;
        whole(&found)?;
        Ok(found.entries)
    }

    /// The group entries that a filter finds, with their names and more attributes.
    pub(super) async fn groups(
        &self,
        what: &str,
        filter: &str,
        more: &[&str],
    ) -> Result<Vec<Entry>, Failure> {
        let attributes = [&[self.profile.group_name_attr.as_str()], more].concat();
        let base = &self.profile.group_base;
        let scope = Scope::Subtree;
        self.search(what, Search { base, scope, filter, attributes: &attributes, limit: MAX_GROUPS }).await
    }

    /// What a search gave, however it ended.
    pub(super) async fn found(&self, what: &str, search: Search<'_>) -> Result<Found, Failure> {
        let since = Instant::now();
        let found = self.connection.search(&search).await;
        if let Some(trace) = self.trace {
            trace.note(what, since, found.as_ref().map_or(0, |found| found.entries.len()));
        }
        found
    }

    /// All values of an entry's attribute, of which servers send only so many at a time.
    pub(super) async fn values(&self, entry: &Entry, attribute: &str) -> Result<Vec<Vec<u8>>, Failure> {
        let (part, mut next) = entry.part(attribute, 0)?;
        let mut values: Vec<Vec<u8>> = part.into_iter().map(<[u8]>::to_vec).collect();
        while let Some(from) = next {
            if from > MAX_GROUPS {
                return Err(too_many());
            }
            let ranged = format!("{attribute};range={from}-*");
            let base = Search {
                base: &entry.dn,
                scope: Scope::Base,
                filter: "(objectClass=*)",
                attributes: &[&ranged],
                limit: 1,
            };
            let found = self.search("more values", base).await?;
            let [entry] = &found[..] else {
                return Err(incomplete(format!("an entry was gone while its `{attribute}` was read")));
            };
            let (part, after) = entry.part(attribute, from)?;
            values.extend(part.into_iter().map(<[u8]>::to_vec));
            next = after;
        }
        Ok(values)
    }
}

/// The name of a group's entry.
pub(super) fn group_name(profile: &Profile, group: &Entry) -> Result<String, Failure> {
    let attribute = &profile.group_name_attr;
    match group.texts(attribute)?[..] {
        [name] if check_name(name).is_ok() => Ok(name.to_owned()),
        // Left out, its denials would be left out with it.
        _ => {
            let dn = group.dn.escape_debug();
            Err(incomplete(format!("the group `{dn}` has not exactly one good `{attribute}`")))
        }
    }
}

/// A search that ended with anything but success may have given a part: size and time limits, referrals.
pub(super) fn whole(found: &Found) -> Result<(), Failure> {
    let Found { code, text, .. } = found;
    let reason = || format!("the server ended a search with code {code} `{}`", text.escape_debug());
    match found.code {
        0 => Ok(()),
        code if TROUBLE.contains(&code) => Err(Failure::Server(reason())),
        _ => Err(incomplete(reason())),
    }
}

fn bounded(groups: Memberships) -> Result<Memberships, Failure> {
    if groups.len() > MAX_GROUPS { Err(too_many()) } else { Ok(groups) }
}

/// Some of them are never an answer.
pub(super) fn too_many() -> Failure {
    incomplete(format!("the user is in more than {MAX_GROUPS} groups"))
}

/// No other server would say otherwise.
pub(super) fn incomplete(reason: String) -> Failure {
    Failure::Answer(DirectoryError::Incomplete(reason))
}
