//! The text of the file directory to users with all their groups; cycles and unknown names are errors.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{User, Users};
use crate::directory::SettingsError;
use crate::identity::check_name;

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Raw {
    users: BTreeMap<Spanned<String>, RawUser>,
    groups: BTreeMap<Spanned<String>, RawGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    #[serde(default)]
    disabled: bool,
    /// The groups that the user is a member of.
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    /// The groups that the group is a member of.
    #[serde(default)]
    groups: Vec<Spanned<String>>,
}

/// Which groups each group is directly a member of.
type Parents<'a> = BTreeMap<&'a str, &'a [Spanned<String>]>;

/// Reads the whole text; `file` is for messages.
pub(super) fn parse(file: &str, text: &str) -> Result<Users, SettingsError> {
    let raw: Raw = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        SettingsError::new(place(file, text, at), error.message())
    })?;
    let fail = |at: &Spanned<String>, message: String| {
        Err(SettingsError::new(place(file, text, at.span().start), message))
    };
    for name in raw.users.keys().chain(raw.groups.keys()) {
        if let Err(error) = check_name(name.get_ref()) {
            return fail(name, format!("`{}` cannot be a name: {error}", name.get_ref().escape_debug()));
        }
    }
    let parents: Parents<'_> =
        raw.groups.iter().map(|(name, group)| (name.get_ref().as_str(), group.groups.as_slice())).collect();
    let mentioned = raw
        .users
        .values()
        .flat_map(|user| &user.groups)
        .chain(raw.groups.values().flat_map(|group| &group.groups));
    for name in mentioned {
        if !parents.contains_key(name.get_ref().as_str()) {
            return fail(name, unknown(name.get_ref(), &parents));
        }
    }
    for name in raw.groups.keys() {
        if let Some(cycle) = cycle(name.get_ref(), &parents) {
            return fail(
                name,
                format!("groups are members of each other: {}; take one step out", cycle.join(" → ")),
            );
        }
    }
    let user = |user: RawUser| {
        let (groups, ways) = all(&user.groups, &parents).into_iter().unzip();
        User { disabled: user.disabled, groups, ways }
    };
    Ok(raw.users.into_iter().map(|(name, raw)| (name.into_inner(), user(raw))).collect())
}

/// The groups and all that they are members of, sorted, each with the shortest way to it.
fn all(direct: &[Spanned<String>], parents: &Parents<'_>) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut open: std::collections::VecDeque<(&str, Vec<String>)> =
        direct.iter().map(|name| (name.get_ref().as_str(), Vec::new())).collect();
    while let Some((name, way)) = open.pop_front() {
        if found.contains_key(name) {
            continue;
        }
        let further = [way.as_slice(), &[name.to_owned()]].concat();
        let above = parents.get(name).copied().unwrap_or_default();
        open.extend(above.iter().map(|parent| (parent.get_ref().as_str(), further.clone())));
        found.insert(name.to_owned(), way);
    }
    found
}

/// The shortest way from the group back to itself, both ends included.
fn cycle<'a>(start: &'a str, parents: &Parents<'a>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(name) = open.pop_front() {
        for parent in parents.get(name).copied().unwrap_or_default() {
            let parent = parent.get_ref().as_str();
            if parent == start {
                let mut way = vec![start, name];
                while way.last() != Some(&start) {
                    way.push(came_from.get(way.last()?).copied()?);
                }
                way.reverse();
                return Some(way);
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = came_from.entry(parent) {
                entry.insert(name);
                open.push_back(parent);
            }
        }
    }
    None
}

fn unknown(name: &str, groups: &Parents<'_>) -> String {
    let shown = name.escape_debug();
    let nearest = groups
        .keys()
        .copied()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    match nearest.filter(|nearest| strsim::jaro_winkler(nearest, name) > 0.8) {
        Some(nearest) => format!("there is no group `{shown}`; did you mean `{}`?", nearest.escape_debug()),
        None => format!("there is no group `{shown}`; add `[groups.{shown}]`"),
    }
}

/// `file:line:column` of a byte offset, counted from one.
fn place(file: &str, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("{file}:{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse("users.toml", text).unwrap_err().to_string()
    }

    fn groups(text: &str, user: &str) -> Vec<String> {
        parse("users.toml", text).unwrap()[user].groups.clone()
    }

    #[test]
    fn an_empty_file_has_no_users() {
        assert_eq!(parse("users.toml", ""), Ok(Users::new()));
    }

    #[test]
    fn nested_groups_are_all_held_and_named_once() {
        let text = "
            [users.alice]
            groups = ['leads', 'dev']
            [groups.leads]
            groups = ['dev', 'ops']
            [groups.dev]
            groups = ['staff']
            [groups.ops]
            groups = ['staff']
            [groups.staff]
            [groups.others]
        ";
        assert_eq!(groups(text, "alice"), ["dev", "leads", "ops", "staff"]);
        let ways = parse("users.toml", text).unwrap()["alice"].ways.clone();
        assert_eq!(ways, [vec![], vec![], vec!["leads"], vec!["dev"]]);
    }

    #[test]
    fn names_may_be_quoted_and_unicode() {
        let text = "[users.'jürgen@example.org']\ngroups = ['Entwickler Süd']\n[groups.'Entwickler Süd']\n";
        assert_eq!(groups(text, "jürgen@example.org"), ["Entwickler Süd"]);
    }

    #[test]
    fn cycles_are_refused_by_name() {
        assert_eq!(
            message("[groups.a]\ngroups = ['b']\n[groups.b]\ngroups = ['c']\n[groups.c]\ngroups = ['a']\n"),
            "users.toml:1:9: groups are members of each other: a → b → c → a; take one step out"
        );
        assert_eq!(
            message("[groups.x]\ngroups = ['x']\n"),
            "users.toml:1:9: groups are members of each other: x → x; take one step out"
        );
        assert_eq!(
            message("[groups.a]\ngroups = ['b']\n[groups.b]\ngroups = ['c']\n[groups.c]\ngroups = ['b']\n"),
            "users.toml:3:9: groups are members of each other: b → c → b; take one step out"
        );
    }

    #[test]
    fn a_group_that_is_not_there_is_an_error_with_its_place() {
        assert_eq!(
            message("[users.alice]\ngroups = ['develpers']\n[groups.developers]\n"),
            "users.toml:2:11: there is no group `develpers`; did you mean `developers`?"
        );
        assert_eq!(
            message("[groups.a]\ngroups = ['zzz']\n"),
            "users.toml:2:11: there is no group `zzz`; add `[groups.zzz]`"
        );
    }

    #[test]
    fn unknown_keys_and_doubles_are_errors_with_their_place() {
        for (text, expected) in [
            (
                "[users.alice]\ngrups = []\n",
                "users.toml:2:1: unknown field `grups`, expected `disabled` or `groups`",
            ),
            ("[groups.a]\nmembers = []\n", "users.toml:2:1: unknown field `members`, expected `groups`"),
            ("[people]\n", "users.toml:1:2: unknown field `people`, expected `users` or `groups`"),
            ("[users.a]\n[users.a]\n", "users.toml:2:8: duplicate key"),
            ("[users.a]\ngroups = 'x'\n", "users.toml:2:10: invalid type: string \"x\", expected a sequence"),
            (
                "[users.a]\ndisabled = 'no'\n",
                "users.toml:2:12: invalid type: string \"no\", expected a boolean",
            ),
            ("[users.'a ']\n", "users.toml:1:8: `a ` cannot be a name: it begins or ends with a blank"),
            ("[groups.\"\"]\n", "users.toml:1:9: `` cannot be a name: it is empty"),
        ] {
            assert_eq!(message(text), expected);
        }
    }
}
