//! What the user reads: one line without control characters, with the decision's id at its end.

use crate::audit::DecisionId;

/// The longest message; dockerd would pass on more, nobody would read it.
const LONGEST: usize = 1000;

/// The message for docker to print, safe for a terminal.
pub(super) fn for_user(message: &str, id: DecisionId) -> String {
    format!("{} [{id}]", one_line(message))
}

/// Control characters become `?`, and what is too long is cut.
pub(super) fn one_line(message: &str) -> String {
    let mut line: String =
        message.chars().map(|c| if is_unsafe(c) { '?' } else { c }).take(LONGEST).collect();
    if message.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// Characters that move the cursor, colour the terminal or turn the direction of text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn nothing_in_a_message_moves_the_terminal() {
        assert_eq!(one_line("a\x1b[31mb\nc\u{202e}d\u{9b}"), "a?[31mb?c?d?");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let cut = one_line(&"ü".repeat(1500));
        assert_eq!(cut.chars().count(), 1001);
        assert!(cut.ends_with("ü…"));
    }
}
