//! How etcd is entered: over TLS or not, and as whom.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// What is needed to enter etcd beside its address.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Authorities that may vouch for etcd, as PEM; those of the system without it.
    pub ca: Option<PathBuf>,
    /// What this monitor shows of itself, where etcd asks for it.
    pub certificate: Option<ClientCertificate>,
    /// Whom to log in as, where etcd wants that.
    pub login: Option<Login>,
}

/// A certificate with those that vouch for it, and its private key, both as PEM.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificates.
    pub chain: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// A password. It is never shown.
#[derive(Clone)]
pub enum Password {
    /// It itself.
    Text(String),
    /// The file in which it stands, read whenever somebody logs in; the end of the line is no part
    /// of it.
    File(PathBuf),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Password {
    pub(super) fn read(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(format!(
                    "the password in {} cannot be read: {error}",
                    path.display()
                )),
            },
        }
    }
}

/// Why etcd cannot be entered with what was given. State: nothing was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAccess(String);

impl fmt::Display for NoAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAccess {}

impl Access {
    /// What makes connections secure. A certificate or an authority that cannot be read is an error
    /// at the start already.
    pub(super) fn connector(&self) -> Result<TlsConnector, NoAccess> {
        let roots = match &self.ca {
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("--settings-ca", file)? {
                    roots
                        .add(certificate)
                        .map_err(|error| unfit("--settings-ca", file, &error))?;
                }
                roots
            }
            None => {
                let mut roots = RootCertStore::empty();
                let native = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(native.certs);
                if roots.is_empty() {
                    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                }
                roots
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| NoAccess(error.to_string()))?
            .with_root_certificates(roots);
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(ClientCertificate { chain, key }) => {
                let certificates = certificates("--settings-cert", chain)?;
                let read = PrivateKeyDer::from_pem_file(key);
                let read = read.map_err(|error| unfit("--settings-key", key, &error))?;
                let config = builder.with_client_auth_cert(certificates, read);
                config.map_err(|error| unfit("--settings-key", key, &error))?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn certificates(flag: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, NoAccess> {
    let found = CertificateDer::pem_file_iter(file);
    let found = found.map_err(|error| unfit(flag, file, &error))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| unfit(flag, file, &error))?;
    if found.is_empty() {
        return Err(unfit(flag, file, &"it has no certificate"));
    }
    Ok(found)
}

fn unfit(flag: &str, file: &Path, why: &dyn fmt::Display) -> NoAccess {
    NoAccess(format!("{flag} {} cannot be used: {why}", file.display()))
}
