//! The mass guard: when most targets fall silent at once, the observer suspects itself.

use core::time::Duration;

use super::Monitor;
use super::event::{Cause, EventKind};
use super::input::Wake;
use super::signals::{NONE, Standing};
use super::targets::Judging;
use crate::time::Instant;

/// What the observer thinks of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MassGuard {
    /// It hears well; this was so when it last looked at all targets.
    Trusts { looked_at: Option<Instant> },
    /// It holds verdicts back.
    Suspects {
        since: Instant,
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
        if off || looked_at.is_some_and(|looked_at| at < looked_at.after(LOOK_EVERY)) {
            return false;
        }
        let share = self.share(self.expected_at(slot), at);
        let enough = share.judged() >= self.config.mass_targets_min;
        if !(enough && share.reaches(self.config.mass_fraction)) {
            self.guard = MassGuard::Trusts {
                looked_at: Some(at),
            };
            return false;
        }
        self.counters.mass_guards += 1;
        self.guard = MassGuard::Suspects {
            since: at,
            check_at: at.after(CHECK_EVERY),
            hold_until: at.after(self.config.mass_hold),
        };
        self.wake_by(at, Wake::MassCheck);
        let (overdue, judged) = (share.overdue, share.judged());
        self.say(
            at,
            None,
            EventKind::ObserverSuspectsItself { overdue, judged },
        );
        true
    }

    /// Looks whether enough targets are heard again.
    pub(super) fn check_mass(&mut self, at: Instant) {
        let MassGuard::Suspects {
            since,
            ref mut check_at,
            ..
        } = self.guard
        else {
            return;
        };
        *check_at = at.after(CHECK_EVERY);
        let share = self.share(since, at);
        let enough = share.judged() >= self.config.mass_targets_min;
        if enough && !share.reaches(self.config.mass_fraction * LIFTS_AT) {
            self.lift(at, share);
        }
    }

    /// Verdicts were held back for long enough.
    pub(super) fn trust_itself(&mut self, at: Instant) {
        if let MassGuard::Suspects { since, .. } = self.guard {
            let share = self.share(since, at);
            self.lift(at, share);
        }
    }

    fn lift(&mut self, at: Instant, share: Share) {
        self.guard = MassGuard::Trusts { looked_at: None };
        let (overdue, judged) = (share.overdue, share.judged());
        self.say(
            at,
            None,
            EventKind::ObserverTrustsItself { overdue, judged },
        );
        for slot in 0..self.signals.records.len() as u32 {
            if self.signals.records[slot as usize].standing == Standing::Held {
                self.pass(slot, Standing::Down, at, Cause::ObserverTrustsItself);
            }
        }
    }

    /// When the arrival that a signal misses was expected.
    fn expected_at(&self, slot: u32) -> Instant {
        let record = &self.signals.records[slot as usize];
        let config = self.kinds[record.kind].config.detector();
        let expected = record.state.last_arrival().map(|last| {
            let mean = record.state.statistics(config).mean;
            last.after(mean)
        });
        self.extended(slot, expected)
    }

    /// How many targets are overdue, and how many were heard since `since`. Only those count that would be
    /// overdue by now if they had fallen silent at `since`: of a slow one nothing can be told yet. Who is
    /// down already is not counted, as it did not fall silent now; nor is who was never heard.
    fn share(&self, since: Instant, at: Instant) -> Share {
        let span = at.since(since).saturating_sub(self.deaf.overlap(since, at));
        let mut share = Share::default();
        for target in 0..self.targets.slots() as u32 {
            let first = match self.targets.get(target) {
                Some(record) if record.judging == Judging::Running => record.first,
                Some(_) | None => NONE,
            };
            let (mut heard, mut overdue) = (false, false);
            for slot in self.signals.chain(first) {
                let record = &self.signals.records[slot as usize];
                if !matches!(
                    record.standing,
                    Standing::Up | Standing::Late | Standing::Held
                ) {
                    continue;
                }
                let kind = &self.kinds[record.kind];
                let due = record.state.deadline(kind.config.detector(), &kind.overdue);
                let (Some(last), Some(due)) = (record.state.last_arrival(), due) else {
                    continue;
                };
                if due.since(last) > span {
                    continue;
                }
                overdue |= self.deaf.extend(last, due) <= at;
                heard |= self.deaf.extend(last, due) > at && last >= since;
            }
            share.heard += usize::from(heard);
            share.overdue += usize::from(overdue && !heard);
        }
        share
    }
}

/// All targets are looked at at most this often: it costs some milliseconds for a million.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often a suspicion is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The share at which the observer trusts itself again, of the one at which it suspected itself.
const LIFTS_AT: f64 = 0.75;
