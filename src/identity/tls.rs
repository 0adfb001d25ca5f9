//! Client certificates: the one field that names the user, and units that mean groups.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use super::ca::Issuing;
use super::{
    CertificateField, Evidence, IdentityError, SettingsError, TlsSettings, check_name, check_prefix,
};

/// dockerd's word for "the client gave a certificate" (moby `daemon/server/middleware/authorization.go`).
const METHOD: &str = "TLS";

/// A user named by a certificate.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
    pub(super) fingerprint: String,
}

/// Refuses prefixes and groups that could never be part of a good name.
pub(super) fn check(settings: &TlsSettings) -> Result<(), SettingsError> {
    check_prefix("identity.tls.user_prefix", &settings.user_prefix)?;
    for group in settings.unit_groups.values() {
        check_name(group).map_err(|error| {
            let group = group.escape_debug();
            SettingsError::new("identity.tls.unit_groups", format!("`{group}` is not a group name: {error}"))
        })?;
    }
    Ok(())
}

/// The user that the client certificate names; `None` where dockerd says that there was none.
pub(super) fn read(
    settings: &TlsSettings,
    issuing: &Issuing,
    evidence: Evidence<'_>,
    now: jiff::Timestamp,
) -> Result<Option<Named>, IdentityError> {
    let leaf = match (evidence.auth_method, evidence.peer_certificates.first()) {
        ("", None) if evidence.user.is_empty() => return Ok(None),
        // Anything else that lacks one of the three is not what dockerd sends: denied, not guessed at.
        ("", None) => return Err(IdentityError::Contradiction("a user without a certificate")),
        ("", Some(_)) => return Err(IdentityError::Contradiction("a certificate without the method `TLS`")),
        (METHOD, None) => return Err(IdentityError::Contradiction("the method `TLS` without a certificate")),
        (METHOD, Some(leaf)) => leaf,
        (_, _) => return Err(IdentityError::Contradiction("an unknown authentication method")),
    };
    let der = der(leaf)?;
    let (rest, certificate) =
        X509Certificate::from_der(&der).map_err(|_| IdentityError::Certificate("not X.509"))?;
    if !rest.is_empty() {
        return Err(IdentityError::Certificate("more than one certificate in its place"));
    }
    dates(&certificate, now)?;
    issuing.check(&certificate, now)?;
    agree(&certificate, evidence.user)?;
    let user = format!("{}{}", settings.user_prefix, one(&certificate, settings.user_from)?);
    check_name(&user)
        .map_err(|error| IdentityError::Name { what: "user name in the client certificate", error })?;
    Ok(Some(Named {
        user,
        groups: groups(settings, &certificate)?,
        fingerprint: format!("{:x}", Sha256::digest(&der)),
    }))
}

/// The DER in base64 of PEM text with one certificate.
fn der(encoded: &str) -> Result<CertificateDer<'static>, IdentityError> {
    let pem = STANDARD.decode(encoded).map_err(|_| IdentityError::Certificate("not base64"))?;
    let mut all = CertificateDer::pem_slice_iter(&pem);
    match (all.next(), all.next()) {
        (Some(Ok(der)), None) => Ok(der),
        (_, _) => Err(IdentityError::Certificate("not the PEM text of one certificate")),
    }
}

/// dockerd checks the dates when a connection opens, which may be long ago.
fn dates(certificate: &X509Certificate<'_>, now: jiff::Timestamp) -> Result<(), IdentityError> {
    let validity = certificate.validity();
    if now.as_second() < validity.not_before.timestamp() {
        return Err(IdentityError::Dates("not valid yet"));
    }
    if now.as_second() > validity.not_after.timestamp() {
        return Err(IdentityError::Dates("expired"));
    }
    Ok(())
}

/// Holds dockerd's `User` against the common name. Of two common names dockerd takes the last and others
/// the first, so two are refused even where another field names the user.
fn agree(certificate: &X509Certificate<'_>, reported: &str) -> Result<(), IdentityError> {
    let common_names = values(certificate, CertificateField::CommonName)?;
    match common_names.as_slice() {
        [] if reported.is_empty() => Ok(()),
        [name] if name == reported => Ok(()),
        [_, _, ..] => Err(IdentityError::AmbiguousField(CertificateField::CommonName)),
        [] | [_] => Err(IdentityError::Contradiction("its user is not the certificate's common name")),
    }
}

/// The only value of a field.
fn one(certificate: &X509Certificate<'_>, field: CertificateField) -> Result<String, IdentityError> {
    let mut values = values(certificate, field)?;
    match (values.pop(), values.pop()) {
        (None, _) => Err(IdentityError::MissingField(field)),
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(IdentityError::AmbiguousField(field)),
    }
}

/// The mapped groups of the certificate's organizational units.
fn groups(settings: &TlsSettings, certificate: &X509Certificate<'_>) -> Result<Vec<String>, IdentityError> {
    if settings.unit_groups.is_empty() {
        return Ok(Vec::new());
    }
    let units = values(certificate, CertificateField::OrganizationalUnit)?;
    let mut groups: Vec<String> =
        units.iter().filter_map(|unit| settings.unit_groups.get(unit).cloned()).collect();
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// All values of a field, in the certificate's order.
fn values(certificate: &X509Certificate<'_>, field: CertificateField) -> Result<Vec<String>, IdentityError> {
    let subject = certificate.subject();
    match field {
        CertificateField::CommonName => subject.iter_common_name().map(text).collect(),
        CertificateField::OrganizationalUnit => subject.iter_organizational_unit().map(text).collect(),
        CertificateField::SanUri | CertificateField::SanEmail | CertificateField::SanDns => {
            let names = certificate.subject_alternative_name().map_err(|_| {
                IdentityError::Certificate("its alternative names are damaged or there twice")
            })?;
            let Some(names) = names else { return Ok(Vec::new()) };
            let of_kind = names.value.general_names.iter().filter_map(|name| match (field, name) {
                (CertificateField::SanUri, GeneralName::URI(text))
                | (CertificateField::SanEmail, GeneralName::RFC822Name(text))
                | (CertificateField::SanDns, GeneralName::DNSName(text)) => Some(Ok((*text).to_owned())),
                // It could be the kind that is looked for.
                (_, GeneralName::Invalid(..)) => {
                    Some(Err(IdentityError::Certificate("one of its alternative names is damaged")))
                }
                (_, _) => None,
            });
            of_kind.collect()
        }
    }
}

/// Only string types that every reader decodes alike; the outdated ones are read differently by Go.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Result<String, IdentityError> {
    let text =
        attribute.as_str().map_err(|_| IdentityError::Certificate("a name in it is not UTF-8 text"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{How, Identified, Identifier, NameError, Settings};
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType};
    use std::collections::BTreeMap;

    /// Base64 of the PEM text of a self-signed certificate: who signed it is dockerd's business.
    fn certificate(subject: &[(DnType, DnValue)], names: &[SanType]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.subject_alt_names = names.to_vec();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = KeyPair::generate().unwrap();
        STANDARD.encode(params.self_signed(&key).unwrap().pem())
    }

    fn cn(name: &str) -> (DnType, DnValue) {
        (DnType::CommonName, DnValue::Utf8String(name.to_owned()))
    }

    fn at(seconds: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(seconds).unwrap()
    }

    fn ask(
        settings: &str,
        user: &str,
        method: &str,
        certificates: &[String],
    ) -> Result<Identified, IdentityError> {
        let settings: TlsSettings = toml::from_str(settings).unwrap();
        let headers = BTreeMap::new();
        let evidence = Evidence {
            user,
            auth_method: method,
            peer_certificates: certificates,
            headers: &headers,
            attested: None,
        };
        Identifier::new(Settings { tls: settings, ..Settings::default() })
            .unwrap()
            .identify(evidence, at(1_800_000_000))
    }

    fn user(settings: &str, user: &str, certificate: String) -> Result<Option<String>, IdentityError> {
        ask(settings, user, "TLS", &[certificate]).map(|identified| identified.user)
    }

    #[test]
    fn the_common_name_is_the_user() {
        let leaf = certificate(&[cn("alice")], &[]);
        let der = CertificateDer::from_pem_slice(&STANDARD.decode(&leaf).unwrap()).unwrap();
        assert_eq!(
            ask("", "alice", "TLS", &[leaf, certificate(&[cn("An intermediate")], &[])]),
            Ok(Identified {
                user: Some("alice".to_owned()),
                groups: vec![],
                roles: None,
                how: How::TlsCertificate { fingerprint: format!("{:x}", Sha256::digest(&der)) }
            })
        );
    }

    #[test]
    fn a_certificate_recorded_from_dockerd_names_its_user() {
        let recorded = include_str!("testdata/alice.pem.base64").trim().to_owned();
        let mut evidence_at = at(1_800_000_000);
        let headers = BTreeMap::new();
        let certificates = [recorded];
        let evidence = Evidence {
            user: "alice",
            auth_method: "TLS",
            peer_certificates: &certificates,
            headers: &headers,
            attested: None,
        };
        let identifier = Identifier::new(Settings::default()).unwrap();
        assert_eq!(identifier.identify(evidence, evidence_at).unwrap().user.as_deref(), Some("alice"));
        evidence_at = at(0);
        assert_eq!(identifier.identify(evidence, evidence_at), Err(IdentityError::Dates("not valid yet")));
        evidence_at = at(9_000_000_000);
        assert_eq!(identifier.identify(evidence, evidence_at), Err(IdentityError::Dates("expired")));
    }

    #[test]
    fn each_field_can_name_the_user() {
        let names = [
            SanType::URI("spiffe://example.org/alice".try_into().unwrap()),
            SanType::Rfc822Name("alice@example.org".try_into().unwrap()),
            SanType::DnsName("alice.example.org".try_into().unwrap()),
        ];
        let unit = (DnType::OrganizationalUnitName, DnValue::Utf8String("alice-ou".to_owned()));
        let leaf = certificate(&[cn("machine"), unit], &names);
        for (field, expected) in [
            ("common-name", "machine"),
            ("organizational-unit", "alice-ou"),
            ("san-uri", "spiffe://example.org/alice"),
            ("san-email", "alice@example.org"),
            ("san-dns", "alice.example.org"),
        ] {
            let settings = format!("user_from = \"{field}\"");
            assert_eq!(user(&settings, "machine", leaf.clone()), Ok(Some(expected.to_owned())), "{field}");
        }
    }

    #[test]
    fn the_alternative_name_serves_where_there_is_no_common_name() {
        let leaf = certificate(&[], &[SanType::Rfc822Name("a@b".try_into().unwrap())]);
        assert_eq!(user("user_from = \"san-email\"", "", leaf.clone()), Ok(Some("a@b".to_owned())));
        assert_eq!(user("", "", leaf), Err(IdentityError::MissingField(CertificateField::CommonName)));
    }

    #[test]
    fn a_missing_field_is_an_error_that_says_what_to_do() {
        assert_eq!(
            user("", "", certificate(&[], &[])).unwrap_err().to_string(),
            "missing certificate field: the client certificate has no common name (CN); \
             use one that has it, or set `user_from` in `[identity.tls]`"
        );
        for (field, expected) in [
            ("san-uri", CertificateField::SanUri),
            ("san-email", CertificateField::SanEmail),
            ("san-dns", CertificateField::SanDns),
            ("organizational-unit", CertificateField::OrganizationalUnit),
        ] {
            let settings = format!("user_from = \"{field}\"");
            assert_eq!(
                user(&settings, "alice", certificate(&[cn("alice")], &[])),
                Err(IdentityError::MissingField(expected))
            );
        }
    }

    #[test]
    fn two_common_names_are_refused_whichever_field_names_the_user() {
        let leaf = include_str!("testdata/two-common-names.pem.base64").trim();
        for (settings, reported) in [("", "second"), ("", "first"), ("user_from = \"san-dns\"", "second")] {
            assert_eq!(
                user(settings, reported, leaf.to_owned()).map_err(|error| error.to_string()),
                Err("ambiguous certificate: it has more than one common name (CN); use one with exactly one"
                    .to_owned())
            );
        }
    }

    #[test]
    fn two_values_of_the_field_are_refused() {
        let names = [
            SanType::Rfc822Name("alice@b".try_into().unwrap()),
            SanType::Rfc822Name("root@b".try_into().unwrap()),
        ];
        let leaf = certificate(&[cn("alice")], &names);
        assert_eq!(
            user("user_from = \"san-email\"", "alice", leaf),
            Err(IdentityError::AmbiguousField(CertificateField::SanEmail))
        );
    }

    #[test]
    fn what_dockerd_reports_must_agree_with_the_certificate() {
        let leaf = certificate(&[cn("alice")], &[]);
        let other = "its user is not the certificate's common name";
        for (user, method, certificates, expected) in [
            ("bob", "TLS", vec![leaf.clone()], other),
            ("", "TLS", vec![leaf.clone()], other),
            ("alice", "TLS", vec![certificate(&[], &[])], other),
            ("alice", "", vec![leaf.clone()], "a certificate without the method `TLS`"),
            ("alice", "", vec![], "a user without a certificate"),
            ("alice", "TLS", vec![], "the method `TLS` without a certificate"),
            ("", "TLS", vec![], "the method `TLS` without a certificate"),
            ("alice", "tls", vec![leaf], "an unknown authentication method"),
        ] {
            assert_eq!(ask("", user, method, &certificates), Err(IdentityError::Contradiction(expected)));
        }
    }

    #[test]
    fn damaged_certificates_are_refused() {
        let good = certificate(&[cn("alice")], &[]);
        let twice =
            STANDARD.encode([STANDARD.decode(&good).unwrap(), STANDARD.decode(&good).unwrap()].concat());
        let not_x509 = STANDARD.encode("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        for (encoded, why) in [
            (String::new(), "not the PEM text of one certificate"),
            ("%".to_owned(), "not base64"),
            (STANDARD.encode("hello"), "not the PEM text of one certificate"),
            (not_x509, "not X.509"),
            (twice, "not the PEM text of one certificate"),
        ] {
            assert_eq!(user("", "alice", encoded), Err(IdentityError::Certificate(why)));
        }
    }

    #[test]
    fn names_in_outdated_string_types_are_refused() {
        let bmp = rcgen::string::BmpString::try_from("alice").unwrap();
        let leaf = certificate(&[(DnType::CommonName, DnValue::BmpString(bmp))], &[]);
        assert_eq!(
            user("", "alice", leaf),
            Err(IdentityError::Certificate("a name in it is not UTF-8 text"))
        );
    }

    #[test]
    fn names_that_cannot_be_read_back_are_refused() {
        for (name, error) in [
            ("alice ", NameError::Blank),
            ("ali\u{200b}ce", NameError::Invisible),
            ("alice\n", NameError::Invisible),
            ("", NameError::Empty),
        ] {
            assert_eq!(
                user("", name, certificate(&[cn(name)], &[])),
                Err(IdentityError::Name { what: "user name in the client certificate", error })
            );
        }
    }

    #[test]
    fn mapped_units_are_groups_and_others_are_not() {
        let unit = |name: &str| (DnType::OrganizationalUnitName, DnValue::Utf8String(name.to_owned()));
        let leaf = certificate(&[cn("alice"), unit("Platform Team")], &[]);
        let settings = "unit_groups = { \"Platform Team\" = \"developers\", \"Ops\" = \"operators\" }";
        assert_eq!(ask(settings, "alice", "TLS", &[leaf]).unwrap().groups, vec!["developers".to_owned()]);
        let leaf = certificate(&[cn("alice"), unit("operators")], &[]);
        assert_eq!(ask(settings, "alice", "TLS", &[leaf]).unwrap().groups, Vec::<String>::new());
    }

    #[test]
    fn a_prefix_keeps_users_of_different_sources_apart() {
        let leaf = certificate(&[cn("alice")], &[]);
        assert_eq!(user("user_prefix = \"cert:\"", "alice", leaf), Ok(Some("cert:alice".to_owned())));
    }

    #[test]
    fn settings_that_make_bad_names_are_refused() {
        for (settings, message) in [
            ("user_prefix = \" x\"", "`identity.tls.user_prefix`: it begins or ends with a blank"),
            (
                "unit_groups = { Ops = \"\" }",
                "`identity.tls.unit_groups`: `` is not a group name: it is empty",
            ),
        ] {
            let tls = toml::from_str(settings).unwrap();
            let error = Identifier::new(Settings { tls, ..Settings::default() }).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
