//! The accept loop: a bound on connections, time-outs for slow clients, and an orderly end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::stop::Stop;

/// How much of the server one client, or many slow ones, can hold.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections served at a time; more wait in the kernel's queue. 1,024 leaves most of a usual
    /// limit of open files to checks.
    pub connections_max: usize,
    /// The time a client has to send a request's head, the wait for a next request included: 30 s.
    pub head_timeout: Duration,
    /// How long an answer may wait for a client that does not read it: 30 s.
    pub write_timeout: Duration,
    /// How long requests that are being answered may take when the server ends: 3 s.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(3),
        }
    }
}

/// What happened to connections. Read by the metrics.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Those that ended.
    pub ended: AtomicU64,
    /// Those that broke.
    pub broken: AtomicU64,
    /// Those given up on because the client did not read.
    pub write_timeouts: Arc<AtomicU64>,
}

/// Serves `router` on `listener` until `stop`, then lets the requests under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    counters: Arc<ConnectionCounters>,
    stop: Stop,
) {
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    let mut stopped = std::pin::pin!(stop.clone().stopped());
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((permit, stream)) = accepted else {
            continue;
        };
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        let connection = connection(
            stream,
            router.clone(),
            limits.clone(),
            Arc::clone(&counters),
            stop.clone(),
        );
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let drain = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_timeout, drain)
        .await
        .is_err()
    {
        tracing::warn!(
            "{} connections did not end in time and were closed",
            connections.len()
        );
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(tokio::sync::OwnedSemaphorePermit, TcpStream)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _peer)) => Some((permit, stream)),
        Err(error) => {
            // Out of descriptors, or a client that left already. The pause keeps the first from
            // spinning.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: ConnectionLimits,
    counters: Arc<ConnectionCounters>,
    stop: Stop,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let http2 = tokio::select! {
        begins = tokio::time::timeout(limits.head_timeout, begins_as_http2(&stream)) => begins,
        () = stop.clone().stopped() => Ok(false),
    };
    let stream = Patient {
        stream,
        timeout: limits.write_timeout,
        waiting: None,
        timeouts: Arc::clone(&counters.write_timeouts),
    };
    let outcome = match http2 {
        Ok(true) => serve_http2(stream, router, stop).await,
        Ok(false) => serve_http1(stream, router, &limits, stop).await,
        Err(_) => {
            counters.ended.fetch_add(1, Ordering::Relaxed);
            counters.broken.fetch_add(1, Ordering::Relaxed);
            return;
        }
    };
    counters.ended.fetch_add(1, Ordering::Relaxed);
    if let Err(error) = outcome {
        counters.broken.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, "a connection broke");
    }
}

/// Whether a client speaks HTTP/2 without asking for it first, as those of gRPC do. Nothing is
/// read.
async fn begins_as_http2(stream: &TcpStream) -> bool {
    let mut start = [0; HTTP2_START.len()];
    let mut pause = Duration::from_millis(1);
    loop {
        let Ok(length) = stream.peek(&mut start).await else {
            return false;
        };
        if length == 0 || start[..length] != HTTP2_START[..length] {
            return false;
        }
        if length == start.len() {
            return true;
        }
        // `P`, of `POST` or of this. The rest is on its way, and nothing wakes for it: what was
        // peeked at is ready already. Who never sends it costs less and less.
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(HTTP2_START_PAUSE_MAX);
    }
}

async fn serve_http1(
    stream: Patient,
    router: Router,
    limits: &ConnectionLimits,
    stop: Stop,
) -> hyper::Result<()> {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    until_stopped(served, http1::Connection::graceful_shutdown, stop).await
}

async fn serve_http2(stream: Patient, router: Router, stop: Stop) -> hyper::Result<()> {
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    until_stopped(served, http2::Connection::graceful_shutdown, stop).await
}

/// Serves a connection; from `stop` on only what is under way.
async fn until_stopped<C>(served: C, end: fn(Pin<&mut C>), stop: Stop) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut served = std::pin::pin!(served);
    tokio::select! {
        outcome = served.as_mut() => outcome,
        () = stop.stopped() => {
            end(served.as_mut());
            served.await
        }
    }
}

/// What HTTP/2 begins with.
const HTTP2_START: &[u8; 3] = b"PRI";

/// How long what HTTP/2 begins with is waited for at a time.
const HTTP2_START_PAUSE_MAX: Duration = Duration::from_millis(100);

/// How often a client of HTTP/2 is asked whether it is there; it has 20 s to answer.
const HTTP2_PING: Duration = Duration::from_secs(20);

/// Requests at a time on one connection.
const HTTP2_STREAMS_MAX: u32 = 32;

/// A stream whose writes fail when the other side does not read for too long.
struct Patient {
    stream: TcpStream,
    timeout: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    timeouts: Arc<AtomicU64>,
}

impl Patient {
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        attempt: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(outcome) = attempt(Pin::new(&mut self.stream), context) {
            self.waiting = None;
            return Poll::Ready(outcome);
        }
        let timeout = self.timeout;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(waiting.as_mut().poll(context));
        self.timeouts.fetch_add(1, Ordering::Relaxed);
        let text = "the client does not read its answer";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bounded(context, |stream, context| {
            stream.poll_write_vectored(context, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bounded(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
