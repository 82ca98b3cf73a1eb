//! One `POST`, over a connection of its own: messages are rare, and a kept connection that the
//! other side forgot would cost the one that matters.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::SendError;
use crate::tls;

/// What is read of an answer, to tell why it was refused.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What is shown of it.
const ANSWER_CHARACTERS_MAX: usize = 200;

/// A request.
pub(super) struct Post {
    url: Uri,
    pub(super) content_type: Box<str>,
    pub(super) headers: Vec<(Box<str>, Box<str>)>,
    pub(super) body: String,
}

impl Post {
    pub(super) fn new(url: Uri, body: String) -> Self {
        Self {
            url,
            content_type: "application/json".into(),
            headers: Vec::new(),
            body,
        }
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.into(), value.into()));
    }
}

/// How servers are verified: by the system's authorities.
pub(super) fn connector() -> Result<TlsConnector, rustls::Error> {
    let config = tls::client_trusting(tls::system_roots())?.with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Sends it and judges the answer.
pub(super) async fn send(
    post: Post,
    tls: &Result<TlsConnector, rustls::Error>,
) -> Result<(), SendError> {
    let is_tls = post.url.scheme_str() == Some("https");
    let host = post.url.host().unwrap_or_default().to_owned();
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = post.url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let broken = |error: &dyn std::fmt::Display| SendError::Broken(format!("{host}: {error}"));
    let stream = TcpStream::connect((bare.as_str(), port)).await;
    let stream = stream.map_err(|error| broken(&error))?;
    let _slower = stream.set_nodelay(true);
    let request = request(&post)?;
    if !is_tls {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(bare).map_err(|error| broken(&error))?;
    let connector = tls.as_ref().map_err(|error| broken(error))?;
    let stream = connector.connect(name, stream).await;
    exchange(stream.map_err(|error| broken(&error))?, request).await
}

fn request(post: &Post) -> Result<Request<Full<Bytes>>, SendError> {
    let path = post.url.path_and_query().map_or("/", |path| path.as_str());
    let authority = post
        .url
        .authority()
        .map_or("", |authority| authority.as_str());
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, concat!("auscult/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_LENGTH, post.body.len());
    let is_type = |(name, _): &(Box<str>, _)| name.eq_ignore_ascii_case("content-type");
    if !post.headers.iter().any(is_type) {
        request = request.header(CONTENT_TYPE, &*post.content_type);
    }
    for (name, value) in &post.headers {
        request = request.header(&**name, &**value);
    }
    let body = Full::new(Bytes::from(post.body.clone()));
    // Without the text: a header may hold a secret.
    request
        .body(body)
        .map_err(|_| SendError::Refused("a header cannot be sent".into()))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(), SendError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| SendError::Broken(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let driver = tokio::spawn(connection);
    let answered = sender.send_request(request).await;
    let judged = match answered {
        Ok(response) => judge(response).await,
        Err(error) => Err(broken(error)),
    };
    driver.abort();
    judged
}

async fn judge(response: Response<hyper::body::Incoming>) -> Result<(), SendError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
        let retry_after = retry_after(response.headers());
        return Err(SendError::Busy {
            status: status.as_u16(),
            retry_after,
        });
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let shown: String = text.trim().chars().take(ANSWER_CHARACTERS_MAX).collect();
    Err(SendError::Refused(format!("{status}: {shown}")))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
