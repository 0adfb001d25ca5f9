//! `wharfinger check`: config, policy, identity, directory, trail and inventory, one line each, nothing started.

use std::io::Write;
use std::path::Path;

use super::Outcome;
use crate::audit::Reader;
use crate::config::Config;
use crate::directory::Directory;
use crate::identity::Identifier;
use crate::plugin::Key;
use crate::policy::{self, newest_in};
use crate::store::StoreError;

pub(super) fn run(
    config: Option<&Path>,
    user: Option<&str>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let mut lines = Lines { out, failed: false };
    let named = config.unwrap_or(Path::new(crate::config::PATH)).display().to_string();
    let Some(config) = lines.line("config", Config::load(config), |_| named.clone())? else {
        return Ok(Outcome::No);
    };
    if let Some(source) = lines.line("policy source", config.policy.source(), |_| "named".to_owned())? {
        let book = policy::book_path(config.policy.database.as_deref(), &config.audit.database);
        // What was changed by command counts, unless a file is the truth.
        let loaded =
            if config.policy.file.is_none() && book.exists() { newest_in(&book) } else { source.load() };
        lines.line("policy", loaded, |policy| {
            let rules = &policy.rules;
            format!("{} roles, {} grants, version {}", rules.roles().len(), rules.grants.len(), policy.digest)
        })?;
    }
    if let Some(gateway) = &config.gateway {
        let checked = crate::serve::check_gateway(gateway, &config.inventory.docker_socket);
        lines.line("gateway", checked, |()| format!("for users on `{}`", gateway.socket.display()))?;
    }
    for key in config
        .gateway
        .iter()
        .filter_map(|gateway| gateway.key_file.as_ref())
        .chain(&config.plugin.gateway_key_file)
    {
        lines.line("gateway key", Key::read(key), |_| format!("`{}` is good", key.display()))?;
    }
    if let Some(identifier) = lines
        .line("identity", Identifier::new(config.identity), |_| "settings and files are good".to_owned())?
    {
        check_issuers(&identifier, &mut lines)?;
    }
    if let Some(directory) =
        lines.line("directory", Directory::new(config.directory, jiff::Timestamp::now), |_| {
            "settings are good".to_owned()
        })?
    {
        match user {
            Some(user) => check_user(&directory, user, &mut lines)?,
            None => writeln!(lines.out, "        ask it for somebody's groups with --user NAME")?,
        }
    }
    lines.line("trail", trail(&config.audit.database), Clone::clone)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let known = runtime.block_on(crate::inventory::check(&config.inventory, &config.audit.database));
    lines.line("inventory", known, Clone::clone)?;
    Ok(if lines.failed { Outcome::No } else { Outcome::Done })
}

/// Reads the trail if there is one; nothing is made.
fn trail(database: &Path) -> Result<String, StoreError> {
    if !database.exists() {
        return Ok(format!("`{}` will be made at the first start", database.display()));
    }
    Reader::open(database).map(|reader| format!("`{}` can be read", reader.path().display()))
}

fn check_issuers(identifier: &Identifier, lines: &mut Lines<'_, impl Write>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (issuer, fetched) in runtime.block_on(identifier.fetch(jiff::Timestamp::now())) {
        let name = format!("keys of {}", issuer.escape_debug());
        lines.line(&name, fetched.map_err(std::io::Error::other), |()| "can be fetched".to_owned())?;
    }
    Ok(())
}

fn check_user(directory: &Directory, user: &str, lines: &mut Lines<'_, impl Write>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let looked = runtime.block_on(directory.groups(user));
    // A thread that hangs in the host's own look-up must not keep us.
    runtime.shutdown_background();
    lines.line("user", looked, |looked| match looked.groups.as_slice() {
        [] => format!("`{}` has no groups", looked.user),
        groups => format!("`{}` is in {}", looked.user, groups.join(", ")),
    })?;
    Ok(())
}

struct Lines<'a, W> {
    out: &'a mut W,
    failed: bool,
}

impl<W: Write> Lines<'_, W> {
    /// Prints how a check went, and hands on what it found.
    fn line<T, E: std::error::Error>(
        &mut self,
        name: &str,
        checked: Result<T, E>,
        describe: impl Fn(&T) -> String,
    ) -> std::io::Result<Option<T>> {
        match checked {
            Ok(found) => {
                writeln!(self.out, "ok      {name}: {}", describe(&found))?;
                Ok(Some(found))
            }
            Err(error) => {
                self.failed = true;
                let mut message = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    if !message.contains(&cause.to_string()) {
                        message = format!("{message}: {cause}");
                    }
                    source = cause.source();
                }
                writeln!(self.out, "FAILED  {name}: {message}")?;
                Ok(None)
            }
        }
    }
}
