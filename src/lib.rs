//! x

pub mod authz;
pub mod engine;
