//! The arguments, and the help that teaches them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::args_elevate::{AllowFromArgs, ElevateArgs};
use super::args_policy::{GrantCommand, OutputArgs, PolicyCommand, RoleCommand, SetCommand, WhoArgs};
use super::login_args::{LOGIN_HELP, LoginArgs, TokenCommand, WhoamiArgs};

/// Role-based access control and an audit trail for the Docker daemon.
#[derive(Debug, Parser)]
#[command(
    name = "wharfinger",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done or yes, 1 no, 2 error.\n\nStart with `wharfinger check`, then `wharfinger serve`.\n\
                  Try a policy without a daemon: `wharfinger judge --as alice --group developers < questions.jsonl`."
)]
pub(super) struct Cli {
    /// The config file
    #[arg(long, short, global = true, value_name = "FILE", help = help_config())]
    pub(super) config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon: answer dockerd, and write the trail
    #[command(
        after_help = "Signals: HUP reloads the policy, the directory file, keys of tokens and lists of revoked certificates, USR1 forgets what the directory said, TERM stops after the last answer.\n\
                            Example: wharfinger serve --config ./wharfinger.toml"
    )]
    Serve,
    /// Check config, policy, directory and trail without starting anything
    #[command(after_help = "Prints one line a check, with the mend where it fails.\n\
                            Example: wharfinger check --user alice")]
    Check {
        /// Also ask the directory for this user's groups
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// Read dockerd's questions and print what each needs, or why it is refused
    #[command(after_help = CLASSIFY_HELP)]
    Classify(ClassifyArgs),
    /// As classify, with the decision that a policy makes for a user
    #[command(after_help = "Exit code 0 whatever the verdicts.\n\
                            Example: wharfinger judge --as alice --group developers --policy rbac/policy.csv < questions.jsonl")]
    Judge(JudgeArgs),
    /// Show why a call was permitted or denied
    #[command(
        after_help = "The id is the one in brackets at the end of what docker printed; its beginning is enough.\n\
                            Example: wharfinger explain 01KB"
    )]
    Explain {
        /// Decision id, or the beginning of one
        id: String,
        #[command(flatten)]
        source: TrailSource,
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Read the trail
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Read, change, test and compare the policy as a whole
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Read and change roles
    #[command(subcommand)]
    Role(RoleCommand),
    /// Read and change who holds what
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Read action sets
    #[command(subcommand)]
    Set(SetCommand),
    /// Ask whether somebody may do something: exit code 0 is yes, 1 is no
    #[command(
        after_help = "A set asks for every action in it. `container:@own` is a container that the user created.\n\
                            Examples:\n  wharfinger can-i container.list --as alice\n  \
                            wharfinger can-i run container:@own --as alice --group docker-developers\n  \
                            wharfinger can-i --list --as bob"
    )]
    CanI {
        /// An action, or a set such as `run`
        #[arg(required_unless_present = "list")]
        action: Option<String>,
        /// What it is about, such as `container:web-1`; left out, all of the action's kind
        resource: Option<String>,
        /// List everything that the user holds instead
        #[arg(long, conflicts_with = "action")]
        list: bool,
        #[command(flatten)]
        who: WhoArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Ask who may do something: exit code 1 is nobody
    #[command(after_help = "Example: wharfinger who-can host.mount path:/srv")]
    WhoCan {
        /// An action, or a set such as `run`
        action: String,
        /// What it is about; left out, all of the action's kind
        resource: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show what a docker command needs and what would be decided, without doing it
    #[command(
        after_help = "The command runs against an engine that only writes down what it is asked. Without a command,\n\
                            dockerd's questions are read from standard input, one JSON a line. Exit code 0 is yes, 1 is no.\n\
                            Example: wharfinger simulate --as alice -- docker run -v /:/x nginx"
    )]
    Simulate {
        #[command(flatten)]
        who: WhoArgs,
        #[command(flatten)]
        output: OutputArgs,
        /// The docker command
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Take a role for a while, or ask for it where that takes somebody else's approval
    #[command(
        after_help = "Who holds `grant.elevate` on `policy:role/ROLE` takes it alone, who holds `grant.request` asks, and who\n\
                            holds `grant.approve` approves. It ends by itself, and all of it is on record.\n\
                            Examples:\n  wharfinger elevate operator --for 30m --reason 'ticket 4711'\n  \
                            wharfinger elevate --waiting"
    )]
    Elevate(ElevateArgs),
    /// Add the smallest permission that would have permitted a denied call
    #[command(
        after_help = "Shows the change and asks before it is made. The permission goes into a role of the user's own,\n\
                            unless --role names another.\n\
                            Example: wharfinger allow-from 01KB --reason 'ticket 4711'"
    )]
    AllowFrom(AllowFromArgs),
    /// Ask the running daemon about its directory
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Log in for docker on a shared or remote host: a token goes into docker's own configuration
    #[command(after_help = LOGIN_HELP)]
    Login(LoginArgs),
    /// Take the token out of docker's configuration again
    Logout {
        /// Docker's directory, in place of `DOCKER_CONFIG` or ~/.docker
        #[arg(long, value_name = "DIRECTORY")]
        docker_config: Option<PathBuf>,
    },
    /// Ask, through docker, who the daemon takes you for
    #[command(
        after_help = "It runs `docker version` with one header more, through the very door that docker uses now (context, DOCKER_HOST, \
                      certificates, token); Wharfinger answers with user, groups, roles and what they rest on.\n\
                      Exit code 1 if your evidence is refused."
    )]
    Whoami(WhoamiArgs),
    /// Issue, list and revoke tokens of this host, for programs
    #[command(subcommand)]
    Token(TokenCommand),
    /// Let the running daemon read its policy, directory file and keys of tokens again; a bad one never replaces a good one
    Reload,
    /// Show what the running daemon is doing
    Status {
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// List every action that a permission can name
    Actions {
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Print completions for a shell
    #[command(after_help = "Example: wharfinger completions bash > /etc/bash_completion.d/wharfinger")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    Man {
        /// An existing directory
        directory: PathBuf,
    },
}

const CLASSIFY_HELP: &str = "\
A question is the JSON that dockerd sends a plugin: RequestMethod, RequestUri, RequestHeaders (a map) and RequestBody
(in base64), of which what is empty may be left out. Any number of them are read from standard input, one a line or
spread over lines.

For each question one line is printed: {\"operation\":NAME,\"requirements\":[{\"action\":NAME,\"resource\":KIND:NAME},…],
\"refused\":null}. A refused call has no requirements and \"refused\":{\"code\":WORD,\"message\":TEXT}; the code of what is no
question is `question-invalid`. `-o text` prints the same as `= action resource` and `! code message`, and an empty line
after each question. Exit code 0 whatever the answers. `wharfinger actions` lists the actions.

A POST or PUT without a body must say `Content-Length: 0`, as every client does.

Examples:
  echo '{\"RequestMethod\":\"GET\",\"RequestUri\":\"/v1.41/containers/json\"}' | wharfinger classify
  wharfinger classify -o text < question.json";

/// How calls are seen, and how the answers are printed.
#[derive(Debug, Args)]
pub(super) struct ClassifyArgs {
    /// Where the calls were seen: by dockerd's question alone, or by the gateway first
    #[arg(long, value_enum, default_value_t = DoorArg::Plugin)]
    pub(super) door: DoorArg,
    /// How to print the answers
    #[arg(long, short, value_enum, default_value_t = Answers::Json)]
    pub(super) output: Answers,
}

/// Where a call was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DoorArg {
    /// In dockerd's question alone
    Plugin,
    /// By the gateway, too, which refuses what dockerd does not show
    Gateway,
}

/// How answers to questions are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Answers {
    /// One JSON object a line
    Json,
    /// A line each requirement or refusal
    Text,
}

/// For whom, and by which policy.
#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    /// The user; left out, the call is anonymous
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,
    /// A group of the user; may be repeated
    #[arg(long = "group", value_name = "GROUP", requires = "user")]
    pub(super) groups: Vec<String>,
    /// The policy file; left out, the running daemon's policy
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
}

/// Which trail to read.
#[derive(Debug, Args)]
pub(super) struct TrailSource {
    /// Read this database file instead of asking the running daemon
    #[arg(long, value_name = "FILE")]
    pub(super) database: Option<PathBuf>,
}

/// Reading the trail.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List records, newest first
    #[command(after_help = "Examples:\n  wharfinger audit list --user alice --decision deny --since 7d\n  \
                            wharfinger audit list --operation 'container.*' -o json")]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        source: TrailSource,
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Write records to standard output, oldest first, all of them
    #[command(
        after_help = "Example: wharfinger audit export --since 2026-01-01T00:00:00Z --format csv > trail.csv"
    )]
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        source: TrailSource,
        /// The form
        #[arg(long, value_enum)]
        format: ExportFormat,
    },
}

/// Which records.
#[derive(Debug, Default, Args)]
pub(super) struct FilterArgs {
    /// Of this user; `anonymous` for calls without an identity
    #[arg(long, value_name = "USER")]
    pub(super) user: Option<String>,
    /// Of this operation, such as `container.create`; `*` stands for any text
    #[arg(long, value_name = "OPERATION")]
    pub(super) operation: Option<String>,
    /// On this object, such as `container:web-*`
    #[arg(long, value_name = "OBJECT")]
    pub(super) object: Option<String>,
    /// With this decision
    #[arg(long, value_enum)]
    pub(super) decision: Option<DecisionArg>,
    /// Not before: a time (RFC 3339) or an age such as `2h` or `7d`
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Before: a time or an age
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
}

/// Asking about the directory.
#[derive(Debug, Subcommand)]
pub(super) enum DirectoryCommand {
    /// Show what the directory says about a user: the name that counts, groups and the way to each, times, warnings
    #[command(
        after_help = "Asks the directory itself and not the cache; takes more searches than a call does, to tell the way.\n\
                            Exit codes: 0 the user is let in, 1 not, or the directory does not answer, 2 the daemon does not.\n\
                            Example: wharfinger directory check alice"
    )]
    Check {
        /// The name, as a certificate or a token has it
        user: String,
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// Show the servers, the service account and the cache
    #[command(after_help = "Exit codes: 0 the directory answers, 1 it does not, 2 the daemon does not.")]
    Status {
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// Forget what the directory said, so that it is asked again at once
    #[command(
        after_help = "Old answers are gone too: while the directory is down, who was forgotten is denied.\n\
                            The signal USR1 to the daemon forgets everybody.\n\
                            Example: wharfinger directory flush alice"
    )]
    Flush {
        /// The user, by any name; left out, everybody
        user: Option<String>,
    },
}

/// How to print an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Table,
    /// One JSON document
    Json,
}

/// How to print a list or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// Comma-separated values with a heading
    Csv,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a heading, safe in a spreadsheet
    Csv,
}

/// Permitted or denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DecisionArg {
    /// Permitted calls
    Permit,
    /// Denied calls
    Deny,
}

fn help_config() -> String {
    format!("The config file [default: {}]", crate::config::PATH)
}
