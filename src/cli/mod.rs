//! The command line: arguments, output, exit codes.

pub mod audit;
pub mod classify;
pub mod judge;
