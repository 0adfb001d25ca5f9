//! Search filters with places for values, which are always escaped.

use ldap3::ldap_escape;

/// What a filter can have filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `{user}`: a user's name.
    User,
    /// `{dn}`: an entry's distinguished name.
    Dn,
    /// `{gid}`: a group's number.
    Gid,
}

impl Place {
    const fn text(self) -> &'static str {
        match self {
            Self::User => "{user}",
            Self::Dn => "{dn}",
            Self::Gid => "{gid}",
        }
    }
}

/// A filter with one place, known to be well-formed whatever is filled in.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    template: String,
    place: Place,
}

impl Filter {
    /// Checks a template.
    ///
    /// # Errors
    /// A message for the administrator where the place is missing, another is there, or it is no filter.
    pub(super) fn new(template: &str, place: Place) -> Result<Self, String> {
        let shown = template.escape_debug();
        if !template.contains(place.text()) {
            return Err(format!("`{shown}` has no `{}`: every user would match", place.text()));
        }
        let filter = Self { template: template.to_owned(), place };
        let filled = filter.fill("x");
        if filled.contains(['{', '}']) {
            return Err(format!("`{shown}` has more than `{}` to be filled in", place.text()));
        }
        if !filled.starts_with('(') || ldap3::parse_filter(&filled).is_err() {
            return Err(format!("`{shown}` is not a filter of RFC 4515; see that parentheses match"));
        }
        Ok(filter)
    }

    /// The filter for one value.
    pub(super) fn fill(&self, value: &str) -> String {
        self.template.replace(self.place.text(), &ldap_escape(value))
    }

    /// The filter that matches for any of the values.
    pub(super) fn fill_any<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> String {
        let filters: String = values.into_iter().map(|value| self.fill(value)).collect();
        format!("(|{filters})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(template: &str) -> Result<Filter, String> {
        Filter::new(template, Place::User)
    }

    #[test]
    fn values_cannot_change_the_filter() {
        let filter = user("(&(objectClass=person)(uid={user}))").unwrap();
        for (value, escaped) in [
            ("alice", "alice"),
            ("*", "\\2a"),
            ("user*", "user\\2a"),
            ("*)(uid=*", "\\2a\\29\\28uid=\\2a"),
            ("user)(|(uid=*", "user\\29\\28|\\28uid=\\2a"),
            ("admin)(&)", "admin\\29\\28&\\29"),
            ("\\2a", "\\5c2a"),
            ("a\0b", "a\\00b"),
            ("{user}", "{user}"),
            ("jürgen", "jürgen"),
        ] {
            let filled = filter.fill(value);
            assert_eq!(filled, format!("(&(objectClass=person)(uid={escaped}))"));
            assert!(ldap3::parse_filter(&filled).is_ok(), "{filled}");
        }
    }

    #[test]
    fn any_of_several_values_is_one_filter() {
        let filter = Filter::new("(member={dn})", Place::Dn).unwrap();
        let filled = filter.fill_any(["cn=a", "cn=b (x)"]);
        assert_eq!(filled, "(|(member=cn=a)(member=cn=b \\28x\\29))");
        assert!(ldap3::parse_filter(&filled).is_ok());
    }

    #[test]
    fn templates_that_cannot_work_are_refused() {
        for (template, message) in [
            ("(uid=x)", "`(uid=x)` has no `{user}`: every user would match"),
            ("(&(uid={user})(cn={dn}))", "`(&(uid={user})(cn={dn}))` has more than `{user}` to be filled in"),
            ("(uid={user}", "`(uid={user}` is not a filter of RFC 4515; see that parentheses match"),
            ("uid={user}", "`uid={user}` is not a filter of RFC 4515; see that parentheses match"),
            ("(uid={user}))", "`(uid={user}))` is not a filter of RFC 4515; see that parentheses match"),
        ] {
            assert_eq!(user(template).unwrap_err(), message);
        }
    }
}
