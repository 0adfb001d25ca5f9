//! The command line: arguments, output, exit codes.

pub mod classify;
pub mod judge;
