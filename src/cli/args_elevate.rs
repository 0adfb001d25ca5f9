//! The arguments of the commands by which somebody comes to hold more: for a while, or from a denied call.

use clap::Args;

use super::args_policy::{ChangeArgs, OutputArgs};

/// A role for a while.
#[derive(Debug, Args)]
pub(super) struct ElevateArgs {
    /// The role
    #[arg(required_unless_present_any = ["approve", "waiting"])]
    pub(super) role: Option<String>,
    /// For how long, such as `30m`; at most 24 hours
    #[arg(long = "for", value_name = "TIME", default_value = "30m")]
    pub(super) time: String,
    /// Why
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["approve", "waiting"])]
    pub(super) reason: Option<String>,
    /// Approve somebody else's request
    #[arg(long, value_name = "ID", conflicts_with_all = ["role", "waiting"])]
    pub(super) approve: Option<String>,
    /// List the requests that wait for an approval
    #[arg(long, conflicts_with = "role")]
    pub(super) waiting: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// The smallest permission for a denied call.
#[derive(Debug, Args)]
pub(super) struct AllowFromArgs {
    /// Decision id, or the beginning of one
    pub(super) id: String,
    /// The role that gets the permission
    #[arg(long, value_name = "ROLE")]
    pub(super) role: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) change: ChangeArgs,
}
