//! Every docker command twice, on the daemon's raw socket and through the gateway: what comes out must be the same.
//!
//! The commands are tables for the shell, in `commands/`: one line one check. `# ` begins a comment, `! ` a line that must
//! fail, `~ ` a line of whose output the numbers, and what lines it up, may differ. A line `export …` holds for those
//! that follow. What the lines can use besides docker is in `commands/shell.sh`.
#![allow(
    clippy::string_slice,
    clippy::format_collect,
    reason = "what is cut is ASCII, and a slip is a failed test"
)]

mod api;
mod both;
mod broken;
mod copies;
mod handles;
mod killed;
mod mask;
mod smuggling;
mod tables;
mod watchers;
