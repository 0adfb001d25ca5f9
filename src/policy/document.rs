//! A policy as text that people keep: its lines in their order, with comments, and small edits that leave the rest alone.

use std::collections::{BTreeMap, HashMap};

use super::csv::{self, Section};
use super::edit::{Edit, EditError};
use super::statement::{self, Statement};
use super::text;
use crate::authz::{Grant, Principal};

/// The lines of a policy, without line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    lines: Vec<String>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(super) fn from_lines(lines: Vec<String>) -> Self {
        Self { lines }
    }

    /// The text, each line with its end.
    pub(super) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// What each role is for, where the text says so: a comment above it that begins with the role's name and a colon.
    pub(super) fn descriptions(&self) -> BTreeMap<String, String> {
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        let mut role: Option<String> = None;
        for line in &self.lines {
            let Some(comment) = line.trim().strip_prefix('#').map(str::trim) else {
                role = None;
                continue;
            };
            let start = comment.split_once(": ").filter(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            });
            match (start, &role) {
                (Some((name, text)), None) if !found.contains_key(name) => {
                    found.insert(name.to_owned(), text.to_owned());
                    role = Some(name.to_owned());
                }
                (_, Some(name)) => {
                    if let Some(text) = found.get_mut(name) {
                        text.push(' ');
                        text.push_str(comment);
                    }
                }
                (Some(_) | None, None) => {}
            }
        }
        found
    }

    /// Makes all edits, in their order.
    ///
    /// # Errors
    /// The first that has nothing to act upon; nothing is changed then.
    pub(super) fn edited(&self, edits: &[Edit]) -> Result<Self, EditError> {
        let mut lines = Lines::read(self);
        for edit in edits {
            lines.apply(edit)?;
        }
        Ok(Self { lines: lines.into_text() })
    }
}

/// What a line is about, for finding it again and for finding its neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Permission(String),
    Inherits(String),
    Grants,
    Member(String),
}

/// A document under edit: a line that was taken out leaves `None`, new ones hang behind the line that they follow.
struct Lines {
    old: Vec<Option<(String, Option<Statement>)>>,
    behind: HashMap<usize, Vec<(String, Statement)>>,
    last: HashMap<Key, usize>,
    end: Vec<(String, Statement)>,
}

impl Lines {
    fn read(document: &Document) -> Self {
        let mut last = HashMap::new();
        let old: Vec<_> = document
            .lines
            .iter()
            .enumerate()
            .map(|(at, line)| {
                let statement = understood(line);
                if let Some(statement) = &statement {
                    last.insert(key(statement), at);
                }
                Some((line.clone(), statement))
            })
            .collect();
        Self { old, behind: HashMap::new(), last, end: Vec::new() }
    }

    fn apply(&mut self, edit: &Edit) -> Result<(), EditError> {
        match edit {
            Edit::Permit { role, permission } => {
                let statement = Statement::Permission(role.clone(), permission.clone());
                if self.any(|other| *other == statement) {
                    return Err(EditError::There(format!("role `{role}` holds `{permission}` already")));
                }
                self.insert(statement);
            }
            Edit::Revoke { role, permission } => {
                let statement = Statement::Permission(role.clone(), permission.clone());
                self.remove(|other| *other == statement, || {
                    format!("role `{role}` does not hold `{permission}`: `wharfinger role show {role}` lists what it holds")
                })?;
            }
            Edit::Describe { role, text } => self.describe(role, text),
            Edit::Inherit { role, from } => {
                let statement = Statement::Inherits(role.clone(), from.clone());
                if self.any(|other| *other == statement) {
                    return Err(EditError::There(format!("role `{role}` inherits `{from}` already")));
                }
                self.insert(statement);
            }
            Edit::Disinherit { role, from } => {
                let statement = Statement::Inherits(role.clone(), from.clone());
                self.remove(
                    |other| *other == statement,
                    || format!("role `{role}` does not inherit `{from}`"),
                )?;
            }
            Edit::DeleteRole { role } => {
                self.remove(|other| names_role(other, role), || format!("there is no role `{role}`"))?;
                self.undescribe(role);
            }
            Edit::Grant(grant) => {
                // One grant of a role to somebody: a new one replaces the old one's end and reason.
                let same = same_grant(&grant.principal, &grant.role);
                let statement = Statement::Grant(grant.clone());
                if self.any(|other| *other == statement) {
                    return Err(EditError::There(format!(
                        "{} holds role `{}` already",
                        grant.principal, grant.role
                    )));
                }
                self.take(same);
                self.insert(statement);
            }
            Edit::Ungrant { principal, role } => {
                self.remove(same_grant(principal, role), || {
                    format!("{principal} is not granted role `{role}` directly: `wharfinger grant list` shows all grants")
                })?;
            }
            Edit::AddMember { set, member } => {
                let statement = Statement::Member(member.clone(), set.clone());
                if self.any(|other| *other == statement) {
                    return Err(EditError::There(format!("`{member}` belongs to `set:{set}` already")));
                }
                self.insert(statement);
            }
            Edit::RemoveMember { set, member } => {
                let statement = Statement::Member(member.clone(), set.clone());
                self.remove(
                    |other| *other == statement,
                    || format!("`{member}` does not belong to `set:{set}`"),
                )?;
            }
        }
        Ok(())
    }

    fn any(&self, wanted: impl Fn(&Statement) -> bool) -> bool {
        let old = self.old.iter().flatten().filter_map(|(_, statement)| statement.as_ref());
        let new = self.behind.values().flatten().chain(&self.end).map(|(_, statement)| statement);
        old.chain(new).any(wanted)
    }

    fn remove(
        &mut self,
        wanted: impl Fn(&Statement) -> bool,
        missing: impl FnOnce() -> String,
    ) -> Result<(), EditError> {
        if self.take(wanted) { Ok(()) } else { Err(EditError::Missing(missing())) }
    }

    /// Takes out all that are wanted; whether there were any.
    fn take(&mut self, wanted: impl Fn(&Statement) -> bool) -> bool {
        let mut found = false;
        for line in &mut self.old {
            if line.as_ref().is_some_and(|(_, statement)| statement.as_ref().is_some_and(&wanted)) {
                *line = None;
                found = true;
            }
        }
        for new in self.behind.values_mut().chain([&mut self.end]) {
            let before = new.len();
            new.retain(|(_, statement)| !wanted(statement));
            found |= new.len() != before;
        }
        found
    }

    /// Puts a line behind the last of its kind; at the end where there is none.
    fn insert(&mut self, statement: Statement) {
        let line = text::statement(&statement);
        let place = match &statement {
            // What a role inherits stands above what it holds.
            Statement::Inherits(heir, _) => self
                .last
                .get(&Key::Inherits(heir.clone()))
                .or_else(|| self.last.get(&Key::Permission(heir.clone()))),
            Statement::Permission(role, _) => self
                .last
                .get(&Key::Permission(role.clone()))
                .or_else(|| self.last.get(&Key::Inherits(role.clone()))),
            Statement::Grant(_) | Statement::Member(..) => self.last.get(&key(&statement)),
        };
        match place {
            Some(at) => self.behind.entry(*at).or_default().push((line, statement)),
            None => self.end.push((line, statement)),
        }
    }

    fn describe(&mut self, role: &str, description: &str) {
        self.undescribe(role);
        let line = format!("# {role}: {}", text::one_line(description));
        let first = self.old.iter().position(|line| {
            line.as_ref()
                .is_some_and(|(_, statement)| statement.as_ref().is_some_and(|s| belongs_to(s, role)))
        });
        if let Some(at) = first {
            self.old.insert(at, Some((line, None)));
        } else {
            self.old.push(Some((String::new(), None)));
            self.old.push(Some((line, None)));
        }
        // Places have moved.
        self.last.clear();
        for (at, line) in self.old.iter().enumerate() {
            if let Some((_, Some(statement))) = line {
                self.last.insert(key(statement), at);
            }
        }
    }

    /// Takes out the comment that says what a role is for.
    fn undescribe(&mut self, role: &str) {
        let head = format!("{role}: ");
        let mut within = false;
        for line in &mut self.old {
            let comment = line.as_ref().and_then(|(text, _)| text.trim().strip_prefix('#')).map(str::trim);
            within = comment.is_some_and(|comment| within || comment.starts_with(&head));
            if within {
                *line = None;
            }
        }
    }

    fn into_text(self) -> Vec<String> {
        let Self { old, mut behind, end, .. } = self;
        let mut text = Vec::with_capacity(old.len());
        for (at, line) in old.into_iter().enumerate() {
            text.extend(line.map(|(line, _)| line));
            text.extend(behind.remove(&at).into_iter().flatten().map(|(line, _)| line));
        }
        text.extend(end.into_iter().map(|(line, _)| line));
        text
    }
}

fn understood(line: &str) -> Option<Statement> {
    let read = csv::read(line).ok()?.pop()?;
    statement::statement(read.section, &read.fields).ok()
}

fn key(statement: &Statement) -> Key {
    match statement {
        Statement::Permission(role, _) => Key::Permission(role.clone()),
        Statement::Inherits(heir, _) => Key::Inherits(heir.clone()),
        Statement::Grant(_) => Key::Grants,
        Statement::Member(_, set) => Key::Member(set.clone()),
    }
}

fn belongs_to(statement: &Statement, role: &str) -> bool {
    match statement {
        Statement::Permission(of, _) | Statement::Inherits(of, _) => of == role,
        Statement::Grant(_) | Statement::Member(..) => false,
    }
}

fn names_role(statement: &Statement, role: &str) -> bool {
    match statement {
        Statement::Permission(of, _) => of == role,
        Statement::Inherits(heir, from) => heir == role || from == role,
        Statement::Grant(grant) => grant.role == role,
        Statement::Member(..) => false,
    }
}

fn same_grant(principal: &Principal, role: &str) -> impl Fn(&Statement) -> bool {
    let wanted: Grant = Grant::new(principal.clone(), role);
    move |statement| match statement {
        Statement::Grant(grant) => grant.principal == wanted.principal && grant.role == wanted.role,
        Statement::Permission(..) | Statement::Inherits(..) | Statement::Member(..) => false,
    }
}

/// The section word and fields of a line, without blanks and quotes; `None` for comments and what is no line.
pub(super) fn normal(line: &str) -> Option<(Section, Vec<String>)> {
    let read = csv::read(line).ok()?.pop()?;
    Some((read.section, read.fields))
}
