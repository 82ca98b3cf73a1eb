//! Heartbeats may arrive at any monitor: this one sends them on to the others that observe their
//! target.
//!
//! A monitor alone pays one relaxed load per batch of heartbeats. Each other monitor has a queue of
//! [`QUEUE_MAX`] heartbeats; what finds it full is dropped and counted, and the receiver of a
//! heartbeat never waits. The age travels, not the moment, so clocks are not compared.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use auscult_core::monitor::observers::{Lineup, MonitorName};
use auscult_core::monitor::{Arrival, Rejection, Source};
use auscult_core::time::{Instant, nanos};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::wire::Heartbeat;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::events::Company;
use crate::ingest::Admission;

/// Heartbeats that wait for one monitor at most: a second of ten thousand targets, six times over.
const QUEUE_MAX: usize = 65_536;

/// Heartbeats in one letter at most.
const LETTER_MAX: usize = 1_000;

/// How long heartbeats are gathered, so that many make one letter. Their age is told, so it costs
/// no precision.
const GATHER: Duration = Duration::from_millis(20);

/// Keeps heartbeats for the other monitors until they are sent.
pub struct Forwarder {
    clock: Clock,
    in_company: AtomicBool,
    /// Apart from the machine, which may be busy.
    lineup: ArcSwap<Lineup>,
    queues: Mutex<BTreeMap<MonitorName, Arc<Queue>>>,
    counters: Counters,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    filled: Notify,
}

struct Waiting {
    target: Box<str>,
    signal: Option<Box<str>>,
    received_at: Instant,
    sequence: Option<u64>,
    interval: Option<Duration>,
}

#[derive(Default)]
struct Counters {
    queued: AtomicU64,
    dropped: AtomicU64,
    sent: AtomicU64,
    lost: AtomicU64,
    taken: AtomicU64,
}

/// What was counted of heartbeats between monitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatCounters {
    /// Put into a queue, once for each monitor they go to.
    pub queued: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Taken by the other one.
    pub sent: u64,
    /// Given up because the other one did not answer.
    pub lost: u64,
    /// Taken from others.
    pub taken: u64,
}

impl Forwarder {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            in_company: AtomicBool::new(false),
            lineup: ArcSwap::default(),
            queues: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> HeartbeatCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HeartbeatCounters {
            queued: read(&self.counters.queued),
            dropped: read(&self.counters.dropped),
            sent: read(&self.counters.sent),
            lost: read(&self.counters.lost),
            taken: read(&self.counters.taken),
        }
    }

    /// Notes who observes which target, and tells whether that is news.
    pub(super) fn set_lineup(&self, company: Company, lineup: Lineup) -> bool {
        let in_company = company == Company::Several;
        let was_in_company = self.in_company.swap(in_company, Ordering::Relaxed);
        let is_news = in_company != was_in_company || **self.lineup.load() != lineup;
        if is_news {
            self.lineup.store(Arc::new(lineup));
        }
        is_news
    }

    /// Sends heartbeats on that came here by name. Never waits.
    pub fn forward(&self, heartbeats: &[Arrival<'_>]) {
        if !self.in_company.load(Ordering::Relaxed) {
            return;
        }
        let lineup = self.lineup.load();
        for heartbeat in heartbeats {
            if let Source::Name { target, signal } = heartbeat.source {
                for monitor in lineup.others(target) {
                    self.put(
                        monitor,
                        Waiting {
                            target: target.into(),
                            signal: signal.map(Box::from),
                            received_at: heartbeat.received_at,
                            sequence: heartbeat.sequence,
                            interval: heartbeat.interval_hint,
                        },
                    );
                }
            }
        }
    }

    fn put(&self, to: &MonitorName, heartbeat: Waiting) {
        let queue = self.queue(to);
        let mut waiting = queue.waiting.lock();
        if waiting.len() >= QUEUE_MAX {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push_back(heartbeat);
        drop(waiting);
        self.counters.queued.fetch_add(1, Ordering::Relaxed);
        queue.filled.notify_one();
    }

    fn queue(&self, to: &MonitorName) -> Arc<Queue> {
        let mut queues = self.queues.lock();
        Arc::clone(queues.entry(to.clone()).or_default())
    }

    /// The next heartbeats for a monitor, as soon as there are any.
    pub(super) async fn next(&self, to: &MonitorName) -> Vec<Heartbeat> {
        let queue = self.queue(to);
        while queue.waiting.lock().is_empty() {
            queue.filled.notified().await;
        }
        tokio::time::sleep(GATHER).await;
        let mut waiting = queue.waiting.lock();
        let count = waiting.len().min(LETTER_MAX);
        let now = self.clock.now();
        let micros = |span| nanos(span) / 1_000;
        let heartbeats = waiting.drain(..count).map(|heartbeat| Heartbeat {
            target: heartbeat.target.into(),
            signal: heartbeat.signal.map(String::from),
            age_us: micros(now.since(heartbeat.received_at)),
            sequence: heartbeat.sequence,
            interval_us: heartbeat.interval.map(micros),
        });
        heartbeats.collect()
    }

    pub(super) fn count_sent(&self, count: u64) {
        self.counters.sent.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn count_lost(&self, count: u64) {
        self.counters.lost.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn count_taken(&self, count: u64) {
        self.counters.taken.fetch_add(count, Ordering::Relaxed);
    }
}

/// Takes heartbeats that came to another monitor, and tells how many were taken.
pub(super) fn take(engine: &Engine, admission: &dyn Admission, heartbeats: &[Heartbeat]) -> u64 {
    let now = engine.clock().now();
    let mut taken = 0;
    for heartbeat in heartbeats {
        let arrival = Arrival {
            source: Source::Name {
                target: &heartbeat.target,
                signal: heartbeat.signal.as_deref(),
            },
            received_at: now.before(Duration::from_micros(heartbeat.age_us)),
            sequence: heartbeat.sequence,
            interval_hint: heartbeat.interval_us.map(Duration::from_micros),
        };
        let mut tally = engine.arrivals(&[arrival]);
        let unknown = tally.rejected(Rejection::UnknownTarget) > 0;
        if unknown && admission.is_open() {
            let _admitted = admission.admit(&arrival);
            tally = engine.arrivals(&[arrival]);
        }
        taken += tally.taken;
    }
    taken
}
