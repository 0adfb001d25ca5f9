//! Differences of two policies, as lines: to store a version, to show a change, and to say what it is about.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::document::normal;
use super::statement::{self, Statement};

/// Lines of the old text, from a place on, that give way to new ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hunk {
    /// From 0, in the old text.
    pub(super) at: usize,
    pub(super) removed: usize,
    pub(super) added: Vec<String>,
}

/// What turns one text into the other: lines that stand once in both are the fixed points.
pub(super) fn hunks(old: &[String], new: &[String]) -> Vec<Hunk> {
    let mut found = Vec::new();
    let mut kept = kept(old, new);
    kept.push((old.len(), new.len()));
    let (mut at, mut to) = (0, 0);
    for (next, next_to) in kept {
        let mut removed = old.get(at..next).unwrap_or_default();
        let mut added = new.get(to..next_to).unwrap_or_default();
        let mut from = at;
        while let ([a, rest @ ..], [b, others @ ..]) = (removed, added)
            && a == b
        {
            (removed, added, from) = (rest, others, from + 1);
        }
        while let ([rest @ .., a], [others @ .., b]) = (removed, added)
            && a == b
        {
            (removed, added) = (rest, others);
        }
        if !removed.is_empty() || !added.is_empty() {
            found.push(Hunk { at: from, removed: removed.len(), added: added.to_vec() });
        }
        (at, to) = (next + 1, next_to + 1);
    }
    found
}

/// The new text again.
pub(super) fn patched(old: &[String], hunks: &[Hunk]) -> Vec<String> {
    let mut new = Vec::with_capacity(old.len());
    let mut at = 0;
    for hunk in hunks {
        new.extend_from_slice(old.get(at..hunk.at).unwrap_or_default());
        new.extend_from_slice(&hunk.added);
        at = hunk.at + hunk.removed;
    }
    new.extend_from_slice(old.get(at..).unwrap_or_default());
    new
}

/// The difference for people: lines taken out begin with `- `, lines put in with `+ `.
pub(super) fn shown(old: &[String], new: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for hunk in hunks(old, new) {
        let removed = old.get(hunk.at..hunk.at + hunk.removed).unwrap_or_default();
        lines.extend(removed.iter().map(|line| format!("- {line}")));
        lines.extend(hunk.added.iter().map(|line| format!("+ {line}")));
    }
    lines
}

/// The statements that stand in one of the texts only, whatever their order, blanks and quotes.
pub(super) fn statements(old: &[String], new: &[String]) -> Vec<Statement> {
    let mut only = BTreeSet::new();
    for hunk in hunks(old, new) {
        let removed = old.get(hunk.at..hunk.at + hunk.removed).unwrap_or_default();
        // A line that only moved is taken out in one place and put in at another.
        for line in removed.iter().chain(&hunk.added).filter_map(|line| normal(line)) {
            let line = (line.0.keys().1, line.1, line.0);
            if !only.remove(&line) {
                only.insert(line);
            }
        }
    }
    only.into_iter().filter_map(|(_, fields, section)| statement::statement(section, &fields).ok()).collect()
}

/// Places in both texts of lines that stand once in each, as many as keep their order.
fn kept(old: &[String], new: &[String]) -> Vec<(usize, usize)> {
    let once = |lines: &[String]| {
        let mut places: HashMap<String, Option<usize>> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            places.entry(line.clone()).and_modify(|place| *place = None).or_insert(Some(at));
        }
        places
    };
    let there = once(new);
    let here = once(old);
    let mut pairs: Vec<(usize, usize)> =
        here.iter().filter_map(|(line, at)| Some(((*at)?, there.get(line).copied().flatten()?))).collect();
    pairs.sort_unstable();
    rising(&pairs)
}

/// A longest run of pairs whose second numbers rise.
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // `ends` holds, for each length, the pair that ends the run of that length lowest.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |at: usize| pairs.get(at).map_or(usize::MAX, |pair| pair.1);
    for (at, (_, to)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| second(*end) < *to);
        before.push(length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied()));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        run.extend(pairs.get(at).copied());
        next = before.get(at).copied().flatten();
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{hunks, patched, shown, statements};

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn the_difference_makes_the_new_text_of_the_old_one(
            old in prop::collection::vec("[a-e]", 0..12), new in prop::collection::vec("[a-e]", 0..12),
        ) {
            prop_assert_eq!(patched(&old, &hunks(&old, &new)), new);
        }
    }

    #[test]
    fn a_small_change_is_a_small_difference() {
        let old = lines("a\nb\n\nc\n\nd");
        assert_eq!(shown(&old, &lines("a\nB\n\nc\n\nd\ne")), ["- b", "+ B", "+ e"]);
        assert_eq!(
            shown(&old, &lines("a\nc\n\nd")),
            ["- b", "- ", "- ", "+ "].map(str::to_owned)[..2].to_vec()
        );
        assert_eq!(hunks(&old, &old), []);
    }

    #[test]
    fn what_only_moved_or_is_written_differently_changes_nothing() {
        let old = lines("# x\ng, user:a, role:r\ng, user:b, role:r");
        assert_eq!(statements(&old, &lines("g,user:b,role:r\n\"g\",user:a,role:r")), []);
        assert_eq!(statements(&old, &lines("g, user:a, role:r")).len(), 1);
    }
}
