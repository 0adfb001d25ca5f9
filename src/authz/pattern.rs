//! Resource patterns: what a permission covers, such as `container:web-*`, `path:/srv/**` or `container:@own`.

use std::fmt;

use super::{Kind, Meaning, Named, Resource};

/// How a resource relates to the subject that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Nobody knows the creator, or it is somebody else.
    Other,
    /// Somebody who shares a group with the subject created it.
    Group,
    /// The subject created it.
    Own,
}

/// What a permission covers.
///
/// `*` covers everything and `kind:*` everything of a kind. Elsewhere `*` stands for any text
/// without `/`, and `**` for any text. `kind:@own` and `kind:@group` go by the creator.
/// All other characters stand for themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// `None` is all kinds.
    kind: Option<Kind>,
    name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Any,
    Own,
    Group,
    Exact(String),
    Glob(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Token {
    Char(char),
    /// Any text without `/`.
    Star,
    /// Any text.
    DoubleStar,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No colon.
    #[error(
        "`{0}` is not a resource pattern: write `kind:name`, such as `container:web-*`, or `*` for everything"
    )]
    NoKind(String),
    /// The word before the colon is no kind.
    #[error("`{0}` is not a kind of resource{1}")]
    UnknownKind(String, String),
    /// Nothing after the colon.
    #[error("`{0}:` names nothing: write `{0}:*` for all of them")]
    Empty(String),
    /// `@…` that is no scope.
    #[error("`@{0}` is not a scope: there are `@own` and `@group`")]
    UnknownScope(String),
    /// A blank or a control character.
    #[error("a resource pattern holds no control characters and neither begins nor ends with a blank: {0:?}")]
    BadCharacter(String),
}

impl Pattern {
    /// Reads a pattern as policies write it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(PatternError::BadCharacter(text.to_owned()));
        }
        if text == "*" {
            return Ok(Self { kind: None, name: Name::Any });
        }
        let (kind, name) = text.split_once(':').ok_or_else(|| PatternError::NoKind(text.to_owned()))?;
        let kind =
            Kind::parse(kind).ok_or_else(|| PatternError::UnknownKind(kind.to_owned(), suggestion(kind)))?;
        let name = match name.strip_prefix('@') {
            Some("own") => Name::Own,
            Some("group") => Name::Group,
            Some(other) => return Err(PatternError::UnknownScope(other.to_owned())),
            None if name.is_empty() => return Err(PatternError::Empty(kind.name().to_owned())),
            None => Name::of(name),
        };
        Ok(Self { kind: Some(kind), name })
    }

    /// The kind it is restricted to, if any.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether it goes by who created the resource.
    pub fn is_scope(&self) -> bool {
        match self.name {
            Name::Own | Name::Group => true,
            Name::Any | Name::Exact(_) | Name::Glob(_) => false,
        }
    }

    /// Whether it covers everything of a kind.
    pub fn is_all_of(&self, kind: Kind) -> bool {
        self.kind.is_none_or(|own| own == kind) && self.name == Name::Any
    }

    /// Whether it covers everything, or everything of its kind.
    pub fn is_any(&self) -> bool {
        match self.name {
            Name::Any => true,
            Name::Own | Name::Group | Name::Exact(_) | Name::Glob(_) => false,
        }
    }

    /// Whether a permission to allow this pattern covers the resource.
    pub fn covers(&self, resource: &Resource, relation: Relation) -> bool {
        if self.kind.is_some_and(|kind| kind != resource.kind) {
            return false;
        }
        match &self.name {
            Name::Any => true,
            Name::Own => relation == Relation::Own,
            Name::Group => relation >= Relation::Group,
            // A requirement on all names, or on one not yet known, is covered by `*` alone.
            Name::Exact(_) | Name::Glob(_) if resource.name == Resource::ANY => false,
            Name::Exact(_) | Name::Glob(_) => match &resource.meaning {
                Meaning::Written => self.is_called(&resource.name),
                // Fail closed: it could be anything of its kind.
                Meaning::Unknown => false,
                Meaning::Known(found) => found
                    .iter()
                    .all(|one| one.names.iter().any(|name| self.is_called(name)) || self.is_id_of(one)),
            },
        }
    }

    /// Whether a permission to deny this pattern concerns the resource.
    ///
    /// Wider than [`Pattern::covers`], and so fails closed: what is asked for as a whole (`container:*`) could be
    /// one that is denied, and mounting a directory hands out the denied path beneath it.
    pub fn concerns(&self, resource: &Resource, relation: Relation) -> bool {
        if self.covers(resource, relation) {
            return true;
        }
        if self.kind.is_some_and(|kind| kind != resource.kind) {
            return false;
        }
        let could_be = match (&resource.meaning, &self.name) {
            (_, Name::Any | Name::Own | Name::Group) | (Meaning::Written, _) => false,
            (Meaning::Unknown, _) => true,
            (Meaning::Known(found), _) => found.iter().any(|one| {
                one.names.iter().chain(&one.others).any(|name| self.is_called(name)) || self.is_id_of(one)
            }),
        };
        could_be
            || resource.name == Resource::ANY
            || (resource.kind == Kind::Path && self.is_beneath(&resource.name))
    }

    /// Whether it names one thing by what can only be an ID: hexadecimal digits as engines print them, or a swarm's.
    pub fn is_id(&self) -> bool {
        let Name::Exact(name) = &self.name else { return false };
        let digits = name.strip_prefix("sha256:").unwrap_or(name);
        matches!(digits.len(), 12 | 25 | 64)
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    }

    fn is_called(&self, text: &str) -> bool {
        match &self.name {
            Name::Any => true,
            Name::Own | Name::Group => false,
            Name::Exact(name) => name == text,
            Name::Glob(tokens) => glob(tokens, text),
        }
    }

    /// A wildcard means names, so that `a*` grants nothing by the chance beginning of an ID.
    fn is_id_of(&self, one: &Named) -> bool {
        matches!(&self.name, Name::Exact(id) if one.ids.contains(id))
    }

    /// Whether the pattern's fixed beginning lies below a directory.
    fn is_beneath(&self, directory: &str) -> bool {
        let fixed: String = match &self.name {
            Name::Any | Name::Own | Name::Group => return false,
            Name::Exact(name) => name.clone(),
            Name::Glob(tokens) => tokens
                .iter()
                .map_while(|token| match token {
                    Token::Char(c) => Some(*c),
                    Token::Star | Token::DoubleStar => None,
                })
                .collect(),
        };
        let directory = directory.trim_end_matches('/');
        fixed.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
            // A pattern that begins with a wildcard could lie anywhere.
            || fixed.is_empty()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            None => return f.write_str("*"),
            Some(kind) => write!(f, "{}:", kind.name())?,
        }
        match &self.name {
            Name::Any => f.write_str("*"),
            Name::Own => f.write_str("@own"),
            Name::Group => f.write_str("@group"),
            Name::Exact(name) => f.write_str(name),
            Name::Glob(tokens) => tokens.iter().try_for_each(|token| match token {
                Token::Char(c) => write!(f, "{c}"),
                Token::Star => f.write_str("*"),
                Token::DoubleStar => f.write_str("**"),
            }),
        }
    }
}

impl Name {
    fn of(text: &str) -> Self {
        if text.chars().all(|c| c == '*') {
            return Self::Any;
        }
        if !text.contains('*') {
            return Self::Exact(text.to_owned());
        }
        let mut tokens: Vec<Token> = Vec::with_capacity(text.len());
        for c in text.chars() {
            match (c, tokens.last_mut()) {
                ('*', Some(last @ (Token::Star | Token::DoubleStar))) => *last = Token::DoubleStar,
                ('*', _) => tokens.push(Token::Star),
                (c, _) => tokens.push(Token::Char(c)),
            }
        }
        Self::Glob(tokens)
    }
}

/// Matches by following every place in the pattern that the text read so far can be at.
fn glob(tokens: &[Token], text: &str) -> bool {
    let mut places = vec![false; tokens.len() + 1];
    enter(&mut places, tokens, 0);
    for c in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (place, token) in tokens.iter().enumerate() {
            if !places.get(place).copied().unwrap_or(false) {
                continue;
            }
            match token {
                Token::Char(expected) if *expected == c => enter(&mut next, tokens, place + 1),
                Token::Star if c != '/' => enter(&mut next, tokens, place),
                Token::DoubleStar => enter(&mut next, tokens, place),
                Token::Char(_) | Token::Star => {}
            }
        }
        places = next;
    }
    places.last().copied().unwrap_or(false)
}

/// Marks a place, and those behind it that a star lets stand for nothing.
fn enter(places: &mut [bool], tokens: &[Token], mut place: usize) {
    while let Some(slot) = places.get_mut(place) {
        *slot = true;
        match tokens.get(place) {
            Some(Token::Star | Token::DoubleStar) => place += 1,
            Some(Token::Char(_)) | None => break,
        }
    }
}

fn suggestion(kind: &str) -> String {
    Kind::ALL
        .iter()
        .map(|known| (strsim::damerau_levenshtein(kind, known.name()), known.name()))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::{Pattern, PatternError, Relation};
    use crate::authz::{Kind, Resource};

    fn covers(pattern: &str, resource: &str) -> bool {
        Pattern::parse(pattern).unwrap().covers(&Resource::parse(resource).unwrap(), Relation::Other)
    }

    #[test]
    fn a_star_stays_within_a_segment_and_two_cross_it() {
        for (pattern, resource, expected) in [
            ("container:web-*", "container:web-1", true),
            ("container:web-*", "container:db-1", false),
            ("path:/srv/*", "path:/srv/a", true),
            ("path:/srv/*", "path:/srv/a/b", false),
            ("path:/srv/**", "path:/srv/a/b", true),
            ("path:/srv/**", "path:/srv", false),
            ("path:/srv/**", "path:/srvx/a", false),
            ("path:/a/**/z", "path:/a/b/c/z", true),
            ("path:/a/*/*/z", "path:/a/b/z", false),
            ("image:*", "image:docker.io/library/nginx:1.25", true),
            ("image:docker.io/library/*:1.25", "image:docker.io/library/nginx:1.25", true),
            ("image:docker.io/library/*", "image:docker.io/library/a/b:1", false),
            ("*", "path:/etc", true),
            ("container:*", "path:/etc", false),
            ("container:a.c", "container:abc", false),
            ("container:ü*", "container:über", true),
        ] {
            assert_eq!(covers(pattern, resource), expected, "{pattern} on {resource}");
        }
    }

    #[test]
    fn what_is_asked_for_as_a_whole_is_covered_by_the_whole_alone() {
        assert!(covers("container:*", "container:*"));
        assert!(!covers("container:web*", "container:*"));
        assert!(!covers("container:**b", "container:*"));
    }

    #[test]
    fn a_denied_path_concerns_the_directories_above_it_and_a_denied_name_the_whole_kind() {
        let concerns = |pattern: &str, resource: &str| {
            Pattern::parse(pattern).unwrap().concerns(&Resource::parse(resource).unwrap(), Relation::Other)
        };
        assert!(concerns("path:/etc/**", "path:/etc"));
        assert!(concerns("path:/etc/**", "path:/"));
        assert!(concerns("path:/etc/shadow", "path:/etc"));
        assert!(!concerns("path:/etc/**", "path:/et"));
        assert!(!concerns("path:/etc/**", "path:/srv"));
        assert!(concerns("container:prod-*", "container:*"));
        assert!(!concerns("container:prod-*", "image:*"));
        assert!(!concerns("container:prod-*", "container:web"));
    }

    #[test]
    fn scopes_go_by_the_creator_and_not_by_the_name() {
        let own = Pattern::parse("container:@own").unwrap();
        let group = Pattern::parse("container:@group").unwrap();
        let web = Resource::new(Kind::Container, "web");
        for (relation, by_own, by_group) in
            [(Relation::Other, false, false), (Relation::Group, false, true), (Relation::Own, true, true)]
        {
            assert_eq!((own.covers(&web, relation), group.covers(&web, relation)), (by_own, by_group));
        }
    }

    #[test]
    fn a_bad_pattern_is_refused_with_what_to_write_instead() {
        for (text, expected) in [
            (
                "web",
                "`web` is not a resource pattern: write `kind:name`, such as `container:web-*`, or `*` for everything",
            ),
            ("contaner:x", "`contaner` is not a kind of resource; did you mean `container`?"),
            ("container:", "`container:` names nothing: write `container:*` for all of them"),
            ("container:@mine", "`@mine` is not a scope: there are `@own` and `@group`"),
        ] {
            assert_eq!(Pattern::parse(text).unwrap_err().to_string(), expected);
        }
        assert!(matches!(Pattern::parse("container:a\n"), Err(PatternError::BadCharacter(_))));
    }

    #[test]
    fn a_pattern_prints_as_it_was_written() {
        for text in [
            "*",
            "container:*",
            "container:web-*",
            "path:/srv/**/x*",
            "volume:@own",
            "image:@group",
            "port:tcp/80",
        ] {
            assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
        }
    }
}
