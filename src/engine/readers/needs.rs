//! Collects what a request needs, and holds every name in it to one sane form.

use crate::authz::{Action, Kind, Requirement, Requirements, Resource};
use crate::engine::json::Fields;
use crate::engine::query::Query;
use crate::engine::{Classified, Refusal, RefusalCode};

/// How much one request may ask for: far above what any client asks, and a bound on the work.
const ASKED_LIMIT: usize = 2048;

/// The longest name of a resource, in bytes.
const NAME_LIMIT: usize = 4096;

/// The requirements of a request in the making; the operation itself is the first.
#[derive(Debug)]
pub(in crate::engine) struct Needs {
    operation: Action,
    verb: Option<&'static str>,
    object: Resource,
    list: Requirements,
    asked: usize,
}

impl Needs {
    /// The operation on the object of that name; an empty name is one not yet named.
    pub(super) fn new(operation: Action, name: impl Into<String>) -> Self {
        let first = Requirement::new(operation, named(name.into()));
        Self {
            operation,
            verb: None,
            object: first.resource.clone(),
            list: Requirements::new(first),
            asked: 0,
        }
    }

    /// The same, known by another docker command than the route's.
    pub(super) fn known_as(self, verb: &'static str) -> Self {
        Self { verb: Some(verb), ..self }
    }

    /// Adds an action on the resource of that name.
    pub(super) fn add(&mut self, action: Action, name: impl Into<String>) {
        self.push(Requirement::new(action, named(name.into())));
    }

    /// Adds an action on all resources of its kind.
    pub(super) fn any(&mut self, action: Action) {
        self.add(action, Resource::ANY);
    }

    /// Adds an action on a resource of another kind than the action's own.
    pub(super) fn on(&mut self, action: Action, kind: Kind, name: impl Into<String>) {
        self.push(Requirement::of_kind(action, kind, named(name.into())));
    }

    /// Adds what a field needs that this version does not know.
    pub(super) fn unknown(&mut self, path: impl Into<String>) {
        self.add(Action::EngineUnknownField, path);
    }

    /// Adds what the fields of a struct need that this version does not know.
    pub(super) fn note_unknown(&mut self, fields: &Fields<'_>) {
        for (name, _) in fields.unknown() {
            self.unknown(fields.path_of(name));
        }
    }

    /// Adds what the query's unknown keys need.
    pub(in crate::engine) fn unknown_keys(&mut self, query: &Query, known: &[&str]) {
        for key in query.unknown(known) {
            if query.all(key).any(|value| !value.is_empty()) {
                self.unknown(format!("query.{key}"));
            }
        }
    }

    /// The whole answer, unless it holds what no daemon would accept; `verb` is the route's.
    pub(in crate::engine) fn finish(self, verb: &'static str) -> Result<Classified, Refusal> {
        let invalid = |message: &str| Err(Refusal::new(RefusalCode::BodyInvalid, message));
        if self.asked > ASKED_LIMIT {
            return invalid("the call asks for more things than any client does; split it");
        }
        for requirement in &self.list {
            let name = &requirement.resource.name;
            if name.chars().any(char::is_control) {
                return invalid("a name in the call holds a control character");
            }
            if name.len() > NAME_LIMIT {
                return invalid("a name in the call is longer than 4096 bytes");
            }
        }
        let Self { operation, object, list, .. } = self;
        Ok(Classified { operation, verb: self.verb.unwrap_or(verb), object, requirements: list })
    }

    fn push(&mut self, requirement: Requirement) {
        self.asked += 1;
        // What is too much is refused as a whole at the end.
        if self.asked <= ASKED_LIMIT {
            self.list.push(requirement);
        }
    }
}

fn named(name: String) -> String {
    if name.is_empty() { Resource::ANY.to_owned() } else { name }
}
