//! `wharfinger policy`: the policy in force, or one in a file.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;

use super::Outcome;
use super::args::PolicyCommand;
use super::client::Client;
use crate::policy::{self, Loaded, PolicySource};

pub(super) fn run(
    command: PolicyCommand,
    client: impl FnOnce() -> anyhow::Result<Client>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        PolicyCommand::Export { policy } => {
            out.write_all(policy::to_csv(&chosen(policy.as_deref(), client)?.rules).as_bytes())?;
        }
        PolicyCommand::Check { file } => match read(&file) {
            Ok(loaded) => writeln!(
                out,
                "ok: {} roles, {} action sets, {} grants, version {}",
                loaded.rules.roles().len(),
                loaded.rules.set_names().len(),
                loaded.rules.grants.len(),
                loaded.digest
            )?,
            Err(error) => {
                writeln!(out, "{error}")?;
                return Ok(Outcome::No);
            }
        },
    }
    Ok(Outcome::Done)
}

/// The policy in a file, or the one that the running daemon decides by.
pub(super) fn chosen(
    file: Option<&Path>,
    client: impl FnOnce() -> anyhow::Result<Client>,
) -> anyhow::Result<Loaded> {
    if let Some(file) = file {
        return Ok(read(file)?);
    }
    let text = client()?
        .get("/v1/policy", &[])
        .context("no --policy FILE is given, so the running daemon is asked")?;
    Ok(policy::load(policy::MODEL, std::str::from_utf8(&text)?)?)
}

fn read(file: &Path) -> Result<Loaded, policy::PolicyError> {
    PolicySource::Files { model: None, policy: file.to_owned() }.load()
}
