//! Reading the machine.

use super::episodes::Row;
use super::group::Duty;
use super::input::Phase;
use super::key::{AlertId, Subject};
use super::lane::{Breaker, LaneCounters};
use super::matcher::Silence;
use super::record::Record;
use super::rule::Receiver;
use super::{AlertConfig, Alerts, Counters};
use crate::id::{SilenceName, TargetId};
use crate::time::Instant;

/// Why nobody is told that an alert fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppression<'a> {
    /// A silence covers it.
    Silenced(&'a SilenceName),
    /// All targets on which its subject depends have alerts; this is the first of them.
    Inhibited(&'a TargetId),
}

/// An alert.
#[derive(Clone, Copy)]
pub struct AlertView<'a> {
    alerts: &'a Alerts,
    id: AlertId,
    row: &'a Row,
}

impl<'a> AlertView<'a> {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> AlertId {
        self.id
    }

    /// What outlives the process. Of an alert that is pending for the first time, the episode is 0.
    #[must_use]
    pub const fn record(&self) -> &'a Record {
        &self.row.record
    }

    /// How far it is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        if self.row.record.fires() {
            Phase::Firing
        } else if self.row.pending.is_some() {
            Phase::Pending
        } else {
            Phase::Resolved
        }
    }

    /// Since when its condition is met, while it is pending.
    #[must_use]
    pub const fn pending_since(&self) -> Option<Instant> {
        self.row.pending
    }

    /// Who tells of it.
    #[must_use]
    pub const fn duty(&self) -> &'a Duty {
        &self.row.duty
    }

    /// Why nobody is told that it fires, if that is so.
    #[must_use]
    pub fn suppression(&self) -> Option<Suppression<'a>> {
        self.alerts.suppression(self.id)
    }
}

/// The way to a receiver.
#[derive(Clone, Copy, Debug)]
pub struct LaneView<'a> {
    /// The receiver.
    pub receiver: &'a Receiver,
    /// Alerts of which there is something to tell.
    pub queued: usize,
    /// Messages on their way.
    pub in_flight: usize,
    /// Failures since the last answer.
    pub failures: u32,
    /// Whether it is taken to be there.
    pub breaker: Breaker,
    /// What was counted.
    pub counters: LaneCounters,
    /// When it confirmed anything last, in this process.
    pub confirmed_at: Option<Instant>,
}

impl Alerts {
    /// An alert.
    #[must_use]
    pub fn alert(&self, id: AlertId) -> Option<AlertView<'_>> {
        let row = self.rows.get(&id)?;
        let alerts = self;
        Some(AlertView { alerts, id, row })
    }

    /// All alerts, in the order of their ids: those that are pending or fire, and those that were
    /// over lately or whose end is still to be told.
    pub fn alerts(&self) -> impl Iterator<Item = AlertView<'_>> {
        let alerts = self;
        let rows = self.rows.iter();
        rows.map(move |(&id, row)| AlertView { alerts, id, row })
    }

    /// The subjects that have alerts.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.keys()
    }

    /// The silences that are not over, by name.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    /// How many alerts that fire are covered by this silence at present. Looks at all of them.
    #[must_use]
    pub fn covered_by(&self, silence: &SilenceName) -> usize {
        let Some(silence) = self.silences.get(silence) else {
            return 0;
        };
        let firing = self.rows.values().filter(|row| row.record.fires());
        firing
            .filter(|row| silence.covers(&row.record.labelled(), self.now))
            .count()
    }

    /// The ways to the receivers, by name.
    pub fn lanes(&self) -> impl Iterator<Item = LaneView<'_>> {
        self.lanes.iter().filter_map(|(name, lane)| {
            let receiver = self.config.receivers.get(name)?;
            Some(LaneView {
                receiver,
                queued: lane.queue.len(),
                in_flight: lane.in_flight.len(),
                failures: lane.failures,
                breaker: lane.breaker(receiver, self.now),
                counters: lane.counters,
                confirmed_at: lane.confirmed_at,
            })
        })
    }

    /// Messages that wait for what they tell to be on the disk.
    #[must_use]
    pub fn held_messages(&self) -> usize {
        self.writing.held()
    }

    /// Whether anything is not on the disk yet.
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        self.writing.is_under_way() || !self.writing.is_empty()
    }

    /// The rules and receivers in force.
    #[must_use]
    pub const fn config(&self) -> &AlertConfig {
        &self.config
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Why nobody is to be told that an alert fires, if that is so.
    pub(super) fn suppression(&self, id: AlertId) -> Option<Suppression<'_>> {
        let record = &self.rows.get(&id)?.record;
        let labelled = record.labelled();
        let mut silences = self.silences.values();
        if let Some(silence) = silences.find(|s| s.covers(&labelled, self.now)) {
            return Some(Suppression::Silenced(&silence.name));
        }
        let first = record.parents.first()?;
        let all = record.parents.iter().all(|parent| self.has_alert(parent));
        all.then_some(Suppression::Inhibited(first))
    }

    fn has_alert(&self, target: &TargetId) -> bool {
        let ids = self.subjects.get(&Subject::Target(target.clone()));
        let mut rows = ids.into_iter().flatten().filter_map(|id| self.rows.get(id));
        rows.any(Row::is_active)
    }
}
