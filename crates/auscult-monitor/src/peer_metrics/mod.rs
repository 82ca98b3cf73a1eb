//! Metrics that peers publish, and what is told when one does not come any more: the shell around
//! `auscult_core::peer_metric`.
//!
//! One machine stands under one lock. A task calls it when it asks to be called, which is when the
//! next metric fails, and never periodically. What it says goes into an event log under the same
//! lock, so that all readers see it in the order in which it happened; one reader is the desk of
//! alerts ([`feed`]). Who the peers are, and what they say over the agent, comes from [`peers`] and
//! [`gossip`].
//!
//! It works without a server, too:
//!
//! ```
//! use std::time::Duration;
//!
//! use auscult_core::id::TargetId;
//! use auscult_core::peer_metric::{self, MetricLogConfig, MetricLogParams, Sender, Validity};
//! use auscult_monitor::clock::Clock;
//! use auscult_monitor::peer_metrics::{PeerEvent, PeerMonitor};
//! use auscult_agent::events::Reading;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let config = MetricLogConfig::new(MetricLogParams::new()).expect("the defaults are valid");
//! let monitor = PeerMonitor::start(config, Clock::new());
//! monitor.set_peers(&[TargetId::new("node-1").expect("a name")]);
//! let mut alerts = monitor.alerts();
//!
//! let reading = peer_metric::Reading {
//!     metric: "freespace",
//!     peer: "node-1",
//!     value: "93412",
//!     ttl: Duration::from_millis(200),
//!     valid: Validity::Valid,
//!     weight: 0,
//!     epoch: None,
//! };
//! monitor.log_metric(Sender::Peer("node-1"), &reading).expect("it speaks for itself");
//! assert_eq!(&*monitor.last_metrics("freespace")[0].reading.value, "93412");
//!
//! // Nothing more comes, so it fails when its time to live is over.
//! let failed = |event: &PeerEvent| {
//!     matches!(event, PeerEvent::Failed { peer, .. } if peer.as_str() == "node-1")
//! };
//! assert!(matches!(alerts.next().await, Reading::Event(alert) if failed(&alert.event)));
//! assert!(monitor.last_metrics("freespace").is_empty());
//! monitor.shutdown().await;
//! # }
//! ```

mod colleagues;
mod exchange;
pub(crate) mod feed;
#[doc(hidden)]
pub mod fuzzing;
pub mod gossip;
pub(crate) mod keep;
mod keeping;
pub(crate) mod peers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use auscult_agent::AgentHandle;
use auscult_agent::events::{EventLog, EventReader, LoggedEvent};
use auscult_agent::http::stop::{Stop, Stopper};
use auscult_core::id::{SignalName, TargetId};
use auscult_core::peer_metric::{
    Admission, Cause, Input, Kept, MetricLog, MetricLogConfig, Output, Reading, Rejection, Sender,
    SeriesView,
};
use auscult_core::time::Instant;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::alerts::{AlertDesk, Roll};
use crate::clock::Clock;
use crate::observers::Observatory;
use crate::registry::Registry;
use crate::store::{ReadingStore, SavedReadings, StoreError};
use exchange::Exchange;
use keep::Shelf;

pub use exchange::{ExchangeCounters, ReadingRecord, ReadingsRecord};
pub use keeping::{Keeping, KeepingState};

/// Events kept for readers: two for each peer when a site of some thousand fails and comes back. At
/// most 16 MB, with the longest values.
const EVENTS_KEPT: usize = 4_096;

/// Keeps the metrics that peers publish, and says which have failed. Clones share one machine; the
/// last one that goes ends it.
#[derive(Clone)]
pub struct PeerMonitor(Arc<Shared>);

struct Shared {
    clock: Clock,
    state: Mutex<State>,
    events: EventLog<PeerEvent>,
    /// The machine wants to be called earlier than the timer knows.
    earlier: Arc<Notify>,
    wakeups: AtomicU64,
    gossip_missed: AtomicU64,
    stopper: Stopper,
    timer: Mutex<Option<JoinHandle<()>>>,
    /// What other monitors of the group are to be told.
    exchange: Exchange,
    judged: Mutex<Judged>,
    /// Where readings are kept over a restart, if they are.
    shelf: Mutex<Option<Shelf>>,
    /// How that is doing.
    keeping: Mutex<Keeping>,
}

/// Who is judged, as it was said last.
struct Judged {
    admission: Admission,
    named: Option<Arc<BTreeSet<TargetId>>>,
}

struct State {
    log: MetricLog,
    stage: Stage,
}

/// Whether anybody is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Ended,
}

/// A metric, as a peer published it.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: SignalName,
    /// Whose.
    pub peer: TargetId,
    /// What was published.
    pub reading: Kept,
}

/// When a reading arrived, and when it is good no more, by the wall clock as it counts now.
pub(crate) fn lifetime(clock: &Clock, reading: &Kept) -> (Timestamp, Timestamp) {
    let wall = clock.wall(reading.received_at);
    let arrived = wall.checked_sub(reading.earlier).unwrap_or(Timestamp::MIN);
    let over = arrived.checked_add(reading.ttl).unwrap_or(Timestamp::MAX);
    (arrived, over)
}

/// Something that happened to a metric or a peer.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// A metric of a peer has failed. Said once, until it recovered, or its peer came back.
    Failed {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
        /// Since when.
        at: Instant,
        /// Why.
        cause: Cause,
        /// The last reading, if there ever was one.
        last: Option<Kept>,
    },
    /// A metric that had failed is heard of again.
    Recovered {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
        /// Since when.
        at: Instant,
    },
    /// A metric that had failed is not judged any more.
    Released {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
    },
    /// A peer departed: nothing of it is judged any more.
    Departed {
        /// The peer.
        peer: TargetId,
    },
}

/// A reader of what fails and recovers, at its own pace: see [`PeerMonitor::alerts`].
pub type Alerts = EventReader<PeerEvent>;

impl PeerMonitor {
    /// A monitor that knows of nobody yet. To be called within a runtime of tokio.
    #[must_use]
    pub fn start(config: MetricLogConfig, clock: Clock) -> Self {
        let (stopper, stop) = Stop::channel();
        let judged = Judged {
            admission: config.admission(),
            named: None,
        };
        let log = MetricLog::new(config, clock.now());
        let stage = Stage::Running;
        let shared = Arc::new(Shared {
            state: Mutex::new(State { log, stage }),
            events: EventLog::keeping(EVENTS_KEPT, clock.clone()),
            clock,
            earlier: Arc::default(),
            wakeups: AtomicU64::new(0),
            gossip_missed: AtomicU64::new(0),
            stopper,
            timer: Mutex::new(None),
            exchange: Exchange::default(),
            judged: Mutex::new(judged),
            shelf: Mutex::new(None),
            keeping: Mutex::default(),
        });
        let earlier = Arc::clone(&shared.earlier);
        let timer = tokio::spawn(run_timer(Arc::downgrade(&shared), earlier, stop));
        *shared.timer.lock() = Some(timer);
        Self(shared)
    }

    /// Keeps readings in this file from now on, or says why they cannot be. What was found in it is
    /// gone on with when the monitor follows its settings, which say whose readings are of
    /// interest.
    pub(crate) fn keep_in(&self, opened: Result<(ReadingStore, Vec<SavedReadings>), StoreError>) {
        match opened {
            Ok((store, found)) => {
                *self.0.shelf.lock() = Some(Shelf::new(store, found));
                self.0.keeping.lock().begin();
            }
            Err(error) => self.0.keeping.lock().fail(error.to_string()),
        }
    }

    /// Whether readings outlive the process.
    #[must_use]
    pub fn keeping(&self) -> Keeping {
        self.0.keeping.lock().clone()
    }

    /// Says who the peers are from now on; others have departed. While nobody knows who they are,
    /// say nothing: those of before go on being judged.
    pub fn set_peers(&self, peers: &[TargetId]) {
        let named = peers.iter().cloned().collect();
        self.0.judged.lock().named = Some(Arc::new(named));
        self.drive(|log, now| log.handle(now, Input::Peers(peers)));
    }

    /// Which peers are judged here, as soon as it is known.
    fn roll(&self) -> Option<Roll> {
        let judged = self.0.judged.lock();
        match judged.admission {
            Admission::Anybody => Some(Roll::Anybody),
            Admission::Named => judged.named.clone().map(Roll::Named),
        }
    }

    /// Every metric of every peer of which there is anything.
    fn all_series(&self) -> Vec<(SignalName, TargetId)> {
        self.read(|log, _| {
            let names = log.metric_names();
            let views = names.flat_map(|name| log.metric(name));
            let pair = |view: SeriesView<'_>| (view.metric().clone(), view.peer().clone());
            views.map(pair).collect()
        })
    }

    /// Takes other rules and limits.
    pub fn configure(&self, config: MetricLogConfig) {
        self.0.judged.lock().admission = config.admission();
        self.drive(|log, now| log.configure(now, config));
    }

    /// Takes what a peer published, as of now.
    ///
    /// # Errors
    /// Why it is not taken; that is counted. State: unchanged.
    pub fn log_metric(&self, sender: Sender<'_>, reading: &Reading<'_>) -> Result<(), Rejection> {
        self.log_metric_at(sender, reading, self.0.clock.now())
    }

    /// Takes what a peer published and what arrived at that moment, at the latest now.
    ///
    /// # Errors
    /// Why it is not taken; that is counted. State: unchanged.
    pub fn log_metric_at(
        &self,
        sender: Sender<'_>,
        reading: &Reading<'_>,
        received_at: Instant,
    ) -> Result<(), Rejection> {
        let reading = *reading;
        let input = Input::Published {
            sender,
            received_at,
            reading,
        };
        let rejected = self.drive(|log, now| log.handle(now, input));
        rejected.map_or(Ok(()), Err)
    }

    /// Takes what a peer published to this monitor of its group, and passes it on to the others.
    ///
    /// # Errors
    /// Why it is not taken; that is counted. State: unchanged.
    pub(crate) fn publish(
        &self,
        sender: Sender<'_>,
        reading: &Reading<'_>,
    ) -> Result<(), Rejection> {
        let received_at = self.0.clock.now();
        self.log_metric_at(sender, reading, received_at)?;
        self.0.exchange.pass_on(reading, received_at);
        Ok(())
    }

    /// Forgets a peer, or one metric of it, here and at the other monitors of the group.
    pub(crate) fn forget_everywhere(&self, peer: &str, metric: Option<&str>) {
        self.forget(peer, metric);
        self.0.exchange.pass_on_forgotten(peer, metric);
    }

    /// What was counted of readings between monitors.
    #[must_use]
    pub fn exchanged(&self) -> ExchangeCounters {
        self.0.exchange.counters()
    }

    fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// Counts something that was published and cannot even be read.
    pub fn refuse(&self, reason: Rejection) {
        self.drive(|log, now| log.handle(now, Input::Unreadable(reason)));
    }

    /// Forgets a peer with all that it published, or one metric of it.
    pub fn forget(&self, peer: &str, metric: Option<&str>) {
        let now = self.clock().now();
        self.0.exchange.note_forgotten(peer, metric, now);
        self.drive(|log, now| log.handle(now, Input::Forget { peer, metric }));
    }

    /// The latest good reading of a metric of each present peer, by peer.
    #[must_use]
    pub fn last_metrics(&self, name: &str) -> Vec<Metric> {
        self.read(|log, now| {
            let views = log.metric(name);
            views
                .filter_map(|view| {
                    Some(Metric {
                        name: view.metric().clone(),
                        peer: view.peer().clone(),
                        reading: view.current(now)?.clone(),
                    })
                })
                .collect()
        })
    }

    /// The latest good readings of a peer, by metric.
    #[must_use]
    pub fn latest_for_peer(&self, peer: &str) -> Vec<Metric> {
        let Ok(peer) = TargetId::new(peer) else {
            return Vec::new();
        };
        self.read(|log, now| {
            let readings = log.latest_for_peer(now, &peer);
            readings
                .map(|(name, reading)| Metric {
                    name: name.clone(),
                    peer: peer.clone(),
                    reading: reading.clone(),
                })
                .collect()
        })
    }

    /// The metrics of which there is anything, by name.
    #[must_use]
    pub fn metric_names(&self) -> Vec<SignalName> {
        self.read(|log, _| log.metric_names().cloned().collect())
    }

    /// What fails and recovers from now on. A reader that is slow holds nobody up, and is told how
    /// much it missed; [`failing`](MetricLog::failing) has what holds by then.
    #[must_use]
    pub fn alerts(&self) -> Alerts {
        self.0.events.read_after(self.0.events.newest_id())
    }

    /// The last `most` times that a metric failed, of the last 4,096 events, the newest first.
    #[must_use]
    pub fn recent_failures(&self, most: usize) -> Vec<Arc<LoggedEvent<PeerEvent>>> {
        let events = self.0.events.since(0, usize::MAX).events.into_iter().rev();
        let failures = events.filter(|logged| matches!(logged.event, PeerEvent::Failed { .. }));
        failures.take(most).collect()
    }

    /// Reads the machine. Nothing else happens meanwhile.
    pub fn read<R>(&self, read: impl FnOnce(&MetricLog, Instant) -> R) -> R {
        read(&self.0.state.lock().log, self.0.clock.now())
    }

    /// Times that the machine was called because it asked for it.
    #[must_use]
    pub fn wakeups(&self) -> u64 {
        self.0.wakeups.load(Ordering::Relaxed)
    }

    /// Broadcasts of members that came too fast to be read, so that readings in them were lost.
    #[must_use]
    pub fn gossip_missed(&self) -> u64 {
        self.0.gossip_missed.load(Ordering::Relaxed)
    }

    /// The clock that its moments are of.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ends: nobody is told anything from now on. What was published can still be read. To call it
    /// again changes nothing.
    pub async fn shutdown(&self) {
        self.0.state.lock().stage = Stage::Ended;
        self.0.stopper.stop();
        let timer = self.0.timer.lock().take();
        if let Some(timer) = timer {
            let _ended = timer.await;
        }
        self.save().await;
    }

    /// Writes what changed, where readings are kept, away from the threads that serve requests.
    async fn save(&self) {
        let monitor = self.clone();
        // It has said itself what it could not write.
        let _saved = tokio::task::spawn_blocking(move || {
            if let Some(shelf) = &mut *monitor.0.shelf.lock() {
                shelf.save(&monitor);
            }
        })
        .await;
    }

    /// Writes what changed every few seconds, until `stop`.
    async fn keep(self, stop: Stop) {
        let mut pace = tokio::time::interval(keep::PACE);
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = pace.tick() => self.save().await,
            }
        }
    }

    /// Keeps the peers as settings and members are, takes what members publish, and tells the desk
    /// of alerts, until `stop`.
    pub(crate) fn follow(
        &self,
        desk: &AlertDesk,
        registry: Arc<Registry>,
        agent: Option<AgentHandle>,
        observatory: Option<Observatory>,
        stop: &Stop,
    ) {
        // Limits come before what is to keep to them.
        self.configure(registry.settings().peer_metrics.config.clone());
        let remembered = feed::remember(self, desk);
        if let Some(shelf) = &mut *self.0.shelf.lock() {
            shelf.restore(self);
        }
        tokio::spawn(self.clone().keep(stop.clone()));
        if let Some(observatory) = observatory {
            colleagues::start(self.clone(), desk.clone(), observatory, stop.clone());
        }
        let (monitor, desk) = (self.clone(), desk.clone());
        let logged = Arc::clone(&registry);
        tokio::spawn(feed::follow(monitor, desk, logged, stop.clone()));
        if let Some(agent) = agent.clone() {
            tokio::spawn(gossip::follow(self.clone(), agent, stop.clone()));
        }
        peers::start(self.clone(), registry, agent, remembered, stop.clone());
    }

    /// Says that an earlier process found a metric failed.
    fn failed_before(&self, peer: &TargetId, metric: &SignalName) {
        self.drive(|log, now| log.handle(now, Input::FailedBefore { peer, metric }));
    }

    fn count_missed(&self, count: u64) {
        self.0.gossip_missed.fetch_add(count, Ordering::Relaxed);
    }

    /// Whoever could be asked of these has answered.
    fn note_answered(&self, questions: &[(SignalName, TargetId)]) {
        self.0.note_answered(questions);
    }

    fn drive(&self, work: impl FnOnce(&mut MetricLog, Instant)) -> Option<Rejection> {
        self.0.drive(work)
    }
}

impl Shared {
    /// Calls the machine, and tells what it says. Why something was not taken, if it was not.
    fn drive(&self, work: impl FnOnce(&mut MetricLog, Instant)) -> Option<Rejection> {
        let mut state = self.state.lock();
        let before = state.log.poll_timeout();
        let now = self.clock.now();
        work(&mut state.log, now);
        let mut rejected = None;
        let mut asked = Vec::new();
        while let Some(output) = state.log.poll_output() {
            let event = match output {
                Output::Rejected(reason) => {
                    rejected = Some(reason);
                    continue;
                }
                Output::Ask { peer, metric } => {
                    asked.push((metric, peer));
                    continue;
                }
                Output::Failed {
                    peer,
                    metric,
                    at,
                    cause,
                } => {
                    let view = state.log.series(&metric, &peer);
                    let last = view.and_then(|view| view.readings().next().cloned());
                    PeerEvent::Failed {
                        peer,
                        metric,
                        at,
                        cause,
                        last,
                    }
                }
                Output::Recovered { peer, metric, at } => PeerEvent::Recovered { peer, metric, at },
                Output::Released { peer, metric } => PeerEvent::Released { peer, metric },
                Output::Departed { peer } => PeerEvent::Departed { peer },
            };
            if state.stage == Stage::Running {
                let text = event.sentence();
                tracing::debug!("{text}");
                self.events.append(event.at().unwrap_or(now), event, text);
            }
        }
        let after = state.log.poll_timeout();
        let earlier = match (before, after) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after < before,
        };
        drop(state);
        if earlier {
            self.earlier.notify_one();
        }
        let unasked = self.exchange.ask(asked);
        self.note_answered(&unasked);
        rejected
    }

    fn note_answered(&self, questions: &[(SignalName, TargetId)]) {
        if questions.is_empty() {
            return;
        }
        self.drive(|log, now| {
            for (metric, peer) in questions {
                log.handle(now, Input::Answered { peer, metric });
            }
        });
    }
}

/// Calls the machine when it wants to be called, as long as somebody uses it.
async fn run_timer(shared: Weak<Shared>, earlier: Arc<Notify>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        let next = shared.upgrade().map(|here| {
            let at = here.state.lock().log.poll_timeout();
            at.map(|at| here.clock.std(at))
        });
        let sleep = async {
            match next {
                Some(Some(until)) => tokio::time::sleep_until(until.into()).await,
                Some(None) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut stopped => return,
            () = earlier.notified() => {}
            () = sleep => {
                let Some(here) = shared.upgrade() else {
                    return;
                };
                here.wakeups.fetch_add(1, Ordering::Relaxed);
                here.drive(|log, now| log.handle(now, Input::Tick));
            }
        }
    }
}

impl PeerEvent {
    /// When it happened, where that was before it was found.
    const fn at(&self) -> Option<Instant> {
        match self {
            Self::Failed { at, .. } | Self::Recovered { at, .. } => Some(*at),
            Self::Released { .. } | Self::Departed { .. } => None,
        }
    }

    /// The peer.
    #[must_use]
    pub const fn peer(&self) -> &TargetId {
        match self {
            Self::Failed { peer, .. }
            | Self::Recovered { peer, .. }
            | Self::Released { peer, .. }
            | Self::Departed { peer } => peer,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::Failed {
                peer,
                metric,
                cause,
                ..
            } => failed(peer, metric, *cause),
            Self::Recovered { peer, metric, .. } => format!("{metric} of {peer} is heard of again"),
            Self::Released { peer, metric } => format!("{metric} of {peer} is not judged any more"),
            Self::Departed { peer } => format!("peer {peer} departed"),
        }
    }
}

/// Why a metric has failed, for people.
fn failed(peer: &TargetId, metric: &SignalName, cause: Cause) -> String {
    format!("{metric} of {peer} has failed: {cause}")
}
