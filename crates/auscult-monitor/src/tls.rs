//! Whom TLS trusts, wherever this monitor is a client of it: of a target, a receiver, or etcd.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// Why a PEM file is of no use. Shown without what it was to be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadPem {
    file: PathBuf,
    why: String,
}

impl BadPem {
    pub(crate) fn new(file: &Path, why: &dyn fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for BadPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

/// Begins the configuration of a client.
pub(crate) fn client() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
}

/// A client that trusts these authorities.
pub(crate) fn client_trusting(
    roots: impl Into<Arc<RootCertStore>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    Ok(client()?.with_root_certificates(roots))
}

/// The system's authorities, or Mozilla's where the system has none (a container from scratch).
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// The authorities in a PEM file, of which there is at least one.
pub(crate) fn roots_of(file: &Path) -> Result<RootCertStore, BadPem> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(file)? {
        let added = roots.add(certificate);
        added.map_err(|error| BadPem::new(file, &error))?;
    }
    Ok(roots)
}

/// The certificates in a PEM file, of which there is at least one.
pub(crate) fn certificates_of(file: &Path) -> Result<Vec<CertificateDer<'static>>, BadPem> {
    let found =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| BadPem::new(file, &error))?;
    if found.is_empty() {
        return Err(BadPem::new(file, &"it has no certificate"));
    }
    Ok(found)
}
