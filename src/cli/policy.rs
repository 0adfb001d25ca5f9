//! `wharfinger policy`: the policy in force, its versions, or one in a file.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;

use super::args::Output;
use super::args_policy::{ChangeArgs, Form, Plugin, PolicyCommand, ReportCommand};
use super::client::Client;
use super::{Outcome, change, elevate, import, output};
use crate::admin::{ChangeAsked, Diff, Report, TestResult, TestResults, Versions};
use crate::policy::{self, Expectations, Loaded, PolicySource, Tested};

pub(super) fn run(
    command: PolicyCommand,
    client: impl FnOnce() -> anyhow::Result<Client>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        PolicyCommand::Export { policy, number, form } => {
            export(policy.as_deref(), number, form, client, out)
        }
        PolicyCommand::Check { file } => check(&file, out),
        PolicyCommand::Apply { file, change } => apply(&file, &change, &client()?, out),
        PolicyCommand::History { limit, output } => history(limit, output.output, &client()?, out),
        PolicyCommand::Diff { from, to } => {
            let query = [("from".to_owned(), from.to_string()), ("to".to_owned(), to.to_string())];
            let diff: Diff = serde_json::from_slice(&client()?.get("/v1/policy/diff", &query)?)?;
            diff.lines.iter().try_for_each(|line| writeln!(out, "{}", change::shown(line)))?;
            Ok(Outcome::Done)
        }
        PolicyCommand::Rollback { number, change } => {
            let asked = ChangeAsked { version: Some(number), ..change::asked(&change) };
            change::send(&client()?, &asked, change.if_version, out)
        }
        PolicyCommand::Test { file, policy, junit } => {
            test(file.as_deref(), policy.as_deref(), junit, client, out)
        }
        PolicyCommand::Import { from, file } => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read `{}`", file.display()))?;
            let lines = match from {
                Plugin::Twistlock => import::twistlock(&text)?,
                Plugin::CasbinAuthz => import::casbin_authz(&text)?,
                Plugin::Hbm => import::hbm(&text),
            };
            out.write_all(lines.as_bytes())?;
            Ok(Outcome::Done)
        }
        PolicyCommand::Learn { user, group, role, yes, change } => {
            elevate::learn(elevate::Pupil { user, group, role }, yes, &change, &client()?, out)
        }
        PolicyCommand::Report(ReportCommand::WouldDeny { since, output }) => {
            would_deny(since, output.output, &client()?, out)
        }
    }
}

/// The policy in a file, or the one that the running daemon decides by.
pub(super) fn chosen(
    file: Option<&Path>,
    client: impl FnOnce() -> anyhow::Result<Client>,
) -> anyhow::Result<Loaded> {
    let loaded = if let Some(file) = file {
        read(file)?
    } else {
        let text = client()?
            .get("/v1/policy", &[])
            .context("no --policy FILE is given, so the running daemon is asked")?;
        policy::load(policy::MODEL, std::str::from_utf8(&text)?)?
    };
    // Grants that have ended by now decide nothing.
    Ok(loaded.at(Timestamp::now()))
}

fn read(file: &Path) -> anyhow::Result<Loaded> {
    if is_toml(file) {
        return Ok(policy::load(policy::MODEL, &policy::from_toml(&std::fs::read_to_string(file)?)?)?);
    }
    Ok(PolicySource::Files { model: None, policy: file.to_owned() }.load()?)
}

fn is_toml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "toml")
}

fn export(
    file: Option<&Path>,
    number: Option<u64>,
    form: Form,
    client: impl FnOnce() -> anyhow::Result<Client>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    if let Some(file) = file {
        let loaded = read(file)?;
        let text = match form {
            Form::Csv => policy::to_csv(&loaded.rules),
            Form::Toml => {
                let about = if is_toml(file) {
                    policy::descriptions(&policy::from_toml(&std::fs::read_to_string(file)?)?)
                } else {
                    policy::descriptions(&std::fs::read_to_string(file)?)
                };
                policy::to_toml(&loaded.rules, &about)
            }
        };
        out.write_all(text.as_bytes())?;
        return Ok(Outcome::Done);
    }
    let form = match form {
        Form::Csv => "csv",
        Form::Toml => "toml",
    };
    let mut query = vec![("form".to_owned(), form.to_owned())];
    query.extend(number.map(|number| ("version".to_owned(), number.to_string())));
    out.write_all(&client()?.get("/v1/policy", &query)?)?;
    Ok(Outcome::Done)
}

fn check(file: &Path, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let loaded = match read(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(Outcome::No);
        }
    };
    for flaw in policy::flaws(&loaded) {
        writeln!(out, "warning: {}", change::shown(&flaw.message))?;
    }
    writeln!(
        out,
        "ok: {} roles, {} action sets, {} grants, version {}",
        loaded.rules.roles().len(),
        loaded.rules.set_names().len(),
        loaded.rules.grants.len(),
        loaded.digest
    )?;
    Ok(Outcome::Done)
}

fn apply(file: &Path, args: &ChangeArgs, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let base = match args.if_version {
        Some(version) => version,
        // Whoever changes it between this question and the next line is not overwritten.
        None => newest(client)?,
    };
    let form = if is_toml(file) { "toml" } else { "csv" };
    let asked = ChangeAsked { text: Some(text), form: Some(form.to_owned()), ..change::asked(args) };
    change::send(client, &asked, Some(base), out)
}

fn newest(client: &Client) -> anyhow::Result<u64> {
    let query = [("limit".to_owned(), "1".to_owned())];
    let versions: Versions = serde_json::from_slice(&client.get("/v1/policy/versions", &query)?)?;
    versions.versions.first().map(|version| version.number).context("the daemon keeps no versions")
}

fn history(limit: u32, form: Output, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut all = Vec::new();
    let mut before: Option<u64> = None;
    loop {
        let wanted = limit.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX)).min(1000);
        if wanted == 0 {
            break;
        }
        let mut query = vec![("limit".to_owned(), wanted.to_string())];
        query.extend(before.map(|before| ("before".to_owned(), before.to_string())));
        let page: Versions = serde_json::from_slice(&client.get("/v1/policy/versions", &query)?)?;
        all.extend(page.versions);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let rows: Vec<Vec<String>> = all
        .into_iter()
        .map(|version| {
            let number = version.number.to_string();
            vec![number, version.time, version.author, version.reason, version.how, version.digest]
        })
        .collect();
    output::rows(form, &["version", "time", "who", "why", "known by", "digest"], &rows, out)?;
    Ok(Outcome::Done)
}

fn test(
    file: Option<&Path>,
    policy: Option<&Path>,
    junit: bool,
    client: impl FnOnce() -> anyhow::Result<Client>,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let tested: Vec<Tested> = if let Some(file) = file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        Expectations::parse(&text)?.test(&chosen(policy, client)?)
    } else {
        anyhow::ensure!(policy.is_none(), "--policy needs a file of expectations to be tested against");
        let results: TestResults = serde_json::from_slice(&client()?.get("/v1/policy/test", &[])?)?;
        let tested = |test: TestResult| Tested { name: test.name, failure: test.failure };
        results.tests.into_iter().map(tested).collect()
    };
    let failed = tested.iter().filter(|tested| tested.failure.is_some()).count();
    if junit {
        write!(out, "{}", policy::junit(&tested))?;
    } else {
        for test in &tested {
            if let Some(failure) = &test.failure {
                writeln!(out, "FAILED  {}\n        {}", change::shown(&test.name), change::shown(failure))?;
            }
        }
        writeln!(out, "{} met, {failed} not met", tested.len() - failed)?;
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::No })
}

fn would_deny(since: String, form: Output, client: &Client, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let query = [("since".to_owned(), since)];
    let report: Report = serde_json::from_slice(&client.get("/v1/policy/would-deny", &query)?)?;
    let rows: Vec<Vec<String>> = report
        .lines
        .into_iter()
        .map(|line| {
            let (count, roles) = (line.count.to_string(), line.roles.join(" "));
            vec![count, line.user, line.action, line.resource, roles, line.mode, line.last, line.example]
        })
        .collect();
    let head = ["calls", "user", "action", "resource", "roles", "mode", "last", "example"];
    output::rows(form, &head, &rows, out)?;
    Ok(Outcome::Done)
}
