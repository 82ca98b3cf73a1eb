//! The engine: one machine behind a lock, driven by whoever brings input, and by a timer.
//!
//! An uncontended lock costs some 15 ns, and heartbeats come in batches, so no queue stands between
//! a socket and the machine. The timer sleeps until the machine's next deadline, and is woken when
//! an earlier one appears. Before it lets a verdict fall it reads what the sockets hold: the
//! heartbeat that refutes the verdict may lie there.

use std::sync::{Arc, OnceLock};
use std::thread;

use auscult_core::monitor::{
    Applied, Arrival, Change, Failure, Input, Monitor, MonitorConfig, Output, Refusal, Rejection,
    SignalKey, Source, Target, Told,
};
use auscult_core::time::Instant;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::check::Sink;
use crate::clock::Clock;
use crate::events::EventLog;
use crate::history::arrivals::Recordings;
use crate::observers::Forwarder;

/// The engine. Clones share one machine; the timer ends with the last of them.
#[derive(Clone)]
pub struct Engine(Arc<Handle>);

/// A way in which heartbeats wait in the kernel until somebody reads them.
pub trait DrainSource: Send + Sync {
    /// Reads everything that waits, without waiting for more, and gives it to the engine.
    fn drain(&self);
}

/// What became of a batch of arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Arrivals that were taken.
    pub taken: u64,
    rejected: [u64; Rejection::ALL.len()],
}

impl Tally {
    /// Arrivals that were rejected for `reason`.
    #[must_use]
    pub const fn rejected(&self, reason: Rejection) -> u64 {
        self.rejected[reason as usize]
    }

    /// Arrivals that were rejected, with the reasons.
    pub fn rejections(&self) -> impl Iterator<Item = (Rejection, u64)> + '_ {
        let counted = Rejection::ALL
            .iter()
            .map(|&reason| (reason, self.rejected(reason)));
        counted.filter(|&(_, count)| count > 0)
    }

    /// Arrivals that were rejected, for whatever reason.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }
}

/// What became of a target that was to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What was done.
    pub applied: Applied,
    /// Signals that it had, and has no more.
    pub gone: Vec<SignalKey>,
    /// Its signals, in their order.
    pub signals: Vec<SignalKey>,
}

struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    config: MonitorConfig,
    clock: Clock,
    events: EventLog,
    driven: Mutex<Driven>,
    /// Wakes the timer: an earlier deadline, a drain, or the end.
    changed: Condvar,
    drain_sources: Mutex<Vec<Arc<dyn DrainSource>>>,
    /// Sends heartbeats on to other monitors, where there are any.
    forwarder: OnceLock<Arc<Forwarder>>,
    recordings: Recordings,
}

struct Driven {
    monitor: Monitor,
    /// The moment that the timer sleeps to; none while it is awake.
    sleeps_until: Option<Instant>,
    /// The machine asked for a drain and has not been told that it happened.
    wants_drain: bool,
    stopping: bool,
}

impl Engine {
    /// Starts the machine and its timer.
    ///
    /// # Errors
    /// The timer's thread could not be started.
    pub fn start(config: MonitorConfig, clock: Clock, events: EventLog) -> std::io::Result<Self> {
        // Spreads the machine's own jitter; the wall clock is as good as any source for that.
        let seed = u64::try_from(clock.wall_now().as_nanosecond()).unwrap_or(0);
        let monitor = Monitor::new(config.clone(), seed, clock.now());
        let shared = Arc::new(Shared {
            config,
            clock,
            events,
            driven: Mutex::new(Driven {
                monitor,
                sleeps_until: None,
                wants_drain: false,
                stopping: false,
            }),
            changed: Condvar::new(),
            drain_sources: Mutex::new(Vec::new()),
            forwarder: OnceLock::new(),
            recordings: Recordings::default(),
        });
        let timer = Arc::clone(&shared);
        thread::Builder::new()
            .name("auscult-timer".to_owned())
            .spawn(move || timer.run_timer())?;
        Ok(Self(Arc::new(Handle { shared })))
    }

    /// What the machine was started with.
    #[must_use]
    pub fn config(&self) -> &MonitorConfig {
        &self.0.shared.config
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.shared.clock
    }

    /// What happened so far.
    #[must_use]
    pub fn events(&self) -> &EventLog {
        &self.0.shared.events
    }

    /// Which targets' arrivals are being recorded.
    #[must_use]
    pub fn recordings(&self) -> &Recordings {
        &self.0.shared.recordings
    }

    /// Adds something to read before verdicts fall.
    pub fn add_drain_source(&self, source: Arc<dyn DrainSource>) {
        self.0.shared.drain_sources.lock().push(source);
    }

    /// Forgets the sources to read before verdicts fall, as their sockets are being closed.
    pub fn clear_drain_sources(&self) {
        self.0.shared.drain_sources.lock().clear();
    }

    /// Takes arrivals.
    pub fn arrivals(&self, batch: &[Arrival<'_>]) -> Tally {
        self.0.shared.recordings.note(batch);
        let tally = self.0.shared.drive(Input::Arrivals(batch));
        let count = batch.len() as u64;
        Tally {
            taken: count.saturating_sub(tally.rejected_total()),
            ..tally
        }
    }

    /// Says who sends heartbeats on to other monitors. The first one does.
    pub(crate) fn set_forwarder(&self, forwarder: &Arc<Forwarder>) {
        // A second one would be a mistake of the program, and changes nothing.
        let _set = self.0.shared.forwarder.set(Arc::clone(forwarder));
    }

    /// Takes heartbeats that were pushed to this monitor: as [`arrivals`](Self::arrivals), and
    /// other monitors that observe their targets get them, too.
    pub fn heartbeats(&self, batch: &[Arrival<'_>]) -> Tally {
        let tally = self.arrivals(batch);
        if let Some(forwarder) = self.0.shared.forwarder.get() {
            forwarder.forward(batch);
        }
        tally
    }

    /// Takes one arrival, which happens now.
    ///
    /// # Errors
    /// Why it was not taken. State: unchanged but for the counter of such rejections.
    pub fn arrival(&self, source: Source<'_>, sequence: Option<u64>) -> Result<(), Rejection> {
        let arrival = Arrival {
            source,
            received_at: self.clock().now(),
            sequence,
            interval_hint: None,
        };
        let tally = self.arrivals(&[arrival]);
        tally
            .rejections()
            .next()
            .map_or(Ok(()), |(reason, _)| Err(reason))
    }

    /// Takes a failed check.
    pub fn failed(&self, signal: SignalKey, at: Instant, failure: Failure) {
        self.0.shared.recordings.note_failure(signal, at, failure);
        self.0.shared.drive(Input::Failed {
            signal,
            at,
            failure,
        });
    }

    /// Takes the word of those who judge a signal in place of its detector.
    pub fn told(&self, signal: SignalKey, at: Instant, verdict: Told, why: &str) {
        self.0.shared.drive(Input::Told {
            signal,
            at,
            verdict,
            why,
        });
    }

    /// Changes what is watched.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn apply(&self, change: Change) -> Result<Applied, Refusal> {
        let shared = &self.0.shared;
        let mut driven = shared.driven.lock();
        let applied = driven.monitor.apply(shared.clock.now(), change);
        shared.settle(&mut driven);
        applied
    }

    /// Watches a target, or watches it differently.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn put(&self, target: Target) -> Result<Placed, Refusal> {
        let shared = &self.0.shared;
        let mut driven = shared.driven.lock();
        let id = target.id.clone();
        let mut gone = keys(&driven.monitor, &id);
        let applied = driven
            .monitor
            .apply(shared.clock.now(), Change::Put(target))?;
        let signals = keys(&driven.monitor, &id);
        gone.retain(|key| !signals.contains(key));
        shared.settle(&mut driven);
        Ok(Placed {
            applied,
            gone,
            signals,
        })
    }

    /// The signals of a target, in their order; none where it is not watched.
    #[must_use]
    pub fn keys(&self, target: &str) -> Vec<SignalKey> {
        self.read(|monitor, _| keys(monitor, target))
    }

    /// Reads the machine. Nothing else happens meanwhile, so read in pieces what is long.
    pub fn read<R>(&self, read: impl FnOnce(&Monitor, Instant) -> R) -> R {
        let driven = self.0.shared.driven.lock();
        read(&driven.monitor, self.0.shared.clock.now())
    }
}

fn keys(monitor: &Monitor, target: &str) -> Vec<SignalKey> {
    monitor.target(target).map_or_else(Vec::new, |target| {
        target.signals().map(|signal| signal.key()).collect()
    })
}

impl Sink for Engine {
    fn arrival(&self, key: SignalKey, at: Instant) {
        self.arrivals(&[Arrival {
            source: Source::Key(key),
            received_at: at,
            sequence: None,
            interval_hint: None,
        }]);
    }

    fn failed(&self, key: SignalKey, at: Instant, failure: Failure) {
        Self::failed(self, key, at, failure);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.driven.lock().stopping = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn drive(&self, input: Input<'_>) -> Tally {
        let mut driven = self.driven.lock();
        driven.monitor.handle(self.clock.now(), input);
        self.settle(&mut driven)
    }

    /// Takes the machine's outputs, and wakes the timer if it would sleep too long.
    fn settle(&self, driven: &mut Driven) -> Tally {
        let mut tally = Tally::default();
        while let Some(output) = driven.monitor.poll_output() {
            match output {
                Output::Event(event) => self.events.append(event),
                Output::Rejected(reason) => tally.rejected[reason as usize] += 1,
                Output::Drain => driven.wants_drain = true,
            }
        }
        if let Some(sleeps_until) = driven.sleeps_until {
            let next = driven.monitor.poll_timeout();
            if driven.wants_drain || next.is_some_and(|(at, _)| at < sleeps_until) {
                // One wake-up is enough however much comes before the timer runs.
                driven.sleeps_until = None;
                self.changed.notify_one();
            }
        }
        tally
    }

    fn run_timer(&self) {
        let mut driven = self.driven.lock();
        while !driven.stopping {
            if driven.wants_drain {
                driven.wants_drain = false;
                self.drain_unlocked(&mut driven);
                driven.monitor.handle(self.clock.now(), Input::Drained);
                self.settle(&mut driven);
                continue;
            }
            let deadline = driven.monitor.poll_timeout().map(|(at, _)| at);
            if deadline.is_some_and(|at| at <= self.clock.now()) {
                self.drain_unlocked(&mut driven);
                driven.monitor.handle(self.clock.now(), Input::Tick);
                self.settle(&mut driven);
                continue;
            }
            let sleeps_until = deadline.unwrap_or(Instant::FAR_FUTURE);
            driven.sleeps_until = Some(sleeps_until);
            let until = self.clock.std(sleeps_until);
            let _ = self.changed.wait_until(&mut driven, until);
            driven.sleeps_until = None;
        }
    }

    /// Reads what the sockets hold, with the machine unlocked: the sources lock it themselves.
    fn drain_unlocked(&self, driven: &mut MutexGuard<'_, Driven>) {
        MutexGuard::unlocked(driven, || {
            let sources = self.drain_sources.lock().clone();
            for source in sources {
                source.drain();
            }
        });
    }
}

#[cfg(test)]
mod tests;
