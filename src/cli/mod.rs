//! The command line: arguments, output, exit codes.

mod actions;
mod args;
mod args_elevate;
mod args_policy;
pub mod audit;
mod can;
mod change;
mod check;
pub mod classify;
mod client;
mod device;
mod directory;
mod docker_config;
mod elevate;
mod import;
pub mod judge;
mod login;
mod login_args;
mod output;
mod policy;
mod roles;
mod simulate;
mod status;
mod terminal;
mod token;
mod trail;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use self::args::{Cli, Command};
use crate::authz::Subject;
use crate::config::{Config, ConfigError};
use crate::engine::Door;

/// What a command ends with; scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Done, or yes.
    Done,
    /// No.
    No,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; clap knows which stream and code they take.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let ended = run(cli, &mut stdout).and_then(|outcome| Ok(stdout.flush().map(|()| outcome)?));
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        // The reader has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "wharfinger: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let config = || Config::load(cli.config.as_deref());
    let client = || client::Client::new(&config()?.admin.socket);
    match cli.command {
        Command::Serve => {
            crate::serve::run(config()?)?;
            Ok(Outcome::Done)
        }
        Command::Check { user } => check::run(cli.config.as_deref(), user.as_deref(), out),
        Command::Classify(args) => {
            let door = match args.door {
                args::DoorArg::Plugin => Door::Plugin,
                args::DoorArg::Gateway => Door::Gateway,
            };
            match args.output {
                args::Answers::Json => classify::run(io::stdin().lock(), out, door)?,
                args::Answers::Text => classify::run_as_text(io::stdin().lock(), out, door)?,
            }
            Ok(Outcome::Done)
        }
        Command::Judge(args) => {
            let loaded = policy::chosen(args.policy.as_deref(), client)?;
            judge::run(
                io::stdin().lock(),
                out,
                &loaded,
                &Subject { user: args.user, groups: args.groups, roles: None },
            )?;
            Ok(Outcome::Done)
        }
        Command::Audit(command) => trail::run(command, client, out),
        Command::Explain { id, source, output } => {
            trail::explain(&id, &trail::Trail::new(source, client)?, output, out)
        }
        Command::Policy(command) => policy::run(command, client, out),
        Command::Role(command) => roles::role(command, &client()?, out),
        Command::Grant(command) => roles::grant(command, &client()?, out),
        Command::Set(command) => roles::set(command, &client()?, out),
        Command::CanI { action: Some(action), resource, who, output, .. } => {
            can::can(&action, resource.as_deref(), &who, output.output, &client()?, out)
        }
        Command::CanI { action: None, who, output, .. } => can::list(&who, output.output, &client()?, out),
        Command::WhoCan { action, resource, output } => {
            can::who(&action, resource.as_deref(), output.output, &client()?, out)
        }
        Command::Simulate { who, output, command } => {
            simulate::run(&command, &who, output.output, &client()?, out)
        }
        Command::Elevate(args) => elevate::run(args, &client()?, out),
        Command::AllowFrom(args) => {
            let client = client()?;
            can::allow_from(&trail::get(&client, &args.id)?, args.role, args.yes, &args.change, &client, out)
        }
        Command::Directory(command) => directory::run(command, &client()?, out),
        Command::Login(args) => login::login(&args, &config_of_a_user(cli.config.as_deref())?.login, out),
        Command::Logout { docker_config } => login::logout(docker_config.as_deref(), out),
        Command::Whoami(args) => login::whoami(&args, out),
        Command::Token(command) => token::run(command, client, out),
        Command::Status { output } => status::status(&client()?, output, out),
        Command::Reload => status::reload(&client()?, out),
        Command::Actions { output } => actions::run(output, out),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "wharfinger", out);
            Ok(Outcome::Done)
        }
        Command::Man { directory } => {
            clap_mangen::generate_to(Cli::command(), directory)?;
            Ok(Outcome::Done)
        }
    }
}

/// The config as somebody has it who is not root: the default one need not be theirs to read.
fn config_of_a_user(named: Option<&std::path::Path>) -> Result<Config, ConfigError> {
    match Config::load(named) {
        Err(ConfigError::Read(_, error))
            if named.is_none() && error.kind() == io::ErrorKind::PermissionDenied =>
        {
            Ok(Config::default())
        }
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
