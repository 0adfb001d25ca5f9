//! The trail under bad luck: killed writers, a full disk, a read-only file system.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use wharfinger::audit::{
    AuditError, DecisionEntry, DecisionId, Door, Entry, Event, Filter, Format, Http, Phase, Reader, Record,
    Settings, Trail, Unavailable, export,
};
use wharfinger::authz::Decision;
use wharfinger::store::StoreError;

/// Where a test that runs as a child of another finds its directory.
const DIRECTORY: &str = "WHARFINGER_TEST_DIRECTORY";

#[test]
fn a_writer_that_is_killed_has_every_acknowledged_record_on_disk_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<Vec<String>> = vec![Vec::new(); CALLERS];
    for round in 1..=10 {
        let mut child = in_child("audit::child_that_records_until_it_is_killed", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The kill falls wherever the writer happens to be after so many answers.
        for line in
            lines.by_ref().map_while(Result::ok).filter(|line| line.starts_with("ack ")).take(round * 37)
        {
            note(&mut acknowledged, &line);
        }
        child.kill().unwrap();
        // What the child said before it died counts, but for a line that it did not finish.
        for line in lines.map_while(Result::ok) {
            if line.starts_with("ack ") && line.len() == "ack 00 ".len() + 26 {
                note(&mut acknowledged, &line);
            }
        }
        child.wait().unwrap();
    }
    let path = dir.path().join("audit.db");
    let on_disk: Vec<String> = decisions(&path).iter().map(ToString::to_string).collect();
    assert!(acknowledged.iter().map(Vec::len).sum::<usize>() > 2000, "the child did next to nothing");
    for of_caller in &acknowledged {
        let found: Vec<&String> = on_disk.iter().filter(|id| of_caller.contains(id)).collect();
        assert_eq!(found, of_caller.iter().collect::<Vec<_>>());
    }
    let mut once = on_disk.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), on_disk.len());
    assert_places_are_complete(&path);
}

/// How many callers the child has at a time.
const CALLERS: usize = 16;

fn note(acknowledged: &mut [Vec<String>], line: &str) {
    let mut words = line.split(' ').skip(1);
    let caller: usize = words.next().unwrap().parse().unwrap();
    acknowledged[caller].push(words.next().unwrap().to_owned());
}

#[test]
#[ignore = "runs as the child of the test above"]
fn child_that_records_until_it_is_killed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let trail = Arc::new(Trail::open(settings(&directory())).unwrap());
    for caller in 0..CALLERS {
        let trail = Arc::clone(&trail);
        runtime.spawn(async move {
            while let Ok(recorded) = trail.record(permit()).await {
                let line = format!("ack {caller:02} {}\n", recorded.id());
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    runtime.block_on(std::future::pending::<()>());
}

#[test]
fn a_full_disk_denies_and_keeps_what_was_acknowledged() {
    in_private_mounts("audit::child_on_a_small_disk");
}

#[test]
#[ignore = "runs as the child of the test above"]
fn child_on_a_small_disk() {
    let dir = directory();
    mount(&["-t", "tmpfs", "-o", "size=2m", "wharfinger-test", dir.to_str().unwrap()]);
    std::fs::write(dir.join("ballast"), vec![1; 512 * 1024]).unwrap();
    let path = dir.join("audit.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let trail = Trail::open(settings(&dir)).unwrap();
        let mut acknowledged = Vec::new();
        let error = loop {
            match trail.record(permit()).await {
                Ok(recorded) => acknowledged.push(recorded.id()),
                Err(error) => break error,
            }
            assert!(acknowledged.len() < 100_000, "the disk does not fill");
        };
        assert_eq!(error, AuditError::Unavailable(Unavailable::Store(StoreError::Full(path.clone()))));
        for _ in 0..3 {
            assert_eq!(trail.record(permit()).await.unwrap_err(), error);
        }
        assert_eq!(trail.failing(), Some(error));
        // Reading goes on meanwhile.
        let newest = Reader::open(&path).unwrap().list(&Filter::default()).unwrap().records[0].id();
        assert_eq!(Some(&newest), acknowledged.last());

        std::fs::remove_file(dir.join("ballast")).unwrap();
        acknowledged.push(trail.record(permit()).await.unwrap().id());
        assert_eq!(trail.failing(), None);
        trail.close().await;
        assert_eq!(decisions(&path), acknowledged);
        let told: Vec<_> = told(&path);
        assert_eq!(told, [(Event::Gap, 4)]);
        assert_places_are_complete(&path);
    });
}

#[test]
fn a_read_only_file_system_denies_until_it_is_gone() {
    in_private_mounts("audit::child_on_a_read_only_file_system");
}

#[test]
#[ignore = "runs as the child of the test above"]
fn child_on_a_read_only_file_system() {
    let dir = directory();
    let path = dir.join("audit.db");
    let here = dir.to_str().unwrap();
    let denied = |error: StoreError| AuditError::Unavailable(Unavailable::Store(error));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let trail = Trail::open(settings(&dir)).unwrap();
        let mut acknowledged = vec![trail.record(permit()).await.unwrap().id()];
        mount(&["-t", "tmpfs", "-o", "ro", "wharfinger-test", here]);
        // First the file is gone, then there is no way to make one.
        assert_eq!(trail.record(permit()).await.unwrap_err(), denied(StoreError::Replaced(path.clone())));
        assert_eq!(trail.record(permit()).await.unwrap_err(), denied(StoreError::ReadOnly(path.clone())));
        assert_eq!(Trail::open(settings(&dir)).unwrap_err(), denied(StoreError::ReadOnly(path.clone())));
        run(Command::new("umount").arg(here));
        acknowledged.push(trail.record(permit()).await.unwrap().id());
        trail.close().await;
        // The decision that met the missing file was committed to it all the same, and is taken back.
        assert_eq!(told(&path), [(Event::Withdrawn, 1), (Event::Gap, 1)]);
        let mut kept = decisions(&path);
        kept.retain(|id| acknowledged.contains(id));
        assert_eq!(kept, acknowledged);
        assert_places_are_complete(&path);

        // A copy on a disk that takes no writes can still be read.
        let all = Reader::open(&path).unwrap().list(&Filter::default()).unwrap();
        mount(&["--bind", here, here]);
        mount(&["-o", "remount,bind,ro", here]);
        assert_eq!(Reader::open(&path).unwrap().list(&Filter::default()).unwrap(), all);
    });
}

/// Runs an ignored test of this file as a process of its own.
fn in_child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    with_test(&mut command, test, dir);
    command
}

/// Runs an ignored test in a mount namespace of its own, which takes its mounts along when it ends.
#[track_caller]
fn in_private_mounts(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    with_test(&mut command, test, dir.path());
    let output = command.output().expect("`unshare` of util-linux is needed");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "this test makes mounts of its own, for which it has to run as root; it said: {said}"
    );
}

fn with_test(command: &mut Command, test: &str, dir: &Path) {
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]).env(DIRECTORY, dir);
}

fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY).expect("only another test runs this one").into()
}

#[track_caller]
fn mount(arguments: &[&str]) {
    run(Command::new("mount").args(arguments));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn settings(dir: &Path) -> Settings {
    Settings::new(dir.join("audit.db"), Arc::new(|| (jiff::Timestamp::now(), random())))
}

fn permit() -> DecisionEntry {
    let now = jiff::Timestamp::now();
    let decision = Decision::Permit(Vec::new());
    DecisionEntry::new(
        DecisionId::new(now, random()),
        now,
        Door::Plugin,
        Http::new("GET", "/_ping", None),
        &decision,
    )
}

fn random() -> [u8; 10] {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    std::array::from_fn(|at| bytes[if at < 6 { at } else { at + 4 }])
}

fn records(path: &Path) -> Vec<Record> {
    let mut output = Vec::new();
    export(&Reader::open(path).unwrap(), &Filter::default(), Format::Jsonl, &mut output).unwrap();
    output
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Record::decode(line).unwrap())
        .collect()
}

/// The ids of the decisions on record, in their order.
fn decisions(path: &Path) -> Vec<DecisionId> {
    let decided = |record: &Record| record.entry.phase() == Phase::Decision;
    records(path).iter().filter(|record| decided(record)).map(|record| record.entry.id()).collect()
}

/// What the trail tells about itself.
fn told(path: &Path) -> Vec<(Event, u64)> {
    let event = |record: Record| match record.entry {
        Entry::System(entry) => Some((entry.event, entry.count)),
        Entry::Decision(_) | Entry::Response(_) | Entry::Admin(_) => None,
    };
    records(path).into_iter().filter_map(event).collect()
}

#[track_caller]
fn assert_places_are_complete(path: &Path) {
    let places: Vec<u64> = records(path).iter().map(|record| record.seq).collect();
    assert_eq!(places, (1..=places.len() as u64).collect::<Vec<_>>());
    let connection = rusqlite::Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
