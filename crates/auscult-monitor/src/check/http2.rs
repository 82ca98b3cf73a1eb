//! HTTP/2, by hyper: over TLS when the server chose it, without TLS with prior knowledge.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll};

use auscult_core::monitor::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{HOST, LOCATION};
use hyper::{Method, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::connection::{Interrupted, Reply};
use super::dial::Stream;
use super::failure;
use super::http1::{BODY_BYTES_MAX, BodyUse, DRAIN_BYTES_MAX};
use super::plan::Request;
use super::progress::{Progress, Stage};
use super::report::CheckError;
use crate::clock::Clock;

/// A connection that speaks HTTP/2.
pub(super) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    driver: Driver,
}

type Connection = http2::Connection<TokioIo<Stream>, Full<Bytes>, TokioExecutor>;

/// The part of a connection that must be polled for anything to happen.
struct Driver {
    connection: Pin<Box<Connection>>,
    ended: bool,
}

const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const HEADERS_BYTES_MAX: u32 = 64 << 10;

impl Http2 {
    pub(super) async fn start(stream: Stream) -> Result<Box<Self>, CheckError> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(STREAM_WINDOW_BYTES)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| interrupted(&error, "before an answer").error)?;
        let driver = Driver {
            connection: Box::pin(connection),
            ended: false,
        };
        Ok(Box::new(Self { sender, driver }))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.driver.ended || self.sender.is_closed()
    }

    pub(super) fn poll_ended(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        self.driver.poll(task);
        if self.is_closed() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    pub(super) async fn exchange(
        &mut self,
        request: &Request,
        body_use: BodyUse,
        clock: &Clock,
        progress: &mut Progress,
    ) -> Result<Reply, Interrupted> {
        let asked = self.sender.send_request(translate(request)?);
        let response = self
            .driver
            .run(asked)
            .await
            .map_err(|error| interrupted(&error, "before an answer"))?;
        let now = clock.now();
        progress.leave(now);
        progress.enter(Stage::Body, now);
        let (head, body) = response.into_parts();
        let body = match body_use {
            BodyUse::Absent => Vec::new(),
            BodyUse::Keep => self.driver.run(collect(body, BODY_BYTES_MAX)).await?,
            BodyUse::Drain => {
                self.driver.run(collect(body, DRAIN_BYTES_MAX)).await?;
                Vec::new()
            }
        };
        progress.leave(clock.now());
        let location = head.headers.get(LOCATION);
        Ok(Reply {
            status: head.status.as_u16(),
            version: "2",
            location: location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned()),
            body,
        })
    }
}

impl Driver {
    fn poll(&mut self, task: &mut TaskContext<'_>) {
        if !self.ended {
            self.ended = self.connection.as_mut().poll(task).is_ready();
        }
    }

    /// Waits for something that the connection brings.
    async fn run<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|task| {
            if let Poll::Ready(output) = future.as_mut().poll(task) {
                return Poll::Ready(output);
            }
            self.poll(task);
            future.as_mut().poll(task)
        })
        .await
    }
}

/// The request as HTTP/2 says it: the host goes into the address.
fn translate(request: &Request) -> Result<hyper::Request<Full<Bytes>>, Interrupted> {
    let invalid = |text: String| Interrupted {
        error: CheckError::new(Failure::Local, text),
        before_answer: false,
    };
    let mut url = request.url.clone();
    url.set_fragment(None);
    let uri: Uri = url
        .as_str()
        .parse()
        .map_err(|error| invalid(format!("{url}: {error}")))?;
    let mut parts = uri.into_parts();
    if let Some(host) = request.headers.get(HOST) {
        let authority = host.as_bytes().try_into();
        parts.authority = Some(authority.map_err(|error| invalid(format!("host: {error}")))?);
    }
    let uri = Uri::from_parts(parts).map_err(|error| invalid(format!("{url}: {error}")))?;
    let mut translated = hyper::Request::new(Full::new(request.body.clone()));
    *translated.method_mut() = Method::clone(&request.method);
    *translated.uri_mut() = uri;
    *translated.version_mut() = Version::HTTP_2;
    let headers = translated.headers_mut();
    headers.clone_from(&request.headers);
    headers.remove(HOST);
    headers.remove("connection");
    Ok(translated)
}

/// Reads a body to its end or to the limit.
async fn collect(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Interrupted> {
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Interrupted {
            before_answer: false,
            ..interrupted(&error, "during the answer")
        })?;
        if let Some(data) = frame.data_ref() {
            let room = limit - collected.len();
            collected.extend_from_slice(&data[..room.min(data.len())]);
        }
        if collected.len() == limit {
            break;
        }
    }
    Ok(collected)
}

fn interrupted(error: &hyper::Error, doing: &str) -> Interrupted {
    let error = match source_io(error) {
        Some(error) => failure::broken(error, doing),
        None if error.is_closed() || error.is_canceled() => {
            let text = format!("the server closed the connection {doing}");
            CheckError::new(Failure::Unreachable, text)
        }
        None => CheckError::new(Failure::Protocol, failure::chain(error)),
    };
    Interrupted {
        error,
        before_answer: true,
    }
}

fn source_io(error: &hyper::Error) -> Option<&std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return Some(error);
        }
        source = cause.source();
    }
    None
}
