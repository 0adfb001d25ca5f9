//! Reading a secret from the terminal, without showing it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};

use anyhow::Context as _;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// Shows the terminal's characters again, however the reading ended.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let (Ok(()) | Err(_)) = tcsetattr(self.terminal, SetArg::TCSANOW, &self.before);
    }
}

/// Asks for a line on the terminal of this process, wherever its standard streams lead.
pub(super) fn secret(prompt: &str) -> anyhow::Result<String> {
    let terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .context("there is no terminal to ask on; give the password with `--password-stdin`")?;
    let before = tcgetattr(&terminal)?;
    let mut line = String::new();
    {
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        quiet.local_flags.insert(LocalFlags::ECHONL);
        let _hidden = Hidden { terminal: &terminal, before };
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &quiet)?;
        // Only now: nothing that is typed after it shows, or is lost.
        write!(&terminal, "{prompt}")?;
        BufReader::new(&terminal).read_line(&mut line)?;
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
