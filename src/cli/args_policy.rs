//! The arguments of the commands about roles, grants and the policy, and their help.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::Output;

/// How a change is made.
#[derive(Clone, Debug, Args)]
pub(super) struct ChangeArgs {
    /// Why; kept with the version, and in the trail
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Only show what it would do
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Show which decisions of the trail since then it would change: a span such as `7d`, or a time
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Also if it brings in what is hardly meant, or breaks an expectation
    #[arg(long)]
    pub(super) force: bool,
    /// Only if the policy is still at this version
    #[arg(long, value_name = "VERSION")]
    pub(super) if_version: Option<u64>,
}

/// A permission.
#[derive(Clone, Debug, Args)]
pub(super) struct PermissionArgs {
    /// The role
    pub(super) role: String,
    /// An action, a set such as `set:run`, or `*`
    pub(super) action: String,
    /// A resource pattern
    #[arg(default_value = "*")]
    pub(super) resource: String,
}

/// How to print.
#[derive(Clone, Debug, Args)]
pub(super) struct OutputArgs {
    /// How to print it
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

/// Roles.
#[derive(Debug, Subcommand)]
pub(super) enum RoleCommand {
    /// List the roles
    #[command(after_help = "Example: wharfinger role list")]
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show what a role holds, and who holds it
    #[command(after_help = "Example: wharfinger role show developer")]
    Show {
        /// The role
        role: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a role
    #[command(
        after_help = "Example: wharfinger role create contractor --about 'runs what he is told to' --inherit restricted --allow 'set:run' --allow 'set:logs container:@own'"
    )]
    Create {
        /// Its name
        role: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        about: Option<String>,
        /// A role that it inherits; may be repeated
        #[arg(long, value_name = "ROLE")]
        inherit: Vec<String>,
        /// What it allows, such as `set:logs container:@own`; may be repeated
        #[arg(long, value_name = "ACTION [RESOURCE]")]
        allow: Vec<String>,
        /// What it denies; may be repeated
        #[arg(long, value_name = "ACTION [RESOURCE]")]
        deny: Vec<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Change what a role is for, and what it inherits
    #[command(
        after_help = "Example: wharfinger role edit viewer --about 'sees what there is' --inherit builder"
    )]
    Edit {
        /// The role
        role: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        about: Option<String>,
        /// A role that it inherits from now on; may be repeated
        #[arg(long, value_name = "ROLE")]
        inherit: Vec<String>,
        /// A role that it no longer inherits; may be repeated
        #[arg(long, value_name = "ROLE")]
        disinherit: Vec<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Remove a role, with its permissions and all grants of it
    #[command(after_help = "Example: wharfinger role delete tester --dry-run")]
    Delete {
        /// The role
        role: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Let a role do something
    #[command(
        after_help = "Examples:\n  wharfinger role allow viewer set:exec 'container:web-*'\n  wharfinger role allow viewer image.pull --reason 'ticket 4711'"
    )]
    Allow {
        #[command(flatten)]
        permission: PermissionArgs,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Deny something to whoever holds a role, whatever else they hold
    #[command(after_help = "Example: wharfinger role deny developer set:exec --since 7d --dry-run")]
    Deny {
        #[command(flatten)]
        permission: PermissionArgs,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Take a permission out of a role
    #[command(after_help = "Example: wharfinger role revoke viewer set:logs")]
    Revoke {
        #[command(flatten)]
        permission: PermissionArgs,
        /// The permission is one that denies
        #[arg(long)]
        denial: bool,
        #[command(flatten)]
        change: ChangeArgs,
    },
}

/// Grants.
#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// List who holds what
    #[command(
        after_help = "Examples:\n  wharfinger grant list\n  wharfinger grant list --role developer -o csv"
    )]
    List {
        /// Of this role
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// Of this one: user:alice, group:devs, everyone, anonymous
        #[arg(long, value_name = "WHO")]
        to: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give a role to a user or a group
    #[command(
        after_help = "Examples:\n  wharfinger grant add user:bob developer --reason 'ticket 4711'\n  wharfinger grant add group:contractors viewer --until 5d"
    )]
    Add {
        /// user:alice, group:devs, everyone or anonymous
        who: String,
        /// The role
        role: String,
        /// When it ends: a time (RFC 3339), a date, or a span from now such as `30m` or `5d`
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Take a role away
    #[command(after_help = "Example: wharfinger grant remove group:docker-testers tester")]
    Remove {
        /// user:alice, group:devs, everyone or anonymous
        who: String,
        /// The role
        role: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
}

/// Action sets.
#[derive(Debug, Subcommand)]
pub(super) enum SetCommand {
    /// List the action sets
    #[command(after_help = "Example: wharfinger set list")]
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show what belongs to an action set, and which roles use it
    #[command(after_help = "Example: wharfinger set show run")]
    Show {
        /// The set, without `set:`
        set: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Of whom something is asked.
#[derive(Clone, Debug, Args)]
pub(super) struct WhoArgs {
    /// Ask about this user; `anonymous` is nobody
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,
    /// Take the user to be in this group, and not in those of the directory; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,
}

/// The policy as a whole.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Print the policy in force
    #[command(
        after_help = "Examples:\n  wharfinger policy export > policy.csv\n  wharfinger policy export --form toml --at 1"
    )]
    Export {
        /// Print this file's policy in canonical form instead of the running daemon's
        #[arg(long, value_name = "FILE", conflicts_with = "number")]
        policy: Option<PathBuf>,
        /// This version; 0 is the shipped policy
        #[arg(long = "at", value_name = "VERSION")]
        number: Option<u64>,
        /// The form
        #[arg(long, value_enum, default_value_t = Form::Csv)]
        form: Form,
    },
    /// Check a policy file: names, patterns, circles, and what is hardly meant
    #[command(after_help = "Example: wharfinger policy check rbac/policy.csv")]
    Check {
        /// The file: CSV, or TOML if its name ends so
        file: PathBuf,
    },
    /// Put a whole policy in force, from a file
    #[command(
        after_help = "Examples:\n  wharfinger policy apply -f rbac/policy.csv --dry-run --since 30d\n  wharfinger policy apply -f team.toml --reason 'as reviewed'"
    )]
    Apply {
        /// The file: CSV, or TOML if its name ends so
        #[arg(long, short, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// List the versions of the policy, newest first
    #[command(after_help = "Example: wharfinger policy history --limit 20")]
    History {
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show what differs between two versions; 0 is the shipped policy
    #[command(after_help = "Example: wharfinger policy diff 0 1")]
    Diff {
        /// The one
        from: u64,
        /// The other
        to: u64,
    },
    /// Go back to an earlier version, as a new one; 0 is the shipped policy
    #[command(after_help = "Example: wharfinger policy rollback 1 --dry-run")]
    Rollback {
        /// The version
        number: u64,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Hold the policy against expectations: what people may and may not do
    #[command(
        after_help = "Without a file, the expectations are those that the config names. Exit code 1 if one is not met.\n\
                            Examples:\n  wharfinger policy test --policy rbac/policy.csv rbac/expectations.toml\n  \
                            wharfinger policy test --policy rbac/policy.csv rbac/expectations.toml --junit > junit.xml"
    )]
    Test {
        /// The expectations
        file: Option<PathBuf>,
        /// Test the policy in this file instead of the running daemon's
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Print the results as XML in the form of `JUnit`
        #[arg(long)]
        junit: bool,
    },
    /// Print a policy of another authorization plugin as one of ours, for review
    #[command(
        after_help = "Example: wharfinger policy import --from twistlock tests/data/twistlock-policy.json"
    )]
    Import {
        /// Whose policy it is
        #[arg(long, value_enum)]
        from: Plugin,
        /// The file
        file: PathBuf,
    },
    /// Draft the smallest role from what a user really did, and put it in force once that is confirmed
    #[command(after_help = "Powers that give the host away are left out: those are given by hand.\n\
                            Example: wharfinger policy learn --user ci --since 7d --dry-run")]
    Learn {
        /// The user who gets the role
        #[arg(long, value_name = "USER", required_unless_present = "group")]
        user: Option<String>,
        /// The group that gets the role
        #[arg(long, value_name = "GROUP", conflicts_with = "user")]
        group: Option<String>,
        /// The role's name; left out, `learned-` and the name
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Reports about the policy
    #[command(subcommand)]
    Report(ReportCommand),
}

/// Reports.
#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// What was let through although a denial was due, because of `mode.observe` or `mode.warn`
    #[command(
        after_help = "Put a group on trial, and end the trial:\n  wharfinger role create trial --allow mode.observe\n  \
                            wharfinger grant add group:docker-developers trial --until 14d\n  \
                            wharfinger policy report would-deny --since 14d"
    )]
    WouldDeny {
        /// Since when: a time (RFC 3339) or an age such as `7d`
        #[arg(long, value_name = "TIME", default_value = "7d")]
        since: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Another authorization plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Plugin {
    /// twistlock/authz: JSON, one policy a line
    Twistlock,
    /// casbin-authz-plugin: `p, path, method`
    CasbinAuthz,
    /// hbm: the commands by which it was set up
    Hbm,
}

/// The form of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// Casbin's lines, with their comments
    Csv,
    /// A table for each role
    Toml,
}
