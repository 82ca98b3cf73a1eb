//! Sending messages: one way for each type of receiver.

mod command;
mod compose;
mod http;
mod mail;
mod payload;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use auscult_core::alert::{Message, Sent};
use auscult_core::id::ReceiverName;
use hyper::Uri;
use ring::hmac;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::AlertClock;
use crate::settings::{Address, Pulse, Way};
use compose::{Composed, compose};
use http::Post;

/// Trying templates before they are used.
pub(crate) mod templating {
    pub(crate) use super::compose::{sample, try_out};
}

/// How long a test may take.
const TEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a message was not delivered.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// No receiver of that name is configured.
    UnknownReceiver,
    /// It took too long.
    Timeout,
    /// The way there is broken: no connection, or it broke.
    Broken(String),
    /// A file that is needed could not be read.
    File(String),
    /// It answered that it cannot do it now.
    Busy {
        /// The status.
        status: u16,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// It answered that it does not take this.
    Refused(String),
    /// Its template cannot be filled.
    Template(String),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownReceiver => f.write_str("there is no such receiver"),
            Self::Timeout => f.write_str("it took too long"),
            Self::Broken(text) | Self::File(text) | Self::Template(text) => f.write_str(text),
            Self::Busy { status, .. } => write!(f, "it answered {status}"),
            Self::Refused(text) => write!(f, "it was refused: {text}"),
        }
    }
}

impl std::error::Error for SendError {}

/// What the machine is told.
pub(super) const fn outcome(result: &Result<(), SendError>) -> Sent {
    match result {
        Ok(()) => Sent::Delivered,
        Err(SendError::Busy { retry_after, .. }) => Sent::Failed {
            retry_after: *retry_after,
        },
        Err(SendError::Refused(_)) => Sent::Refused,
        Err(
            SendError::UnknownReceiver
            | SendError::Timeout
            | SendError::Broken(_)
            | SendError::File(_)
            // It may be mended before the next attempt.
            | SendError::Template(_),
        ) => Sent::Failed { retry_after: None },
    }
}

/// What came of a test.
#[derive(Debug)]
pub struct Tested {
    /// The subject, where it was a mail.
    pub subject: Option<String>,
    /// What was posted, mailed, logged, or written to the program.
    pub body: String,
    /// Whether it was taken, or why not.
    pub result: Result<(), SendError>,
}

/// Sends messages.
pub(super) struct Sender {
    tls: OnceLock<Result<TlsConnector, rustls::Error>>,
}

impl Sender {
    pub(super) const fn new() -> Self {
        Self {
            tls: OnceLock::new(),
        }
    }

    /// Sends a message within its time-out.
    pub(super) async fn send(
        &self,
        clock: &AlertClock,
        message: &Message,
        way: &Way,
    ) -> Result<(), SendError> {
        let composed = compose(clock, message, way)?;
        self.by(clock, message, way, &composed).await
    }

    /// Sends something that says that it is a test. Tells what was sent, and what came of it.
    pub(super) async fn test(
        &self,
        clock: &AlertClock,
        name: &ReceiverName,
        way: &Way,
    ) -> Result<Tested, SendError> {
        let message = payload::test_message(clock.now(), name, TEST_TIMEOUT);
        let message = message.ok_or(SendError::UnknownReceiver)?;
        let composed = compose(clock, &message, way)?;
        let result = self.by(clock, &message, way, &composed).await;
        let subject = matches!(way, Way::Mail(_)).then_some(composed.subject);
        Ok(Tested {
            subject,
            body: composed.body,
            result,
        })
    }

    async fn by(
        &self,
        clock: &AlertClock,
        message: &Message,
        way: &Way,
        composed: &Composed,
    ) -> Result<(), SendError> {
        let sent = timeout(message.timeout, self.deliver(clock, message, way, composed)).await;
        sent.unwrap_or(Err(SendError::Timeout))
    }

    async fn deliver(
        &self,
        clock: &AlertClock,
        message: &Message,
        way: &Way,
        composed: &Composed,
    ) -> Result<(), SendError> {
        let body = || composed.body.clone();
        match way {
            Way::Webhook {
                address,
                headers,
                token_file,
                secret_file,
                content_type,
                templates: _,
            } => {
                let mut post = Post::new(url(address).await?, body());
                post.content_type.clone_from(content_type);
                post.headers.extend(headers.iter().cloned());
                post.header("Idempotency-Key", &payload::digest(message));
                if let Some(file) = secret_file {
                    sign(&mut post, &secret(file).await?, clock);
                }
                self.authorize(&mut post, token_file.as_deref()).await?;
                self.post(post).await
            }
            Way::Alertmanager {
                url,
                headers,
                token_file,
            } => {
                let mut post = Post::new(below(url, "/api/v2/alerts")?, body());
                post.headers.extend(headers.iter().cloned());
                self.authorize(&mut post, token_file.as_deref()).await?;
                self.post(post).await
            }
            Way::Slack { address, .. } => self.post(Post::new(url(address).await?, body())).await,
            Way::Command { words, .. } => command::run(words, composed).await,
            Way::Mail(mail) => mail::send(mail, message, composed).await,
            Way::Log => {
                let text = &composed.body;
                tracing::warn!(target: "auscult::alerts", receiver = %message.receiver, "{text}");
                Ok(())
            }
        }
    }

    /// Says outside that this monitor lives.
    pub(super) async fn push(&self, pulse: &Pulse, body: String) -> Result<(), SendError> {
        let mut post = Post::new(url(&pulse.address).await?, body);
        post.headers.extend(pulse.headers.iter().cloned());
        self.post(post).await
    }

    async fn authorize(&self, post: &mut Post, file: Option<&Path>) -> Result<(), SendError> {
        if let Some(file) = file {
            let token = secret(file).await?;
            post.header("Authorization", &format!("Bearer {token}"));
        }
        Ok(())
    }

    async fn post(&self, post: Post) -> Result<(), SendError> {
        let tls = self.tls.get_or_init(http::connector);
        http::send(post, tls).await
    }
}

/// `t=<seconds>,v1=<hex>`: the signature covers the time, so that what was recorded long ago can be
/// told from what is new.
fn sign(post: &mut Post, secret: &str, clock: &AlertClock) {
    let seconds = clock.wall(clock.now()).as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{}", post.body).as_bytes());
    let value = format!("t={seconds},v1={}", payload::hex(tag.as_ref()));
    post.header("X-Auscult-Signature", &value);
}

async fn url(address: &Address) -> Result<Uri, SendError> {
    match address {
        Address::Url(url) => Ok(url.clone()),
        Address::File(file) => {
            let text = secret(file).await?;
            let wrong = |error| SendError::File(format!("{}: {error}", file.display()));
            text.parse().map_err(wrong)
        }
    }
}

/// The address of a route below one that was configured, with or without a slash at its end.
fn below(url: &Uri, route: &str) -> Result<Uri, SendError> {
    let text = url.to_string();
    let wrong = |error| SendError::Broken(format!("{url}: {error}"));
    format!("{}{route}", text.trim_end_matches('/'))
        .parse()
        .map_err(wrong)
}

/// The first line of a file, read anew each time: so a secret can be changed while we run.
async fn secret(file: &Path) -> Result<String, SendError> {
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
    let text = read.unwrap_or_else(|error| Err(io::Error::other(error)));
    let text = text.map_err(|error| SendError::File(format!("{}: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
