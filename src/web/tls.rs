//! Whom a client trusts: the CAs of a file, or those of the host.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The TLS configuration; no client certificate.
pub(super) fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(Arc::new(builder.with_root_certificates(roots(ca_file)?).with_no_client_auth()))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(path) = ca_file else {
        // One unreadable certificate of the host must not cost the others. A host without any trusts nobody:
        // every handshake fails, and says so.
        let (_, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(store);
    };
    let shown = path.display();
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all = all.map_err(|error| format!("`{shown}` cannot be read as PEM: {error}"))?;
    if all.is_empty() {
        return Err(format!("`{shown}` holds no certificate in PEM"));
    }
    for certificate in all {
        store
            .add(certificate)
            .map_err(|error| format!("`{shown}` holds a certificate that is no CA's: {error}"))?;
    }
    Ok(store)
}
