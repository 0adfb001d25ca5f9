//! The arguments of logins and of tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::Output;
use crate::admin::LoginToken;

/// What `login --help` teaches.
pub(super) const LOGIN_HELP: &str = "With an issuer (--issuer, or `issuer` in `[login]`): open the address that is printed in any browser, \
enter the code, and the issuer's token is taken. Else your password is asked for, checked by the daemon of this host at its directory, \
and answered with a token that the daemon signs, for 8 h.\n\n\
docker sends its headers to every daemon: a token opens only the one that it is for. For several hosts use a DOCKER_CONFIG each, or \
  export DOCKER_CUSTOM_HEADERS=$(wharfinger login --print)\n\n\
Examples:\n  wharfinger login\n  wharfinger login --issuer https://id.example.org --client-id dock-1\n  \
wharfinger login --user alice --password-stdin < password";

/// How to come to a token.
#[derive(Debug, Args)]
pub(super) struct LoginArgs {
    /// Log in at this issuer, with the device flow
    #[arg(long, value_name = "URL", conflicts_with_all = ["user", "password_stdin"])]
    pub(super) issuer: Option<String>,
    /// What the command line is called at the issuer
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// What to ask the issuer for [default: openid profile]
    #[arg(long, value_name = "SCOPE")]
    pub(super) scope: Option<String>,
    /// Whom the token is to be for, where the issuer is told that
    #[arg(long, value_name = "RESOURCE")]
    pub(super) resource: Option<String>,
    /// Which of the issuer's tokens to show to the daemon [default: id-token]
    #[arg(long, value_enum)]
    pub(super) token: Option<LoginToken>,
    /// The CAs by which to trust the issuer's server, in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Ask an issuer on this very host without TLS
    #[arg(long)]
    pub(super) allow_http: bool,
    /// Log in with a password, as this user
    #[arg(long, value_name = "USER")]
    pub(super) user: Option<String>,
    /// Read the password from standard input instead of the terminal
    #[arg(long)]
    pub(super) password_stdin: bool,
    /// The daemon's login socket
    #[arg(long, value_name = "SOCKET")]
    pub(super) socket: Option<PathBuf>,
    /// Print the header for `DOCKER_CUSTOM_HEADERS` and change no file
    #[arg(long)]
    pub(super) print: bool,
    /// Docker's directory, in place of `DOCKER_CONFIG` or ~/.docker
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "print")]
    pub(super) docker_config: Option<PathBuf>,
}

/// Whose configuration to ask with.
#[derive(Debug, Args)]
pub(super) struct WhoamiArgs {
    /// Docker's directory, in place of `DOCKER_CONFIG` or ~/.docker
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) docker_config: Option<PathBuf>,
}

/// Tokens of this host.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Print a new token, signed by the running daemon and good for its host alone
    #[command(
        after_help = "With --role the token holds exactly these roles and what everyone holds, whatever its user is granted, and no \
                      directory is asked about the user; what the policy denies user and groups stays denied.\n\
                      Without, it is as good as its user.\n\
                      Example: export DOCKER_CUSTOM_HEADERS=\"X-Wharfinger-Token=$(wharfinger token issue --user ci --ttl 1h --role developer)\""
    )]
    Issue {
        /// Whom it names, in decisions and in the trail
        #[arg(long, value_name = "USER")]
        user: String,
        /// How long it lives, such as `1h`
        #[arg(long, value_name = "TIME", value_parser = super::token::ttl)]
        ttl: std::time::Duration,
        /// A role that it holds; may be repeated
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// A group that it is in; may be repeated
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// What it is for; goes into the list and the trail
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// List the tokens that are good
    List {
        /// Also those that have ended or were revoked in the last 30 days
        #[arg(long)]
        all: bool,
        /// How to print it
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Revoke a token: the next call that shows it is denied
    #[command(
        after_help = "The beginning of an id is enough where it is clear.\nExample: wharfinger token revoke 01KB"
    )]
    Revoke {
        /// Its id, from `wharfinger token list`
        id: String,
    },
    /// Sign with a new key from now on; tokens of the ones before are good to their end
    #[command(
        after_help = "Keys are also replaced by themselves, every 30 days unless `key_lifetime` in `[token]` says otherwise."
    )]
    RotateKey,
}
