//! Groups by `memberOf`, which the server keeps complete: nested ones are in it.

use super::Failure;
use super::dn::Dn;
use super::entry::Entry;
use super::lookup::{Asking, MAX_GROUPS, Memberships, incomplete, too_many};
use crate::directory::Via;
use crate::identity::check_name;

/// The names of the groups that the entry is in. Other things have members too: roles, rules for hosts; they are
/// elsewhere in the tree.
pub(super) async fn groups(asking: Asking<'_>, entry: &Entry) -> Result<Memberships, Failure> {
    let attribute = &asking.profile.group_name_attr;
    let mut groups = Memberships::new();
    for value in asking.values(entry, "memberOf").await? {
        let text = String::from_utf8_lossy(&value);
        // Left out, its denials would be left out with it.
        let odd =
            || incomplete(format!("`memberOf` has `{}`, which gives no `{attribute}`", text.escape_debug()));
        let dn = Dn::parse(&text).ok_or_else(odd)?;
        if dn.is_below(&asking.profile.group_base_dn) {
            let name = dn.own(attribute).filter(|name| check_name(name).is_ok()).ok_or_else(odd)?;
            groups.insert(name.to_owned(), Via::Told);
        }
        if groups.len() > MAX_GROUPS {
            return Err(too_many());
        }
    }
    Ok(groups)
}
