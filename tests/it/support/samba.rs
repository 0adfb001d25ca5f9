//! A real Active Directory of the test's own: Samba as a domain controller, on a loopback address of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::ca::Ca;
use super::process::wait_for;

/// The directory's root.
pub(crate) const BASE: &str = "DC=ad,DC=example,DC=org";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samba");

/// The running server; what is in it stands in `tests/samba-tree.py`.
pub(crate) struct Samba {
    dir: tempfile::TempDir,
    address: Ipv4Addr,
    process: Child,
}

impl Samba {
    /// Starts it; the domain is made first where that has not been done on this machine, which takes half a minute.
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("wf-samba-").tempdir().unwrap();
        let address = free_address();
        let ca = Ca::new(dir.path(), "ca");
        ca.server("dc", &["localhost", &address.to_string()]);
        std::fs::write(dir.path().join("password"), "Reader.Passw0rd\n").unwrap();
        let log = dir.path().join("log");
        // The script becomes the server; with the signal it ends however the test ends.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", SCRIPT, "run"])
            .arg(dir.path())
            .arg(address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_for(
            "samba to listen",
            || {
                assert!(process.try_wait().unwrap().is_none(), "samba ended: {}", said());
                TcpStream::connect((address, 636)).ok()
            },
            said,
        );
        Self { dir, address, process }
    }

    /// Settings of `[directory]`: five keys and the CA, with times that a busy machine keeps.
    pub(crate) fn settings(&self) -> String {
        self.settings_for(&format!("ldaps://{}", self.address))
    }

    /// The same for another URL.
    pub(crate) fn settings_for(&self, url: &str) -> String {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        format!(
            "[ldap]\npreset = 'active-directory'\nurls = ['{url}']\nbase_dn = '{BASE}'\n\
             bind_dn = 'reader@ad.example.org'\nbind_password_file = '{}'\nca_file = '{}'\n\
             connect_timeout = '20s'\nlookup_deadline = '40s'\ncall_deadline = '40s'\n",
            file("password"),
            file("ca.pem"),
        )
    }

    /// The URL for what is not TLS from the first byte.
    pub(crate) fn plain_url(&self) -> String {
        format!("ldap://{}", self.address)
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A loopback address whose port for LDAP nobody has; the port is the server's own choice.
fn free_address() -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    (77_u8..=126)
        .map(|second| Ipv4Addr::new(127, second, high, low.clamp(1, 254)))
        .find(|address| TcpListener::bind((*address, 389)).is_ok())
        .expect("a loopback address with a free port 389, as root")
}
