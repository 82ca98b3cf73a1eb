//! Streams: one request and one answer each, in short tasks that are bounded in number, bytes and
//! time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::bounds::MEMBERSHIP_FRAME_BYTES_MAX;
use auscult_core::swim::{Answer, ExchangeId, Request, StreamFailure, Ticket};
use auscult_core::wire::swim::{decode_answer, decode_request, encode_answer, encode_request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{timeout, timeout_at};

use crate::carrier::{Connection, Dialler};
use crate::layers::{LayerReject, Layers, Side, StreamLayers};
use crate::udp::plain;

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
}

impl Broken {
    pub(crate) const fn failure(self) -> StreamFailure {
        match self {
            Self::Unreachable => StreamFailure::Unreachable,
            Self::TimedOut => StreamFailure::TimedOut,
            Self::Malformed | Self::Layer(_) => StreamFailure::Malformed,
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
    dialler: Dialler,
    served_max: usize,
    served_time: Duration,
    /// Those of others, the oldest first.
    served: Vec<Served>,
    tickets: u64,
    reports: mpsc::Sender<Report>,
    large: Arc<Semaphore>,
}

#[derive(Debug)]
struct Served {
    ticket: Ticket,
    /// Takes the answer, until there is one.
    answer: Option<oneshot::Sender<Answer>>,
    task: AbortHandle,
}

impl Streams {
    pub(crate) fn new(
        dialler: Dialler,
        served_max: usize,
        served_time: Duration,
    ) -> (Self, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(REPORTS_MAX);
        let streams = Self {
            dialler,
            served_max: served_max.max(1),
            served_time,
            served: Vec::new(),
            tickets: 0,
            reports,
            large: Arc::new(Semaphore::new(LARGE_FRAMES_MAX)),
        };
        (streams, receiver)
    }

    /// Serves a stream of another member. Tells whether another one had to go for it.
    pub(crate) fn serve(&mut self, stream: Connection, from: SocketAddr, layers: &Layers) -> bool {
        let evicts = self.served.len() >= self.served_max;
        if evicts {
            self.served.remove(0).task.abort();
        }
        let ticket = self.next_ticket();
        let (sender, answer) = oneshot::channel();
        let wire = Wire::new(stream, layers.stream(Side::Answers), &self.large);
        let (reports, time) = (self.reports.clone(), self.served_time);
        let task = tokio::spawn(async move {
            let from = plain(from);
            let served = serve(wire, ticket, from, &reports, answer);
            let result = timeout(time, served).await;
            let result = result.unwrap_or(Err(Broken::TimedOut));
            // The driver has gone: nobody counts any more.
            let _unheard = reports.send(Report::Ended { ticket, result }).await;
        });
        self.served.push(Served {
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
        layers: &Layers,
    ) {
        let (dialler, reports) = (self.dialler.clone(), self.reports.clone());
        let (layers, large) = (layers.stream(Side::Asks), Arc::clone(&self.large));
        tokio::spawn(async move {
            let asked = async {
                let stream = dialler.connect(to).await?;
                let mut wire = Wire::new(stream, layers, &large);
                let mut body = Vec::new();
                encode_request(&request, &mut body);
                wire.write(&body).await?;
                wire.read(decode_answer).await
            };
            let result = timeout_at(until.into(), asked).await;
            let result = result.unwrap_or(Err(Broken::TimedOut));
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

async fn serve(
    mut wire: Wire,
    ticket: Ticket,
    from: SocketAddr,
    reports: &mpsc::Sender<Report>,
    answer: oneshot::Receiver<Answer>,
) -> Result<(), Broken> {
    let request = wire.read(decode_request).await?;
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
    Ok(wire.stream.shutdown().await?)
}

/// A stream with its layers.
struct Wire {
    stream: Connection,
    layers: StreamLayers,
    large: Arc<Semaphore>,
}

impl Wire {
    fn new(stream: Connection, layers: StreamLayers, large: &Arc<Semaphore>) -> Self {
        let large = Arc::clone(large);
        Self {
            stream,
            layers,
            large,
        }
    }

    async fn write(&mut self, body: &[u8]) -> Result<(), Broken> {
        let mut frame = vec![0; LENGTH_BYTES];
        self.layers.wrap_frame(body, &mut frame);
        let length = u32::try_from(frame.len() - LENGTH_BYTES).map_err(|_| Broken::Malformed)?;
        frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Ok(self.stream.write_all(&frame).await?)
    }

    async fn read<T, E>(&mut self, decode: impl Fn(&[u8]) -> Result<T, E>) -> Result<T, Broken> {
        let mut length = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut length).await?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MEMBERSHIP_FRAME_BYTES_MAX + self.layers.frame_overhead() {
            return Err(Broken::Malformed);
        }
        // Held until the message is decoded; it is never closed.
        let _permit = match length {
            0..=SMALL_FRAME_BYTES => None,
            _ => self.large.acquire().await.ok(),
        };
        // Grows with what arrives: a length is easily claimed.
        let mut frame = Vec::with_capacity(length.min(SMALL_FRAME_BYTES));
        let mut limited = (&mut self.stream).take(length as u64);
        limited.read_to_end(&mut frame).await?;
        if frame.len() < length {
            return Err(Broken::Unreachable);
        }
        let body = self.layers.unwrap_frame(&mut frame);
        let body = body.map_err(Broken::Layer)?;
        decode(body).map_err(|_| Broken::Malformed)
    }
}

const LENGTH_BYTES: usize = 4;
/// What tasks have to tell waits here; they wait when it is full.
const REPORTS_MAX: usize = 64;
/// Frames up to this size are read without asking: some 1,000 members.
const SMALL_FRAME_BYTES: usize = 64 * 1024;
/// Larger frames that are read at a time: they take at most this many times 16 MiB.
const LARGE_FRAMES_MAX: usize = 4;
