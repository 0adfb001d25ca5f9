//! People who log in: at a real OpenID provider, or with a password that a real directory server checks.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::denial;
use crate::support::process::Said;
use crate::support::provider::Provider;
use crate::support::slapd::{Slapd, Way};
use crate::support::tree::{PASSWORD, Tree};
use crate::support::wharfinger::Wharf;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wharfinger");

/// A person without a certificate: a directory of docker's own, and the Unix socket.
struct Person<'a> {
    wharf: &'a Wharf,
    docker: tempfile::TempDir,
}

impl<'a> Person<'a> {
    fn new(wharf: &'a Wharf) -> Self {
        let docker = tempfile::tempdir().unwrap();
        fs::write(docker.path().join("config.json"), r#"{"psFormat":"{{.Names}}"}"#).unwrap();
        Self { wharf, docker }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.wharf.dockerd.docker_without_identity().command(program);
        command.env("DOCKER_CONFIG", self.docker.path());
        command
    }

    fn docker(&self, arguments: &[&str]) -> Said {
        self.command("docker").args(arguments).output().unwrap().into()
    }

    fn wharfinger(&self, arguments: &[&str]) -> Said {
        self.command(PROGRAM).args(arguments).output().unwrap().into()
    }

    /// The device flow to its end, with the provider's person at the browser.
    fn login_at(&self, provider: &mut Provider) {
        let issuer = provider.issuer();
        let mut login = self
            .command(PROGRAM)
            .args(["login", "--issuer", &issuer, "--client-id", "this-host", "--allow-http"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(login.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = told.map(|line| line.strip_prefix("or open ").map(str::to_owned));
        provider.approve(&address.flatten().next().unwrap());
        let said = Said::from(login.wait_with_output().unwrap()).ok();
        assert!(said.starts_with("logged in until "), "{said}");
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.docker.path().join("config.json")).unwrap()).unwrap()
    }
}

#[test]
fn a_person_logs_in_at_an_openid_provider_and_stays_who_they_are_over_rotations_and_outages() {
    let mut provider = Provider::start();
    let wharf = Wharf::start_with(|_| provider.section());
    let checked = wharf.wharfinger.cli(&["check"]).ok();
    assert!(checked.contains(&format!("ok      keys of {}: can be fetched", provider.issuer())), "{checked}");
    let alice = Person::new(&wharf);
    assert!(alice.wharfinger(&["whoami"]).ok().starts_with("you are anonymous\n"));

    alice.login_at(&mut provider);
    let config = alice.config();
    assert_eq!(config["psFormat"], "{{.Names}}");
    assert!(config["HttpHeaders"]["X-Wharfinger-Token"].is_string());
    let mode = fs::metadata(alice.docker.path().join("config.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(alice.docker(&["run", "--rm", "busybox", "echo", "hello"]).ok(), "hello");
    assert!(denial(alice.docker(&["ps"])).0.starts_with("alice may not container.list (docker ps)"));
    let known = alice.wharfinger(&["whoami"]).ok();
    let expected = format!(
        "you are alice\ngroups: docker-developers\nroles: public, developer, restricted\nknown by: jwt {} [",
        provider.issuer()
    );
    assert!(known.starts_with(&expected), "{known}");

    // A new key: whoever has a token of it is let in at once, however many ask; the old ones are over.
    provider.rotate();
    provider.person("carol");
    let carol = Person::new(&wharf);
    carol.login_at(&mut provider);
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..6).map(|_| scope.spawn(|| carol.docker(&["ps", "-q"]).ok())).collect();
        for call in asked {
            call.join().unwrap();
        }
    });
    assert_eq!(
        denial(alice.docker(&["version"])).0,
        "the token is refused: no key of its issuer fits; get a new token, or see that the issuer's keys are up to date"
    );

    // The provider is gone, and who is known is not.
    provider.is_down();
    carol.docker(&["ps", "-q"]).ok();
    assert_eq!(alice.wharfinger(&["whoami"]).code, 1);

    carol.wharfinger(&["logout"]).ok();
    assert_eq!(carol.config(), serde_json::json!({"psFormat": "{{.Names}}"}));
    assert!(denial(carol.docker(&["ps"])).0.starts_with("anonymous may not "));
}

#[test]
fn with_a_provider_that_cannot_be_reached_the_daemon_starts_and_only_its_tokens_are_denied() {
    let mut provider = Provider::start();
    let token = {
        let wharf = Wharf::start_with(|_| provider.section());
        let alice = Person::new(&wharf);
        alice.login_at(&mut provider);
        alice.config()["HttpHeaders"]["X-Wharfinger-Token"].as_str().unwrap().to_owned()
    };
    provider.is_down();
    let wharf = Wharf::start_with(|_| provider.section());
    let alice = Person::new(&wharf);
    let config = serde_json::json!({"HttpHeaders": {"X-Wharfinger-Token": token}}).to_string();
    fs::write(alice.docker.path().join("config.json"), config).unwrap();

    let (message, _) = denial(alice.docker(&["version"]));
    assert!(message.starts_with("the token is refused: identity unavailable: "), "{message}");
    wharf.docker("carol", &["ps"]).ok();
}

fn people() -> Tree {
    let mut tree = Tree::empty();
    tree.user("uid=login,ou=people", "login", &[("userPassword", PASSWORD)]);
    tree.group("docker-developers", &["uid=login,ou=people"]);
    // Who brings the image.
    tree.user("uid=carol,ou=people", "carol", &[]);
    tree.group("docker-admins", &["uid=carol,ou=people"]);
    tree
}

/// The directory server's section, with the login socket where everybody can reach it.
fn sections(server: &Slapd, socket: &Path) -> String {
    let directory = server.settings(Way::Ldaps).replace("[ldap]", "[directory.ldap]");
    format!("{directory}[login]\nsocket = '{}'\n", socket.display())
}

#[test]
fn a_password_is_answered_with_a_token_that_is_revoked_like_any_other_and_all_of_it_is_on_record() {
    let server = Slapd::start_with(&people(), "");
    let open = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let socket = open.path().join("login.sock");
    let wharf = Wharf::start_with(|_| sections(&server, &socket));
    let person = Person::new(&wharf);
    let login = |password: &str| -> Said {
        let mut login = person
            .command(PROGRAM)
            .args(["login", "--user", "LOGIN", "--password-stdin", "--socket"])
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(login.stdin.take().unwrap(), "{password}").unwrap();
        login.wait_with_output().unwrap().into()
    };

    let wrong = "wharfinger: user or password is wrong; after three wrong ones, wait a minute";
    assert_eq!(login("wrong").refused(), wrong);
    assert!(login(PASSWORD).ok().starts_with("logged in until "));
    // The directory's own spelling, and its groups.
    let known = person.wharfinger(&["whoami"]).ok();
    assert!(known.starts_with("you are login\ngroups: docker-developers\n"), "{known}");
    assert_eq!(person.docker(&["run", "--rm", "busybox", "echo", "hello"]).ok(), "hello");

    // Not only root comes in by that door.
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o666);
    let as_nobody = ask_as_nobody(&socket, &serde_json::json!({"user": "login", "password": PASSWORD}));
    assert!(as_nobody.starts_with("HTTP/1.1 200 OK"), "{as_nobody}");

    let listed = wharf.wharfinger.cli(&["token", "list", "-o", "json"]).ok();
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let ids: Vec<&str> = listed.iter().map(|token| token["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        wharf.wharfinger.cli(&["token", "revoke", id]).ok();
    }
    assert_eq!(denial(person.docker(&["version"])).0, "the token is refused: it was revoked; get a new one");

    // On a terminal, which shows the question and not the answer.
    let line = format!("{PROGRAM} login --user login --socket {}", socket.display());
    let mut terminal = person
        .command("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = terminal.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"password of login: ") {
        let mut byte = [0];
        assert_eq!(shown.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
        seen.extend(byte);
    }
    writeln!(terminal.stdin.as_mut().unwrap(), "{PASSWORD}").unwrap();
    shown.read_to_end(&mut seen).unwrap();
    assert!(terminal.wait().unwrap().success());
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.contains("logged in until ") && !seen.contains(PASSWORD), "{seen}");
    assert_eq!(person.docker(&["run", "--rm", "busybox", "echo", "hello"]).ok(), "hello");

    let trail = wharf.wharfinger.trail();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let logins: Vec<_> = trail
        .iter()
        .filter(|record| record["operation"] == "token.issue")
        .map(|record| (text(&record["actor"]["how"]), text(&record["decision"]), text(&record["message"])))
        .collect();
    let entry =
        |how: &str, verdict: &str, message: &str| (how.to_owned(), verdict.to_owned(), message.to_owned());
    let issued = "for login, in exchange for the password, for 28800 s";
    let wrong =
        "the directory refuses the user: the password is refused; after three wrong ones, wait a minute";
    assert_eq!(
        logins,
        [
            entry("login socket, uid 0", "deny", wrong),
            entry("login socket, uid 0", "permit", issued),
            entry("login socket, uid 65534", "permit", issued),
            entry("login socket, uid 0", "permit", issued),
        ]
    );
    assert!(!trail.iter().any(|record| record.to_string().contains(PASSWORD)));
}

/// Posts to the login socket as the user `nobody`; the answer.
fn ask_as_nobody(socket: &Path, body: &Value) -> String {
    let body = body.to_string();
    let request = format!(
        "POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let script = "my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; print $s $ARGV[1]; print <$s>;";
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .args(["perl", "-MIO::Socket::UNIX", "-e", script])
        .arg(socket)
        .arg(request)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
