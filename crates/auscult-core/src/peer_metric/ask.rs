//! Asking others before a metric fails: what did not come here may have come to them.

use core::time::Duration;

use super::MetricLog;
use super::input::{Output, Reading};
use super::series::{Kept, Series, Standing};
use crate::time::Instant;

/// How long a metric that is due does not fail because others were asked of it: many answers take a
/// letter and its answer, and one that died and is not missed yet gives none.
pub const ASK_PATIENCE: Duration = Duration::from_secs(1);

/// How long after ours a reading may have come to another one that is the same: it was some time on
/// its way to each. Those of a sender that publishes often enough are further apart, or differ.
const SAME_WITHIN: Duration = Duration::from_secs(2);

/// Whether others take what the same peers publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Company {
    /// Nobody does: a metric fails when it is due.
    #[default]
    Alone,
    /// Others do, and are asked before a metric fails.
    Others,
}

impl MetricLog {
    /// A metric is due: whether others are to be asked of it, and were not yet.
    pub(super) fn asks_others(&mut self, slot: u32) -> bool {
        let Some(series) = self.series[slot as usize].as_mut() else {
            return false;
        };
        if self.company == Company::Alone || series.is_asked {
            return false;
        }
        series.is_asked = true;
        self.counters.asked += 1;
        self.outputs.push_back(Output::Ask {
            peer: series.peer.clone(),
            metric: series.metric.clone(),
        });
        self.schedule.set(slot, self.now.after(ASK_PATIENCE));
        true
    }

    /// Whoever could be asked has answered, and what they had was published here: it fails now,
    /// unless it was heard of.
    pub(super) fn take_answers(&mut self, metric: &str, peer: &str) {
        let known = self.peers.get(peer);
        let Some(&slot) = known.and_then(|peer| peer.series.get(metric)) else {
            return;
        };
        let waits = |series: &Series| {
            let judged = matches!(series.standing, Standing::Awaited | Standing::Fresh);
            series.is_asked && judged
        };
        if self.series[slot as usize].as_ref().is_some_and(waits)
            && self.schedule.set(slot, self.now)
        {
            self.wake_by(self.now);
        }
    }

    /// What somebody is to be told who is about to find a metric failed, as the newest that came
    /// there came at `theirs`: the newest reading here, if its time is not over and it came later,
    /// or may have: a question is some time on its way, and whoever asks knows what it has.
    /// One that an earlier process took has its time again here alone, and is no answer.
    #[must_use]
    pub fn newer_than(
        &self,
        now: Instant,
        metric: &str,
        peer: &str,
        theirs: Option<Instant>,
    ) -> Option<&Kept> {
        let known = self.peers.get(peer)?;
        let slot = *known.series.get(metric)?;
        let series = self.series[slot as usize].as_ref()?;
        let good = series.good(self.config.rule(&series.metric), now)?;
        let is_newer = theirs.is_none_or(|it| it.before(SAME_WITHIN) < good.received_at);
        let is_here = series.standing == Standing::Fresh && good.earlier.is_zero();
        (is_newer && is_here).then_some(good)
    }

    /// Whether a reading that came to another one at this moment is old here: the newest one is as
    /// new.
    #[must_use]
    pub fn has(&self, reading: &Reading<'_>, received_at: Instant) -> bool {
        let view = self.series(reading.metric, reading.peer);
        let newest = view.and_then(|view| view.readings().next());
        newest.is_some_and(|newest| received_at <= newest.received_at)
    }

    /// Whether it may be known here: the newest one is as new, or says the same and came so little
    /// before that it may be the same one.
    #[must_use]
    pub fn may_have(&self, reading: &Reading<'_>, received_at: Instant) -> bool {
        let Some(view) = self.series(reading.metric, reading.peer) else {
            return false;
        };
        let says_the_same = |newest: &Kept| {
            *newest.value == *reading.value
                && (newest.ttl, newest.valid) == (reading.ttl, reading.valid)
                && (newest.weight, view.epoch()) == (reading.weight, reading.epoch)
        };
        let is_near = |newest: &Kept| {
            let within = SAME_WITHIN.min(reading.ttl / 2);
            received_at <= newest.received_at.after(within)
        };
        let newest = view.readings().next();
        let is_same = newest.is_some_and(|newest| says_the_same(newest) && is_near(newest));
        is_same || self.has(reading, received_at)
    }
}
