//! Heartbeats over UDP: many datagrams a system call, each with the kernel's receive time.
//!
//! One thread waits for the socket and reads it in batches; names are borrowed from the buffers up
//! to the machine, so nothing is allocated or copied for a heartbeat. When datagrams come quickly
//! the thread lets them gather for a moment: the kernel has stamped them, and whoever lets a
//! verdict fall reads the socket first, so the wait costs no accuracy and saves most wake-ups.

mod metrics;

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use auscult_core::monitor::{Arrival, Source};
use auscult_core::time::Instant;
use auscult_core::wire::heartbeat::{self, Received};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::Mutex;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, SockRef};

pub use metrics::{RejectReason, UdpMetrics};

use super::kernel::QueueProbe;
use super::{Admission, Admitted, KernelQueue, Key};
use crate::clock::Anchor;
use crate::engine::{DrainSource, Engine};

/// The receive buffer asked for; the kernel gives what its own limit allows. Holds some 5,000 small
/// datagrams: 50 ms of 100,000 heartbeats a second.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// The largest message of one read: a datagram, or a train of them that the kernel joined.
const MESSAGE_BYTES_MAX: usize = 65_535;

/// Message buffers lie this far apart. Not a multiple of a page, or their first lines, which are
/// all that is used of most of them, would compete for the same few places of the cache.
const MESSAGE_STRIDE: usize = MESSAGE_BYTES_MAX + 1 + 5 * 64;

/// Heartbeats given to the machine at once: long enough to pay for its lock, short enough that
/// nobody waits long for it.
const HEARTBEATS_PER_LOCK: usize = 256;

/// Reads in a row: more than the receive buffer holds, and an end when datagrams come faster than
/// they can be read.
const READS_PER_TURN: usize = 512;

/// How long datagrams gather when they come quickly, and how quickly that is. Longer saves little
/// more, and what people see would begin to lag.
const GATHER: Duration = Duration::from_millis(2);

/// What the kernel counts against the receive buffer for a small datagram.
const DATAGRAM_MEMORY_BYTES: usize = 768;

/// The share of the receive buffer, one in so many, that one turn may find and datagrams still be
/// left to gather before the next: should they then come several times as quickly, there is room
/// for them.
const GATHERED_SHARE: usize = 8;

const SOCKET: Token = Token(0);
const STOP: Token = Token(1);

/// A bound socket, and the thread that reads it.
pub struct UdpReceiver {
    shared: Arc<Shared>,
    stop: Waker,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    engine: Engine,
    admission: Arc<dyn Admission>,
    key: Arc<ArcSwapOption<Key>>,
    socket: UdpSocket,
    state: UdpSocketState,
    probe: QueueProbe,
    /// Messages of one turn up to which datagrams gather before the next.
    gathered_max: usize,
    metrics: UdpMetrics,
    buffers: Mutex<Buffers>,
}

struct Buffers {
    bytes: Box<[u8]>,
    metas: [RecvMeta; BATCH_SIZE],
    /// The last moment before which nothing that is in the socket now can have arrived.
    not_before: Instant,
    stopped: bool,
}

/// A socket that is bound and not yet read: datagrams gather in the kernel.
#[derive(Debug)]
pub struct BoundUdp {
    socket: UdpSocket,
}

impl BoundUdp {
    /// Binds an address.
    ///
    /// # Errors
    /// What the system said.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(addr)?;
        Ok(Self { socket })
    }

    /// The address, with the port that was chosen.
    ///
    /// # Errors
    /// What the system said.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl UdpReceiver {
    /// Starts to read heartbeats, signed with `key` where there is one, which may change meanwhile.
    ///
    /// # Errors
    /// When the socket cannot be set up or the thread not be started.
    pub fn start(
        bound: BoundUdp,
        engine: Engine,
        admission: Arc<dyn Admission>,
        key: Arc<ArcSwapOption<Key>>,
    ) -> io::Result<Self> {
        let BoundUdp { socket } = bound;
        // Sets the socket non-blocking, and asks for receive times and joined trains.
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        set_up(&socket);
        let receive_buffer = state.recv_buffer_size(UdpSockRef::from(&socket))?;
        let not_before = engine.clock().now();
        let poll = Poll::new()?;
        let source = &mut SourceFd(&socket.as_raw_fd());
        poll.registry()
            .register(source, SOCKET, Interest::READABLE)?;
        let stop = Waker::new(poll.registry(), STOP)?;
        let probe = QueueProbe::new(&socket)?;
        let shared = Arc::new(Shared {
            engine,
            admission,
            key,
            socket,
            state,
            probe,
            gathered_max: receive_buffer / DATAGRAM_MEMORY_BYTES / GATHERED_SHARE,
            metrics: UdpMetrics::default(),
            buffers: Mutex::new(Buffers {
                bytes: vec![0; MESSAGE_STRIDE * BATCH_SIZE].into_boxed_slice(),
                metas: [RecvMeta::default(); BATCH_SIZE],
                not_before,
                stopped: false,
            }),
        });
        let reader = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("auscult-udp".to_owned())
            .spawn(move || reader.run(poll))?;
        Ok(Self {
            shared,
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Where heartbeats are taken.
    ///
    /// # Errors
    /// What the system said.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// Figures since the start.
    #[must_use]
    pub fn metrics(&self) -> &UdpMetrics {
        &self.shared.metrics
    }

    /// The kernel's side of the socket, where the system tells it.
    #[must_use]
    pub fn kernel_queue(&self) -> Option<KernelQueue> {
        self.shared.probe.read()
    }

    /// What the engine reads before a verdict falls.
    #[must_use]
    pub fn drain_source(&self) -> Arc<dyn DrainSource> {
        Arc::clone(&self.shared) as Arc<dyn DrainSource>
    }

    /// Ends the thread, after it has read what waits.
    pub fn stop(&self) {
        self.shared.buffers.lock().stopped = true;
        if let Err(error) = self.stop.wake() {
            tracing::warn!(%error, "the thread that reads heartbeats could not be woken");
            return;
        }
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that read heartbeats had panicked");
        }
    }
}

impl Drop for UdpReceiver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl DrainSource for Shared {
    fn drain(&self) {
        self.read_turn();
    }
}

/// What one turn of reading found.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    messages: usize,
    /// More may wait: the kernel will not say so again.
    more: bool,
    /// The receiver was stopped before the turn, so it was the last one.
    stopped: bool,
}

impl Shared {
    fn run(&self, mut poll: Poll) {
        let mut events = Events::with_capacity(4);
        let clock = self.engine.clock();
        let mut last = Turn::default();
        let mut read_at = clock.now();
        while !last.stopped {
            if !last.more {
                if let Err(error) = poll.poll(&mut events, None)
                    && error.kind() != io::ErrorKind::Interrupted
                {
                    tracing::error!(%error, "heartbeats over UDP are no longer read");
                    return;
                }
                // Readable again so soon: let some gather.
                if last.messages < self.gathered_max && clock.now().since(read_at) < GATHER {
                    thread::sleep(GATHER);
                }
            }
            last = self.read_turn();
            read_at = clock.now();
        }
    }

    /// Reads until nothing waits, or as much as can have waited at the beginning.
    fn read_turn(&self) -> Turn {
        let mut buffers = self.buffers.lock();
        let mut turn = Turn {
            messages: 0,
            more: true,
            stopped: buffers.stopped,
        };
        for _ in 0..READS_PER_TURN {
            let count = self.read_once(&mut buffers);
            turn.messages += count;
            if count < BATCH_SIZE {
                turn.more = false;
                break;
            }
        }
        turn
    }

    /// Reads once, and returns how many messages there were: fewer than [`BATCH_SIZE`] when no more
    /// wait.
    fn read_once(&self, buffers: &mut Buffers) -> usize {
        let mut chunks = buffers.bytes.chunks_exact_mut(MESSAGE_STRIDE);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            let chunk = chunks.next().unwrap_or_default();
            IoSliceMut::new(chunk)
        });
        let before = self.engine.clock().now();
        let socket = UdpSockRef::from(&self.socket);
        let count = match self.state.recv(socket, &mut slices, &mut buffers.metas) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                tracing::warn!(%error, "heartbeats could not be read");
                0
            }
        };
        if count > 0 {
            self.take(buffers, count);
        }
        if count < BATCH_SIZE {
            buffers.not_before = before;
        }
        count
    }

    fn take(&self, buffers: &Buffers, count: usize) {
        let anchor = self.engine.clock().anchor();
        let key = self.key.load();
        let mut datagrams = 0;
        let mut batch = Vec::with_capacity(BATCH_SIZE);
        let messages = buffers.bytes.chunks_exact(MESSAGE_STRIDE);
        for (meta, message) in buffers.metas[..count].iter().zip(messages) {
            let received_at = received_at(meta, &anchor, buffers.not_before);
            // An empty datagram has an empty stride, and is one datagram all the same.
            let train = &message[..meta.len.max(1)];
            for datagram in train.chunks(meta.stride.max(1)) {
                datagrams += 1;
                let datagram = &datagram[..datagram.len().min(meta.len)];
                for heartbeat in heartbeat::decode(datagram) {
                    match judge(heartbeat, key.as_deref()) {
                        Ok(received) => batch.push(arrival(&received, received_at)),
                        Err(reason) => self.metrics.reject(reason, 1),
                    }
                }
                if batch.len() >= HEARTBEATS_PER_LOCK {
                    self.deliver(&batch);
                    batch.clear();
                }
            }
        }
        self.metrics.read(datagrams);
        self.deliver(&batch);
    }

    fn deliver(&self, batch: &[Arrival<'_>]) {
        if batch.is_empty() {
            return;
        }
        let full = if self.admission.is_open() {
            self.admit_unknown(batch)
        } else {
            0
        };
        let tally = self.engine.heartbeats(batch);
        self.metrics.tally(&tally, full);
    }

    /// Creates the targets that nobody knows, and says for how many heartbeats there was no room.
    fn admit_unknown(&self, batch: &[Arrival<'_>]) -> u64 {
        let unknown: Vec<_> = self.engine.read(|monitor, _| {
            let unknown = batch.iter().filter(|arrival| match arrival.source {
                Source::Name { target, .. } => monitor.target(target).is_none(),
                Source::Key(_) => false,
            });
            unknown.collect()
        });
        let admitted = unknown
            .into_iter()
            .map(|arrival| self.admission.admit(arrival));
        let full = admitted
            .filter(|&admitted| admitted == Admitted::Full)
            .count();
        u64::try_from(full).unwrap_or(u64::MAX)
    }
}

/// What makes reading safer or cheaper, and is no reason not to read when it fails.
fn set_up(socket: &UdpSocket) {
    let socket = SockRef::from(socket);
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
        tracing::warn!(%error, "the receive buffer for heartbeats could not be enlarged");
    }
    // Congestion marks mean nothing to us, and writing them out costs some 2 % of a heartbeat.
    let unmarked = match socket.domain() {
        Ok(Domain::IPV4) => socket.set_recv_tos_v4(false),
        _ => socket.set_recv_tclass_v6(false),
    };
    if let Err(error) = unmarked {
        tracing::debug!(%error, "congestion marks are read with heartbeats");
    }
}

fn received_at(meta: &RecvMeta, anchor: &Anchor, not_before: Instant) -> Instant {
    meta.timestamp
        .map_or(anchor.now(), |wall| anchor.moment(wall, not_before))
}

fn judge<'a>(
    heartbeat: Result<Received<'a>, heartbeat::Malformed>,
    key: Option<&Key>,
) -> Result<Received<'a>, RejectReason> {
    let received = heartbeat.map_err(|reason| {
        tracing::trace!(%reason, "a heartbeat is malformed");
        RejectReason::Malformed
    })?;
    if let Some(key) = key {
        let mac = received.mac.as_ref().ok_or(RejectReason::Unsigned)?;
        if !key.verify(mac) {
            return Err(RejectReason::BadMac);
        }
        if received.heartbeat.sequence.is_none() {
            return Err(RejectReason::Unsequenced);
        }
    }
    Ok(received)
}

fn arrival<'a>(received: &Received<'a>, received_at: Instant) -> Arrival<'a> {
    let heartbeat = &received.heartbeat;
    Arrival {
        source: Source::Name {
            target: heartbeat.target,
            signal: heartbeat.signal,
        },
        received_at,
        sequence: heartbeat.sequence,
        interval_hint: heartbeat.interval_hint,
    }
}

#[cfg(test)]
mod tests;
