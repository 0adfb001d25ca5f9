//! Running commands and waiting for what they promise.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Standard output of a command that must have succeeded, without the last line end.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "it failed: {self:#?}");
        self.out.trim_end().to_owned()
    }

    /// Standard error of a command that must have failed.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_ne!(self.code, 0, "it was to fail: {self:#?}");
        self.err.trim_end().to_owned()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A command that is ended after a minute, so that a hang is a failed test (exit code 124) and not a stuck run.
pub(crate) fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60", program]).stdin(Stdio::null());
    command
}

/// Waits until `ready` answers, and fails the test with `what` and the text of `why` if that takes a minute.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>, why: impl Fn() -> String) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "waited a minute for {what}: {}", why());
        std::thread::sleep(Duration::from_millis(20));
    }
}
