//! The TLS configuration of LDAP connections: whom we trust, and our own certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::LdapSettings;
use crate::directory::SettingsError;

/// Builds it from the files that the settings name; always our own, since the library's trusts nobody at
/// all where one of the host's certificates is unreadable. Nobody has to be trusted where TLS is not `spoken`.
pub(super) fn config(settings: &LdapSettings, spoken: bool) -> Result<Arc<ClientConfig>, SettingsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::new("urls", format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots(settings.ca_file.as_deref(), spoken)?);
    let config = match (&settings.client_cert_file, &settings.client_key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates("client_cert_file", certificate)?;
            let parsed = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                bad("client_key_file", key, &format!("holds no private key in PEM: {error}"))
            })?;
            builder.with_client_auth_cert(chain, parsed).map_err(|error| {
                bad("client_key_file", key, &format!("does not go with the certificate: {error}"))
            })?
        }
        (Some(_), None) => {
            return Err(SettingsError::new("client_key_file", "is needed with `client_cert_file`"));
        }
        (None, Some(_)) => {
            return Err(SettingsError::new("client_cert_file", "is needed with `client_key_file`"));
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca_file: Option<&Path>, needed: bool) -> Result<RootCertStore, SettingsError> {
    let mut store = RootCertStore::empty();
    if let Some(path) = ca_file {
        for certificate in certificates("ca_file", path)? {
            let error =
                |error| bad("ca_file", path, &format!("holds a certificate that is no CA's: {error}"));
            store.add(certificate).map_err(error)?;
        }
        return Ok(store);
    }
    // One unreadable certificate of the host must not cost the others.
    let (_, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() && needed {
        return Err(SettingsError::new(
            "ca_file",
            "is not set, and this host has no CA certificates; set it",
        ));
    }
    Ok(store)
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match all {
        Ok(all) if all.is_empty() => Err(bad(setting, path, "holds no certificate in PEM")),
        Ok(all) => Ok(all),
        Err(error) => Err(bad(setting, path, &format!("cannot be read as PEM: {error}"))),
    }
}

fn bad(setting: &str, path: &Path, what: &str) -> SettingsError {
    SettingsError::new(setting, format!("`{}` {what}", path.display()))
}
