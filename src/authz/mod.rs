//! The decision core: subjects, actions, resources, roles, requirements and `decide`; no I/O, no clock.

mod action;
mod awaited;
mod decision;
mod denial;
mod index;
mod pattern;
mod requirement;
mod resource;
mod rules;
mod sight;
mod subject;

pub use action::Action;
pub use awaited::{Awaited, Need};
pub use decision::{Cause, DecidedBy, Decision, Denial, Finding, Mode};
pub use index::Index;
pub use pattern::{Pattern, PatternError, Relation};
pub use requirement::{Requirement, Requirements};
pub use resource::{Kind, Meaning, Named, Owner, Resource};
pub use rules::{Actions, Effect, Grant, MAX_DEPTH, Permission, Principal, Rules, RulesError};
pub use sight::Sight;
pub use subject::Subject;
