//! A running monitor or agent, as the client commands talk to it: one request per connection,
//! HTTP/1.1.

mod base;
pub(crate) mod follow;
pub(crate) mod sse;
mod tls;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::exit::{self, Exit, Stop};

use base::{Base, Scheme};

/// Names who makes a change.
const AUTHOR: HeaderName = HeaderName::from_static("x-auscult-author");

/// What is waited for a connection: more than a lost packet costs, less than patience.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is waited for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What an answer may weigh: a page of the largest list is far below.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The way to a monitor or an agent.
pub(crate) struct Client {
    base: Base,
    server: Server,
}

/// What is expected to answer. Both answer the same way; only the words differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Monitor,
    Agent,
}

impl Server {
    /// What it is called.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Agent => "agent",
        }
    }

    /// How one is started.
    const fn start(self) -> &'static str {
        match self {
            Self::Monitor => "auscult serve",
            Self::Agent => "auscult agent --http ADDR:PORT",
        }
    }
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// Path and query, from `/v1/` on.
    pub(crate) path: &'a str,
    /// Header fields besides the usual ones.
    pub(crate) headers: HeaderMap,
    /// JSON, or nothing.
    pub(crate) body: Option<String>,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub(crate) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: None,
        }
    }
}

/// What the monitor said, when it did what was asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// What became of bytes that were pushed.
#[derive(Debug)]
pub(crate) enum Pushed {
    /// They were taken.
    Taken,
    /// They will never be: what the receiver said.
    Refused(String),
    /// They may be later: what the receiver said.
    Busy(String),
}

impl Client {
    /// Prepares the way to a monitor; nothing is sent yet.
    pub(crate) fn new(url: &str) -> Result<Self, Stop> {
        Self::to(Server::Monitor, url)
    }

    /// Prepares the way; nothing is sent yet.
    pub(crate) fn to(server: Server, url: &str) -> Result<Self, Stop> {
        Self::named_by("--url", server, url)
    }

    /// Prepares the way to where `--to` names, for [`push`](Self::push).
    pub(crate) fn to_receiver(url: &str) -> Result<Self, Stop> {
        Self::named_by("--to", Server::Monitor, url)
    }

    fn named_by(option: &str, server: Server, url: &str) -> Result<Self, Stop> {
        let base = Base::parse(url)
            .map_err(|message| Stop::new(Exit::Usage, format!("{option} {url}: {message}")))?;
        Ok(Self { base, server })
    }

    /// What is expected to answer.
    pub(crate) const fn server(&self) -> Server {
        self.server
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Stop> {
        let response = self.open(ask).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
        let body = tokio::time::timeout(ANSWER_TIMEOUT, body)
            .await
            .map_err(|_| self.unreachable("the answer did not end in time"))?
            .map_err(|error| self.unreachable(&format!("the answer broke off: {error}")))?
            .to_bytes();
        Ok(Answer { status, body })
    }

    /// Reads an answer as what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Stop> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.unreachable(&format!("its answer is not one of ours: {error}")))
    }

    /// Asks and returns as soon as the monitor agreed; the body can be read as it comes. A refusal
    /// is an error that carries the monitor's own words.
    pub(crate) async fn open(&self, ask: Ask<'_>) -> Result<Response<Incoming>, Stop> {
        let response = tokio::time::timeout(ANSWER_TIMEOUT, self.send(ask))
            .await
            .map_err(|_| self.unreachable("no answer in time"))??;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(response).await)
    }

    async fn send(&self, ask: Ask<'_>) -> Result<Response<Incoming>, Stop> {
        let request = self.request(ask)?;
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, self.connect())
            .await
            .map_err(|_| self.unreachable("no connection in time"))?
            .map_err(|error| self.unreachable(&exit::in_words(&error)))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
                .await
                .map_err(|error| self.unreachable(&error.to_string()))?;
        tokio::spawn(connection);
        let sent = sender.send_request(request).await;
        sent.map_err(|error| self.unreachable(&format!("it does not speak HTTP: {error}")))
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let (host, port) = self.base.host_and_port();
        let stream = TcpStream::connect((host, port)).await?;
        match self.base.scheme() {
            Scheme::Http => Ok(Box::new(stream)),
            Scheme::Https => Ok(Box::new(tls::connect(stream, host).await?)),
        }
    }

    fn request(&self, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, Stop> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(self.base.target(ask.path))
            .header(HOST, self.base.authority())
            .header(USER_AGENT, concat!("auscult/", env!("CARGO_PKG_VERSION")));
        if !ask.headers.contains_key(ACCEPT) {
            request = request.header(ACCEPT, "application/json");
        }
        for (header, value) in [(AUTHORIZATION, bearer()), (AUTHOR, author())] {
            if let Some(value) = value {
                request = request.header(header, value);
            }
        }
        if ask.body.is_some() {
            let json = HeaderValue::from_static("application/json");
            request = request.header(CONTENT_TYPE, json);
        }
        let body = Full::new(Bytes::from(ask.body.unwrap_or_default()));
        let mut request = request
            .body(body)
            .map_err(|error| Stop::new(Exit::Usage, format!("cannot ask that: {error}")))?;
        request.headers_mut().extend(ask.headers);
        Ok(request)
    }

    /// Sends bytes to where `--to` names, which is another program's: no token of ours goes there.
    pub(crate) async fn push(
        &self,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Pushed, Stop> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(match self.base.target("") {
                path if path.is_empty() => "/".to_owned(),
                path => path,
            })
            .header(HOST, self.base.authority())
            .header(USER_AGENT, concat!("auscult/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Stop::new(Exit::Usage, format!("cannot send that: {error}")))?;
        let no_answer = |why: &str| {
            let message = format!("no receiver answers at {} ({why})", self.base);
            Stop::new(Exit::Unreachable, message)
        };
        let exchange = async {
            let stream = self.connect().await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
                    .await
                    .map_err(io::Error::other)?;
            tokio::spawn(connection);
            sender.send_request(request).await.map_err(io::Error::other)
        };
        let response = tokio::time::timeout(ANSWER_TIMEOUT, exchange)
            .await
            .map_err(|_| no_answer("no answer in time"))?
            .map_err(|error| no_answer(&exit::in_words(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Pushed::Taken);
        }
        let said = Limited::new(response.into_body(), 4_096).collect().await;
        let said = said.map(|body| body.to_bytes()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let message = format!("{} answers {status}: {said}", self.base);
        match status {
            StatusCode::BAD_REQUEST => Ok(Pushed::Refused(said)),
            StatusCode::TOO_MANY_REQUESTS => Ok(Pushed::Busy(message)),
            status if status.is_server_error() => Ok(Pushed::Busy(message)),
            _ => Err(Stop::new(Exit::Refused, message)),
        }
    }

    async fn refused(&self, response: Response<Incoming>) -> Stop {
        let status = response.status();
        let body = Limited::new(response.into_body(), 1 << 20).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        let exit = match status {
            StatusCode::NOT_FOUND => Exit::No,
            _ => Exit::Refused,
        };
        match serde_json::from_slice::<Value>(&body) {
            Ok(problem) if problem.is_object() => Stop::new(exit, problem_text(&problem, status)),
            _ => {
                let base = &self.base;
                let noun = self.server.noun();
                let message =
                    format!("{base} answers '{status}', but not as a {noun} does; see --url");
                Stop::new(Exit::Refused, message)
            }
        }
    }

    fn unreachable(&self, why: &str) -> Stop {
        let message = format!(
            "no {} answers at {} ({why}): start one with '{}', or name another with --url",
            self.server.noun(),
            self.base,
            self.server.start()
        );
        Stop::new(Exit::Unreachable, message)
    }
}

/// The token to show, if there is one.
fn bearer() -> Option<HeaderValue> {
    let token = std::env::var("AUSCULT_TOKEN").ok();
    let token = token.filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Who is said to make a change.
fn author() -> Option<HeaderValue> {
    let said = ["AUSCULT_AUTHOR", "USER"].map(|name| std::env::var(name).ok());
    let author = said.into_iter().flatten().find(|name| !name.is_empty())?;
    HeaderValue::try_from(author).ok()
}

/// A problem document in words: its detail, and each error that it lists on a line of its own.
fn problem_text(problem: &Value, status: StatusCode) -> String {
    let text = |name: &str| problem[name].as_str().filter(|text| !text.is_empty());
    let mut message = text("detail")
        .or_else(|| text("title"))
        .map_or_else(|| status.to_string(), str::to_owned);
    // What to do is said in our own words where there are such.
    let code = text("type").and_then(|kind| kind.rsplit(':').next());
    let hint = match code {
        Some("unknown_target") => Some("'auscult targets list' shows those there are"),
        Some("unknown_member") => Some("'auscult members' shows those there are"),
        Some("target_exists") => Some("--replace replaces it"),
        _ => text("hint"),
    };
    if let Some(hint) = hint {
        message = message + "\n  = help: " + hint;
    }
    for error in problem["errors"].as_array().into_iter().flatten() {
        let at = error["pointer"].as_str().or_else(|| error["path"].as_str());
        let what = error["detail"]
            .as_str()
            .or_else(|| error["message"].as_str());
        if let Some(what) = what {
            message.push_str("\n  ");
            if let Some(at) = at.filter(|at| !at.is_empty()) {
                message = message + at + ": ";
            }
            message.push_str(what);
        }
        if let Some(hint) = error["hint"].as_str() {
            message = message + " (" + hint + ")";
        }
    }
    message
}

/// A name as one segment of a path, or one value in a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert_eq!(encode("a/../b?c=d&e"), "a%2F..%2Fb%3Fc%3Dd%26e");
        assert_eq!(encode("grün"), "gr%C3%BCn");
    }

    #[test]
    fn a_problem_is_told_with_every_error() {
        let problem = serde_json::json!({
            "title": "Bad", "detail": "the target is not valid",
            "errors": [
                { "pointer": "/url", "detail": "is missing" },
                { "detail": "is odd", "hint": "say 1s" },
            ],
        });
        let expected = "the target is not valid\n  /url: is missing\n  is odd (say 1s)";
        assert_eq!(problem_text(&problem, StatusCode::BAD_REQUEST), expected);
        let empty = serde_json::json!({});
        assert_eq!(
            problem_text(&empty, StatusCode::BAD_REQUEST),
            "400 Bad Request"
        );
    }
}
