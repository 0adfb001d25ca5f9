//! A real slapd of the test's own: private directory, its own CA, free loopback ports, ended with the test.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ca::{Ca, Pair};
use super::process::wait_for;
use super::tree::{BASE, READER, READER_PASSWORD, Tree};

/// The common name of the client certificate that is the service account as well.
const CLIENT: &str = "wharfinger";

/// How the test speaks to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Cleartext,
    StartTls,
    Ldaps,
    Ldapi,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Cleartext, Self::StartTls, Self::Ldaps, Self::Ldapi];
}

/// A server, running or not.
pub(crate) struct Slapd {
    dir: tempfile::TempDir,
    pub(crate) ca: Ca,
    process: Option<Child>,
    port: u16,
    tls_port: u16,
    /// Another network namespace, by a process in it, and the server's address there.
    far: Option<(u32, &'static str)>,
}

impl Slapd {
    /// A server with the awkward tree, and a certificate for `localhost` and 127.0.0.1.
    pub(crate) fn start() -> Self {
        Self::start_with(&Tree::awkward(), "")
    }

    /// A server with that tree and more lines in the global part of its configuration.
    pub(crate) fn start_with(tree: &Tree, config: &str) -> Self {
        Self::start_as(tree, config, |ca| ca.server("server", &["localhost", "127.0.0.1"]))
    }

    /// A server with a certificate that the test makes.
    pub(crate) fn start_as(tree: &Tree, config: &str, certificate: impl FnOnce(&Ca) -> Pair) -> Self {
        Self::start_at(None, tree, config, certificate)
    }

    /// The same in the network namespace of that process, on that address.
    pub(crate) fn start_at(
        far: Option<(u32, &'static str)>,
        tree: &Tree,
        config: &str,
        certificate: impl FnOnce(&Ca) -> Pair,
    ) -> Self {
        let dir = tempfile::Builder::new().prefix("wf-slapd-").tempdir().unwrap();
        let ca = Ca::new(dir.path(), "ca");
        let pair = certificate(&ca);
        ca.client(CLIENT);
        std::fs::create_dir(dir.path().join("db")).unwrap();
        std::fs::write(dir.path().join("password"), format!("{READER_PASSWORD}\n")).unwrap();
        std::fs::write(dir.path().join("tree.ldif"), tree.ldif()).unwrap();
        std::fs::write(dir.path().join("slapd.conf"), conf(dir.path(), &pair, &ca.file(), config)).unwrap();
        let mut server = Self { dir, ca, process: None, port: free_port(), tls_port: free_port(), far };
        server.load();
        server.run();
        server
    }

    /// Where the server's files are.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The file with the service account's password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.dir.path().join("password")
    }

    /// The client certificate that the server takes for the service account.
    pub(crate) fn client(&self) -> Pair {
        let file = |end: &str| self.dir.path().join(format!("{CLIENT}.{end}"));
        Pair { certificate: file("crt"), key: file("key") }
    }

    /// The server's URL for that way.
    pub(crate) fn url(&self, way: Way) -> String {
        match way {
            Way::Cleartext | Way::StartTls => format!("ldap://{}:{}", self.host("localhost"), self.port),
            Way::Ldaps => format!("ldaps://{}:{}", self.host("localhost"), self.tls_port),
            Way::Ldapi => format!("ldapi://{}", self.socket().display().to_string().replace('/', "%2F")),
        }
    }

    /// Settings of `[directory]` for that way: with times that a busy machine keeps.
    pub(crate) fn settings(&self, way: Way) -> String {
        let mut text = patient(&[&self.url(way)]);
        writeln!(text, "bind_dn = '{READER}'").unwrap();
        writeln!(text, "bind_password_file = '{}'", self.password_file().display()).unwrap();
        match way {
            Way::Cleartext => text.push_str("allow_cleartext = true\n"),
            Way::StartTls => {
                writeln!(text, "starttls = true\nca_file = '{}'", self.ca.file().display()).unwrap();
            }
            Way::Ldaps => writeln!(text, "ca_file = '{}'", self.ca.file().display()).unwrap(),
            Way::Ldapi => {}
        }
        text
    }

    /// Ends the server without a goodbye.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops the server: its ports still take connections, and nothing answers.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets a stopped server go on.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    /// Starts the server again after `kill`.
    pub(crate) fn run(&mut self) {
        let socket = self.socket();
        drop(std::fs::remove_file(&socket));
        let urls = format!(
            "ldap://{host}:{} ldaps://{host}:{} {}",
            self.port,
            self.tls_port,
            self.url(Way::Ldapi),
            host = self.host("127.0.0.1"),
        );
        let log = self.dir.path().join("slapd.log");
        // Without a fork it stays our child; with the signal it ends however the test ends.
        let mut process = Command::new("setpriv");
        process.args(["--pdeathsig", "KILL"]);
        if let Some((pid, _)) = self.far {
            process.args(["nsenter", "--net", "--target", &pid.to_string()]);
        }
        let mut process = process
            .arg(program("slapd"))
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(self.dir.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_for(
            "slapd to listen",
            || {
                assert!(process.try_wait().unwrap().is_none(), "slapd ended: {}", said());
                UnixStream::connect(&socket).ok()
            },
            said,
        );
        self.process = Some(process);
    }

    fn host(&self, near: &'static str) -> &'static str {
        self.far.map_or(near, |(_, address)| address)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("ldapi")
    }

    fn load(&self) {
        let output = Command::new(program("slapadd"))
            .arg("-q")
            .arg("-f")
            .arg(self.dir.path().join("slapd.conf"))
            .arg("-l")
            .arg(self.dir.path().join("tree.ldif"))
            .output()
            .unwrap();
        assert!(output.status.success(), "slapadd: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn signal(&self, name: &str) {
        let pid = self.process.as_ref().expect("the server runs").id().to_string();
        let output = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).output().unwrap();
        assert!(output.status.success(), "kill: {output:?}");
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// `[ldap]` of a test: nothing times out that a busy machine only delays.
pub(crate) fn patient(urls: &[&str]) -> String {
    format!(
        "[ldap]\npreset = 'openldap'\nurls = {urls:?}\nbase_dn = '{BASE}'\nconnect_timeout = '20s'\n\
         lookup_deadline = '40s'\ncall_deadline = '40s'\n"
    )
}

fn conf(dir: &Path, pair: &Pair, ca: &Path, more: &str) -> String {
    let root = package_root();
    let schemas: String = ["core", "cosine", "nis", "inetorgperson"]
        .map(|name| format!("include {}/etc/ldap/schema/{name}.schema\n", root.display()))
        .concat();
    let (dir, ca) = (dir.display(), ca.display());
    format!(
        "{schemas}\
         modulepath {}/usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\n\
         pidfile {dir}/pid\nargsfile {dir}/args\nthreads 4\n\
         TLSCACertificateFile {ca}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\nTLSVerifyClient try\n\
         authz-regexp \"^cn={CLIENT}$\" \"{READER}\"\n\
         authz-regexp \"gidNumber=[0-9]+[+]uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth\" \"{READER}\"\n\
         {more}\n\
         database mdb\nsuffix \"{BASE}\"\nrootdn \"cn=admin,{BASE}\"\ndirectory {dir}/db\n\
         maxsize 268435456\nenvflags nosync\nindex objectClass,uid,cn eq\nindex member eq\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{READER}\" read by * none\n\
         overlay ppolicy\n",
        root.display(),
        pair.certificate.display(),
        pair.key.display(),
    )
}

/// Where the package is: on the machine, or unpacked by `tests/run`.
fn package_root() -> PathBuf {
    let unpacked = tools().join("root");
    [PathBuf::from("/"), unpacked]
        .into_iter()
        .find(|root| root.join("etc/ldap/schema/core.schema").exists())
        .expect("the schemas of slapd are not here: install the package `slapd`, or use `tests/run`")
}

/// The program of the package `slapd`; a test without it fails, so that nobody takes it for a pass.
fn program(name: &str) -> PathBuf {
    [PathBuf::from("/usr/sbin"), tools().join("bin")]
        .map(|dir| dir.join(name))
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("`{name}` is not here: install the package `slapd`, or use `tests/run`"))
}

fn tools() -> PathBuf {
    std::env::var_os("WHARFINGER_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools"), PathBuf::from)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
