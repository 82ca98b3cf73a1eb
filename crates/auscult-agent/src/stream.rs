//! Streams: one request and one answer each, in short tasks that are bounded in number, bytes and
//! time.

mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::swim::{Answer, ExchangeId, Refusal, Request, StreamFailure, Ticket};
use auscult_core::wire::swim::{decode_answer, decode_request, encode_answer, encode_request};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{timeout, timeout_at};

use crate::carrier::{Connection, Dialler};
use crate::keys::{self, EVERYWHERE_TIME, Keys, SharedRing};
use crate::layers::{LayerReject, only_sealed};
use crate::links::{self, Links};
use crate::udp::plain;
use wire::{LARGE_MESSAGES_MAX, Message, Wire};

/// What a task hands to the driver.
#[derive(Debug)]
pub(crate) enum Report {
    /// Another member asks.
    Asked {
        ticket: Ticket,
        from: SocketAddr,
        request: Request,
    },
    /// A stream of another member ended, after an answer or for this reason.
    Ended {
        ticket: Ticket,
        result: Result<(), Broken>,
    },
    /// What became of a stream of ours.
    Answered {
        exchange: ExchangeId,
        result: Result<Answer, Broken>,
    },
}

/// Why a stream brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No connection, or it was closed too early.
    Unreachable,
    TimedOut,
    /// What came is no message.
    Malformed,
    Layer(LayerReject),
    /// The other side said so before there was a message.
    Refused(Refusal),
}

impl Broken {
    pub(crate) const fn failure(self) -> StreamFailure {
        match self {
            Self::Unreachable => StreamFailure::Unreachable,
            Self::TimedOut => StreamFailure::TimedOut,
            Self::Malformed | Self::Layer(_) | Self::Refused(_) => StreamFailure::Malformed,
        }
    }
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Unreachable
    }
}

/// The streams of one agent.
#[derive(Debug)]
pub(crate) struct Streams {
    opener: Opener,
    /// By which streams are sealed, and which they can change.
    keys: Option<Arc<Keys>>,
    /// What those are told who ask for links.
    links: Arc<Links>,
    served_max: usize,
    served_time: Duration,
    /// Those of others, the oldest first.
    served: Vec<Open>,
    tickets: u64,
    reports: mpsc::Sender<Report>,
}

#[derive(Debug)]
struct Open {
    ticket: Ticket,
    /// Takes the answer, until there is one.
    answer: Option<oneshot::Sender<Answer>>,
    task: AbortHandle,
}

impl Streams {
    pub(crate) fn new(
        opener: Opener,
        keys: Option<Arc<Keys>>,
        links: Arc<Links>,
        served_max: usize,
        served_time: Duration,
    ) -> (Self, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(REPORTS_MAX);
        let streams = Self {
            opener,
            keys,
            links,
            served_max: served_max.max(1),
            served_time,
            served: Vec::new(),
            tickets: 0,
            reports,
        };
        (streams, receiver)
    }

    /// Serves a stream of another member. Tells whether another one had to go for it.
    pub(crate) fn serve(&mut self, stream: Connection, from: SocketAddr) -> bool {
        let evicts = self.served.len() >= self.served_max;
        if evicts {
            self.served.remove(0).task.abort();
        }
        let ticket = self.next_ticket();
        let (sender, answer) = oneshot::channel();
        let (opener, keys) = (self.opener.clone(), self.keys.clone());
        let links = Arc::clone(&self.links);
        let (reports, time) = (self.reports.clone(), self.served_time);
        let task = tokio::spawn(async move {
            let from = plain(from);
            let served = async {
                let wire = opener.take(stream).await?;
                serve(wire, ticket, from, &links, &reports, answer).await
            };
            let result = match timeout(time, served).await {
                Ok(Ok(Served::Answered)) => Ok(()),
                Ok(Ok(Served::AskedForKeys(wire, message))) => {
                    serve_keys(wire, &message.bytes, keys.as_deref()).await
                }
                Ok(Err(broken)) => Err(broken),
                Err(_) => Err(Broken::TimedOut),
            };
            // The driver has gone: nobody counts any more.
            let _unheard = reports.send(Report::Ended { ticket, result }).await;
        });
        self.served.push(Open {
            ticket,
            answer: Some(sender),
            task: task.abort_handle(),
        });
        evicts
    }

    /// A number for a request, whatever carries it.
    pub(crate) const fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Hands the machine's answer to the stream that waits for it, if that one is still there.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        let waiting = self.served.iter_mut().find(|open| open.ticket == ticket);
        if let Some(sender) = waiting.and_then(|open| open.answer.take()) {
            let _gone = sender.send(answer);
        }
    }

    pub(crate) fn ended(&mut self, ticket: Ticket) {
        self.served.retain(|open| open.ticket != ticket);
    }

    /// Asks another member.
    pub(crate) fn ask(
        &self,
        to: SocketAddr,
        exchange: ExchangeId,
        request: Request,
        until: std::time::Instant,
    ) {
        let (opener, reports) = (self.opener.clone(), self.reports.clone());
        tokio::spawn(async move {
            let asked = async {
                let mut body = Vec::new();
                encode_request(&request, &mut body);
                let message = opener.ask(to, &body).await?;
                decode_answer(&message.bytes).map_err(|_| Broken::Malformed)
            };
            let result = match timeout_at(until.into(), asked).await {
                Ok(Err(Broken::Refused(refusal))) => Ok(Answer::Refused(refusal)),
                Ok(result) => result,
                Err(_) => Err(Broken::TimedOut),
            };
            let _unheard = reports.send(Report::Answered { exchange, result }).await;
        });
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for open in &self.served {
            open.task.abort();
        }
    }
}

/// What became of a stream's request.
enum Served {
    Answered,
    /// It is not for the machine.
    AskedForKeys(Wire<Connection>, Message),
}

async fn serve(
    mut wire: Wire<Connection>,
    ticket: Ticket,
    from: SocketAddr,
    links: &Links,
    reports: &mpsc::Sender<Report>,
    answer: oneshot::Receiver<Answer>,
) -> Result<Served, Broken> {
    let message = wire.read().await?;
    // Who does not have the key has no say in what it is.
    if wire.is_sealed() && message.bytes.first() == Some(&keys::MAGIC) {
        return Ok(Served::AskedForKeys(wire, message));
    }
    if message.bytes.first() == Some(&links::MAGIC) {
        wire.write(&links.answer(&message.bytes)?).await?;
        wire.io.shutdown().await?;
        return Ok(Served::Answered);
    }
    let request = decode_request(&message.bytes).map_err(|_| Broken::Malformed)?;
    drop(message);
    let asked = Report::Asked {
        ticket,
        from,
        request,
    };
    let (Ok(()), Ok(answer)) = (reports.send(asked).await, answer.await) else {
        return Err(Broken::Unreachable);
    };
    let mut body = Vec::new();
    encode_answer(&answer, &mut body);
    wire.write(&body).await?;
    wire.io.shutdown().await?;
    Ok(Served::Answered)
}

async fn serve_keys(
    mut wire: Wire<Connection>,
    request: &[u8],
    keys: Option<&Keys>,
) -> Result<(), Broken> {
    let answered = async {
        let answer = match keys {
            Some(keys) => keys.answer(request).await,
            None => None,
        };
        wire.write(&answer.ok_or(Broken::Malformed)?).await?;
        Ok(wire.io.shutdown().await?)
    };
    let result = timeout(EVERYWHERE_TIME, answered).await;
    result.unwrap_or(Err(Broken::TimedOut))
}

/// Opens and takes streams, and agrees on how messages are written on them.
#[derive(Clone, Debug)]
pub(crate) struct Opener {
    dialler: Dialler,
    ring: Option<Arc<SharedRing>>,
    large: Arc<Semaphore>,
}

impl Opener {
    pub(crate) fn new(dialler: Dialler, ring: Option<Arc<SharedRing>>) -> Self {
        let large = Arc::new(Semaphore::new(LARGE_MESSAGES_MAX));
        Self {
            dialler,
            ring,
            large,
        }
    }

    pub(crate) const fn ring(&self) -> Option<&Arc<SharedRing>> {
        self.ring.as_ref()
    }

    /// Opens a stream, sealed if there is a key.
    async fn open(&self, to: SocketAddr) -> Result<Wire<Connection>, Broken> {
        let Some(ring) = &self.ring else {
            return self.open_plain(to).await;
        };
        match self.open_sealed(to).await {
            Err(Broken::Refused(Refusal::Plain)) if !only_sealed(ring) => self.open_plain(to).await,
            result => result,
        }
    }

    /// Asks over a stream of its own.
    pub(crate) async fn ask(&self, to: SocketAddr, request: &[u8]) -> Result<Message, Broken> {
        let mut wire = self.open(to).await?;
        wire.write(request).await?;
        wire.read().await
    }

    /// Opens a stream that is sealed, whatever else is taken.
    pub(crate) async fn open_sealed(&self, to: SocketAddr) -> Result<Wire<Connection>, Broken> {
        let ring = self.ring.as_ref();
        let ring = ring.ok_or(Broken::Refused(Refusal::Sealed))?;
        let stream = self.dialler.connect(to).await?;
        Wire::ask(stream, ring, Arc::clone(&self.large)).await
    }

    async fn open_plain(&self, to: SocketAddr) -> Result<Wire<Connection>, Broken> {
        let stream = self.dialler.connect(to).await?;
        Ok(Wire::plain(stream, Arc::clone(&self.large)))
    }

    async fn take(&self, stream: Connection) -> Result<Wire<Connection>, Broken> {
        Wire::take(stream, self.ring.as_deref(), Arc::clone(&self.large)).await
    }
}

/// What tasks have to tell waits here; they wait when it is full.
const REPORTS_MAX: usize = 64;
