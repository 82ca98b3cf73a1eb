//! Checks over TLS: whom to trust, for which name, and for how much longer.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auscult_core::monitor::Failure;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;

use super::harness::{Checking, failure, http, once};
use super::server::Server;
use crate::settings::{Connection, HttpCheck, HttpVersion};

const DAY: Duration = Duration::from_secs(86_400);

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = pem_file(&issuer.pem());
        Self { issuer, file }
    }

    /// A server with a certificate for `localhost` that is valid from and to these days from now.
    fn server(&self, from: i64, to: i64, protocols: &[&[u8]]) -> Server {
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(day(from));
        params.not_after = epoch + Duration::from_secs(day(to));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Server::start_tls(config(certificate.der().clone(), &key, protocols))
    }

    fn check(&self, server: &Server) -> HttpCheck {
        let mut check = check(server);
        check.tls.ca_file = Some(self.file.path().into());
        check
    }
}

fn check(server: &Server) -> HttpCheck {
    http(&format!("https://localhost:{}/", server.address.port()))
}

/// The second that lies this many days from now, and a minute: so that `3 days` are not yet 2 by
/// the time they are read.
fn day(offset: i64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let span = DAY * u32::try_from(offset.unsigned_abs()).unwrap();
    (if offset < 0 { now - span } else { now + span }).as_secs()
}

fn pem_file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn config(leaf: CertificateDer<'static>, key: &KeyPair, protocols: &[&[u8]]) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

#[test]
fn a_trusted_certificate_is_accepted_and_its_end_is_told() {
    let authority = Authority::new();
    let server = authority.server(-1, 30, &[]);
    let report = once(authority.check(&server));
    let answer = report.outcome.clone().unwrap();
    assert_eq!(answer.http_version, Some("1.1"));
    let end = u64::try_from(answer.tls_expires_at.unwrap().as_second()).unwrap();
    assert!(end.abs_diff(day(30)) <= 60);
    assert!(report.phases.tls.is_some() && report.phases.connect.is_some());
}

#[test]
fn the_server_chooses_http2_if_it_may() {
    let authority = Authority::new();
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    for (version, offered, spoken) in [
        (HttpVersion::Auto, both, "2"),
        (HttpVersion::Auto, &both[1..], "1.1"),
        (HttpVersion::Http1, both, "1.1"),
        (HttpVersion::Http2, both, "2"),
    ] {
        let server = authority.server(-1, 30, offered);
        let mut check = authority.check(&server);
        check.version = version;
        let answer = once(check).outcome.clone().unwrap();
        assert_eq!(answer.http_version, Some(spoken), "{version:?}");
    }
    let server = authority.server(-1, 30, &[]);
    let mut check = authority.check(&server);
    check.version = HttpVersion::Http2;
    let (class, text) = failure(check);
    assert_eq!(
        (class, text.as_str()),
        (Failure::Protocol, "the server does not offer HTTP/2")
    );
}

#[test]
fn an_expired_certificate_is_told_with_its_age() {
    let authority = Authority::new();
    let server = authority.server(-30, -3, &[]);
    let (class, text) = failure(authority.check(&server));
    assert_eq!(
        (class, text.as_str()),
        (Failure::Tls, "certificate expired 2 days ago")
    );
    let early = authority.server(3, 30, &[]);
    let (class, text) = failure(authority.check(&early));
    assert_eq!(
        (class, text.as_str()),
        (Failure::Tls, "certificate is not valid yet")
    );
}

#[test]
fn a_certificate_that_expires_soon_fails_before_it_does() {
    let authority = Authority::new();
    let server = authority.server(-1, 3, &[]);
    let mut check = authority.check(&server);
    check.tls.expires_within = Some(DAY * 2);
    once(check.clone()).outcome.clone().unwrap();
    check.tls.expires_within = Some(DAY * 14);
    let (class, text) = failure(check.clone());
    assert_eq!(
        (class, text.as_str()),
        (Failure::Tls, "certificate expires in 3 days")
    );
    check.tls.verify = false;
    assert_eq!(failure(check).1, "certificate expires in 3 days");
}

#[test]
fn a_certificate_must_be_for_the_name() {
    let authority = Authority::new();
    let server = authority.server(-1, 30, &[]);
    let mut check = authority.check(&server);
    check.url = format!("https://{}/", server.address).parse().unwrap();
    let (class, text) = failure(check.clone());
    assert_eq!(class, Failure::Tls);
    assert_eq!(
        text,
        r#"certificate is not for 127.0.0.1 (it is for localhost)"#
    );
    check.tls.server_name = Some("localhost".into());
    once(check).outcome.clone().unwrap();
}

#[test]
fn an_unknown_authority_is_not_trusted_unless_nobody_must_be() {
    let authority = Authority::new();
    let server = authority.server(-1, 30, &[]);
    let mut check = check(&server);
    let (class, text) = failure(check.clone());
    assert_eq!(class, Failure::Tls);
    assert_eq!(text, "certificate is signed by an unknown authority");
    check.tls.verify = false;
    once(check).outcome.clone().unwrap();
}

#[test]
fn a_self_signed_certificate_is_trusted_when_it_is_in_the_file() {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let server = Server::start_tls(config(signed.cert.der().clone(), &signed.signing_key, &[]));
    let file = pem_file(&signed.cert.pem());
    let mut check = check(&server);
    check.tls.ca_file = Some(file.path().into());
    once(check).outcome.clone().unwrap();
}

#[test]
fn a_missing_authority_file_is_our_own_fault() {
    let authority = Authority::new();
    let server = authority.server(-1, 30, &[]);
    let mut check = check(&server);
    check.tls.ca_file = Some("/no/such/file.pem".into());
    let (class, text) = failure(check);
    assert_eq!(class, Failure::Local);
    assert!(text.starts_with("ca_file /no/such/file.pem: "), "{text}");
}

#[test]
fn a_port_without_tls_is_told_so() {
    let server = Server::start_greeting("220 mail.example.com ESMTP ready\r\n");
    let (class, text) = failure(check(&server));
    assert_eq!(class, Failure::Tls);
    assert_eq!(text, "the server does not speak TLS on this port");
}

#[test]
fn a_new_authority_file_is_noticed() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = new.server(-1, 30, &[]);
    let mut check = check(&server);
    check.connection = Connection::Fresh;
    check.tls.ca_file = Some(old.file.path().into());
    let checking = Checking::start();
    checking.set(check);
    assert_eq!(checking.news().failure, Some(Failure::Tls));
    let text = new.issuer.pem();
    std::fs::write(old.file.path(), text).unwrap();
    while checking.news().failure.is_some() {}
}

#[test]
fn redirects_do_not_leave_encryption() {
    let authority = Authority::new();
    let server = authority.server(-1, 30, &[]);
    let mut check = authority.check(&server);
    check.url = format!("https://localhost:{}/insecure", server.address.port())
        .parse()
        .unwrap();
    let (class, text) = failure(check);
    assert_eq!(class, Failure::Protocol);
    assert!(text.contains("not encrypted"), "{text}");
}
