//! What two runs of the same command can never have in common: identities and times, and our labels.
#![allow(clippy::string_slice, reason = "a cut at the wrong place fails the test, and the text is short")]

/// What besides may be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looseness {
    /// Nothing.
    Identities,
    /// Numbers, and the spaces that line them up.
    Numbers,
}

/// The lengths of what the daemon makes up, and whether it is hexadecimal: long and short ids, ids and tokens of a swarm.
const MADE_UP: &[(usize, bool)] = &[(64, true), (12, true), (50, false), (25, false)];

/// How the command line speaks of a short time.
const SHORT_TIMES: &[&str] =
    &["Less than a second", "About a minute", "N seconds", "N second", "N minutes", "N minute"];

/// The text without them.
pub(super) fn masked(text: &str, looseness: Looseness) -> String {
    let text = timeless(&nameless(&unlabelled(text)));
    match looseness {
        Looseness::Identities => text,
        Looseness::Numbers => text.lines().map(|line| loose(line) + "\n").collect(),
    }
}

/// Without ids.
fn nameless(text: &str) -> String {
    let mut masked = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = word.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        let (name, rest) = if end.is_empty() {
            (word, "")
        } else {
            word.split_at(word.len() - end.chars().next_back().map_or(0, char::len_utf8))
        };
        masked += if is_made_up(name) { "<id>" } else { name };
        masked += rest;
    }
    masked
}

fn is_made_up(word: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let any = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
    MADE_UP.iter().any(|(length, of_hex)| {
        word.len() == *length && word.chars().all(|c| if *of_hex { hex(c) } else { any(c) })
    }) && word.contains(|c: char| c.is_ascii_digit())
}

/// Without dates and times of day, such as `2031-05-04T09:00:00.123456789Z`.
fn timeless(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let fits = |at: usize| {
        bytes.len() >= at + SHAPE.len()
            && SHAPE.iter().zip(&bytes[at..]).all(|(shape, byte)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b' '),
                other => byte == other,
            })
    };
    let mut masked = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if fits(at) {
            masked.extend(b"<time>");
            at += SHAPE.len();
            while bytes.get(at).is_some_and(|byte| *byte == b'.' || byte.is_ascii_digit()) {
                at += 1;
            }
        } else {
            masked.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(masked).unwrap()
}

/// Without the labels that the gateway gives, and without the difference between no labels and none.
fn unlabelled(text: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("\"io.wharfinger.") {
            continue;
        }
        // The label that was the last one of a JSON object may have been ours.
        if line.trim_start().starts_with('}')
            && let Some(last) = kept.last_mut()
            && last.ends_with(",\n")
        {
            *last = last.replace(",\n", "\n");
        }
        kept.push(without_ours(line));
    }
    let mut text = kept.concat().replace("\"Labels\": null", "\"Labels\": {}");
    // An object of which only white space is left.
    while let Some((before, inside)) = text.split_once("\"Labels\": {\n") {
        let rest = inside.trim_start();
        let gap = if rest.starts_with('}') { "" } else { " " };
        text = format!("{before}\"Labels\": {{{gap}{rest}");
    }
    text
}

/// Without our labels in a list of labels on one line.
fn without_ours(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some((before, ours)) = line.split_once("io.wharfinger.") {
        let before = before.strip_suffix('"').unwrap_or(before);
        let end = ours.find([',', ' ', ')', ']', '}', '\n']).unwrap_or(ours.len());
        let (_, after) = ours.split_at(end);
        // With the comma before it, or with the one after it; in Go's maps there are spaces for commas.
        let kept = before.trim_end_matches(' ').strip_suffix(',');
        let (kept, after) = match (kept, after.strip_prefix(',')) {
            (Some(kept), _) => (kept, after),
            (None, Some(after)) => (before, after.trim_start_matches(' ')),
            (None, None) if before.ends_with('[') => (before, after.trim_start_matches(' ')),
            (None, None) if after.starts_with(']') => (before.trim_end_matches(' '), after),
            (None, None) => (before, after),
        };
        line = format!("{kept}{after}");
    }
    line
}

/// A line without numbers, and each gap as one space.
fn loose(line: &str) -> String {
    let mut loose = String::new();
    for c in line.chars() {
        let c = if c.is_ascii_digit() { 'N' } else { c };
        if !((c == 'N' || c == ' ' || c == '-') && loose.ends_with(c)) {
            loose.push(c);
        }
    }
    for time in SHORT_TIMES {
        loose = loose.replace(time, "<short>");
    }
    loose.replace("N.N", "N").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_and_times_are_masked_and_nothing_else() {
        let long = "0123456789abcdef".repeat(4);
        let text = format!("sha256:{long} 0123456789ab deadbeefdead 2031-05-04T09:00:00.12Z 17 bytes\n");
        let expected = "sha256:<id> <id> deadbeefdead <time>Z 17 bytes\n";
        assert_eq!(masked(&text, Looseness::Identities), expected);
        assert_eq!(
            masked("abc   12.5kB  Up 3 seconds\n", Looseness::Numbers),
            masked("abc 9kB Up Less than a second\n", Looseness::Numbers)
        );
    }

    #[test]
    fn our_labels_are_as_if_they_were_not_there() {
        for (with, without) in [
            ("(io.wharfinger.decision=01, io.wharfinger.owner=root, name=web)", "(name=web)"),
            ("(image=x, io.wharfinger.owner=root)", "(image=x)"),
            ("a=b,io.wharfinger.decision=01,io.wharfinger.owner=root\n", "a=b\n"),
            ("web a=b,io.wharfinger.decision=01,io.wharfinger.owner=root none", "web a=b none"),
            ("web io.wharfinger.decision=01,io.wharfinger.owner=root none", "web  none"),
            ("map[a:b io.wharfinger.decision:01 io.wharfinger.owner:root]", "map[a:b]"),
            ("map[io.wharfinger.decision:01 io.wharfinger.owner:root]", "map[]"),
            (r#"{"a":"b","io.wharfinger.owner":"root"}"#, r#"{"a":"b"}"#),
            (
                "\"Labels\": {\n  \"a\": \"b\",\n  \"io.wharfinger.owner\": \"root\"\n},",
                "\"Labels\": {\n  \"a\": \"b\"\n},",
            ),
            ("\"Labels\": {\n  \"io.wharfinger.owner\": \"root\"\n},", "\"Labels\": null,"),
        ] {
            let [with, without] = [with, without].map(|text| masked(text, Looseness::Identities));
            assert_eq!(with, without);
        }
    }
}
