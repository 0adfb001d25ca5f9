//! A real OpenID provider of the test's own, and the person who logs in there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The running provider; it ends with its standard input, so with this or with the test process.
pub(crate) struct Provider {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Provider {
    /// Starts `tests/provider`, as `tests/run` has installed it.
    pub(crate) fn start() -> Self {
        let at = tools().join("provider/provider.mjs");
        assert!(at.exists(), "`{}` is not here: use `tests/run`", at.display());
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut process = Command::new("node")
            .arg(at)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut provider = Self { process, commands, answers, port };
        provider.hear("ready");
        provider
    }

    /// What it calls itself.
    pub(crate) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The section that trusts its ID tokens for the client `this-host`.
    pub(crate) fn section(&self) -> String {
        format!(
            "[[identity.jwt]]\nissuer = '{}'\naudience = 'this-host'\ndiscovery = true\nallow_http = true\n\
             groups_claim = 'groups'\n",
            self.issuer()
        )
    }

    /// Who logs in from now on.
    pub(crate) fn person(&mut self, name: &str) {
        self.tell(&format!("person {name}"));
    }

    /// The person opens the address in a browser, logs in and agrees.
    pub(crate) fn approve(&mut self, address: &str) {
        self.tell(&format!("approve {address}"));
    }

    /// Another signing key, and the one before is gone.
    pub(crate) fn rotate(&mut self) {
        self.tell("rotate");
    }

    /// Answers nothing but errors.
    pub(crate) fn is_down(&mut self) {
        self.tell("down");
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        self.hear("done");
    }

    /// Past what the library has to say about its defaults.
    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        while line.trim_end() != word {
            line.clear();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the provider ended before `{word}`");
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.commands.take());
        drop(self.process.wait());
    }
}

fn tools() -> PathBuf {
    std::env::var_os("WHARFINGER_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from)
}
