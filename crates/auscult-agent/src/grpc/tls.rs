//! Mutual TLS between members, and between a member and the programs that call it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

/// A member's certificate and key, and the authority that signed those of all members. Whoever
/// calls must show a certificate of that authority, too.
#[derive(Clone)]
pub struct Tls {
    identity: Identity,
    authority: Certificate,
    name: Option<String>,
}

/// A file of [`Tls`] could not be read. State: nothing was changed.
#[derive(Debug)]
pub struct TlsError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {}", self.path.display())
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Takes PEM texts: a certificate (with its chain), its key, and the authority's certificate.
    #[must_use]
    pub fn new(certificate: &[u8], key: &[u8], authority: &[u8]) -> Self {
        Self {
            identity: Identity::from_pem(certificate, key),
            authority: Certificate::from_pem(authority),
            name: None,
        }
    }

    /// Reads PEM files.
    ///
    /// # Errors
    /// The file that cannot be read. State: nothing was changed.
    pub fn read(certificate: &Path, key: &Path, authority: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| TlsError {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Self::new(
            &read(certificate)?,
            &read(key)?,
            &read(authority)?,
        ))
    }

    /// The name that certificates of the others must bear. Default: the host or address that is
    /// dialled.
    #[must_use]
    pub fn expecting(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(super) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.identity.clone())
            .client_ca_root(self.authority.clone())
    }

    pub(super) fn client(&self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new()
            .identity(self.identity.clone())
            .ca_certificate(self.authority.clone());
        match &self.name {
            Some(name) => config.domain_name(name),
            None => config,
        }
    }
}
