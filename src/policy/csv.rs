//! Casbin's CSV form: text to lines with their numbers, and nothing read in two ways.

use super::error::{Field, Problem, shown};

/// The fields of one line, blanks around them and quotes removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    pub(super) section: Section,
    pub(super) fields: Vec<String>,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Section {
    /// A permission of a role.
    P,
    /// A grant, or a role that inherits another.
    G,
    /// A member of an action set.
    G2,
}

impl Section {
    /// The word, the fields that follow it, and how many of those can be left out at the end.
    const ALL: [(&'static str, Section, &'static [&'static str], usize); 3] = [
        ("p", Section::P, &["role:…", "action", "resource", "allow or deny"], 0),
        ("g", Section::G, &["principal or role:…", "role:…", "until when", "why"], 2),
        ("g2", Section::G2, &["action or set:…", "set:…"], 0),
    ];
}

/// Reads all lines; empty ones and those that begin with `#` say nothing.
///
/// Each line stands for itself: a quote that is not closed cannot swallow the lines below it.
pub(super) fn read(text: &str) -> Result<Vec<Line>, Vec<Problem>> {
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_line(number, line) {
            Ok(line) => lines.push(line),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(lines) } else { Err(problems) }
}

fn read_line(number: usize, text: &str) -> Result<Line, Problem> {
    if let Some(bad) = text.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(Problem::line(number, format!("holds the control character U+{:04X}", u32::from(bad))));
    }
    let mut fields = split(text).map_err(|message| Problem::line(number, message))?;
    let word = fields.remove(0);
    let Some((_, section, expected, optional)) = Section::ALL.into_iter().find(|(known, ..)| *known == word)
    else {
        let message = format!("`{}` is not known: a line begins with `p`, `g` or `g2`", shown(&word));
        return Err(Problem::at(number, Field::Section, message));
    };
    let least = expected.len() - optional;
    if fields.len() < least || fields.len() > expected.len() {
        let message = format!(
            "`{word}` is followed by {} fields ({}), and here are {}",
            if optional > 0 { format!("{least} to {}", expected.len()) } else { least.to_string() },
            expected.join(", "),
            fields.len()
        );
        return Err(Problem::line(number, message));
    }
    Ok(Line { number, section, fields })
}

/// Splits at the commas outside of quotes; never empty.
fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let field = if let Some(quoted) = rest.strip_prefix('"') {
            let (field, after) = unquote(quoted)?;
            rest = after.trim_start();
            field
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if field.contains('"') {
                return Err(
                    "a quote stands in the middle of a field: quote the whole field, and double the quote",
                );
            }
            rest = after;
            field.trim().to_owned()
        };
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(fields),
            None => return Err("something stands between a closing quote and the next comma"),
        }
    }
}

/// The text up to the closing quote, and what follows it; two quotes are one.
fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let mut field = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('"') {
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Ok((field, after)),
        }
    }
    Err("a quote is not closed")
}

/// A field as a line writes it.
pub(super) fn quote(field: &str) -> String {
    let plain =
        !field.is_empty() && field.trim() == field && !field.starts_with('#') && !field.contains([',', '"']);
    if plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::{Section, quote, read};

    fn fields(line: &str) -> Vec<String> {
        let mut lines = read(line).unwrap();
        assert_eq!(lines.len(), 1);
        lines.remove(0).fields
    }

    fn problem(text: &str) -> String {
        read(text).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn blanks_comments_and_quotes_are_read_as_casbins_tools_write_them() {
        let text = "\u{feff}# a comment, \"with a quote\n\n  # another\np, role:a,*,\"container:a,b\" , allow\r\ng , user:o\u{301} x, role:a";
        let lines = read(text).unwrap();
        assert_eq!((lines[0].number, lines[0].section), (4, Section::P));
        assert_eq!(lines[0].fields, ["role:a", "*", "container:a,b", "allow"]);
        assert_eq!((lines[1].number, lines[1].section), (5, Section::G));
        assert_eq!(lines[1].fields, ["user:o\u{301} x", "role:a"]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for field in ["a", "a b", "a,b", "a\"b", " a", "#a", "\"", "", ",", "é", "a\"\"b"] {
            assert_eq!(fields(&format!("g, {}, role:x", quote(field)))[0], field);
        }
    }

    #[test]
    fn a_line_that_is_no_line_is_refused_with_its_number_and_what_to_write() {
        for (text, expected) in [
            ("q, a, b", "line 1, section: `q` is not known: a line begins with `p`, `g` or `g2`"),
            (
                "\np, role:a, *, *",
                "line 2: `p` is followed by 4 fields (role:…, action, resource, allow or deny), and here are 3",
            ),
            (
                "g, user:a",
                "line 1: `g` is followed by 2 to 4 fields (principal or role:…, role:…, until when, why), and here are 1",
            ),
            ("g, \"user:a, role:b\ng2, a, b", "line 1: a quote is not closed"),
            (
                "g, us\"er:a, role:b",
                "line 1: a quote stands in the middle of a field: quote the whole field, and double the quote",
            ),
            (
                "g, \"user:a\" x, role:b",
                "line 1: something stands between a closing quote and the next comma",
            ),
            ("g, user:\u{1b}[31m, role:b", "line 1: holds the control character U+001B"),
            (
                "x\ny",
                "line 1, section: `x` is not known: a line begins with `p`, `g` or `g2`\nline 2, section: `y` is not known: a line begins with `p`, `g` or `g2`",
            ),
        ] {
            assert_eq!(problem(text), expected);
        }
    }
}
