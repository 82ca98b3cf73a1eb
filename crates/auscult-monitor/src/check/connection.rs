//! HTTP connections, one request at a time, and those that are kept from check to check.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use auscult_core::monitor::Failure;
use auscult_core::time::Instant;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::context::Context;
use super::dial::{AddressCache, Dialled, Stream};
use super::failure;
use super::http1::{BodyUse, Reader};
use super::http2::Http2;
use super::plan::{Origin, Request};
use super::progress::{Progress, Stage};
use super::report::CheckError;
use crate::clock::Clock;

/// A connection that speaks HTTP.
pub(super) struct HttpConnection {
    pub(super) origin: Origin,
    pub(super) tls_expires_at: Option<Timestamp>,
    pub(super) permit: OwnedSemaphorePermit,
    opened_at: Instant,
    protocol: Protocol,
    reusable: bool,
}

enum Protocol {
    Http1(Stream),
    Http2(Box<Http2>),
}

/// What a server answered.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) version: &'static str,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Why there was no whole answer.
pub(super) struct Interrupted {
    pub(super) error: CheckError,
    /// Nothing of an answer had come: on a kept connection that is no fault of the target, which
    /// may close an idle connection whenever it likes.
    pub(super) before_answer: bool,
}

impl HttpConnection {
    pub(super) async fn start(
        dialled: Dialled,
        origin: Origin,
        clock: &Clock,
    ) -> Result<Self, CheckError> {
        let protocol = if dialled.speaks_http2 {
            Protocol::Http2(Box::pin(Http2::start(dialled.stream)).await?)
        } else {
            Protocol::Http1(dialled.stream)
        };
        Ok(Self {
            origin,
            tls_expires_at: dialled.tls_expires_at,
            permit: dialled.permit,
            opened_at: clock.now(),
            protocol,
            reusable: false,
        })
    }

    /// Sends a request and reads the answer.
    pub(super) async fn exchange(
        &mut self,
        request: &Request,
        body_use: BodyUse,
        context: &Context,
        progress: &mut Progress,
    ) -> Result<Reply, Interrupted> {
        self.reusable = false;
        progress.enter(Stage::Answer, context.clock.now());
        match &mut self.protocol {
            Protocol::Http1(stream) => {
                let mut reader = Reader::new(body_use);
                let mut exchange = Exchange {
                    stream,
                    unsent: &request.bytes,
                    flushed: false,
                    write_error: None,
                    reader: &mut reader,
                    progress,
                    clock: &context.clock,
                };
                poll_fn(|task| exchange.poll(task)).await?;
                self.reusable = reader.is_reusable();
                let (head, body) = reader.into_parts();
                Ok(Reply {
                    status: head.status,
                    version: head.version,
                    location: head.location,
                    body,
                })
            }
            Protocol::Http2(connection) => {
                let asked = connection.exchange(request, body_use, &context.clock, progress);
                let reply = Box::pin(asked).await?;
                self.reusable = !connection.is_closed();
                Ok(reply)
            }
        }
    }

    /// Tells whether it may serve one more check.
    pub(super) fn is_young(&self, now: Instant) -> bool {
        now.since(self.opened_at) < CONNECTION_AGE_MAX
    }

    /// Watches an idle connection. Ready: it is of no use any more.
    fn poll_ended(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        match &mut self.protocol {
            Protocol::Http1(stream) => {
                // Whatever comes, the end or bytes that nobody asked for, ends it.
                let mut unexpected = [0; 16];
                let mut buffer = ReadBuf::new(&mut unexpected);
                Pin::new(stream).poll_read(task, &mut buffer).map(drop)
            }
            Protocol::Http2(connection) => connection.poll_ended(task),
        }
    }
}

/// What one signal keeps from check to check.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) addresses: AddressCache,
    /// At most [`CONNECTIONS_KEPT_MAX`], the newest last.
    connections: Vec<HttpConnection>,
}

/// One for the target and one for where it redirects to.
const CONNECTIONS_KEPT_MAX: usize = 2;

/// A kept connection is replaced after this, so that a new certificate, or a name that means
/// another address now, is noticed.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(300);

impl Kept {
    pub(super) fn has(&self, origin: &Origin) -> bool {
        self.connections.iter().any(|kept| kept.origin == *origin)
    }

    pub(super) fn take(&mut self, origin: &Origin) -> Option<HttpConnection> {
        let position = self
            .connections
            .iter()
            .position(|kept| kept.origin == *origin)?;
        Some(self.connections.remove(position))
    }

    /// Keeps a connection, if it can serve again and sockets are not scarce.
    pub(super) fn put(&mut self, connection: HttpConnection, context: &Context) {
        let scarce = context.sockets.available_permits() < context.sockets_reserve;
        if !connection.reusable || scarce {
            return;
        }
        if self.connections.len() == CONNECTIONS_KEPT_MAX {
            self.connections.remove(0);
        }
        self.connections.push(connection);
    }

    /// Lets go of connections that ended while they were idle.
    pub(super) fn watch(&mut self, task: &mut TaskContext<'_>) {
        self.connections
            .retain_mut(|kept| kept.poll_ended(task).is_pending());
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// One request and its answer over HTTP/1.1. Reading goes on while the request is being written,
/// because a server may answer before it has read all of it.
struct Exchange<'a> {
    stream: &'a mut Stream,
    unsent: &'a [u8],
    flushed: bool,
    write_error: Option<io::Error>,
    reader: &'a mut Reader,
    progress: &'a mut Progress,
    clock: &'a Clock,
}

thread_local! {
    /// What all checks of a thread read into. Nothing stays in it from one call to the next.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

const SCRATCH_BYTES: usize = 32 << 10;

impl Exchange<'_> {
    fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), Interrupted>> {
        if let Poll::Ready(Err(error)) = self.poll_send(task) {
            self.unsent = &[];
            self.flushed = true;
            self.write_error = Some(error);
        }
        while !self.reader.is_done() {
            if let Err(interrupted) = ready!(self.poll_receive(task)) {
                return Poll::Ready(Err(interrupted));
            }
        }
        self.progress.leave(self.clock.now());
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut *self.stream).poll_write(task, self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.unsent = &self.unsent[sent..];
        }
        if !self.flushed {
            ready!(Pin::new(&mut *self.stream).poll_flush(task))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), Interrupted>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = ready!(Pin::new(&mut *self.stream).poll_read(task, &mut buffer));
            let result = match read {
                Ok(()) if !buffer.filled().is_empty() => self.take(buffer.filled()),
                Ok(()) => self.take_end(None),
                Err(error) => self.take_end(Some(error)),
            };
            Poll::Ready(result)
        })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Interrupted> {
        let waited = self.reader.head().is_none();
        self.reader.feed(bytes).map_err(|malformed| Interrupted {
            error: CheckError::new(Failure::Protocol, malformed.0),
            before_answer: false,
        })?;
        if waited && self.reader.head().is_some() {
            let now = self.clock.now();
            self.progress.leave(now);
            self.progress.enter(Stage::Body, now);
        }
        Ok(())
    }

    fn take_end(&mut self, error: Option<io::Error>) -> Result<(), Interrupted> {
        // Many servers end a TLS stream without the notice that they should send.
        let rude = error
            .as_ref()
            .is_none_or(|error| error.kind() == ErrorKind::UnexpectedEof);
        let before_answer = self.reader.is_untouched();
        if rude && self.reader.end() {
            return Ok(());
        }
        let doing = if self.reader.head().is_some() {
            "during the answer"
        } else {
            "before an answer"
        };
        let error = match error.filter(|_| !rude).or_else(|| self.write_error.take()) {
            Some(error) => failure::broken(&error, doing),
            None => {
                let text = format!("the server closed the connection {doing}");
                CheckError::new(Failure::Unreachable, text)
            }
        };
        Err(Interrupted {
            error,
            before_answer,
        })
    }
}
