//! Reading the log of metrics.

use alloc::collections::BTreeMap;

use super::config::{Decision, MetricRule};
use super::input::{Counters, Validity};
use super::series::{Kept, Series, Standing};
use super::{MetricLog, MetricLogConfig};
use crate::detector::Level;
use crate::id::{SignalName, TargetId};
use crate::time::Instant;

/// One metric of one peer.
#[derive(Clone, Copy)]
pub struct SeriesView<'a> {
    series: &'a Series,
    rule: &'a MetricRule,
}

impl<'a> SeriesView<'a> {
    /// The peer.
    #[must_use]
    pub const fn peer(&self) -> &'a TargetId {
        &self.series.peer
    }

    /// The metric.
    #[must_use]
    pub const fn metric(&self) -> &'a SignalName {
        &self.series.metric
    }

    /// What is thought of it.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.series.standing
    }

    /// The last readings of its sender since that began, the newest first.
    pub fn readings(&self) -> impl Iterator<Item = &'a Kept> + use<'a> {
        self.series.readings.iter()
    }

    /// The newest reading, if it has a value, its time is not over at `now`, and the metric has not
    /// failed. One whose peer was away, or that an earlier process took, can be over before the
    /// metric fails.
    #[must_use]
    pub fn current(&self, now: Instant) -> Option<&'a Kept> {
        let newest = self.series.good(self.rule, now)?;
        let good = self.series.standing == Standing::Fresh && newest.valid == Validity::Valid;
        good.then_some(newest)
    }

    /// Which run of its sender the readings are of, where it says so.
    #[must_use]
    pub const fn epoch(&self) -> Option<u64> {
        self.series.epoch
    }

    /// When it fails if nothing more comes.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.series.deadline(self.rule).map(|(at, _)| at)
    }

    /// The level of its silence at `now`, where its rhythm decides and is known.
    #[must_use]
    pub fn level(&self, now: Instant) -> Option<Level> {
        match &self.rule.decision {
            Decision::Ttl => None,
            Decision::Accrual(accrual) | Decision::Either(accrual) => {
                self.series.level(accrual, now)
            }
        }
    }
}

impl MetricLog {
    /// The latest reading of a metric of each present peer that has a good one at `now`.
    pub fn last_metrics<'a>(
        &'a self,
        now: Instant,
        metric: &str,
    ) -> impl Iterator<Item = (&'a TargetId, &'a Kept)> + use<'a> {
        let views = self.metric(metric);
        views.filter_map(move |view| Some((view.peer(), view.current(now)?)))
    }

    /// A metric of all peers that have it, by peer.
    pub fn metric<'a>(&'a self, metric: &str) -> impl Iterator<Item = SeriesView<'a>> + use<'a> {
        let slots = self
            .names
            .get(metric)
            .into_iter()
            .flat_map(|of_name| of_name.values());
        slots.filter_map(|&slot| self.view(slot))
    }

    /// The readings of a peer that are good at `now`, by metric.
    pub fn latest_for_peer<'a>(
        &'a self,
        now: Instant,
        peer: &str,
    ) -> impl Iterator<Item = (&'a SignalName, &'a Kept)> + use<'a> {
        let peer = self.peers.get(peer).into_iter();
        let views = peer.flat_map(|peer| peer.series.values());
        let views = views.filter_map(|&slot| self.view(slot));
        views.filter_map(move |view| Some((view.metric(), view.current(now)?)))
    }

    /// One metric of one peer.
    #[must_use]
    pub fn series(&self, metric: &str, peer: &str) -> Option<SeriesView<'_>> {
        self.view(*self.peers.get(peer)?.series.get(metric)?)
    }

    /// The metrics of which there is anything, by name.
    pub fn metric_names(&self) -> impl Iterator<Item = &SignalName> {
        self.names.keys()
    }

    /// The peers that are present, by name.
    pub fn peers(&self) -> impl Iterator<Item = &TargetId> {
        let present = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.forget_at.is_none());
        present.map(|(name, _)| name)
    }

    /// Whether there is such a peer at present.
    #[must_use]
    pub fn is_present(&self, peer: &str) -> bool {
        let peer = self.peers.get(peer);
        peer.is_some_and(|peer| peer.forget_at.is_none())
    }

    /// Whether anything is kept of a peer, present or departed.
    #[must_use]
    pub fn has_of(&self, peer: &str) -> bool {
        self.peers.contains_key(peer)
    }

    /// What has failed at present. Looks at everything.
    pub fn failing(&self) -> impl Iterator<Item = SeriesView<'_>> {
        let slots = 0..self.series.len() as u32;
        let views = slots.filter_map(|slot| self.view(slot));
        views.filter(|view| matches!(view.standing(), Standing::Failed { .. }))
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it was made with.
    #[must_use]
    pub const fn config(&self) -> &MetricLogConfig {
        &self.config
    }

    pub(super) fn view(&self, slot: u32) -> Option<SeriesView<'_>> {
        let series = self.series[slot as usize].as_ref()?;
        let rule = self.config.rule(&series.metric);
        Some(SeriesView { series, rule })
    }

    /// Proves that the parts of the machine agree with each other. Looks at everything.
    ///
    /// # Panics
    /// When they do not, which is a bug of the machine.
    pub fn check_invariants(&self) {
        self.schedule.check_invariants();
        let (mut failing, mut bytes, mut count) = (0, 0, 0);
        for (slot, series) in self.series.iter().enumerate() {
            let Some(series) = series else {
                assert_eq!(self.schedule.due(slot as u32), Instant::FAR_FUTURE);
                continue;
            };
            count += 1;
            let peer = self.peers.get(&series.peer);
            let known = peer.and_then(|peer| peer.series.get(&series.metric));
            assert_eq!(known, Some(&(slot as u32)));
            let departed = peer.is_some_and(|peer| peer.forget_at.is_some());
            assert_eq!(departed, series.standing == Standing::Departed);
            assert!(series.readings.len() <= self.config.0.window);
            failing += usize::from(matches!(series.standing, Standing::Failed { .. }));
            bytes += series.readings.iter().map(|r| r.value.len()).sum::<usize>();
            let due = self.schedule.due(slot as u32);
            let waits = matches!(series.standing, Standing::Awaited | Standing::Fresh);
            assert!(waits || due == Instant::FAR_FUTURE);
            let wake = self.wake.unwrap_or(Instant::FAR_FUTURE);
            assert!(wake <= due || self.hold_until.is_some());
        }
        let counted = (
            self.counters.failing,
            self.counters.values_bytes,
            self.counters.series,
        );
        assert_eq!(counted, (failing, bytes, count));
        assert_eq!(self.names.values().map(BTreeMap::len).sum::<usize>(), count);
        assert!(self.names.values().all(|of_name| !of_name.is_empty()));
    }
}
