//! The decision core: subjects, actions, resources, roles, requirements and `decide`; no I/O, no clock.

mod action;
mod requirement;
mod resource;

pub use action::Action;
pub use requirement::{Requirement, Requirements};
pub use resource::{Kind, Owner, Resource};
