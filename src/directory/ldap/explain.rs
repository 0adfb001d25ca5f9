//! A look-up that tells how it came to its answer, and what looks wrong where it has none.

use ldap3::Scope;
use tokio::time::Instant;

use super::Failure;
use super::connection::Search;
use super::filter::{Filter, Place};
use super::lookup::{Asking, Memberships, Trace, groups};
use super::person::{Person, person};
use super::preset::GroupsBy;
use super::walk;
use crate::directory::{DirectoryError, Explained, Membership, Via};

/// Attributes that hold names of users in one kind of directory or another.
const NAMES: &str =
    "(|(uid={user})(sAMAccountName={user})(userPrincipalName={user})(cn={user})(mail={user}))";

/// How many entries are named as what could be meant.
const MEANT: usize = 5;

/// Looks the user up, one search a group, so that it can be told how each is come by.
pub(super) async fn explain(
    asking: Asking<'_>,
    trace: &Trace,
    began: Instant,
    name: &str,
) -> Result<Explained, Failure> {
    trace.note("connection", began, 0);
    let asking = Asking { trace: Some(trace), ..asking };
    let mut told = Explained { presented: name.to_owned(), ..Explained::default() };
    match person(asking, name).await {
        Ok(person) => {
            told.user = Some(person.name.clone());
            told.entry = Some(person.entry.dn.clone());
            match groups(asking, &person).await {
                Ok(groups) => {
                    let groups = with_ways(asking, &person, groups, &mut told.warnings).await?;
                    if groups.is_empty() {
                        told.warnings.push(advice(asking.profile.groups).to_owned());
                    }
                    told.groups = groups.into_iter().map(|(name, via)| Membership::new(name, &via)).collect();
                }
                Err(Failure::Answer(error)) => told.error = Some(error.to_string()),
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Answer(error)) => {
            if error == DirectoryError::NoSuchUser {
                told.warnings.extend(elsewhere(asking, name).await?);
            }
            told.error = Some(error.to_string());
        }
        Err(failure) => return Err(failure),
    }
    Ok(told)
}

/// Where the server only says that the user is in a group, the way is looked for.
async fn with_ways(
    asking: Asking<'_>,
    person: &Person,
    mut groups: Memberships,
    warnings: &mut Vec<String>,
) -> Result<Memberships, Failure> {
    match asking.profile.groups {
        GroupsBy::Walk | GroupsBy::Name => return Ok(groups),
        GroupsBy::MemberOf | GroupsBy::TokenGroups => {}
    }
    let walked = match walk::groups(asking, &person.entry.dn).await {
        Ok(walked) => walked,
        Err(Failure::Answer(error)) => {
            warnings.push(format!("how the user is in each group could not be told: {error}"));
            return Ok(groups);
        }
        Err(failure) => return Err(failure),
    };
    for (name, way) in walked {
        match groups.get_mut(&name) {
            Some(via) if *via == Via::Told => *via = way,
            Some(_) => {}
            None => warnings.push(format!(
                "`{}` has the user as a member, and the server does not count it: a group for mail only?",
                name.escape_debug()
            )),
        }
    }
    Ok(groups)
}

/// What to look at where a user has no groups.
const fn advice(groups: GroupsBy) -> &'static str {
    match groups {
        GroupsBy::Walk => {
            "no group has this entry in `member`: for groups with `uniqueMember` set `group_filter`, for those \
             with `memberUid` take the preset `rfc2307`; may the service account read groups?"
        }
        GroupsBy::Name => {
            "no group has this name in `memberUid`, and none has the user's `gidNumber`: for groups with `member` \
             take the preset `openldap`; may the service account read groups?"
        }
        GroupsBy::MemberOf => {
            "the entry has no `memberOf` below `group_base`: is the server's plugin for it on, and may the service \
             account read it?"
        }
        // Without any, there is an error already.
        GroupsBy::TokenGroups => "the server counts no groups",
    }
}

/// Entries that could be meant by a name that the settings do not find.
async fn elsewhere(asking: Asking<'_>, name: &str) -> Result<Vec<String>, Failure> {
    let Ok(filter) = Filter::new(NAMES, Place::User) else { return Ok(Vec::new()) };
    let profile = asking.profile;
    let base = Search {
        base: &profile.base_dn,
        scope: Scope::Subtree,
        filter: &filter.fill(name),
        attributes: &["1.1"],
        limit: MEANT,
    };
    let found = asking.found("entries of that name anywhere", base).await?;
    if found.entries.is_empty() {
        return Ok(vec![format!(
            "no entry below `{}` has this name: is it the right `base_dn`, and may the service account read it?",
            profile.base_dn
        )]);
    }
    let told = |dn: &str| {
        format!(
            "`{}` has this name, and `{}` below `{}` does not find it: another preset than `{}`, or another `user_filter` or `user_base`?",
            dn.escape_debug(),
            profile.user_filter.fill(name),
            profile.user_base,
            profile.preset
        )
    };
    Ok(found.entries.iter().map(|entry| told(&entry.dn)).collect())
}
