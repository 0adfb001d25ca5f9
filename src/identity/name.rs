//! Which user and group names are taken from evidence at all.

/// The longest name in bytes; directories and records are sized for it.
pub const MAX_BYTES: usize = 256;

/// Why a name is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters.
    #[error("it is empty")]
    Empty,
    /// Over [`MAX_BYTES`].
    #[error("it is longer than 256 bytes")]
    TooLong,
    /// A blank at either end, which directories ignore and policies do not.
    #[error("it begins or ends with a blank")]
    Blank,
    /// A control or invisible formatting character.
    #[error("it holds a control or invisible character")]
    Invisible,
}

/// Accepts a name that looks the same to people, directories and policies.
///
/// Canonical composition is not demanded: policies compare bytes, so two spellings of one name are two
/// users that are granted nothing by each other's rules, and a directory answers with its own spelling.
///
/// # Errors
/// [`NameError`] for an empty, overlong, blank-edged or partly invisible name.
pub fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_BYTES {
        return Err(NameError::TooLong);
    }
    if name.contains(invisible) {
        return Err(NameError::Invisible);
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return Err(NameError::Blank);
    }
    Ok(())
}

/// Controls, and the formatting characters that reorder or hide text in a record (Unicode's `Cf`
/// where it matters for names).
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_accepted() {
        for name in
            ["a", "alice", "Alice B. Example", "jürgen", "李雷", "paren(user)*", "DOM\\u", "a@b", "x\u{308}"]
        {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check(&"x".repeat(256)), Ok(()));
    }

    #[test]
    fn names_that_nobody_can_read_back_are_refused() {
        for (name, error) in [
            ("", NameError::Empty),
            (" alice", NameError::Blank),
            ("alice ", NameError::Blank),
            ("alice\u{a0}", NameError::Blank),
            ("alice\n", NameError::Invisible),
            ("al\0ice", NameError::Invisible),
            ("ali\u{200b}ce", NameError::Invisible),
            ("\u{202e}ecila", NameError::Invisible),
            ("\u{feff}alice", NameError::Invisible),
        ] {
            assert_eq!(check(name), Err(error), "{name:?}");
        }
        assert_eq!(check(&"x".repeat(257)), Err(NameError::TooLong));
    }
}
