//! A user's password on its way to the directory: not to be shown, and not to be kept.

/// A password as it was typed. It has no other text form, so no log and no message can hold it.
pub struct Password(String);

impl Password {
    /// Takes it over.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the bind alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Password;

    #[test]
    fn its_debug_form_does_not_tell_it() {
        assert_eq!(format!("{:?}", Password::new("secret".to_owned())), "Password(…)");
    }
}
