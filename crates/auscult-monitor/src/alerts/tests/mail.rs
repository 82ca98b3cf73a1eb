//! Mail over STARTTLS: the password goes nowhere before there is TLS with a server that is trusted.

use std::fs;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::stage::{Stage, TARGETS};

/// What a mail server was told before TLS, and within it.
#[derive(Clone, Default)]
struct Heard {
    clear: Arc<Mutex<Vec<String>>>,
    sealed: Arc<Mutex<Vec<String>>>,
}

/// A mail server that offers STARTTLS, where it has a certificate. Tells its port.
async fn mail_server(tls: Option<TlsAcceptor>, heard: Heard) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, heard) = (tls.clone(), heard.clone());
            tokio::spawn(async move {
                let _broken = serve(stream, tls, heard).await;
            });
        }
    });
    port
}

async fn serve(
    mut stream: TcpStream,
    tls: Option<TlsAcceptor>,
    heard: Heard,
) -> std::io::Result<()> {
    stream.write_all(b"220 sink\r\n").await?;
    let offer = match tls {
        Some(_) => "250-sink\r\n250 STARTTLS\r\n",
        None => "250-sink\r\n250 AUTH PLAIN\r\n",
    };
    let upgrades = talk(&mut stream, offer, &heard.clear).await?;
    if let (true, Some(tls)) = (upgrades, tls) {
        let mut stream = tls.accept(stream).await?;
        talk(&mut stream, "250-sink\r\n250 AUTH PLAIN\r\n", &heard.sealed).await?;
    }
    Ok(())
}

/// Answers until the other side is gone or wants TLS: then it is true.
async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    offer: &str,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut is_mail) = (String::new(), false);
    while stream.read_line(&mut line).await? > 0 {
        heard.lock().push(line.trim_end().to_owned());
        let word = line.get(..4).unwrap_or_default();
        let answer = match word {
            _ if is_mail && line != ".\r\n" => "",
            "EHLO" => offer,
            "STAR" => "220 go on\r\n",
            "AUTH" => "235 you are\r\n",
            "DATA" => "354 go on\r\n",
            _ => "250 yes\r\n",
        };
        is_mail = word == "DATA" || is_mail && line != ".\r\n";
        stream.write_all(answer.as_bytes()).await?;
        if word == "STAR" {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

/// An authority, as PEM, and a server that it vouches for as `localhost`.
fn authority() -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (issuer.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// A monitor that mails to that port; `trust` is one more line of the receiver.
async fn stage(port: u16, pem: &str, trust: &str) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), pem).unwrap();
    fs::write(folder.path().join("password"), "sesame\n").unwrap();
    let text = format!(
        "{TARGETS}
receivers:
- name: mail
  type: email
  smarthost: localhost:{port}
  from: a@b.example
  to: [c@d.example]
  username: watch
  password_file: password
{trust}"
    );
    Stage::start_in(folder, &text).await
}

#[tokio::test]
async fn a_mail_with_a_password_goes_over_starttls() {
    let heard = Heard::default();
    let (pem, tls) = authority();
    let port = mail_server(Some(tls), heard.clone()).await;
    let stage = stage(port, &pem, "  ca_file: ca.pem\n").await;
    let tested = stage.alerts.test("mail").await.unwrap();
    let (result, clear) = (tested.result, heard.clear.lock().clone());
    assert!(result.is_ok(), "{result:?} {clear:?}");
    let words: Vec<&str> = clear.iter().map(|line| &line[..4]).collect();
    assert_eq!(words, ["EHLO", "STAR"], "nothing else in the clear");
    let sealed = heard.sealed.lock().clone();
    // NUL, watch, NUL, sesame.
    assert!(
        sealed
            .iter()
            .any(|line| line == "AUTH PLAIN AHdhdGNoAHNlc2FtZQ=="),
        "{sealed:?}"
    );
    assert!(
        sealed.iter().any(|line| line.starts_with("Subject: ")),
        "{sealed:?}"
    );
    stage.end().await;
}

#[tokio::test]
async fn a_password_is_not_shown_to_a_server_that_is_not_trusted_or_has_no_tls() {
    let (pem, tls) = authority();
    let (stranger, plain) = (Heard::default(), Heard::default());
    let of_stranger = mail_server(Some(tls), stranger.clone()).await;
    let of_plain = mail_server(None, plain.clone()).await;
    for (port, heard) in [(of_stranger, stranger), (of_plain, plain)] {
        // Nobody said that its authority is to be trusted.
        let stage = stage(port, &pem, "").await;
        let tested = stage.alerts.test("mail").await.unwrap();
        assert!(tested.result.is_err());
        let all = [heard.clear.lock().clone(), heard.sealed.lock().clone()].concat();
        let auth = all
            .iter()
            .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"));
        assert!(!auth, "{all:?}");
        stage.end().await;
    }
}
