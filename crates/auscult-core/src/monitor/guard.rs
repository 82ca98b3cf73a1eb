//! The mass guard: when most targets fall silent at once, the observer suspects itself.

use core::time::Duration;

use super::Monitor;
use super::event::{Cause, EventKind};
use super::input::Wake;
use super::signals::{self, Standing};
use super::targets::Judging;
use crate::time::Instant;

/// What the observer thinks of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MassGuard {
    /// It hears well; this was so when it last looked at all targets.
    Trusts { looked_at: Option<Instant> },
    /// It holds verdicts back.
    Suspects {
        /// Who fell silent before is not counted.
        from: Instant,
        check_at: Instant,
        hold_until: Instant,
    },
}

/// Targets of which something can be told by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    overdue: usize,
    heard: usize,
}

impl Share {
    fn add(&mut self, heard: bool, overdue: bool) {
        self.heard += usize::from(heard);
        self.overdue += usize::from(overdue && !heard);
    }

    const fn judged(self) -> usize {
        self.overdue + self.heard
    }

    fn reaches(self, fraction: f64) -> bool {
        self.overdue as f64 >= fraction * self.judged() as f64
    }
}

impl MassGuard {
    pub(super) const fn new() -> Self {
        Self::Trusts { looked_at: None }
    }

    pub(super) const fn suspects(&self) -> bool {
        matches!(self, Self::Suspects { .. })
    }

    pub(super) fn next(&self) -> Option<(Instant, Wake)> {
        match *self {
            Self::Trusts { .. } => None,
            Self::Suspects {
                check_at,
                hold_until,
                ..
            } if check_at < hold_until => Some((check_at, Wake::MassCheck)),
            Self::Suspects { hold_until, .. } => Some((hold_until, Wake::MassHold)),
        }
    }
}

impl Monitor {
    /// Whether the verdict `down` on a signal, due now, is held back.
    pub(super) fn holds_back(&mut self, slot: u32, at: Instant) -> bool {
        let looked_at = match self.guard {
            MassGuard::Suspects { .. } => return true,
            MassGuard::Trusts { looked_at } => looked_at,
        };
        let off =
            self.config.mass_fraction > 1.0 || self.targets.len() < self.config.mass_targets_min;
        let pause = Duration::from_nanos(self.signals.len() as u64 * LOOK_EVERY_NANOS_PER_SIGNAL);
        if off || looked_at.is_some_and(|looked_at| at < looked_at.after(pause)) {
            return false;
        }
        let last = self.signals.records[slot as usize].state.last_arrival();
        let from = last.unwrap_or(at);
        let share = self.share(from, at);
        let enough = share.judged() >= self.config.mass_targets_min;
        if !(enough && share.reaches(self.config.mass_fraction)) {
            self.guard = MassGuard::Trusts {
                looked_at: Some(at),
            };
            return false;
        }
        self.counters.mass_guards += 1;
        self.guard = MassGuard::Suspects {
            from,
            check_at: at.after(CHECK_EVERY),
            hold_until: at.after(self.config.mass_hold),
        };
        self.wake_by(at, Wake::MassCheck);
        let (overdue, judged) = (share.overdue, share.judged());
        self.say(at, EventKind::ObserverSuspectsItself { overdue, judged });
        true
    }

    /// Looks whether enough targets are heard again.
    pub(super) fn check_mass(&mut self, at: Instant) {
        let MassGuard::Suspects {
            from,
            ref mut check_at,
            ..
        } = self.guard
        else {
            return;
        };
        // From now on, as those that a late call has missed would all see the same.
        *check_at = self.now.after(CHECK_EVERY);
        let share = self.share(from, at);
        let enough = share.judged() >= self.config.mass_targets_min;
        if enough && !share.reaches(self.config.mass_fraction * LIFTS_AT) {
            self.lift(at, share);
        }
    }

    /// Verdicts were held back for long enough.
    pub(super) fn trust_itself(&mut self, at: Instant) {
        if let MassGuard::Suspects { from, .. } = self.guard {
            let share = self.share(from, at);
            self.lift(at, share);
        }
    }

    fn lift(&mut self, at: Instant, share: Share) {
        self.guard = MassGuard::Trusts { looked_at: None };
        let (overdue, judged) = (share.overdue, share.judged());
        self.say(at, EventKind::ObserverTrustsItself { overdue, judged });
        for slot in 0..self.signals.records.len() as u32 {
            let held = self.signals.records[slot as usize].standing == Standing::Held;
            if held && !self.fault_is_ours(slot) {
                self.pass(slot, Standing::Down, at, Cause::ObserverTrustsItself);
            }
        }
    }

    /// How many targets fell silent after `from`, and how many did not, as far as that can be told
    /// by now.
    ///
    /// A signal is overdue two standard deviations after its arrival was expected. The first of
    /// those missed arrivals tells when the silence began, and who was heard after that is well.
    /// For a fair count, an arrival of the last moments counts for nothing where a missing one
    /// would not count yet. Of a slow signal nothing can be told until it was expected once. Who
    /// fell silent before `from` is not counted, and nor is who was never heard.
    fn share(&self, from: Instant, at: Instant) -> Share {
        let missed = self
            .judged_signals()
            .filter_map(|(_, record)| self.expectation(record))
            .filter(|expected| expected.is_overdue(at) && expected.at >= from);
        let began = missed.map(|expected| expected.at).min().unwrap_or(from);
        let mut share = Share::default();
        let (mut target, mut heard, mut overdue) = (u32::MAX, false, false);
        for (owner, record) in self.judged_signals() {
            if owner != target {
                share.add(heard, overdue);
                (target, heard, overdue) = (owner, false, false);
            }
            if let Some(expected) = self.expectation(record) {
                let silent = expected.is_overdue(at);
                overdue |= silent && expected.at >= from;
                heard |= !silent && expected.was_met(began, at);
            }
        }
        share.add(heard, overdue);
        share
    }

    /// The signals of all targets that are judged, with their targets.
    fn judged_signals(&self) -> impl Iterator<Item = (u32, &signals::Record)> {
        let firsts = (0..self.targets.slots() as u32).filter_map(|target| {
            let record = self.targets.get(target)?;
            (record.judging == Judging::Running).then_some((target, record.first))
        });
        firsts.flat_map(move |(target, first)| {
            let chain = self.signals.chain(first);
            chain.map(move |slot| (target, &self.signals.records[slot as usize]))
        })
    }

    /// When the next arrival of a signal is expected.
    fn expectation(&self, record: &signals::Record) -> Option<Expectation> {
        match record.standing {
            Standing::Up | Standing::Late | Standing::Down | Standing::Held => {}
            Standing::Awaited
            | Standing::Told(_)
            | Standing::Paused
            | Standing::Resting
            | Standing::Vacant => return None,
        }
        let kind = &self.kinds[record.kind];
        let config = kind.config.detector();
        let last = record.state.last_arrival()?;
        let due = record.state.deadline(config, &kind.overdue)?;
        let mean = record.state.statistics(config).mean;
        let expected = last.after(mean).min(due);
        Some(Expectation {
            last,
            at: self.deaf.extend(last, expected),
            overdue_at: self.deaf.extend(last, due),
        })
    }
}

/// What can be expected of a signal.
#[derive(Clone, Copy, Debug)]
struct Expectation {
    /// The last arrival.
    last: Instant,
    /// When the next one is expected.
    at: Instant,
    /// From when on it is clearly missing.
    overdue_at: Instant,
}

impl Expectation {
    fn is_overdue(self, at: Instant) -> bool {
        self.overdue_at <= at
    }

    /// Whether the signal was heard after a silence of others `began`, early enough that it would
    /// be overdue by now otherwise.
    fn was_met(self, began: Instant, at: Instant) -> bool {
        let slack = self.overdue_at.since(self.at);
        let surely = began.after(self.overdue_at.since(self.last)) <= at;
        self.last >= began && (surely || self.last.after(slack) <= at)
    }
}

/// The share at which the observer trusts itself again, of the one at which it suspected itself.
const LIFTS_AT: f64 = 0.75;

/// How often a suspicion is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A look at all targets costs some 50 ns for each signal. It is not repeated before four times as
/// much has passed.
const LOOK_EVERY_NANOS_PER_SIGNAL: u64 = 200;
