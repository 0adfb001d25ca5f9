//! The measurements: each on both sockets in turns, so that a busy machine is as busy for one as for the other.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::Options;
use super::call::{Call, once};
use super::ground::Ground;

/// Everything, as lines of a Markdown table.
pub(crate) fn all(options: &Options, ground: &Ground) -> anyhow::Result<Vec<String>> {
    let mut lines =
        vec!["| what | raw socket | gateway | gateway to raw |".to_owned(), "|---|---|---|---|".to_owned()];
    let [raw, through] = pings(options, ground)?;
    lines.push(format!(
        "| `GET /_ping`, p50 of {} | {:.0} µs | {:.0} µs | {:+.0} µs |",
        options.pings,
        micros(raw),
        micros(through),
        micros(through) - micros(raw)
    ));
    let bytes = options.mebibytes << 20;
    // A file to copy out, and a stream to copy it in from, have the same length.
    exec(
        &ground.raw(),
        &["busybox", "dd", "if=/dev/zero", "of=/large", "bs=1M", &format!("count={}", options.mebibytes)],
    )?;
    for (what, stream) in [
        ("copied out (`docker cp` from)", copy_out as Stream),
        ("copied in (`docker cp` to)", copy_in),
        ("standard input of an exec", stdin),
    ] {
        let [raw, through] = fastest(options.rounds, ground, |socket| stream(socket, bytes))?;
        lines.push(format!(
            "| {} MiB {what} | {:.2} s | {:.2} s | {:.2} × |",
            options.mebibytes,
            raw.as_secs_f64(),
            through.as_secs_f64(),
            through.as_secs_f64() / raw.as_secs_f64()
        ));
    }
    let (before, during) = events(options, ground)?;
    lines.push(format!(
        "| {} streams of events, memory of the program | | {} MiB, {} MiB before | |",
        options.streams,
        during >> 10,
        before >> 10
    ));
    Ok(lines)
}

type Stream = fn(&Path, usize) -> anyhow::Result<()>;

/// The median ping of each socket: the two take turns, ping by ping.
fn pings(options: &Options, ground: &Ground) -> anyhow::Result<[Duration; 2]> {
    let mut calls = [Call::open(&ground.raw())?, Call::open(&ground.gateway())?];
    let mut taken = [Vec::new(), Vec::new()];
    for round in 0..options.pings + 50 {
        for (call, taken) in calls.iter_mut().zip(&mut taken) {
            let start = Instant::now();
            call.send("GET /_ping", "", b"")?;
            let (status, _) = call.answer()?;
            ensure!(status == 200, "a ping was answered with {status}");
            // The first ones make connections and fill caches.
            if round >= 50 {
                taken.push(start.elapsed());
            }
        }
    }
    Ok(taken.map(|mut taken| {
        taken.sort_unstable();
        taken[taken.len() / 2]
    }))
}

/// The fastest of some rounds on each socket.
fn fastest(
    rounds: usize,
    ground: &Ground,
    measured: impl Fn(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<[Duration; 2]> {
    let mut best = [Duration::MAX; 2];
    for _ in 0..rounds {
        for (socket, best) in [ground.raw(), ground.gateway()].iter().zip(&mut best) {
            let start = Instant::now();
            measured(socket)?;
            *best = start.elapsed().min(*best);
        }
    }
    Ok(best)
}

fn copy_out(socket: &Path, bytes: usize) -> anyhow::Result<()> {
    let mut call = Call::open(socket)?;
    call.send("GET /containers/idle/archive?path=/large", "Connection: close\r\n", b"")?;
    let status = call.head()?.status;
    ensure!(status == 200, "copying out was answered with {status}");
    let read = call.drain()?;
    ensure!(read >= bytes, "{read} bytes came of {bytes}");
    Ok(())
}

fn copy_in(socket: &Path, bytes: usize) -> anyhow::Result<()> {
    let mut call = Call::open(socket)?;
    let header = tar_header("large", bytes);
    // The file, and the two empty blocks at an archive's end.
    let length = header.len() + bytes + 1024;
    let headers = format!("Content-Type: application/x-tar\r\nContent-Length: {length}\r\n");
    call.send("PUT /containers/idle/archive?path=/tmp", &headers, &header)?;
    call.write(bytes + 1024, false)?;
    let (status, answer) = call.answer()?;
    ensure!(status == 200, "copying in was answered with {status}: {}", String::from_utf8_lossy(&answer));
    Ok(())
}

fn stdin(socket: &Path, bytes: usize) -> anyhow::Result<()> {
    let id = exec_create(socket, &["sh", "-c", "cat > /dev/null"], true)?;
    let mut call = Call::open(socket)?;
    let body = r#"{"Detach":false,"Tty":false}"#;
    let headers = format!(
        "Content-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {}\r\n",
        body.len()
    );
    call.send(&format!("POST /exec/{id}/start"), &headers, body.as_bytes())?;
    let status = call.head()?.status;
    ensure!(status == 101, "an exec was answered with {status}");
    call.write(bytes, true)?;
    call.drain()?;
    Ok(())
}

/// Memory before and while the streams are open.
fn events(options: &Options, ground: &Ground) -> anyhow::Result<(u64, u64)> {
    let before = ground.memory()?;
    let mut open = Vec::new();
    for _ in 0..options.streams {
        let mut call = Call::open(&ground.gateway())?;
        call.send("GET /events", "", b"")?;
        let status = call.head()?.status;
        ensure!(status == 200, "events were answered with {status}");
        open.push(call);
    }
    Ok((before, ground.memory()?))
}

/// Runs a command in the container to its end.
fn exec(socket: &Path, command: &[&str]) -> anyhow::Result<()> {
    let id = exec_create(socket, command, false)?;
    once(socket, &format!("POST /exec/{id}/start"), r#"{"Detach":true}"#)?;
    let start = Instant::now();
    loop {
        let state: serde_json::Value =
            serde_json::from_slice(&once(socket, &format!("GET /exec/{id}/json"), "")?)?;
        if state["Running"] == false {
            ensure!(state["ExitCode"] == 0, "{command:?} failed: {state}");
            return Ok(());
        }
        if start.elapsed() > Duration::from_mins(5) {
            bail!("{command:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn exec_create(socket: &Path, command: &[&str], stdin: bool) -> anyhow::Result<String> {
    let body = serde_json::json!({ "AttachStdin": stdin, "AttachStdout": stdin, "Cmd": command });
    let answer = once(socket, "POST /containers/idle/exec", &body.to_string())?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    Ok(answer["Id"].as_str().context("an exec without an id")?.to_owned())
}

/// The header of one file in a tar archive.
fn tar_header(name: &str, length: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{length:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\u{0} ").as_bytes());
    header
}

#[expect(clippy::cast_precision_loss, reason = "a duration of 2^53 ns is 104 days")]
fn micros(taken: Duration) -> f64 {
    taken.as_nanos() as f64 / 1000.0
}
