//! Client certificates that a real dockerd takes, and that are refused all the same: revoked, or another CA's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::denial;
use crate::support::ca::Ca;
use crate::support::wharfinger::Wharf;

/// The engine's own CA as `openssl ca` knows it: what it takes back, and the list of that.
struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Lists below `dir`, for the CA in its `certs`; the first one is empty.
    fn new(dir: &Path) -> Self {
        let settings = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = {0}/index.txt\ndefault_md = sha256\ndefault_crl_days = 30\n",
            dir.display()
        );
        fs::write(dir.join("ca.cnf"), settings).unwrap();
        fs::write(dir.join("index.txt"), "").unwrap();
        let authority = Self { dir: dir.to_owned() };
        authority.publish(&[]);
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn revoke(&self, person: &str) {
        let certificate = self.file("certs").join(person).join("cert.pem");
        self.openssl(&["-revoke", certificate.to_str().unwrap()]);
    }

    fn publish(&self, options: &[&str]) {
        let out = self.file("people.crl").display().to_string();
        self.openssl(&[&["-gencrl", "-out", &out], options].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let certs = self.file("certs");
        let output = Command::new("openssl")
            .arg("ca")
            .arg("-config")
            .arg(self.file("ca.cnf"))
            .arg("-cert")
            .arg(self.file("people.pem"))
            .arg("-keyfile")
            .arg(certs.join("ca-key.pem"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "openssl ca: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn revoked_certificates_and_those_of_another_ca_are_refused_although_dockerd_takes_them() {
    let mut made = None;
    let wharf = Wharf::start_with(|dir| {
        let certs = dir.join("certs");
        fs::copy(certs.join("ca.pem"), dir.join("people.pem")).unwrap();
        // dockerd trusts a second CA, whose certificate for `carol` is not hers.
        let machines = Ca::new(dir, "machines");
        let both = [fs::read(certs.join("ca.pem")).unwrap(), fs::read(machines.file()).unwrap()].concat();
        fs::write(certs.join("ca.pem"), both).unwrap();
        let pair = machines.client("carol");
        fs::create_dir(certs.join("impostor")).unwrap();
        for (from, to) in
            [(&dir.join("people.pem"), "ca.pem"), (&pair.certificate, "cert.pem"), (&pair.key, "key.pem")]
        {
            fs::copy(from, certs.join("impostor").join(to)).unwrap();
        }
        let authority = Authority::new(dir);
        let section = format!(
            "[identity.tls]\nissuer_file = {:?}\ncrl_files = [{:?}]\n",
            authority.file("people.pem"),
            authority.file("people.crl")
        );
        made = Some(authority);
        section
    });
    let authority = made.unwrap();
    let refusal = |person: &str| denial(wharf.docker(person, &["version"])).0;

    wharf.docker("alice", &["version"]).ok();
    assert_eq!(
        refusal("impostor"),
        "the client certificate is not issued by a CA whose certificates are taken here; get one from there"
    );

    authority.revoke("alice");
    authority.publish(&[]);
    wharf.wharfinger.cli(&["reload"]).ok();
    assert_eq!(refusal("alice"), "the client certificate was revoked; get a new one");
    wharf.docker("bob", &["version"]).ok();

    authority.publish(&["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"]);
    wharf.wharfinger.cli(&["reload"]).ok();
    assert_eq!(
        refusal("bob"),
        "nobody can say whether the client certificate was revoked: its CA's list is out of date; \
         tell your administrator"
    );
}
