//! `wharfinger simulate`: what a docker command would ask of the daemon, what that needs, and what would be decided.
//!
//! The command is run for real, against an engine that only writes down what it is asked and does nothing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::args::Output;
use super::args_policy::WhoArgs;
use super::client::Client;
use super::{Outcome, change, output, roles};

/// How long the command may take; against this engine it has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest body that is written down.
const LONGEST_BODY: u64 = 4 << 20;

/// Ways to reach another engine than ours, which a trial must not do.
const ELSEWHERE: &[&str] = &["-H", "--host", "-c", "--context", "--config"];

/// Runs the command, or reads questions that were recorded, and prints what would be decided about each.
pub(super) fn run(
    command: &[String],
    who: &WhoArgs,
    form: Output,
    client: &Client,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let questions = if command.is_empty() {
        let mut questions = String::new();
        std::io::stdin().lock().read_to_string(&mut questions)?;
        questions
    } else {
        asked_by(command)?
    };
    let mut query = Vec::new();
    query.extend(who.user.clone().map(|user| ("user".to_owned(), user)));
    query.extend((!who.groups.is_empty()).then(|| ("groups".to_owned(), who.groups.join(","))));
    let answers = client.post_text("/v1/simulate", &query, "application/jsonl", questions)?;
    let answers: Vec<serde_json::Value> =
        std::str::from_utf8(&answers)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    anyhow::ensure!(!answers.is_empty(), "the command asks nothing of the daemon");
    let permit = answers.iter().all(|answer| answer["permit"] == true);
    let rows: Vec<Vec<String>> = answers.iter().flat_map(rows).collect();
    match form {
        Output::Json => roles::print_json(&answers, out)?,
        Output::Csv => output::rows(form, &HEAD, &rows, out)?,
        Output::Table => {
            output::rows(form, &HEAD, &rows, out)?;
            let denied =
                answers.iter().filter_map(|answer| answer["message"].as_str()).find(|m| !m.is_empty());
            writeln!(out, "{}", if permit { "yes" } else { "no" })?;
            if let Some(message) = denied {
                writeln!(out, "{}", change::shown(message))?;
            }
        }
    }
    Ok(if permit { Outcome::Done } else { Outcome::No })
}

const HEAD: [&str; 5] = ["call", "granted", "action", "resource", "permission"];

fn rows(answer: &serde_json::Value) -> Vec<Vec<String>> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let call = text(&answer["operation"]);
    let findings = answer["findings"].as_array().cloned().unwrap_or_default();
    if findings.is_empty() {
        return vec![vec![call, "no".to_owned(), String::new(), String::new(), text(&answer["message"])]];
    }
    let row = |found: &serde_json::Value| {
        let granted = if found["granted"] == true { "yes" } else { "no" }.to_owned();
        vec![
            call.clone(),
            granted,
            text(&found["action"]),
            text(&found["resource"]),
            text(&found["permission"]),
        ]
    };
    findings.iter().map(row).collect()
}

/// What a docker command asks, as dockerd's questions, one JSON a line.
fn asked_by(command: &[String]) -> anyhow::Result<String> {
    let (program, arguments) = command.split_first().context("no command")?;
    let is_docker = std::path::Path::new(program).file_name().is_some_and(|name| name == "docker");
    anyhow::ensure!(
        is_docker,
        "`{}` is not docker: write `wharfinger simulate -- docker run …`",
        change::shown(program)
    );
    // Before the subcommand these name another engine.
    for argument in arguments.iter().take_while(|argument| argument.starts_with('-')) {
        let name = argument.split('=').next().unwrap_or_default();
        let short = ["-H", "-c"].iter().any(|short| name.starts_with(short) && !name.starts_with("--"));
        anyhow::ensure!(
            !short && !ELSEWHERE.contains(&name),
            "`{}` names another engine: leave it out, nothing is sent to any",
            change::shown(argument)
        );
    }
    let directory = Directory::new()?;
    let socket = directory.0.join("docker.sock");
    let listener = UnixListener::bind(&socket)?;
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = Arc::clone(&heard);
    // The threads end with the process, which has nothing else to do.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heard = Arc::clone(&ears);
            std::thread::spawn(move || drop(serve(stream, &heard)));
        }
    });
    let mut child = Command::new(program)
        .args(arguments)
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env("DOCKER_CONFIG", directory.0.join("config"))
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_TLS_VERIFY")
        .env_remove("DOCKER_CERT_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", change::shown(program)))?;
    let since = Instant::now();
    while child.try_wait()?.is_none() {
        if since.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    if heard.is_empty() {
        let mut said = String::new();
        if let Some(stderr) = &mut child.stderr {
            stderr.take(4096).read_to_string(&mut said)?;
        }
        anyhow::bail!("the command asked nothing of the daemon: {}", change::shown(said.trim()));
    }
    Ok(heard.join("\n"))
}

/// A private directory that goes when this does.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = std::env::temp_dir().join(format!("wharfinger-{}", uuid::Uuid::new_v4().simple()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Answers one connection as an engine on which everything succeeds at once.
fn serve(stream: UnixStream, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(question) = read(&mut reader)? {
        let path = question.target.split('?').next().unwrap_or_default().to_owned();
        if !path.ends_with("/_ping") {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(question.json());
        }
        writer.write_all(answer(&question.method, &path).as_bytes())?;
        if path.ends_with("/attach") || (path.contains("/exec/") && path.ends_with("/start")) {
            // The connection is the container's from here on, and that has ended.
            return Ok(());
        }
    }
    Ok(())
}

struct Asked {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Asked {
    fn json(&self) -> String {
        let body = (!self.body.is_empty()).then(|| STANDARD.encode(&self.body));
        serde_json::json!({
            "RequestMethod": self.method, "RequestUri": self.target, "RequestHeaders": self.headers, "RequestBody": body,
        })
        .to_string()
    }
}

fn read(reader: &mut BufReader<UnixStream>) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(canonical(name), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("Content-Length").and_then(|length| length.parse::<u64>().ok()) {
        reader.take(length.min(LONGEST_BODY)).read_to_end(&mut body)?;
    } else if headers.get("Transfer-Encoding").is_some_and(|coding| coding == "chunked") {
        chunks(reader, &mut body)?;
    }
    // What dockerd hides from plugins.
    headers.remove("X-Registry-Auth");
    headers.remove("X-Registry-Config");
    if headers.get("Content-Type").is_none_or(|kind| !kind.starts_with("application/json")) {
        body.clear();
    }
    Ok(Some(Asked { method, target, headers, body }))
}

fn chunks(reader: &mut BufReader<UnixStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).unwrap_or(0);
        let room = LONGEST_BODY.saturating_sub(body.len() as u64);
        reader.take(size.min(room)).read_to_end(body)?;
        let mut end = String::new();
        reader.read_line(&mut end)?;
        if size == 0 || room < size {
            return Ok(());
        }
    }
}

/// A header's name as Go writes it.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase())
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// An answer with which the command goes on.
fn answer(method: &str, path: &str) -> String {
    const ID: &str = "0000000000000000000000000000000000000000000000000000000000000000";
    let tail = path.rsplit('/').next().unwrap_or_default();
    let (status, body) = match (method, tail) {
        ("GET" | "HEAD", "_ping") => ("200 OK", "OK".to_owned()),
        ("POST", "attach") => {
            return "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned();
        }
        ("POST", "start") if path.contains("/exec/") => {
            return "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned();
        }
        ("POST", "create" | "exec" | "commit") => {
            ("201 Created", format!("{{\"Id\":\"{ID}\",\"Name\":\"x\",\"Warnings\":[]}}"))
        }
        ("POST", "wait") => ("200 OK", "{\"StatusCode\":0}".to_owned()),
        ("POST", "prune") => ("200 OK", "{\"SpaceReclaimed\":0}".to_owned()),
        ("POST" | "DELETE" | "PUT", _) => ("204 No Content", String::new()),
        ("GET", "version") => (
            "200 OK",
            "{\"Version\":\"28.0.0\",\"ApiVersion\":\"1.41\",\"Os\":\"linux\",\"Arch\":\"amd64\"}".to_owned(),
        ),
        ("GET", "info") => (
            "200 OK",
            format!(
                "{{\"ID\":\"{ID}\",\"OSType\":\"linux\",\"Swarm\":{{\"LocalNodeState\":\"active\",\"ControlAvailable\":true}}}}"
            ),
        ),
        ("GET", "json") if !path.ends_with("/containers/json") && !path.ends_with("/images/json") => (
            "200 OK",
            format!(
                "{{\"Id\":\"{ID}\",\"Name\":\"/x\",\"State\":{{\"Status\":\"running\",\"Running\":true}},\"Config\":{{\"Tty\":false}},\"HostConfig\":{{}},\"NetworkSettings\":{{\"Networks\":{{}}}},\"RootFS\":{{}},\"RepoTags\":[]}}"
            ),
        ),
        ("GET", _) if path.contains("/exec/") => {
            ("200 OK", format!("{{\"ID\":\"{ID}\",\"Running\":false,\"ExitCode\":0}}"))
        }
        ("GET", "volumes") => ("200 OK", "{\"Volumes\":[],\"Warnings\":[]}".to_owned()),
        ("GET", "df") => (
            "200 OK",
            "{\"LayersSize\":0,\"Images\":[],\"Containers\":[],\"Volumes\":[],\"BuildCache\":[]}".to_owned(),
        ),
        (
            "GET",
            "json" | "networks" | "services" | "nodes" | "tasks" | "secrets" | "configs" | "plugins"
            | "history" | "changes" | "search",
        ) => ("200 OK", "[]".to_owned()),
        ("GET", "logs" | "events" | "export" | "get") => ("200 OK", String::new()),
        (_, _) => ("200 OK", "{}".to_owned()),
    };
    let length = if method == "HEAD" { 0 } else { body.len() };
    let body = if method == "HEAD" { "" } else { &body };
    format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nDocker-Experimental: false\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
