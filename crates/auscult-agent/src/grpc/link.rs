//! Members' datagrams and connections over gRPC, where only HTTP/2 passes.
//!
//! Each member dials those it has something to say to and keeps the call open while there is more
//! to say; answers come back on the call that brought the question. A line that is down is dialled
//! again with growing pauses, and what was to be said on it meanwhile is lost, as datagrams are.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auscult_core::bounds::MEMBERSHIP_DATAGRAM_BYTES_MAX;
use futures_util::{Stream, StreamExt as _, stream};
use parking_lot::Mutex;
use prost::bytes::Bytes;
use tokio::io::DuplexStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::generated::auscult_v1::transport_client::TransportClient;
use super::generated::auscult_v1::transport_server::{self, Transport, TransportServer};
use super::generated::auscult_v1::{Chunk, Datagram};
use super::queue::{Pushed, Queue};
use super::tls::Tls;
use super::{CONNECT_TIMEOUT, tunnel};

/// The transport of one member. Dropping it ends every call.
#[derive(Debug)]
pub(crate) struct Link {
    shared: Arc<Shared>,
}

/// Opens connections, for tasks that outlive a borrow of the [`Link`].
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    tls: Option<Tls>,
}

/// The service that other members call.
#[derive(Debug)]
pub(super) struct Service {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tls: Option<Tls>,
    received: Queue<(SocketAddr, Bytes)>,
    accepted: Queue<(DuplexStream, SocketAddr)>,
    /// Calls that are open or being dialled, by the address at the other end.
    lines: Mutex<BTreeMap<SocketAddr, Line>>,
    /// Datagrams that a full queue or a line that is down cost.
    dropped: AtomicU64,
}

/// One call.
#[derive(Debug)]
struct Line {
    queue: Arc<Queue<Bytes>>,
    /// Numbers lines, so that one does not hang up its successor.
    serial: u64,
    task: Option<AbortHandle>,
}

impl Link {
    /// A transport, and the service that feeds it.
    pub(super) fn new(tls: Option<Tls>) -> (Self, Service) {
        let shared = Arc::new(Shared {
            tls,
            received: Queue::new(RECEIVED_MAX),
            accepted: Queue::new(ACCEPTED_MAX),
            lines: Mutex::default(),
            dropped: AtomicU64::new(0),
        });
        let service = Service {
            shared: Arc::clone(&shared),
        };
        (Self { shared }, service)
    }

    /// Waits until there may be something to read.
    pub(crate) async fn readable(&self) {
        self.shared.received.ready().await;
    }

    /// The next datagram, if there is one.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, `InvalidData` for one that is too long. State: it is gone.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (from, content) = self
            .shared
            .received
            .try_pop()
            .ok_or(io::ErrorKind::WouldBlock)?;
        let place = buffer.get_mut(..content.len());
        let place = place.ok_or(io::ErrorKind::InvalidData)?;
        place.copy_from_slice(&content);
        Ok((content.len(), from))
    }

    /// Says this to whoever is there, dialling if need be.
    ///
    /// # Errors
    /// `QuotaExceeded` when there are too many lines. State: unchanged.
    pub(crate) fn try_send(&self, content: &[u8], to: SocketAddr) -> io::Result<usize> {
        let mut lines = self.shared.lines.lock();
        let queue = match lines.get(&to) {
            Some(line) => Arc::clone(&line.queue),
            None if lines.len() >= LINES_MAX => return Err(io::ErrorKind::QuotaExceeded.into()),
            None => {
                let serial = next_serial();
                let queue = Arc::new(Queue::new(QUEUED_MAX));
                let dialled = dial(Arc::clone(&self.shared), to, serial, Arc::clone(&queue));
                let line = Line {
                    queue: Arc::clone(&queue),
                    serial,
                    task: Some(tokio::spawn(dialled).abort_handle()),
                };
                lines.insert(to, line);
                queue
            }
        };
        drop(lines);
        self.shared.push(&queue, Bytes::copy_from_slice(content));
        Ok(content.len())
    }

    /// The next connection that another member opened.
    pub(crate) async fn accept(&self) -> io::Result<(DuplexStream, SocketAddr)> {
        let accepted = self.shared.accepted.pop().await;
        accepted.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    pub(crate) fn dialler(&self) -> Dialler {
        Dialler {
            tls: self.shared.tls.clone(),
        }
    }

    /// Datagrams that were lost here: nobody read them in time, or a line was down.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for line in std::mem::take(&mut *self.shared.lines.lock()).into_values() {
            line.queue.close();
            if let Some(task) = line.task {
                task.abort();
            }
        }
    }
}

impl Shared {
    fn push(&self, queue: &Queue<Bytes>, content: Bytes) {
        if queue.push(content) == Pushed::Dropped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn receive(&self, from: SocketAddr, content: Bytes) {
        let fits = content.len() <= DATAGRAM_BYTES_MAX;
        if !fits || self.received.push((from, content)) == Pushed::Dropped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn hang_up(&self, address: SocketAddr, serial: u64) {
        let mut lines = self.lines.lock();
        if lines
            .get(&address)
            .is_some_and(|line| line.serial == serial)
        {
            lines.remove(&address);
        }
    }
}

/// Keeps a line to a member for as long as there is something to say.
async fn dial(shared: Arc<Shared>, to: SocketAddr, serial: u64, queue: Arc<Queue<Bytes>>) {
    let mut pause = PAUSE_LEAST;
    while timeout(IDLE_TIME, queue.ready()).await.is_ok() {
        let called = call(&shared, to, &queue).await;
        if called.is_err() {
            // What was to be said belongs to the moment.
            let lost = queue.clear() as u64;
            shared.dropped.fetch_add(lost, Ordering::Relaxed);
        }
        tokio::time::sleep(pause).await;
        pause = match called {
            Ok(()) => PAUSE_LEAST,
            Err(_) => (pause * 2).min(PAUSE_MOST),
        };
    }
    shared.hang_up(to, serial);
}

/// One call, from dialling until a side hangs up or nothing was said for a while.
async fn call(shared: &Shared, to: SocketAddr, queue: &Arc<Queue<Bytes>>) -> Result<(), Status> {
    let channel = connect(shared.tls.as_ref(), to).await?;
    let mut client = TransportClient::new(channel).max_decoding_message_size(DATAGRAM_MESSAGE_MAX);
    let mut answers = client.datagrams(said(queue)).await?.into_inner();
    while let Some(Datagram { content }) = answers.message().await? {
        shared.receive(to, content);
    }
    Ok(())
}

/// What is queued, until the queue is closed or has been empty for a while.
fn said(queue: &Arc<Queue<Bytes>>) -> impl Stream<Item = Datagram> + Send + use<> {
    stream::unfold(Arc::clone(queue), |queue| async {
        let content = timeout(IDLE_TIME, queue.pop()).await.ok()??;
        Some((Datagram { content }, queue))
    })
}

async fn connect(tls: Option<&Tls>, to: SocketAddr) -> Result<Channel, Status> {
    let unavailable = |error: tonic::transport::Error| Status::unavailable(error.to_string());
    let endpoint = super::endpoint(tls, &to.to_string()).map_err(unavailable)?;
    let endpoint = endpoint
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(unavailable)
}

impl Dialler {
    /// Opens a connection to another member.
    ///
    /// # Errors
    /// Why there is none. State: nothing is open.
    pub(crate) async fn connect(&self, to: SocketAddr) -> io::Result<DuplexStream> {
        let refused = |status: Status| io::Error::other(status.message().to_owned());
        let channel = connect(self.tls.as_ref(), to).await.map_err(refused)?;
        let mut client = TransportClient::new(channel)
            .max_decoding_message_size(tunnel::CHUNK_BYTES_MAX + MESSAGE_OVERHEAD);
        let (ours, theirs) = tunnel::connection();
        let (reader, writer) = tokio::io::split(theirs);
        // The call begins with what is asked, so that it is answered at once.
        tokio::spawn(async move {
            if let Ok(chunks) = client.connection(tunnel::outgoing(reader)).await {
                tunnel::incoming(chunks.into_inner(), writer).await;
            }
        });
        Ok(ours)
    }
}

impl Service {
    pub(super) const NAME: &str = transport_server::SERVICE_NAME;

    pub(super) fn into_server(self) -> TransportServer<Self> {
        TransportServer::new(self)
            .max_decoding_message_size(tunnel::CHUNK_BYTES_MAX + MESSAGE_OVERHEAD)
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Transport for Service {
    type DatagramsStream = Answers<Datagram>;
    type ConnectionStream = Answers<Chunk>;

    async fn datagrams(
        &self,
        request: Request<Streaming<Datagram>>,
    ) -> Result<Response<Self::DatagramsStream>, Status> {
        let from = remote(&request)?;
        let mut datagrams = request.into_inner();
        let shared = Arc::clone(&self.shared);
        let queue = Arc::new(Queue::new(QUEUED_MAX));
        let serial = next_serial();
        {
            let mut lines = shared.lines.lock();
            if lines.len() >= LINES_MAX {
                return Err(Status::resource_exhausted("too many members call"));
            }
            let line = Line {
                queue: Arc::clone(&queue),
                serial,
                task: None,
            };
            lines.insert(from, line);
        }
        let said = Arc::clone(&queue);
        tokio::spawn(async move {
            while let Ok(Some(Datagram { content })) = datagrams.message().await {
                shared.receive(from, content);
            }
            queue.close();
            shared.hang_up(from, serial);
        });
        let answers = stream::unfold(said, |queue| async {
            let content = queue.pop().await?;
            Some((Ok(Datagram { content }), queue))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn connection(
        &self,
        request: Request<Streaming<Chunk>>,
    ) -> Result<Response<Self::ConnectionStream>, Status> {
        let from = remote(&request)?;
        let (ours, theirs) = tunnel::connection();
        let (reader, writer) = tokio::io::split(ours);
        // One more pushes out the oldest, as everywhere.
        let _one_less = self.shared.accepted.push((theirs, from));
        tokio::spawn(tunnel::incoming(request.into_inner(), writer));
        let answers = tunnel::outgoing(reader).map(Ok);
        Ok(Response::new(Box::pin(answers)))
    }
}

pub(super) fn remote<T>(request: &Request<T>) -> Result<SocketAddr, Status> {
    let from = request.remote_addr().map(crate::udp::plain);
    from.ok_or_else(|| Status::internal("the call comes from nowhere"))
}

fn next_serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// Datagrams that wait for the machine.
const RECEIVED_MAX: usize = 1_024;
/// Datagrams that wait for one line.
const QUEUED_MAX: usize = 64;
/// Connections that wait for the machine.
const ACCEPTED_MAX: usize = 64;
/// Calls that are open at a time, both ways: two for each of some hundred members that were talked
/// to within [`IDLE_TIME`].
const LINES_MAX: usize = 1_024;
/// A line on which nothing is said for so long is hung up: it takes some tens of kilobytes.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// A line that leads nowhere any more is noticed after these, not by what is lost on it.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE_LEAST: Duration = Duration::from_millis(100);
const PAUSE_MOST: Duration = Duration::from_secs(5);
/// Tag and length of the only field.
const MESSAGE_OVERHEAD: usize = 16;
/// The codec's bytes and what the layers add.
const DATAGRAM_BYTES_MAX: usize = MEMBERSHIP_DATAGRAM_BYTES_MAX + 256;
const DATAGRAM_MESSAGE_MAX: usize = DATAGRAM_BYTES_MAX + MESSAGE_OVERHEAD;
const _: () = assert!(CONNECT_TIMEOUT.as_millis() < IDLE_TIME.as_millis());
