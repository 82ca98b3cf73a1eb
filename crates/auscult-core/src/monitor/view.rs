//! Reading the machine. Reading changes nothing, so no scrape can change a verdict.

use core::time::Duration;

use super::Monitor;
use super::config::SignalConfig;
use super::input::SignalKey;
use super::signals::{self, Standing};
use super::status::{Failure, Status};
use super::target::Labels;
use super::targets::{self, Judging};
use crate::detector::{Level, Statistics};
use crate::id::{SignalName, TargetId};
use crate::time::Instant;

/// A target as it is at present.
#[derive(Clone, Copy)]
pub struct TargetView<'a> {
    monitor: &'a Monitor,
    head: &'a targets::Head,
    id: &'a TargetId,
    slot: u32,
}

/// A signal as it is at present.
#[derive(Clone, Copy)]
pub struct SignalView<'a> {
    monitor: &'a Monitor,
    record: &'a signals::Record,
    slot: u32,
}

impl<'a> TargetView<'a> {
    pub(super) fn new(monitor: &'a Monitor, slot: u32) -> Option<Self> {
        Some(Self {
            monitor,
            head: monitor.targets.get(slot)?,
            id: monitor.targets.id(slot)?,
            slot,
        })
    }

    fn course(&self) -> targets::Course {
        self.monitor.targets.course(self.slot)
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &'a TargetId {
        self.id
    }

    /// Where it stands among all: to go on reading behind it, see
    /// [`Monitor::targets_from`](super::Monitor::targets_from).
    #[must_use]
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// What an operator says about it.
    #[must_use]
    pub fn labels(&self) -> &'a Labels {
        self.monitor.targets.labels(self.slot)
    }

    /// When it was added.
    #[must_use]
    pub fn added_at(&self) -> Instant {
        self.course().added_at
    }

    /// The verdict: the worst of its signals'.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.head.status
    }

    /// Since when it has this status.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.course().since
    }

    /// Whether an operator asked not to judge it.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.head.judging == Judging::Paused
    }

    /// Whether it is left to others who observe it: then nothing is seen of it here.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.head.judging == Judging::Resting
    }

    /// How often its status changed lately, from 0 (never) to 1. One outage is about 0.27, three
    /// within a few minutes 0.5; every change fades to a half in 5 min.
    #[must_use]
    pub fn flap_score(&self, now: Instant) -> f64 {
        let course = self.course();
        course.flap.faded(now.since(course.since)).score()
    }

    /// Whether the score crossed the upper mark (0.5) and was not at the lower one (0.3) since.
    #[must_use]
    pub fn flapping(&self) -> bool {
        self.monitor.targets.is_flapping(self.slot)
    }

    /// Changes of its status since it was added.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        u64::from(self.course().transitions)
    }

    /// Its signals, in the order of its settings.
    pub fn signals(&self) -> impl Iterator<Item = SignalView<'a>> + use<'a> {
        let monitor = self.monitor;
        let chain = monitor.signals.chain(self.head.first);
        chain.map(move |slot| SignalView {
            monitor,
            record: &monitor.signals.records[slot as usize],
            slot,
        })
    }
}

impl<'a> SignalView<'a> {
    pub(super) const fn record(&self) -> &'a signals::Record {
        self.record
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a SignalName {
        &self.monitor.kinds[self.record.kind].name
    }

    /// Stands for it as long as it is watched.
    #[must_use]
    pub fn key(&self) -> SignalKey {
        self.monitor.signals.key(self.slot)
    }

    /// The verdict on this signal alone.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.record.standing.status()
    }

    /// The level of suspicion at `now`. Time in which nobody listened does not count.
    #[must_use]
    pub fn level(&self, now: Instant) -> Level {
        self.monitor.level(self.slot, now)
    }

    /// When the next verdict falls if nothing arrives: late, down, or the end of the grace. `None`
    /// if there is none to come.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let due = match self.record.standing {
            // The moment after which arrivals are not in a row any more is no verdict.
            Standing::Down => Instant::FAR_FUTURE,
            Standing::Awaited
            | Standing::Up
            | Standing::Late
            | Standing::Held
            | Standing::Told(_)
            | Standing::Paused
            | Standing::Resting
            | Standing::Vacant => self.monitor.schedule.due(self.slot),
        };
        (due != Instant::FAR_FUTURE).then_some(due)
    }

    /// The newest arrival that was taken.
    #[must_use]
    pub fn last_arrival(&self) -> Option<Instant> {
        self.record.state.last_arrival()
    }

    /// Arrivals that were taken since it was added.
    #[must_use]
    pub const fn arrivals(&self) -> u64 {
        self.record.arrivals
    }

    /// What its detector works with.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.record.state.statistics(self.config().detector())
    }

    /// The intervals that its detector remembers, newest first. Only a window remembers them.
    pub fn recent_intervals(&self) -> impl Iterator<Item = Duration> + use<'a> {
        let (record, config) = (self.record, self.config());
        record.state.recent_intervals(config.detector())
    }

    /// How it is judged.
    #[must_use]
    pub fn config(&self) -> &'a SignalConfig {
        &self.monitor.kinds[self.record.kind].config
    }

    /// The last failed check since the last arrival: when, and why.
    #[must_use]
    pub fn last_failure(&self) -> Option<(Instant, Failure)> {
        self.monitor.signals.failure(self.slot)
    }

    /// What those said last who judge it in place of its detector.
    #[must_use]
    pub fn told(&self) -> Option<&'a str> {
        self.monitor
            .signals
            .words(self.slot)
            .map(|words| &*words.why)
    }

    /// When its target was added.
    #[must_use]
    pub fn added_at(&self) -> Instant {
        let target = self.monitor.signals.target(self.slot);
        self.monitor.targets.course(target).added_at
    }
}
