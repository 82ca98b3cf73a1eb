//! The status rule when time passes, and what is said of a change.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use super::Monitor;
use super::event::{Cause, EventKind, Evidence};
use super::input::Wake;
use super::kinds::Kind;
use super::signals::Standing;
use super::status::{Failure, Status};
use super::targets::Judging;
use crate::detector::Level;
use crate::time::Instant;

/// What changed a status, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Why {
    pub(super) at: Instant,
    pub(super) cause: Cause,
    /// The last arrival before.
    pub(super) before: Option<Instant>,
}

impl Monitor {
    pub(super) fn kind(&self, slot: u32) -> &Kind {
        &self.kinds[self.signals.records[slot as usize].kind]
    }

    /// When the signal will be late, if nothing arrives.
    #[inline]
    pub(super) fn late_at(&self, slot: u32) -> Instant {
        let record = &self.signals.records[slot as usize];
        let kind = &self.kinds[record.kind];
        let due = record.state.deadline(kind.config.detector(), &kind.late);
        self.extended(slot, due)
    }

    /// When the signal will be down, if nothing arrives.
    pub(super) fn down_at(&self, slot: u32) -> Instant {
        let record = &self.signals.records[slot as usize];
        let kind = &self.kinds[record.kind];
        let due = record.state.deadline(kind.config.detector(), &kind.down);
        self.extended(slot, due)
    }

    #[inline]
    pub(super) fn extended(&self, slot: u32, due: Option<Instant>) -> Instant {
        let last = self.signals.records[slot as usize].state.last_arrival();
        match (due, last) {
            (Some(due), Some(last)) => self.deaf.extend(last, due),
            (None, _) | (_, None) => Instant::FAR_FUTURE,
        }
    }

    /// When the next verdict on a signal is due, by what is known of it. Not for one that is
    /// awaited: its grace is known by its due moment alone.
    pub(super) fn due_of(&self, slot: u32) -> Instant {
        let record = &self.signals.records[slot as usize];
        match record.standing {
            Standing::Up => self.late_at(slot),
            Standing::Late => self.down_at(slot),
            Standing::Down if record.streak > 0 => self.down_at(slot),
            Standing::Down
            | Standing::Held
            | Standing::Told(_)
            | Standing::Paused
            | Standing::Resting
            | Standing::Vacant => Instant::FAR_FUTURE,
            Standing::Awaited => self.schedule.due(slot),
        }
    }

    pub(super) fn level(&self, slot: u32, now: Instant) -> Level {
        let record = &self.signals.records[slot as usize];
        if let Standing::Told(verdict) = record.standing {
            return self.told_level(slot, verdict);
        }
        let Some(last) = record.state.last_arrival() else {
            return Level::ZERO;
        };
        let config = self.kinds[record.kind].config.detector();
        record.state.level(config, self.deaf.heard_time(last, now))
    }

    /// The status rule at the moment at which a signal is due.
    pub(super) fn fall_due(&mut self, at: Instant, slot: u32) {
        let fault_is_ours = self.fault_is_ours(slot);
        let record = &mut self.signals.records[slot as usize];
        match record.standing {
            Standing::Up | Standing::Late | Standing::Awaited if fault_is_ours => {
                self.pass(slot, Standing::Held, at, Cause::ObserverAtFault);
            }
            Standing::Up => self.pass(slot, Standing::Late, at, Cause::Silence),
            Standing::Late => {
                if self.holds_back(slot, at) {
                    self.pass(slot, Standing::Held, at, Cause::ObserverSuspectsItself);
                } else {
                    self.pass(slot, Standing::Down, at, Cause::Silence);
                }
            }
            Standing::Awaited => self.end_grace(slot, at),
            // Not enough arrivals in a row.
            Standing::Down => record.streak = 0,
            Standing::Held
            | Standing::Told(_)
            | Standing::Paused
            | Standing::Resting
            | Standing::Vacant => {}
        }
    }

    /// Whether the last check could not be made at all: then the silence is not the target's.
    pub(super) fn fault_is_ours(&self, slot: u32) -> bool {
        matches!(self.signals.failure(slot), Some((_, Failure::Local)))
    }

    fn end_grace(&mut self, slot: u32, at: Instant) {
        let heard = self.signals.records[slot as usize].state.last_arrival();
        let down_at = self.down_at(slot);
        if heard.is_some() && down_at > at {
            // Resumed, and heard before: the silence is not long enough yet.
            self.set_due(slot, down_at);
        } else if self.guard.suspects() {
            self.pass(slot, Standing::Held, at, Cause::ObserverSuspectsItself);
        } else if heard.is_some() {
            self.pass(slot, Standing::Down, at, Cause::Silence);
        } else {
            self.pass(slot, Standing::Down, at, Cause::NeverHeard);
        }
    }

    /// Gives a signal its standing because time passed.
    pub(super) fn pass(&mut self, slot: u32, standing: Standing, at: Instant, cause: Cause) {
        let before = self.signals.records[slot as usize].state.last_arrival();
        self.stand(slot, standing, Why { at, cause, before });
    }

    /// Gives a signal its standing, notes when the next verdict on it is due, and says what
    /// changed.
    pub(super) fn stand(&mut self, slot: u32, standing: Standing, why: Why) {
        let record = &mut self.signals.records[slot as usize];
        let from = record.standing.status();
        record.standing = standing;
        record.streak = 0;
        let due = self.due_of(slot);
        self.set_due(slot, due);
        self.tell(slot, from, why);
    }

    /// Says that a signal had the status `from` before: one event at most.
    pub(super) fn tell(&mut self, slot: u32, from: Status, mut why: Why) {
        let target = self.signals.target(slot);
        let to = self.signals.records[slot as usize].standing.status();
        let Some(head) = self.targets.get(target) else {
            return;
        };
        // An arrival may be older than a verdict that fell already; what is said stays in order.
        why.at = why.at.max(self.targets.course(target).since);
        if self.worst(target) != head.status {
            self.turn(target, slot, why);
        } else if to != from && !self.signals.is_alone(head.first) {
            let evidence = Box::new(self.evidence(slot, to, why));
            let kind = EventKind::SignalTransition { from, to, evidence };
            self.say_of(why.at, target, kind);
        }
    }

    /// The worst status of a target's signals.
    pub(super) fn worst(&self, target: u32) -> Status {
        let Some(head) = self.targets.get(target) else {
            return Status::Unknown;
        };
        if head.judging == Judging::Paused {
            return Status::Paused;
        }
        let statuses = self
            .signals
            .chain(head.first)
            .map(|slot| self.signals.records[slot as usize].standing.status());
        statuses
            .max_by_key(|status| status.severity())
            .unwrap_or(Status::Unknown)
    }

    /// Changes the status of a target to that of its worst signal. `slot` is the signal that
    /// decided.
    pub(super) fn turn(&mut self, target: u32, slot: u32, why: Why) {
        let at = why.at;
        let to = self.worst(target);
        let was_flapping = self.targets.is_flapping(target);
        let Some((head, course)) = self.targets.get_mut(target) else {
            return;
        };
        let from = core::mem::replace(&mut head.status, to);
        let was_steady_at = course.flap.steady_at(course.since);
        let mut flap = course.flap.faded(at.since(course.since));
        let counts = match why.cause {
            Cause::Operator | Cause::Settings => false,
            Cause::Arrival
            | Cause::Silence
            | Cause::NeverHeard
            | Cause::Told
            | Cause::ObserverAtFault
            | Cause::ObserverSuspectsItself
            | Cause::ObserverTrustsItself => true,
        };
        if counts {
            flap = flap.changed();
        }
        course.flap = flap;
        course.since = at;
        course.transitions = course.transitions.saturating_add(1);
        self.counters.count_transition(from, to);
        let evidence = Box::new(self.evidence(slot, to, why));
        self.say_of(at, target, EventKind::Transition { from, to, evidence });
        let starts = counts && !was_flapping && flap.starts();
        if was_flapping {
            self.steady.remove(&(was_steady_at, target));
        }
        if was_flapping || starts {
            let steady_at = flap.steady_at(at);
            self.steady.insert((steady_at, target));
            self.wake_by(steady_at, Wake::Steady);
        }
        if starts {
            self.targets.start_flapping(target);
            self.counters.flapping = self.targets.flapping();
            let score = flap.score();
            self.say_of(at, target, EventKind::FlappingStarted { score });
        }
    }

    /// The score of the target that comes first has fallen to the lower mark.
    pub(super) fn stop_flapping(&mut self, at: Instant) {
        let Some((_, target)) = self.steady.pop_first() else {
            return;
        };
        self.targets.stop_flapping(target);
        self.counters.flapping = self.targets.flapping();
        let course = self.targets.course(target);
        let score = course.flap.faded(at.since(course.since)).score();
        self.say_of(at, target, EventKind::FlappingStopped { score });
    }

    fn evidence(&self, slot: u32, to: Status, why: Why) -> Evidence {
        let record = &self.signals.records[slot as usize];
        let kind = &self.kinds[record.kind];
        let detector = kind.config.detector();
        let statistics = record.state.statistics(detector);
        let threshold = match to {
            Status::Up | Status::Late | Status::Paused => kind.config.late(),
            Status::Down | Status::Unknown => kind.config.down(),
        };
        Evidence {
            signal: kind.name.clone(),
            cause: why.cause,
            level: self.level(slot, why.at),
            threshold,
            last_arrival: record.state.last_arrival(),
            silence: why
                .before
                .map_or(Duration::ZERO, |before| why.at.since(before)),
            recent_intervals: record
                .state
                .recent_intervals(detector)
                .take(RECENT_INTERVALS)
                .collect(),
            mean: statistics.mean,
            std_deviation: statistics.std_deviation,
            samples: statistics.samples,
            last_failure: self.signals.failure(slot),
            told: self.signals.words(slot).map(|words| Arc::clone(&words.why)),
            config: kind.config.clone(),
        }
    }
}

/// Intervals in the evidence: enough to see a rhythm.
const RECENT_INTERVALS: usize = 8;
