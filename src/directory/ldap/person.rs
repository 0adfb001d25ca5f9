//! The one entry of a user, and whether it may come in.

use ldap3::Scope;

use super::Failure;
use super::connection::Search;
use super::dn::Dn;
use super::entry::Entry;
use super::filter::{Filter, Place};
use super::lookup::{Asking, incomplete, whole};
use super::preset::GroupsBy;
use super::profile::Profile;
use super::refusal;
use crate::directory::{DirectoryError, Refused};
use crate::identity::check_name;

/// A user who may come in, as far as the entry says.
pub(super) struct Person {
    /// The canonical name.
    pub(super) name: String,
    /// The entry, with what its groups are found by; its DN is as the server spells it.
    pub(super) entry: Entry,
}

/// The entry of a user, unless it refuses the user.
pub(super) async fn person(asking: Asking<'_>, name: &str) -> Result<Person, Failure> {
    let profile = asking.profile;
    let entry = entry(asking, name).await?;
    refusal::check(&entry, profile.refusals, asking.now)?;
    // Servers match more loosely than policies do: case, blanks, compatibility forms. From here on only
    // the entry's own spelling counts, or a denial could be dodged by a capital letter.
    let [canonical] = entry.texts(&profile.user_name_attr)?[..] else {
        return Err(refused(Refused::Unnamed));
    };
    if check_name(canonical).is_err() {
        return Err(refused(Refused::Unnamed));
    }
    let name = canonical.to_owned();
    Ok(Person { name, entry })
}

/// The one entry that the name matches.
async fn entry(asking: Asking<'_>, name: &str) -> Result<Entry, Failure> {
    let profile = asking.profile;
    let (domain, user) = match name.split_once('\\').filter(|_| profile.domains) {
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    let at = profile.user_at_filter.as_ref().filter(|_| domain.is_none() && user.contains('@'));
    let search = Search {
        base: &profile.user_base,
        scope: Scope::Subtree,
        filter: &at.unwrap_or(&profile.user_filter).fill(user),
        attributes: &attributes(profile),
        limit: 1,
    };
    let mut found = asking.found("the user's entry", search).await?;
    // Two are two even where the server cut the answer short after them.
    if found.entries.len() > 1 {
        let dns: Vec<&str> = found.entries.iter().map(|entry| entry.dn.as_str()).collect();
        tracing::warn!(user = name, entries = ?dns, "two entries have the same name");
        return Err(refused(Refused::Ambiguous));
    }
    whole(&found)?;
    let entry = found.entries.pop().ok_or(Failure::Answer(DirectoryError::NoSuchUser))?;
    if let Some(domain) = domain
        && !is_of(asking, &entry, domain).await?
    {
        return Err(Failure::Answer(DirectoryError::NoSuchUser));
    }
    Ok(entry)
}

/// Whether the entry is of the domain with that short name: the same name in another domain is somebody else.
async fn is_of(asking: Asking<'_>, entry: &Entry, domain: &str) -> Result<bool, Failure> {
    let Ok(named) = Filter::new("(&(objectClass=crossRef)(nETBIOSName={user}))", Place::User) else {
        return Ok(false);
    };
    let place = |entry: &Entry, attribute| match entry.texts(attribute)?[..] {
        [one] => Ok(one.to_owned()),
        _ => Err(incomplete(format!("the server shows no `{attribute}`, which tells domains apart"))),
    };
    let (scope, attributes) = (Scope::Base, &["configurationNamingContext"][..]);
    let root = Search { base: "", scope, filter: "(objectClass=*)", attributes, limit: 1 };
    let [root] = &asking.search("the server's own entry", root).await?[..] else { return Ok(false) };
    let base = format!("CN=Partitions,{}", place(root, "configurationNamingContext")?);
    let (scope, attributes) = (Scope::OneLevel, &["nCName"][..]);
    let domains = Search { base: &base, scope, filter: &named.fill(domain), attributes, limit: 1 };
    let [domain] = &asking.search("the domain", domains).await?[..] else { return Ok(false) };
    let (own, top) = (Dn::parse(&entry.dn), Dn::parse(&place(domain, "nCName")?));
    // What cannot be compared is not the same.
    Ok(own.zip(top).is_some_and(|(own, top)| own.is_of(&top)))
}

/// What is asked for of the user's entry.
fn attributes(profile: &Profile) -> Vec<&str> {
    let groups: &[&str] = match profile.groups {
        GroupsBy::Walk => &[],
        GroupsBy::Name => &["gidNumber"],
        GroupsBy::MemberOf => &["gidNumber", "memberOf"],
        GroupsBy::TokenGroups => &["objectSid", "primaryGroupID"],
    };
    let mut attributes = vec![profile.user_name_attr.as_str()];
    attributes.extend(profile.refusals.iter().map(|refusal| refusal.attribute));
    attributes.extend(groups);
    attributes
}

fn refused(reason: Refused) -> Failure {
    Failure::Answer(DirectoryError::Refused(reason))
}
