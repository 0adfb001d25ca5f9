//! The real docker command line, as one person.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::{Said, bounded};

/// Runs docker commands with one identity.
#[derive(Clone)]
pub(crate) struct Docker {
    host: String,
    config: PathBuf,
    certificates: Option<PathBuf>,
    user: Option<String>,
}

impl Docker {
    pub(super) fn over_tls(port: u16, certificates: &Path) -> Self {
        let config = certificates.join("config");
        let host = format!("tcp://127.0.0.1:{port}");
        Self { host, config, certificates: Some(certificates.to_owned()), user: None }
    }

    pub(super) fn on_socket(socket: &Path) -> Self {
        let config = socket.with_file_name("docker-config");
        Self { host: format!("unix://{}", socket.display()), config, certificates: None, user: None }
    }

    /// The same for a user of the host, whom the kernel sees at the other end of the socket.
    pub(super) fn for_user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
    }

    /// `docker ARGUMENTS`, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command("docker").args(arguments).output().unwrap().into()
    }

    /// `docker ARGUMENTS` on a terminal. What it printed, on either stream, is in `out`.
    pub(crate) fn run_on_a_terminal(&self, arguments: &[&str]) -> Said {
        let line = format!("docker {}", arguments.join(" "));
        self.command("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .output()
            .unwrap()
            .into()
    }

    /// The answer to a call of the Engine API with a JSON body, over TLS: what no command line sends.
    pub(crate) fn api(&self, method: &str, target: &str, body: &str) -> String {
        let certificates = self.certificates.as_ref().unwrap();
        let server = self.host.trim_start_matches("tcp://");
        let mut client = bounded("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-connect", server, "-CAfile"])
            .arg(certificates.join("ca.pem"))
            .arg("-cert")
            .arg(certificates.join("cert.pem"))
            .arg("-key")
            .arg(certificates.join("key.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        // Held open until the answer is there: the client would end with its input.
        let mut input = client.stdin.take().unwrap();
        input.write_all(request.as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        drop(input);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command that finds this engine and this identity in its environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = match &self.user {
            None => bounded(program),
            Some(user) => {
                let mut command = bounded("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups");
                command.arg(program);
                command
            }
        };
        command.env("DOCKER_HOST", &self.host).env("DOCKER_CONFIG", &self.config);
        for name in ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION", "DOCKER_CONTEXT"] {
            command.env_remove(name);
        }
        if let Some(path) = &self.certificates {
            command.env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", path);
        }
        command
    }
}
