//! Groups by `tokenGroups`: the server computes the identifiers of all of them, and entries give them names.

use std::collections::HashMap;

use ldap3::Scope;

use super::Failure;
use super::connection::Search;
use super::lookup::{Asking, MAX_GROUPS, Memberships, group_name, incomplete, too_many};
use super::person::Person;
use super::sid::Sid;
use crate::directory::Via;

/// How many identifiers one search asks names for.
const NAMES_A_SEARCH: usize = 50;

/// The names of all groups. One that has no entry here, of another domain of the forest or of one that the user
/// came from, goes by its identifier: so it can be granted and denied, and is not left out.
pub(super) async fn groups(asking: Asking<'_>, person: &Person) -> Result<Memberships, Failure> {
    let own = person.entry.part("objectSid", 0)?.0.first().and_then(|value| Sid::read(value));
    let own = own.ok_or_else(|| incomplete("the user's entry shows no good `objectSid`".to_owned()))?;
    let sids = sids(asking, &person.entry.dn).await?;
    let names = names(asking, &sids).await?;
    let mut groups = Memberships::new();
    for sid in sids {
        let name = match names.get(&sid) {
            Some(name) => name.clone(),
            None if sid.has_entry_beside(&own) => {
                return Err(incomplete(format!(
                    "the group `{sid}` shows no name: let the service account read it"
                )));
            }
            None => sid.to_string(),
        };
        let via = if is_primary(person, &sid, &own)? { Via::Primary } else { Via::Told };
        groups.insert(name, via);
    }
    Ok(groups)
}

/// The identifiers of all groups; computed only for one entry that is asked for by its DN.
async fn sids(asking: Asking<'_>, dn: &str) -> Result<Vec<Sid>, Failure> {
    let search = Search {
        base: dn,
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes: &["tokenGroups"],
        limit: 1,
    };
    let found = asking.search("token groups", search).await?;
    let [entry] = &found[..] else {
        return Err(incomplete("the user's entry was gone while its groups were read".to_owned()));
    };
    let values = asking.values(entry, "tokenGroups").await?;
    if values.len() > MAX_GROUPS {
        return Err(too_many());
    }
    // Everybody has a primary group.
    if values.is_empty() {
        return Err(incomplete(
            "the server shows no `tokenGroups`: let the service account read them".to_owned(),
        ));
    }
    let sid = |value: Vec<u8>| {
        Sid::read(&value).ok_or_else(|| incomplete("`tokenGroups` has what is no identifier".to_owned()))
    };
    values.into_iter().map(sid).collect()
}

async fn names(asking: Asking<'_>, sids: &[Sid]) -> Result<HashMap<Sid, String>, Failure> {
    let mut names = HashMap::new();
    for some in sids.chunks(NAMES_A_SEARCH) {
        let any: String = some.iter().map(Sid::filter).collect();
        for group in asking.groups("names of groups", &format!("(|{any})"), &["objectSid"]).await? {
            let sid = group.part("objectSid", 0)?.0.first().and_then(|value| Sid::read(value));
            let sid =
                sid.ok_or_else(|| incomplete("a group's entry shows no good `objectSid`".to_owned()))?;
            let name = group_name(asking.profile, &group)?;
            // It would be taken for a group of another domain.
            if name.starts_with("S-1-") {
                return Err(incomplete(format!("the group `{sid}` has an identifier for a name: rename it")));
            }
            names.insert(sid, name);
        }
    }
    Ok(names)
}

fn is_primary(person: &Person, sid: &Sid, own: &Sid) -> Result<bool, Failure> {
    let number = person.entry.texts("primaryGroupID")?;
    Ok(sid.has_entry_beside(own) && number.iter().any(|number| sid.last().to_string() == *number))
}
