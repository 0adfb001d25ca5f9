//! One look-up on one connection: the user's entry, then the groups upward, complete or an error.

use std::collections::{BTreeSet, HashSet};

use ldap3::Scope;

use super::Failure;
use super::connection::{Connection, Found};
use super::entry::Entry;
use super::filter::Filter;
use super::preset::{Refusal, When};
use crate::directory::{DirectoryError, Looked, Refused};
use crate::identity::check_name;

/// The longest chain of groups of groups.
const MAX_DEPTH: usize = 10;

/// The largest number of groups of one user.
const MAX_GROUPS: usize = 2000;

/// How many members one search asks for.
const MEMBERS_A_SEARCH: usize = 50;

/// Codes that say that the server is in trouble, and another one may not be (RFC 4511 appendix A).
const TROUBLE: [u32; 4] = [1, 51, 52, 80];

/// What to ask for: the preset with the settings laid over it.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) user_base: String,
    pub(super) user_filter: Filter,
    pub(super) user_name_attr: String,
    pub(super) group_base: String,
    pub(super) group_filter: Filter,
    pub(super) group_name_attr: String,
    pub(super) nested: bool,
    pub(super) refusals: &'static [Refusal],
}

/// The user's canonical name and all groups.
pub(super) async fn look_up(
    connection: &Connection,
    profile: &Profile,
    name: &str,
) -> Result<Looked, Failure> {
    let person = person(connection, profile, name).await?;
    let groups = groups(connection, profile, &person.dn).await?;
    Ok(Looked { user: person.name, groups: groups.into_iter().collect(), stale: false })
}

/// A user who may come in, as far as the entry says.
pub(super) struct Person {
    /// The canonical name.
    pub(super) name: String,
    /// The entry's DN, as the server spells it.
    pub(super) dn: String,
}

/// The entry of a user, unless it refuses the user.
pub(super) async fn person(
    connection: &Connection,
    profile: &Profile,
    name: &str,
) -> Result<Person, Failure> {
    let entry = user(connection, profile, name).await?;
    for refusal in profile.refusals {
        match refusal.when {
            When::Present if entry.has(refusal.attribute) => return Err(refused(refusal.reason)),
            When::Present => {}
        }
    }
    // Servers match more loosely than policies do: case, blanks, compatibility forms. From here on only
    // the entry's own spelling counts, or a denial could be dodged by a capital letter.
    let [canonical] = entry.texts(&profile.user_name_attr)?[..] else {
        return Err(refused(Refused::Unnamed));
    };
    if check_name(canonical).is_err() {
        return Err(refused(Refused::Unnamed));
    }
    Ok(Person { name: canonical.to_owned(), dn: entry.dn })
}

/// The one entry that the name matches.
async fn user(connection: &Connection, profile: &Profile, name: &str) -> Result<Entry, Failure> {
    let mut attributes = vec![profile.user_name_attr.as_str()];
    attributes.extend(profile.refusals.iter().map(|refusal| refusal.attribute));
    let filter = profile.user_filter.fill(name);
    let mut found = connection.search(&profile.user_base, Scope::Subtree, &filter, &attributes, 1).await?;
    // Two are two even where the server cut the answer short after them.
    if found.entries.len() > 1 {
        let dns: Vec<&str> = found.entries.iter().map(|entry| entry.dn.as_str()).collect();
        tracing::warn!(user = name, entries = ?dns, "two entries have the same name");
        return Err(refused(Refused::Ambiguous));
    }
    whole(&found)?;
    found.entries.pop().ok_or(Failure::Answer(DirectoryError::NoSuchUser))
}

/// The names of all groups above the entry. DNs are only handed back to the server that sent them, since
/// one DN has many spellings; a group is known again by the one that the server uses for its entry.
async fn groups(connection: &Connection, profile: &Profile, dn: &str) -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut members = vec![dn.to_owned()];
    let attributes = [profile.group_name_attr.as_str()];
    // The last round is the one that finds nothing.
    for _ in 0..=MAX_DEPTH {
        let mut above = Vec::new();
        for some in members.chunks(MEMBERS_A_SEARCH) {
            let filter = profile.group_filter.fill_any(some.iter().map(String::as_str));
            let found = connection
                .search(&profile.group_base, Scope::Subtree, &filter, &attributes, MAX_GROUPS)
                .await?;
            whole(&found)?;
            for group in found.entries {
                if !seen.insert(group.dn.clone()) {
                    continue;
                }
                if seen.len() > MAX_GROUPS {
                    return Err(incomplete(format!("the user is in more than {MAX_GROUPS} groups")));
                }
                names.insert(group_name(profile, &group)?);
                above.push(group.dn);
            }
        }
        if above.is_empty() || !profile.nested {
            return Ok(names);
        }
        members = above;
    }
    Err(incomplete(format!("groups are nested more than {MAX_DEPTH} deep")))
}

fn group_name(profile: &Profile, group: &Entry) -> Result<String, Failure> {
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
fn whole(found: &Found) -> Result<(), Failure> {
    let Found { code, text, .. } = found;
    let reason = || format!("the server ended a search with code {code} `{}`", text.escape_debug());
    match found.code {
        0 => Ok(()),
        code if TROUBLE.contains(&code) => Err(Failure::Server(reason())),
        _ => Err(incomplete(reason())),
    }
}

fn refused(reason: Refused) -> Failure {
    Failure::Answer(DirectoryError::Refused(reason))
}

/// No other server would say otherwise.
pub(super) fn incomplete(reason: String) -> Failure {
    Failure::Answer(DirectoryError::Incomplete(reason))
}
