//! Which CA issued a client certificate, and whether it has taken it back.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate, X509Extension};

use super::{IdentityError, SettingsError, TlsSettings};

/// The longest list of revoked certificates that is read, in bytes.
const MAX_LIST: u64 = 16 << 20;

/// The CAs whose certificates are taken; none configured means those that dockerd trusts.
#[derive(Debug, Default)]
pub(super) struct Issuing {
    authorities: Vec<Authority>,
}

#[derive(Debug)]
struct Authority {
    certificate: CertificateDer<'static>,
    revoked: Option<Revoked>,
}

/// What a CA has taken back.
#[derive(Debug)]
struct Revoked {
    serials: HashSet<Vec<u8>>,
    since: i64,
    until: i64,
}

impl Issuing {
    /// Reads the files that the settings name.
    pub(super) fn load(settings: &TlsSettings) -> Result<Self, SettingsError> {
        let Some(file) = &settings.issuer_file else {
            return match settings.crl_files.as_slice() {
                [] => Ok(Self::default()),
                [..] => Err(bad("crl_files", "needs `issuer_file`: the CA that signs the lists")),
            };
        };
        let mut authorities = authorities(file)?;
        for path in &settings.crl_files {
            add(&mut authorities, path)
                .map_err(|why| bad("crl_files", &format!("`{}` {why}", path.display())))?;
        }
        if !settings.crl_files.is_empty() && authorities.iter().any(|authority| authority.revoked.is_none()) {
            return Err(bad("crl_files", "has no list of one of the CAs in `issuer_file`: add it"));
        }
        Ok(Self { authorities })
    }

    /// Refuses a certificate of another CA, and one that was taken back; without a list that is valid now,
    /// nobody knows whether it was.
    pub(super) fn check(&self, leaf: &X509Certificate<'_>, now: Timestamp) -> Result<(), IdentityError> {
        if self.authorities.is_empty() {
            return Ok(());
        }
        let issuer = self.authorities.iter().find(|authority| authority.issued(leaf));
        let Some(Authority { revoked, .. }) = issuer else { return Err(IdentityError::OtherIssuer) };
        let Some(list) = revoked else { return Ok(()) };
        if !(list.since..=list.until).contains(&now.as_second()) {
            return Err(IdentityError::RevocationList);
        }
        if list.serials.contains(serial(leaf.raw_serial())) {
            return Err(IdentityError::RevokedCertificate);
        }
        Ok(())
    }
}

impl Authority {
    /// By its key, and not by its name alone, which anybody can write into a certificate.
    fn issued(&self, leaf: &X509Certificate<'_>) -> bool {
        X509Certificate::from_der(&self.certificate).is_ok_and(|(_, own)| {
            own.subject().as_raw() == leaf.issuer().as_raw()
                && leaf.verify_signature(Some(own.public_key())).is_ok()
        })
    }
}

/// What the settings name, with size and time of change: when that is another one, the content is.
pub(super) fn stamp(settings: &TlsSettings) -> Vec<(PathBuf, Option<(u64, std::time::SystemTime)>)> {
    let files = settings.issuer_file.iter().chain(&settings.crl_files);
    let seen = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()?))
    };
    files.map(|path| (path.clone(), seen(path))).collect()
}

fn authorities(file: &Path) -> Result<Vec<Authority>, SettingsError> {
    let fail = |what: &str| bad("issuer_file", &format!("`{}` {what}", file.display()));
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let all = all.map_err(|error| fail(&format!("cannot be read as PEM: {error}")))?;
    if all.is_empty() {
        return Err(fail("holds no certificate in PEM"));
    }
    for certificate in &all {
        let (_, read) = X509Certificate::from_der(certificate).map_err(|_| fail("holds what is no X.509"))?;
        if !read.is_ca() {
            return Err(fail("holds a certificate that is no CA's"));
        }
    }
    Ok(all.into_iter().map(|certificate| Authority { certificate, revoked: None }).collect())
}

/// Gives a list to the CA that signed it.
fn add(authorities: &mut [Authority], path: &Path) -> Result<(), String> {
    let unread = |error: std::io::Error| format!("cannot be read: {error}");
    if fs::metadata(path).map_err(unread)?.len() > MAX_LIST {
        return Err("is larger than 16 MiB".to_owned());
    }
    let text = fs::read(path).map_err(unread)?;
    // CAs publish their lists in DER as often as in PEM.
    let der = CertificateRevocationListDer::from_pem_slice(&text).map_or(text, |der| der.to_vec());
    let (rest, list) = CertificateRevocationList::from_der(&der)
        .map_err(|_| "is no list of revoked certificates".to_owned())?;
    if !rest.is_empty() {
        return Err("holds more than one list: give each a file".to_owned());
    }
    let signed = |authority: &&mut Authority| {
        X509Certificate::from_der(&authority.certificate).is_ok_and(|(_, own)| {
            let may_sign =
                own.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign()));
            own.subject().as_raw() == list.issuer().as_raw()
                && may_sign
                && list.verify_signature(own.public_key()).is_ok()
        })
    };
    let Some(authority) = authorities.iter_mut().find(signed) else {
        return Err("is not signed by a CA in `issuer_file`".to_owned());
    };
    // A list for some certificates only, or changes to another list: read as a whole one, it would miss some.
    let has_critical =
        |extensions: &[X509Extension<'_>]| extensions.iter().any(|extension| extension.critical);
    if has_critical(list.extensions())
        || list.iter_revoked_certificates().any(|entry| has_critical(entry.extensions()))
    {
        return Err("is a partial, delta or indirect list: give the CA's whole list".to_owned());
    }
    let until = list.next_update().ok_or("does not say how long it is valid: issue it with a next update")?;
    if authority.revoked.is_some() {
        return Err("is the second list of its CA: keep the newest".to_owned());
    }
    authority.revoked = Some(Revoked {
        serials: list.iter_revoked_certificates().map(|entry| serial(entry.raw_serial()).to_vec()).collect(),
        since: list.last_update().timestamp(),
        until: until.timestamp(),
    });
    Ok(())
}

/// A serial number without the zeros in front that say nothing.
fn serial(raw: &[u8]) -> &[u8] {
    let zeros = raw.iter().take_while(|byte| **byte == 0).count();
    raw.get(zeros..).unwrap_or_default()
}

fn bad(setting: &str, message: &str) -> SettingsError {
    SettingsError::new(format!("identity.tls.{setting}"), message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
        KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };

    use super::*;
    use crate::identity::{Evidence, Identifier, Settings};

    struct Ca(CertifiedIssuer<'static, KeyPair>);

    impl Ca {
        fn new(name: &str) -> Self {
            Self::with_usages(name, vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign])
        }

        fn with_usages(name: &str, usages: Vec<KeyUsagePurpose>) -> Self {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = usages;
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        /// Alice's certificate with that serial number, as dockerd hands it on.
        fn alice(&self, serial: u64) -> String {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.serial_number = Some(SerialNumber::from(serial));
            let signed = params.signed_by(&KeyPair::generate().unwrap(), &self.0).unwrap();
            STANDARD.encode(signed.pem())
        }

        /// The list of what it took back, valid in 2026.
        fn list(&self, serials: &[u64], more: impl FnOnce(&mut CertificateRevocationListParams)) -> Vec<u8> {
            let revoked = |serial: &u64| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            };
            let mut params = CertificateRevocationListParams {
                this_update: date_time_ymd(2026, 1, 1),
                next_update: date_time_ymd(2027, 1, 1),
                crl_number: SerialNumber::from(1),
                issuing_distribution_point: None,
                revoked_certs: serials.iter().map(revoked).collect(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            more(&mut params);
            params.signed_by(&self.0).unwrap().pem().unwrap().into_bytes()
        }
    }

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(authorities: &[&Ca], lists: &[Vec<u8>]) -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            let pem: String = authorities.iter().map(|ca| ca.0.pem()).collect();
            fs::write(files.0.path().join("ca.pem"), pem).unwrap();
            for (number, list) in lists.iter().enumerate() {
                files.write_list(number, list);
            }
            files
        }

        fn write_list(&self, number: usize, list: &[u8]) {
            fs::write(self.0.path().join(format!("{number}.crl")), list).unwrap();
        }

        fn identifier(&self, lists: usize) -> Result<Identifier, String> {
            let file = |name: &str| self.0.path().join(name);
            let tls = TlsSettings {
                issuer_file: Some(file("ca.pem")),
                crl_files: (0..lists).map(|number| file(&format!("{number}.crl"))).collect(),
                ..TlsSettings::default()
            };
            let made = Identifier::new(Settings { tls, ..Settings::default() });
            let shown = self.0.path().display().to_string();
            made.map_err(|error| error.to_string().replace(&shown, "DIR"))
        }
    }

    fn ask(identifier: &Identifier, certificate: &str, at: &str) -> Result<String, IdentityError> {
        let (headers, certificates) = (BTreeMap::new(), [certificate.to_owned()]);
        let evidence = Evidence {
            user: "alice",
            auth_method: "TLS",
            peer_certificates: &certificates,
            headers: &headers,
            attested: None,
        };
        identifier
            .identify(evidence, at.parse().unwrap())
            .map(|identified| identified.user.unwrap_or_default())
    }

    const SUMMER: &str = "2026-07-01T00:00:00Z";

    #[test]
    fn only_certificates_of_the_named_ca_are_taken_whatever_they_say_of_their_issuer() {
        let (ours, other, impostor) = (Ca::new("People"), Ca::new("Machines"), Ca::new("People"));
        let identifier = Files::new(&[&ours], &[]).identifier(0).unwrap();
        assert_eq!(ask(&identifier, &ours.alice(1), SUMMER).as_deref(), Ok("alice"));
        for ca in [&other, &impostor] {
            let error = ask(&identifier, &ca.alice(1), SUMMER).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the client certificate is not issued by a CA whose certificates are taken here; get one from there"
            );
        }
        let both = Files::new(&[&ours, &other], &[]).identifier(0).unwrap();
        assert_eq!(ask(&both, &other.alice(1), SUMMER).as_deref(), Ok("alice"));
    }

    #[test]
    fn a_certificate_that_was_taken_back_is_refused_and_a_list_in_der_is_read_too() {
        let ca = Ca::new("People");
        let pem = ca.list(&[7, 0x80], |_| {});
        let der = CertificateRevocationListDer::from_pem_slice(&pem).unwrap().to_vec();
        for list in [pem, der] {
            let identifier = Files::new(&[&ca], &[list]).identifier(1).unwrap();
            assert_eq!(ask(&identifier, &ca.alice(6), SUMMER).as_deref(), Ok("alice"));
            for serial in [7, 0x80] {
                let refused = ask(&identifier, &ca.alice(serial), SUMMER);
                assert_eq!(refused, Err(IdentityError::RevokedCertificate));
            }
        }
    }

    #[test]
    fn without_a_list_that_is_valid_now_everybody_of_that_ca_is_refused_and_told_why() {
        let ca = Ca::new("People");
        let identifier = Files::new(&[&ca], &[ca.list(&[], |_| {})]).identifier(1).unwrap();
        let certificate = ca.alice(1);
        assert_eq!(ask(&identifier, &certificate, "2027-01-01T00:00:00Z").as_deref(), Ok("alice"));
        for outside in ["2027-01-01T00:00:01Z", "2025-12-31T23:59:59Z"] {
            assert_eq!(ask(&identifier, &certificate, outside), Err(IdentityError::RevocationList));
        }
        assert_eq!(
            IdentityError::RevocationList.to_string(),
            "nobody can say whether the client certificate was revoked: its CA's list is out of date; \
             tell your administrator"
        );
    }

    #[test]
    fn a_new_list_counts_from_the_reload_on_and_a_bad_one_changes_nothing() {
        let ca = Ca::new("People");
        let files = Files::new(&[&ca], &[ca.list(&[], |_| {})]);
        let identifier = files.identifier(1).unwrap();
        let certificate = ca.alice(7);
        assert_eq!(ask(&identifier, &certificate, SUMMER).as_deref(), Ok("alice"));
        files.write_list(0, &ca.list(&[7], |_| {}));
        identifier.reload().unwrap();
        assert_eq!(ask(&identifier, &certificate, SUMMER), Err(IdentityError::RevokedCertificate));
        files.write_list(0, &Ca::new("People").list(&[], |_| {}));
        assert!(identifier.reload().is_err());
        assert_eq!(ask(&identifier, &certificate, SUMMER), Err(IdentityError::RevokedCertificate));
    }

    #[test]
    fn lists_that_cannot_be_relied_on_are_refused_with_what_to_do() {
        let (ca, other) = (Ca::new("People"), Ca::new("Machines"));
        let mute = Ca::with_usages("Mute", vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
        let list = |ca: &Ca| ca.list(&[], |_| {});
        let partial = ca.list(&[], |params| {
            params.issuing_distribution_point = Some(rcgen::CrlIssuingDistributionPoint {
                distribution_point: rcgen::CrlDistributionPoint { uris: vec!["http://x".to_owned()] },
                scope: Some(rcgen::CrlScope::CaCertsOnly),
            });
        });
        let about = "`identity.tls.crl_files`: ";
        for (authorities, lists, message) in [
            (vec![&ca], vec![list(&other)], "`DIR/0.crl` is not signed by a CA in `issuer_file`"),
            (vec![&ca], vec![list(&Ca::new("People"))], "`DIR/0.crl` is not signed by a CA in `issuer_file`"),
            (vec![&ca], vec![b"hello".to_vec()], "`DIR/0.crl` is no list of revoked certificates"),
            (
                vec![&ca],
                vec![partial],
                "`DIR/0.crl` is a partial, delta or indirect list: give the CA's whole list",
            ),
            (
                vec![&ca],
                vec![list(&ca), list(&ca)],
                "`DIR/1.crl` is the second list of its CA: keep the newest",
            ),
            (vec![&ca, &mute], vec![list(&ca)], "has no list of one of the CAs in `issuer_file`: add it"),
        ] {
            let error = Files::new(&authorities, &lists).identifier(lists.len()).unwrap_err();
            assert_eq!(error, format!("{about}{message}"));
        }
        let alone = TlsSettings { crl_files: vec!["/x".into()], ..TlsSettings::default() };
        assert_eq!(
            Issuing::load(&alone).unwrap_err().to_string(),
            format!("{about}needs `issuer_file`: the CA that signs the lists")
        );
    }
}
