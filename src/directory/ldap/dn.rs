//! Distinguished names (RFC 4514), read far enough to tell what is below what, and what an entry is called.

/// One step of a DN: attributes, in lower case, and their values, unescaped.
type Step = Vec<(String, String)>;

/// A DN in the form in which two spellings of one are equal, apart from its own step's case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dn(Vec<Step>);

impl Dn {
    /// Reads a DN; `None` where it is none, or in a form that servers do not send.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self(Vec::new()));
        }
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let (step, after) = step(rest)?;
            steps.push(step);
            match after {
                None => return Some(Self(steps)),
                Some(after) => rest = after,
            }
        }
    }

    /// Whether it is below the other one, at any depth.
    pub(super) fn is_below(&self, base: &Self) -> bool {
        let above = self.0.len().checked_sub(base.0.len()).filter(|&above| above > 0);
        let ends = above.and_then(|above| self.0.get(above..));
        ends.is_some_and(|ends| ends.iter().map(folded).eq(base.0.iter().map(folded)))
    }

    /// Whether it is in that domain, and not in one below it: a domain is named by its `dc` steps.
    pub(super) fn is_of(&self, domain: &Self) -> bool {
        let is_dc = |step: &Step| matches!(&step[..], [(name, _)] if name == "dc");
        let inside = self.0.iter().rposition(|step| !is_dc(step)).map_or(0, |last| last + 1);
        let own = self.0.get(inside..).unwrap_or_default();
        !own.is_empty() && own.iter().map(folded).eq(domain.0.iter().map(folded))
    }

    /// The value of that attribute in the DN's first step.
    pub(super) fn own(&self, attribute: &str) -> Option<&str> {
        let own = self.0.first()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        own.map(|(_, value)| value.as_str())
    }
}

/// A step as servers compare it: without case, order, or the number of blanks.
fn folded(step: &Step) -> Vec<(String, String)> {
    let fold = |value: &String| value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut folded: Vec<_> = step.iter().map(|(name, value)| (name.clone(), fold(value))).collect();
    folded.sort();
    folded
}

/// The first step, and what follows its comma.
fn step(text: &str) -> Option<(Step, Option<&str>)> {
    let mut step = Step::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let (value, ended) = value(after)?;
        step.push((name, value));
        match ended {
            None => return Some((step, None)),
            Some((',', after)) => return Some((step, Some(after))),
            Some((_, after)) => rest = after,
        }
    }
}

/// A value, and the comma or plus that ends it with what follows.
fn value(text: &str) -> Option<(String, Option<(char, &str)>)> {
    let mut bytes = Vec::new();
    // How many bytes stay whatever blanks follow: the escaped ones are part of the value.
    let mut kept = 0;
    let mut chars = text.trim_start_matches(' ').chars();
    // A value in hexadecimal or in quotes: of types that have no text, and of forms long gone.
    if chars.as_str().starts_with(['#', '"']) {
        return None;
    }
    let ended = loop {
        match chars.next() {
            None => break None,
            Some(c @ (',' | '+')) => break Some((c, chars.as_str())),
            Some('\\') => {
                let escaped = chars.next()?;
                if let Some(high) = escaped.to_digit(16) {
                    let low = chars.next()?.to_digit(16)?;
                    bytes.push(u8::try_from(high << 4 | low).ok()?);
                } else if " \"#+,;<=>\\".contains(escaped) {
                    bytes.extend(escaped.encode_utf8(&mut [0; 4]).bytes());
                } else {
                    return None;
                }
                kept = bytes.len();
            }
            Some('"' | ';' | '<' | '>' | '\0') => return None,
            Some(' ') => bytes.push(b' '),
            Some(c) => {
                bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                kept = bytes.len();
            }
        }
    };
    bytes.truncate(kept);
    Some((String::from_utf8(bytes).ok()?, ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> Option<String> {
        Dn::parse(text)?.own("cn").map(str::to_owned)
    }

    fn below(text: &str, base: &str) -> bool {
        Dn::parse(text).unwrap().is_below(&Dn::parse(base).unwrap())
    }

    #[test]
    fn the_name_of_an_entry_is_unescaped() {
        for (text, expected) in [
            ("cn=dev,dc=x", "dev"),
            ("CN = dev , DC=x", "dev"),
            (r#"cn=ops\, prod \+ \"x\" \<\>\; \\,dc=x"#, r#"ops, prod + "x" <>; \"#),
            (r"cn=ops\2C prod\2b,dc=x", "ops, prod+"),
            (r"cn=S\C3\BCd,dc=x", "Süd"),
            (r"cn=Süd\20,dc=x", "Süd "),
            (r"cn=\ a\ ,dc=x", " a "),
            (r"cn=\#a=b,dc=x", "#a=b"),
            ("uid=1+cn=two,dc=x", "two"),
        ] {
            assert_eq!(own(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "x",
            "=x",
            "cn",
            "cn=a,",
            "cn=a,,dc=x",
            "cn=a;dc=x",
            "cn=#04",
            "cn=\"a\"",
            r"cn=a\",
            r"cn=\C3,dc=x",
            r"cn=\zz",
            "c n=a",
        ] {
            assert_eq!(Dn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_domain_is_neither_the_one_above_nor_the_one_below() {
        let of = |text: &str, domain: &str| Dn::parse(text).unwrap().is_of(&Dn::parse(domain).unwrap());
        assert!(of("CN=a,OU=People,DC=ad,DC=x", "dc=AD,dc=x"));
        assert!(!of("CN=a,OU=People,DC=ad,DC=x", "DC=x"));
        assert!(!of("CN=a,OU=People,DC=x", "DC=ad,DC=x"));
        assert!(!of("CN=a", ""));
    }

    #[test]
    fn below_is_told_by_steps_and_not_by_text() {
        assert!(below("cn=a,cn=groups,dc=x", "cn=groups,dc=x"));
        assert!(below("cn=a,CN=Groups ,  dc=X", "cn=groups,dc=x"));
        assert!(below("cn=a,cn=b,cn=the  groups,dc=x", "cn=The Groups,dc=x"));
        assert!(below("cn=a,dc=x", ""));
        assert!(!below("cn=groups,dc=x", "cn=groups,dc=x"));
        assert!(!below(r"cn=a\,cn=groups\,dc=x", "cn=groups,dc=x"));
        assert!(!below("cn=a,cn=mygroups,dc=x", "cn=groups,dc=x"));
        assert!(!below("dc=x", "cn=groups,dc=x"));
    }
}
