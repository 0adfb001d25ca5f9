//! Groups by walking upward: those that have the user for a member, those that have these, and so on.

use std::collections::HashSet;

use super::Failure;
use super::lookup::{Asking, MAX_GROUPS, Memberships, group_name, incomplete, too_many};
use crate::directory::Via;

/// The longest chain of groups of groups.
const MAX_DEPTH: usize = 10;

/// How many members one search asks for.
const MEMBERS_A_SEARCH: usize = 50;

/// The names of all groups above the entry. DNs are only handed back to the server that sent them, since
/// one DN has many spellings; a group is known again by the one that the server uses for its entry.
pub(super) async fn groups(asking: Asking<'_>, dn: &str) -> Result<Memberships, Failure> {
    let profile = asking.profile;
    let mut groups = Memberships::new();
    let mut seen = HashSet::new();
    let mut members = vec![(dn.to_owned(), Vec::new())];
    // Which member a group was found by is only known where it was asked for alone.
    let at_once = if asking.trace.is_some() { 1 } else { MEMBERS_A_SEARCH };
    // The last round is the one that finds nothing.
    for _ in 0..=MAX_DEPTH {
        let mut above = Vec::new();
        for some in members.chunks(at_once) {
            let filter = profile.group_filter.fill_any(some.iter().map(|(dn, _)| dn.as_str()));
            let way = some.first().map(|(_, way)| way.clone()).unwrap_or_default();
            for group in asking.groups("groups by member", &filter, &[]).await? {
                if !seen.insert(group.dn.clone()) {
                    continue;
                }
                if seen.len() > MAX_GROUPS {
                    return Err(too_many());
                }
                let name = group_name(profile, &group)?;
                above.push((group.dn, [way.as_slice(), std::slice::from_ref(&name)].concat()));
                groups.entry(name).or_insert_with(|| Via::Member(way.clone()));
            }
        }
        if above.is_empty() || !profile.nested {
            return Ok(groups);
        }
        members = above;
    }
    Err(incomplete(format!("groups are nested more than {MAX_DEPTH} deep")))
}
