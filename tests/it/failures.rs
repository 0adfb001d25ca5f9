//! A directory that fails, in every way that was thought of: what a new user is told, and that a known one goes on.
//!
//! Each test prints a row of the table in `tests/README.md`, with its times; they are printed and not judged.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wharfinger::directory::{Directory, DirectoryError, Looked, Settings};

use crate::support::ca::Ca;
use crate::support::process::wait_for;
use crate::support::slapd::{Slapd, Way};
use crate::support::tree::Tree;

/// With the deadlines that are the defaults.
fn directory(settings: &str, more: &str) -> Directory {
    let settings: String = settings
        .lines()
        .filter(|line| !line.contains("_timeout") && !line.contains("_deadline"))
        .flat_map(|line| [line, "\n"])
        .collect();
    Directory::new(toml::from_str::<Settings>(&format!("{settings}{more}")).unwrap(), jiff::Timestamp::now)
        .unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "it stands beside the answers that are errors")]
fn alice(stale: bool) -> Result<Looked, DirectoryError> {
    Ok(Looked { user: "alice".to_owned(), groups: vec!["dev".to_owned()], stale })
}

/// Two directories with alice in them: in one her groups are fresh for a minute, in the other they are old at once.
struct Known {
    fresh: Directory,
    old: Directory,
}

impl Known {
    async fn of(settings: &str) -> Self {
        let known = Self { fresh: directory(settings, ""), old: directory(settings, "cache_ttl = '1ms'\n") };
        for directory in [&known.fresh, &known.old] {
            until(directory, "alice", |answer| *answer == alice(false)).await;
        }
        known
    }

    /// What is to hold whatever fails: groups that are fresh are given without waiting, old ones are given, and
    /// nobody new is let in. Prints the row; gives the message.
    async fn goes_on(&self, failure: &str) -> String {
        let waited = self.fresh.status().cache.unwrap().waited;
        let (new, new_took) = timed(&self.fresh, "jdoe").await;
        let (known, known_took) = timed(&self.fresh, "alice").await;
        assert_eq!(known, alice(false), "{failure}");
        assert_eq!(self.fresh.status().cache.unwrap().waited, waited, "{failure}: a known user waited");
        let (first, first_took) = timed(&self.old, "alice").await;
        let (then, then_took) = timed(&self.old, "alice").await;
        assert_eq!((first, then), (alice(true), alice(true)), "{failure}");
        let message = match new {
            Err(error @ DirectoryError::Unavailable(_)) => error.to_string(),
            other => panic!("{failure}: {other:?}"),
        };
        println!(
            "| {failure} | denied: {message} | {} | let in: {} | let in: {}, then {} |",
            shown(new_took),
            shown(known_took),
            shown(first_took),
            shown(then_took)
        );
        message
    }

    /// The directory is asked again by itself.
    async fn recovers(&self) {
        for directory in [&self.fresh, &self.old] {
            until(directory, "jdoe", Result::is_ok).await;
            until(directory, "alice", |answer| *answer == alice(false)).await;
        }
    }
}

async fn timed(directory: &Directory, user: &str) -> (Result<Looked, DirectoryError>, Duration) {
    let started = Instant::now();
    (directory.groups(user).await, started.elapsed())
}

fn shown(took: Duration) -> String {
    if took < Duration::from_millis(1) { "below 1 ms".to_owned() } else { format!("{} ms", took.as_millis()) }
}

async fn until(directory: &Directory, user: &str, good: impl Fn(&Result<Looked, DirectoryError>) -> bool) {
    let started = Instant::now();
    loop {
        let answer = directory.groups(user).await;
        if good(&answer) {
            return;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "waited a minute for {user}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server() {
    let server = Slapd::start();
    let known = Known::of(&server.settings(Way::Ldaps)).await;
    server.stop();
    let message = known.goes_on("server stopped (SIGSTOP), connection open").await;
    assert_eq!(message, "identity unavailable: the directory did not answer in time");
    server.go_on();
    known.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_and_started_again() {
    let mut server = Slapd::start();
    let known = Known::of(&server.settings(Way::Ldaps)).await;
    let under_way = known.fresh.groups("many");
    server.kill();
    match under_way.await {
        Ok(looked) => assert_eq!(looked.groups.len(), 200),
        Err(error) => assert!(matches!(error, DirectoryError::Unavailable(_)), "{error:?}"),
    }
    let message = known.goes_on("server killed in the middle of a search").await;
    assert!(message.contains("cannot connect: Connection refused"), "{message}");
    server.run();
    known.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_is_not_good_any_more() {
    let names = ["localhost", "127.0.0.1"];
    for (failure, reason) in [
        ("certificate expired", "certificate expired"),
        ("certificate of another host", "not valid for name"),
        ("certificate of an unknown CA", "UnknownIssuer"),
    ] {
        let mut server = Slapd::start();
        let known = Known::of(&server.settings(Way::Ldaps)).await;
        server.kill();
        let stranger = tempfile::tempdir().unwrap();
        let bad = match failure {
            "certificate expired" => server.ca.expired_server("server", &names),
            "certificate of another host" => server.ca.server("server", &["ldap.elsewhere"]),
            _ => Ca::new(stranger.path(), "stranger").server("server", &names),
        };
        for (bad, used) in [(&bad.certificate, "server.crt"), (&bad.key, "server.key")] {
            let used = server.path().join(used);
            if *bad != used {
                std::fs::copy(bad, used).unwrap();
            }
        }
        server.run();
        let message = known.goes_on(failure).await;
        assert!(message.contains("TLS failed") && message.contains(reason), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_whose_password_changed() {
    let mut server = Slapd::start();
    let known = Known::of(&server.settings(Way::Ldaps)).await;
    let good = std::fs::read(server.password_file()).unwrap();
    std::fs::write(server.password_file(), "old").unwrap();
    server.kill();
    server.run();
    let message = known.goes_on("password of the service account changed").await;
    assert!(message.contains("the server refuses the service account with code 49"), "{message}");
    let status = known.fresh.status();
    assert!(status.account_refused.unwrap().contains("correct `bind_dn` or the password file"));
    std::fs::write(server.password_file(), good).unwrap();
    known.recovers().await;
}

/// The address of the server that is cut off.
const FAR: &str = "10.99.0.2";

#[test]
fn a_network_that_swallows_everything() {
    // The addresses and links of this test are in namespaces of their own.
    let told = Command::new("timeout")
        .args(["--kill-after=5", "120", "unshare", "--net"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--ignored", "failures::the_same_in_a_network_of_its_own"])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success() && out.contains("1 passed"), "{out}{err}");
    out.lines().filter(|line| line.starts_with('|')).for_each(|line| println!("{line}"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a network namespace; the test above runs it in one"]
async fn the_same_in_a_network_of_its_own() {
    let far = Far::new();
    let pid = far.0.id();
    let server = Slapd::start_at(Some((pid, FAR)), &Tree::awkward(), "", |ca| ca.server("server", &[FAR]));
    let known = Known::of(&server.settings(Way::Ldaps)).await;
    in_namespace(pid, "ip link set far down");
    let message = known.goes_on("network swallows everything (half-open TCP)").await;
    assert_eq!(message, "identity unavailable: the directory did not answer in time");
    in_namespace(pid, "ip link set far up");
    known.recovers().await;
}

/// A network namespace with one link to this one, held by a process that sleeps.
struct Far(Child);

impl Far {
    fn new() -> Self {
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let mut sleeper = Command::new("setpriv");
        sleeper.args(["--pdeathsig", "KILL", "unshare", "--net", "sleep", "1000"]).stdin(Stdio::null());
        let far = Self(sleeper.spawn().unwrap());
        let pid = far.0.id();
        wait_for(
            "another namespace",
            || (std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()? != own).then_some(()),
            String::new,
        );
        run("ip link set lo up");
        run(&format!("ip link add near type veth peer name far netns {pid}"));
        run("ip address add 10.99.0.1/30 dev near && ip link set near up");
        in_namespace(
            pid,
            &format!("ip address add {FAR}/30 dev far && ip link set far up && ip link set lo up"),
        );
        far
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn in_namespace(pid: u32, command: &str) {
    run(&format!("nsenter --net --target {pid} sh -c '{command}'"));
}

fn run(command: &str) {
    let done = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
}
