//! `wharfinger login`, `logout` and `whoami`: a token for the docker command line of one person.

use std::io::{self, BufRead as _, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::client::Client;
use super::login_args::{LoginArgs, WhoamiArgs};
use super::{Outcome, device, docker_config, terminal};
use crate::admin::{Credentials, LoginSettings};
use crate::identity::{TOKEN_HEADER, WHOAMI_HEADER};
use crate::token::Fresh;
use crate::web::Web;

/// What dockerd puts in front of our answer.
const DENIED: &str = "authorization denied by plugin wharfinger: ";

/// What our answer begins with, whoever brings it.
const YOU_ARE: &str = "you are ";

/// A token, and until when it is good, where that is known.
struct Held {
    token: String,
    until: Option<jiff::Timestamp>,
}

pub(super) fn login(
    args: &LoginArgs,
    settings: &LoginSettings,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let issuer = args.issuer.as_ref().or(settings.issuer.as_ref());
    let held = match issuer {
        Some(issuer) if args.user.is_none() && !args.password_stdin => by_issuer(issuer, args, settings)?,
        Some(_) | None => by_password(args, settings)?,
    };
    if args.print {
        writeln!(out, "{TOKEN_HEADER}={}", held.token)?;
        return Ok(Outcome::Done);
    }
    let directory = docker_config::directory(args.docker_config.as_deref())?;
    let file = docker_config::set(&directory, Some(&held.token))?;
    let until = held.until.map(|until| format!(" until {until:.0}")).unwrap_or_default();
    writeln!(out, "logged in{until}: the token is in `{}`", file.display())?;
    writeln!(
        out,
        "docker shows it to every daemon that it talks to with that file; it opens none but the one it is for"
    )?;
    Ok(Outcome::Done)
}

pub(super) fn logout(named: Option<&Path>, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let file = docker_config::set(&docker_config::directory(named)?, None)?;
    writeln!(out, "logged out: no token is in `{}`", file.display())?;
    Ok(Outcome::Done)
}

/// The device flow, spoken with the issuer itself: a person far away reaches no socket of the daemon's but docker's.
fn by_issuer(issuer: &str, args: &LoginArgs, settings: &LoginSettings) -> anyhow::Result<Held> {
    let client_id = args.client_id.as_ref().or(settings.client_id.as_ref());
    let ask = device::Ask {
        issuer: issuer.to_owned(),
        client_id: client_id
            .context("which client is this at the issuer? name it with `--client-id`")?
            .clone(),
        scope: args.scope.clone().unwrap_or_else(|| settings.scope.clone()),
        resource: args.resource.clone().or_else(|| settings.resource.clone()),
        kind: args.token.unwrap_or(settings.token),
        allow_http: args.allow_http || settings.allow_http,
    };
    let web = Web::new(args.ca_file.as_deref().or(settings.ca_file.as_deref()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let token = runtime.block_on(device::token(&web, &ask, &mut io::stderr(), async |pause: Duration| {
        tokio::time::sleep(pause).await;
    }))?;
    Ok(Held { until: ends(&token), token })
}

/// The daemon on this host checks the password at its directory, and signs a token of its own.
fn by_password(args: &LoginArgs, settings: &LoginSettings) -> anyhow::Result<Held> {
    let user = args.user.clone().or_else(|| std::env::var_os("USER")?.into_string().ok());
    let user = user.context("who are you? name yourself with `--user`, or your issuer with `--issuer`")?;
    let password = if args.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    } else {
        terminal::secret(&format!("password of {}: ", user.escape_debug()))?
    };
    let client = Client::new(args.socket.as_deref().unwrap_or(&settings.socket))?;
    let credentials = serde_json::to_value(Credentials { user, password })?;
    let fresh: Fresh = serde_json::from_slice(&client.post("/v1/login", Some(&credentials))?)?;
    Ok(Held { token: fresh.token, until: Some(fresh.expires) })
}

/// When a token ends, by its own word: only for telling.
fn ends(token: &str) -> Option<jiff::Timestamp> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    jiff::Timestamp::from_second(claims.get("exp")?.as_i64()?).ok()
}

/// Asks the daemon through the very door that docker uses, with all that docker shows there: the answer is about that
/// and about nothing else.
pub(super) fn whoami(args: &WhoamiArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let directory = docker_config::directory(args.docker_config.as_deref())?;
    let asking = Asking::new(&directory)?;
    let output = Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .env("DOCKER_CONFIG", &asking.0)
        .stdin(Stdio::null())
        .output()
        .context("cannot run `docker`: its way to the daemon is the one that is asked about")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = said.split_once(DENIED).map(|(_, answer)| answer);
    let Some(answer) = answer.or_else(|| said.find(YOU_ARE).and_then(|at| said.get(at..))) else {
        if output.status.success() {
            bail!("the daemon answered docker and not us: no Wharfinger is asked there, or an older one");
        }
        bail!("docker says: {}", said.trim().escape_debug());
    };
    for line in answer.trim().split("; ") {
        writeln!(out, "{line}")?;
    }
    Ok(if answer.starts_with(YOU_ARE) { Outcome::Done } else { Outcome::No })
}

/// A directory like docker's own, with one header more; it goes with this.
struct Asking(std::path::PathBuf);

impl Asking {
    fn new(directory: &Path) -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let text =
            docker_config::with_headers(&docker_config::read(directory)?, &[(WHOAMI_HEADER, Some("1"))])?;
        let name = format!("wharfinger-whoami-{}", uuid::Uuid::new_v4());
        let asking = Self(std::env::temp_dir().join(name));
        std::fs::DirBuilder::new().mode(0o700).create(&asking.0)?;
        std::fs::write(asking.0.join(docker_config::FILE), text)?;
        // Contexts and certificates are looked for beside the file.
        let others = std::fs::read_dir(directory).into_iter().flatten().flatten();
        for other in others.filter(|entry| entry.file_name() != docker_config::FILE) {
            std::os::unix::fs::symlink(std::path::absolute(other.path())?, asking.0.join(other.file_name()))?;
        }
        Ok(asking)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // It holds the token, and what is left of links leads nowhere.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends_and_nonsense_says_nothing() {
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(r#"{"exp":1800000000}"#));
        assert_eq!(ends(&token).unwrap().as_second(), 1_800_000_000);
        for nothing in ["", "a.b.c", "h.e30.s"] {
            assert_eq!(ends(nothing), None);
        }
    }

    #[test]
    fn the_question_has_one_header_more_than_docker_and_leaves_nothing_behind() {
        let docker = tempfile::tempdir().unwrap();
        std::fs::create_dir(docker.path().join("contexts")).unwrap();
        std::fs::write(docker.path().join("contexts/x"), "y").unwrap();
        std::fs::write(docker.path().join("config.json"), r#"{"HttpHeaders":{"X-Wharfinger-Token":"t"}}"#)
            .unwrap();
        let asking = Asking::new(docker.path()).unwrap();
        let place = asking.0.clone();
        let text = std::fs::read_to_string(place.join("config.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"HttpHeaders": {"X-Wharfinger-Token": "t", "X-Wharfinger-Whoami": "1"}})
        );
        assert_eq!(std::fs::read_to_string(place.join("contexts/x")).unwrap(), "y");
        drop(asking);
        assert!(!place.exists());
        assert!(docker.path().join("contexts/x").exists());
    }
}
