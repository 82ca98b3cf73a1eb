//! How etcd is entered: over TLS or not, and as whom.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_rustls::TlsConnector;

use crate::tls::{self, BadPem};

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
            Some(file) => tls::roots_of(file).map_err(|bad| unfit("--settings-ca", bad))?,
            None => tls::system_roots(),
        };
        let builder = tls::client_trusting(roots);
        let builder = builder.map_err(|error| NoAccess(error.to_string()))?;
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(ClientCertificate { chain, key }) => {
                let chain = tls::certificates_of(chain);
                let chain = chain.map_err(|bad| unfit("--settings-cert", bad))?;
                let bad =
                    |error: &dyn fmt::Display| unfit("--settings-key", BadPem::new(key, error));
                let read = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(&error))?;
                let config = builder.with_client_auth_cert(chain, read);
                config.map_err(|error| bad(&error))?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn unfit(flag: &str, bad: BadPem) -> NoAccess {
    NoAccess(format!("{flag} {bad}"))
}
