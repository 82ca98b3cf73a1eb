//! How TLS is verified: one configuration per distinct setting, shared by all checks that have it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use auscult_core::monitor::Failure;
use parking_lot::Mutex;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::report::CheckError;
use crate::settings::{HttpVersion, TlsSpec};
use crate::tls;

/// Makes and shares TLS configurations.
#[derive(Default)]
pub(super) struct TlsConfigs {
    shared: Mutex<HashMap<Key, Shared>>,
    system_roots: OnceLock<Arc<RootCertStore>>,
}

struct Shared {
    config: Arc<ClientConfig>,
    /// When the file that it was read from was changed, so that a changed one is read again.
    changed_at: Option<SystemTime>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    trust: Trust,
    protocols: &'static [&'static [u8]],
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Trust {
    Anyone,
    System,
    File(PathBuf),
}

impl TlsConfigs {
    /// The configuration for a check.
    pub(super) fn get(
        &self,
        spec: &TlsSpec,
        version: HttpVersion,
    ) -> Result<Arc<ClientConfig>, CheckError> {
        let (trust, changed_at) = match (&spec.ca_file, spec.verify) {
            (_, false) => (Trust::Anyone, None),
            (None, true) => (Trust::System, None),
            (Some(file), true) => {
                let changed_at = std::fs::metadata(file).and_then(|data| data.modified());
                (Trust::File(file.clone()), changed_at.ok())
            }
        };
        let protocols = protocols(version);
        let key = Key { trust, protocols };
        let mut shared = self.shared.lock();
        if let Some(known) = shared
            .get(&key)
            .filter(|known| known.changed_at == changed_at)
        {
            return Ok(Arc::clone(&known.config));
        }
        let config = Arc::new(self.make(&key)?);
        let made = Shared {
            config: Arc::clone(&config),
            changed_at,
        };
        shared.insert(key, made);
        Ok(config)
    }

    fn make(&self, key: &Key) -> Result<ClientConfig, CheckError> {
        let broken = |error: rustls::Error| CheckError::new(Failure::Local, error.to_string());
        let builder = tls::client().map_err(broken)?;
        let mut config = match &key.trust {
            Trust::Anyone => {
                let algorithms = builder.crypto_provider().signature_verification_algorithms;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(AcceptAnyone { algorithms }))
            }
            Trust::System => {
                let roots = self
                    .system_roots
                    .get_or_init(|| Arc::new(tls::system_roots()));
                builder.with_root_certificates(Arc::clone(roots))
            }
            Trust::File(file) => {
                // Our own settings are at fault, not the target.
                let bad = |bad| CheckError::new(Failure::Local, format!("ca_file {bad}"));
                builder.with_root_certificates(tls::roots_of(file).map_err(bad)?)
            }
        }
        .with_no_client_auth();
        config.alpn_protocols = key.protocols.iter().map(|name| name.to_vec()).collect();
        // A resumed session shows no certificate: an expired or renewed one would go unnoticed.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// What is offered to the server, best first.
const fn protocols(version: HttpVersion) -> &'static [&'static [u8]] {
    match version {
        HttpVersion::Auto => &[b"h2", b"http/1.1"],
        HttpVersion::Http1 => &[b"http/1.1"],
        HttpVersion::Http2 => &[b"h2"],
    }
}

/// For checks that do not verify: any certificate will do, but the handshake must still be sound.
#[derive(Debug)]
struct AcceptAnyone {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AcceptAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
