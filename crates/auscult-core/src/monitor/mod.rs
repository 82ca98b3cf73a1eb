//! The machine that watches many targets: arrivals in, verdicts with evidence out.
//!
//! # Use
//! 1. Build a [`Monitor`] and say with [`Monitor::apply`] what to watch.
//! 2. Give it what happens with [`Monitor::handle`]: arrivals, failed checks, or only that time
//!    passed.
//! 3. Take what it has to say with [`Monitor::poll_output`] until there is nothing more. After
//!    [`Output::Drain`], feed what is queued and say [`Input::Drained`].
//! 4. Ask [`Monitor::poll_timeout`] when to call again, and do so then with [`Input::Tick`].
//!
//! `now` never goes backwards for the machine: an earlier one counts as the last one seen.
//!
//! # The status of a signal
//! - `unknown` from the start; `down` when its grace ends and nothing was heard.
//! - `up` at an arrival; `late` and then `down` at the moments at which its level crosses the two
//!   thresholds.
//! - From `late`, one arrival makes it `up` again; from `down`,
//!   [`recovery_arrivals`](SignalConfig::recovery_arrivals) in a row.
//! - An interval in which it was down is no sample for its detector. But when three such intervals
//!   follow each other, each ended by a lone arrival, the sender has a new rhythm: the detector
//!   starts anew with the last of them ([`EventKind::Relearnt`]).
//!
//! A target has the worst status of its signals. Each change of a signal's status gives one event:
//! [`EventKind::Transition`] if the target's status changes with it, else
//! [`EventKind::SignalTransition`].
//!
//! Where somebody else judges a signal ([`Input::Told`]), its status is what that one says, from
//! its first word on.
//!
//! # When the observer is at fault
//! - **A check that could not be made** ([`Failure::Local`]) says nothing about the target: while
//!   the last check was such a one, a signal that is due becomes `unknown`. The next check that is
//!   made decides.
//! - **Stall guard.** Called later than the moment it asked for by more than
//!   [`stall_tolerance`](MonitorConfig::stall_tolerance), the machine takes it that the process did
//!   not run since the last call. It asks for what the kernel queued ([`Output::Drain`]), lets no
//!   verdict fall until it has that, and counts no silence for that time.
//! - **Mass guard.** When a signal would go down, the machine compares the targets that are overdue
//!   with those that were heard since that signal fell silent, among all that can be told by now.
//!   If the share of the overdue ones reaches [`mass_fraction`](MonitorConfig::mass_fraction), it
//!   suspects itself: who would be down is `unknown`, until the share has fallen to three quarters
//!   of that, or
//!   [`mass_hold`](MonitorConfig::mass_hold) is over. Then those still silent go down.

mod arrivals;
mod changes;
pub mod config;
pub mod counters;
mod deaf;
pub mod event;
mod flap;
mod guard;
mod hash;
mod index;
pub mod input;
mod invariants;
mod kinds;
mod memory;
pub mod observers;
pub mod registry;
pub(crate) mod schedule;
mod signals;
mod stall;
pub mod status;
pub mod target;
mod targets;
mod told;
mod verdict;
pub mod view;

use alloc::collections::{BTreeSet, VecDeque};

use crate::id::TargetId;
use crate::time::Instant;
use deaf::{Deaf, Hearing};
use guard::MassGuard;
use hash::HashKey;
use kinds::Kinds;
use schedule::{Next, Schedule};
use signals::{Signals, Standing};
use targets::Targets;

pub use config::{MonitorConfig, SignalConfig, SignalParams};
pub use counters::Counters;
pub use event::{Cause, Event, EventKind, Evidence, Output, Rejection};
pub use input::{Arrival, Input, SignalKey, Source, Told, Wake};
pub use memory::{SignalMemory, Waits};
pub use status::{Failure, Status};
pub use target::{Applied, Change, Labels, Refusal, Signal, Target};
pub use view::{SignalView, TargetView};

/// Watches many targets and says what happens to them. See the [module](self) for its use.
pub struct Monitor {
    config: MonitorConfig,
    /// The time of the last call.
    now: Instant,
    targets: Targets,
    signals: Signals,
    kinds: Kinds,
    schedule: Schedule,
    deaf: Deaf,
    hearing: Hearing,
    guard: MassGuard,
    /// Flapping targets, by the moment at which they will be steady.
    steady: BTreeSet<(Instant, u32)>,
    /// When to be called, and why; nothing happens before.
    wake: Option<(Instant, Wake)>,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl Monitor {
    /// A machine that watches nothing. The seed keys the hash of names, so that nobody can choose
    /// names that collide, and serves nothing else: verdicts do not depend on it.
    #[must_use]
    pub fn new(config: MonitorConfig, seed: u64, now: Instant) -> Self {
        let key = HashKey::new(seed);
        Self {
            config,
            now,
            targets: Targets::new(key),
            signals: Signals::new(),
            kinds: Kinds::new(key),
            schedule: Schedule::new(now),
            deaf: Deaf::default(),
            hearing: Hearing::Listening,
            guard: MassGuard::new(),
            steady: BTreeSet::new(),
            wake: None,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Changes what is watched.
    ///
    /// # Errors
    /// Why not. State: what is watched is as before; that time passed counts all the same.
    pub fn apply(&mut self, now: Instant, change: Change) -> Result<Applied, Refusal> {
        self.begin(now);
        let applied = self.change(change);
        self.end();
        applied
    }

    /// Takes what happened. Arrivals that are not taken become [`Output::Rejected`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.begin(now);
        match input {
            Input::Arrivals(arrivals) => self.take_arrivals(arrivals),
            Input::Failed {
                signal,
                at,
                failure,
            } => self.take_failure(signal, at, failure),
            Input::Told {
                signal,
                at,
                verdict,
                why,
            } => self.take_told(signal, at, verdict, why),
            Input::Tick => {}
            Input::Drained => self.resume_listening(),
        }
        self.end();
    }

    /// The next thing to say, in the order in which they happened.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call again, and why; `None` when there is nothing to wait for. Exact for a verdict,
    /// but for two cases, both too early and never too late: the signal was heard since, or very
    /// many signals are due close to each other.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.wake
    }

    /// The key of a signal.
    #[must_use]
    pub fn signal(&self, target: &str, signal: &str) -> Option<SignalKey> {
        let head = self.targets.get(self.targets.find(target)?)?;
        let mut chain = self.signals.chain(head.first);
        let slot = chain.find(|&slot| &*self.kind(slot).name == signal)?;
        Some(self.signals.key(slot))
    }

    /// A target.
    #[must_use]
    pub fn target(&self, id: &str) -> Option<TargetView<'_>> {
        let slot = self.targets.find(id)?;
        TargetView::new(self, slot)
    }

    /// All targets, in the order of their slots: stable while a target is watched, and about the
    /// order in which they were added.
    pub fn targets(&self) -> impl Iterator<Item = TargetView<'_>> {
        self.targets_from(0)
    }

    /// The targets whose [`slot`](TargetView::slot) is at least `slot`: to read many of them in
    /// pieces.
    pub fn targets_from(&self, slot: u32) -> impl Iterator<Item = TargetView<'_>> {
        (slot..self.targets.slots() as u32).filter_map(|slot| TargetView::new(self, slot))
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes that the names of the targets take: the names, the pointers to them and the table
    /// that finds them, with what is held in reserve for more. Looks at every target.
    #[must_use]
    pub fn id_bytes(&self) -> usize {
        self.targets.id_bytes()
    }

    /// Whether verdicts are held back because too many targets are overdue at once.
    #[must_use]
    pub const fn observer_suspects_itself(&self) -> bool {
        self.guard.suspects()
    }

    /// Signals whose next verdict is due at `now` or before: one pass over a dense array, for those
    /// who want to look at all of them at once.
    #[must_use]
    pub fn due_signals(&self, now: Instant) -> usize {
        self.schedule.count_due(now)
    }

    /// What every call begins with: time passes, and a stall is noticed.
    fn begin(&mut self, now: Instant) {
        if now < self.now {
            self.counters.clock_regressions += 1;
            return;
        }
        if let Some((at, reason)) = self.wake
            && at <= now
        {
            self.counters.count_wake(reason);
            if now.since(at) > self.config.stall_tolerance {
                self.stop_listening(now);
            }
        }
        self.now = now;
    }

    /// What every call ends with: verdicts that are due by now fall.
    fn end(&mut self) {
        if self.wake.is_none_or(|(at, _)| at > self.now) {
            return;
        }
        self.resume_listening();
        self.sweep(self.now);
        self.settle();
    }

    /// Does everything that is due at or before `until`, in the order of the moments.
    fn sweep(&mut self, until: Instant) {
        loop {
            let signal = self.schedule.peek(until);
            let chore = self.next_chore().filter(|&(at, _)| at <= until);
            match (signal, chore) {
                (Some((due, _)), Some((at, chore))) if at < due => self.do_chore(at, chore),
                (Some((due, slot)), _) => {
                    self.schedule.pop(until);
                    self.fall_due(due, slot);
                }
                (None, Some((at, chore))) => self.do_chore(at, chore),
                (None, None) => break,
            }
        }
    }

    /// Finds out when to be called next.
    fn settle(&mut self) {
        self.wake = self.next_chore();
        match self.schedule.next() {
            Some(Next::Exact(at, slot)) => self.wake_by(at, self.reason(slot)),
            Some(Next::Early(at)) => self.wake_by(at.max(self.now), Wake::Rearm),
            None => {}
        }
    }

    fn wake_by(&mut self, at: Instant, reason: Wake) {
        let listening = self.hearing == Hearing::Listening;
        if listening && self.wake.is_none_or(|(earliest, _)| at < earliest) {
            self.wake = Some((at, reason));
        }
    }

    /// What is to be done besides judging signals, the earliest first.
    fn next_chore(&self) -> Option<(Instant, Wake)> {
        let steady = self.steady.first().map(|&(at, _)| (at, Wake::Steady));
        let guard = self.guard.next();
        match (steady, guard) {
            (Some(steady), Some(guard)) if guard.0 < steady.0 => Some(guard),
            (Some(steady), _) => Some(steady),
            (None, guard) => guard,
        }
    }

    fn do_chore(&mut self, at: Instant, chore: Wake) {
        match chore {
            Wake::Steady => self.stop_flapping(at),
            Wake::MassCheck => self.check_mass(at),
            Wake::MassHold => self.trust_itself(at),
            Wake::Deadline | Wake::Grace | Wake::Rearm | Wake::Drain => {}
        }
    }

    fn reason(&self, slot: u32) -> Wake {
        match self.signals.records[slot as usize].standing {
            Standing::Awaited => Wake::Grace,
            Standing::Up
            | Standing::Late
            | Standing::Down
            | Standing::Held
            | Standing::Told(_)
            | Standing::Paused
            | Standing::Resting
            | Standing::Vacant => Wake::Deadline,
        }
    }

    /// Notes when a signal is due.
    #[inline]
    fn set_due(&mut self, slot: u32, due: Instant) {
        if self.schedule.set(slot, due) {
            self.wake_by(due, self.reason(slot));
        }
    }

    fn say(&mut self, at: Instant, kind: EventKind) {
        self.push(at, None, kind);
    }

    fn say_of(&mut self, at: Instant, target: u32, kind: EventKind) {
        let id = self.targets.id(target).cloned();
        self.push(at, id, kind);
    }

    fn push(&mut self, at: Instant, target: Option<TargetId>, kind: EventKind) {
        let event = Event { at, target, kind };
        self.outputs.push_back(Output::Event(event));
    }
}
