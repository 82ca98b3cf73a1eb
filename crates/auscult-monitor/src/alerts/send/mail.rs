//! Mail over SMTP: with TLS where the server offers it, and always where there is a password.

use auscult_core::alert::Message as News;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::task::spawn_blocking;

use super::compose::Composed;
use super::{SendError, payload, secret};
use crate::settings::Mail;
use crate::tls::{self, BadPem};

/// TLS from the first byte, by custom.
const WRAPPED_PORT: u16 = 465;

pub(super) async fn send(mail: &Mail, news: &News, composed: &Composed) -> Result<(), SendError> {
    let message = message(mail, news, composed)?;
    let broken = |error: lettre::transport::smtp::Error| {
        let text = format!("{}: {error}", mail.smarthost);
        // What will not be taken later either.
        if error.is_permanent() {
            SendError::Refused(text)
        } else {
            SendError::Broken(text)
        }
    };
    let (host, port) = mail
        .smarthost
        .rsplit_once(':')
        .unwrap_or((&mail.smarthost, "25"));
    let port: u16 = port.parse().unwrap_or(25);
    let parameters = TlsParameters::builder(host.to_owned());
    let parameters = trusting(parameters, mail).await?.build().map_err(broken)?;
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port)
        .timeout(Some(news.timeout));
    transport = transport.tls(match (port, &mail.username) {
        (WRAPPED_PORT, _) => Tls::Wrapper(parameters),
        (_, Some(_)) => Tls::Required(parameters),
        (_, None) => Tls::Opportunistic(parameters),
    });
    if let Some(username) = &mail.username {
        let password = match &mail.password_file {
            Some(file) => secret(file).await?,
            None => String::new(),
        };
        transport = transport.credentials(Credentials::new(username.to_string(), password));
    }
    transport.build().send(message).await.map_err(broken)?;
    Ok(())
}

/// Trusts the authorities of the file, too. It is read anew each time, as secrets are.
async fn trusting(
    mut parameters: TlsParametersBuilder,
    mail: &Mail,
) -> Result<TlsParametersBuilder, SendError> {
    let Some(file) = mail.ca_file.clone() else {
        return Ok(parameters);
    };
    let wrong = |bad: &dyn std::fmt::Display| SendError::File(bad.to_string());
    let read = file.clone();
    let certificates = spawn_blocking(move || tls::certificates_of(&read)).await;
    let certificates = certificates.map_err(|error| wrong(&BadPem::new(&file, &error)))?;
    for certificate in certificates.map_err(|bad| wrong(&bad))? {
        let certificate = Certificate::from_der(certificate.to_vec());
        let certificate = certificate.map_err(|error| wrong(&BadPem::new(&file, &error)))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    Ok(parameters)
}

fn message(mail: &Mail, news: &News, composed: &Composed) -> Result<Message, SendError> {
    let refused = |error: &dyn std::fmt::Display| SendError::Refused(error.to_string());
    let from = mail.from.parse().map_err(|error| refused(&error))?;
    let domain = mail
        .from
        .rsplit_once('@')
        .map_or("auscult", |(_, domain)| domain);
    let domain = domain.trim_end_matches('>');
    let mut message = Message::builder()
        .from(from)
        // The same for the same news, so that mail programs can tell a duplicate.
        .message_id(Some(format!("<{}@{domain}>", payload::digest(news))))
        .subject(composed.subject.clone())
        .header(ContentType::TEXT_PLAIN);
    for to in &mail.to {
        message = message.to(to.parse().map_err(|error| refused(&error))?);
    }
    message
        .body(composed.body.clone())
        .map_err(|error| refused(&error))
}
