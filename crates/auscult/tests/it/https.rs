//! A monitor behind a proxy that speaks TLS.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::process::{auscult, stderr, stdout};

#[test]
fn the_certificate_of_a_proxy_must_be_trusted() {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = TempDir::new().unwrap();
    let trusted = folder.path().join("trusted.pem");
    fs::write(&trusted, issued.cert.pem()).unwrap();
    let other = folder.path().join("other.pem");
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&other, stranger.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
    let port = proxy(Arc::new(config));

    let list = |certificates| {
        auscult([
            "targets",
            "list",
            "--url",
            &format!("https://localhost:{port}/prefix"),
        ])
        .env("SSL_CERT_FILE", certificates)
        .output()
        .unwrap()
    };
    let output = list(&trusted);
    assert_eq!(stdout(&output), "no targets\n", "{}", stderr(&output));
    let refused = list(&other);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("certificate"),
        "{}",
        stderr(&refused)
    );
}

/// Answers every request for the list below its prefix with an empty one.
fn proxy(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let mut request = [0; 1024];
            // A client that does not trust us leaves here.
            let Ok(size) = stream.read(&mut request) else {
                continue;
            };
            let known = request[..size].starts_with(b"GET /prefix/v1/targets?");
            let body = if known { r#"{"targets":[]}"# } else { "{}" };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}
