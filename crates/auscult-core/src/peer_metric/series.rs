//! One metric of one peer: its last readings, and when it has failed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

use super::ACCRUAL_READINGS_MIN;
use super::config::{Accrual, Decision, MetricRule};
use super::input::{Cause, Reading, Validity};
use crate::detector::{Level, normal_deviations, normal_level};
use crate::id::{SignalName, TargetId};
use crate::time::{Instant, nanos};

/// One metric of one peer.
pub(super) struct Series {
    pub(super) peer: TargetId,
    pub(super) metric: SignalName,
    /// The readings, the newest first.
    pub(super) readings: VecDeque<Kept>,
    /// Which run of the sender those readings are of, where it says so.
    pub(super) epoch: Option<u64>,
    /// Since when it is expected.
    pub(super) expected_since: Instant,
    pub(super) standing: Standing,
}

/// A reading that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The value.
    pub value: Box<str>,
    /// When it arrived.
    pub received_at: Instant,
    /// How long it is good for.
    pub ttl: Duration,
    /// Whether it has a value.
    pub valid: Validity,
    /// How much it counts.
    pub weight: i64,
}

/// What is thought of a metric of a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// It is not heard of yet, and may still come.
    Awaited,
    /// It is heard of.
    Fresh,
    /// It has failed.
    Failed {
        /// Since when.
        at: Instant,
        /// Why.
        cause: Cause,
    },
    /// Its peer departed, so it is not judged.
    Departed,
}

impl Series {
    /// Whether a reading is the first one of another run of its sender.
    pub(super) fn begins_anew(&self, reading: &Reading<'_>) -> bool {
        let runs = reading.epoch.zip(self.epoch);
        !self.readings.is_empty() && runs.is_some_and(|(next, last)| next != last)
    }

    /// When it fails if nothing more comes, and why. None if it never does.
    pub(super) fn deadline(&self, rule: &MetricRule) -> Option<(Instant, Cause)> {
        let Some(newest) = self.readings.front() else {
            let grace = rule.grace?;
            let at = self.expected_since.after(grace);
            return Some((at, Cause::NeverReported { grace }));
        };
        let ttl = newest.ttl;
        // A peer that comes back has as much time again.
        let by_ttl = newest.received_at.max(self.expected_since).after(ttl);
        let by_ttl = (by_ttl, Cause::Expired { ttl });
        Some(match rule.decision {
            Decision::Ttl => by_ttl,
            Decision::Accrual(accrual) => self.improbable_at(&accrual).unwrap_or(by_ttl),
            Decision::Either(accrual) => match self.improbable_at(&accrual) {
                Some(improbable) if improbable.0 < by_ttl.0 => improbable,
                Some(_) | None => by_ttl,
            },
        })
    }

    /// The first moment at which its silence is at the threshold.
    fn improbable_at(&self, accrual: &Accrual) -> Option<(Instant, Cause)> {
        let (mean, deviation) = self.rhythm(accrual)?;
        let newest = self.readings.front()?.received_at.max(self.expected_since);
        let silence = mean + normal_deviations(accrual.threshold) * deviation;
        // From below, so that the level at that moment is not less than the threshold.
        let silence = libm::ceil(silence.max(0.0));
        let at = newest.after(Duration::from_nanos(silence as u64));
        let level = accrual.threshold;
        Some((at, Cause::Silent { level }))
    }

    /// The level of its silence at `now`; none while there are too few readings.
    pub(super) fn level(&self, accrual: &Accrual, now: Instant) -> Option<Level> {
        let (mean, deviation) = self.rhythm(accrual)?;
        let newest = self.readings.front()?.received_at.max(self.expected_since);
        let silence = nanos(now.since(newest)) as f64;
        Some(normal_level((silence - mean) / deviation))
    }

    /// Mean and standard deviation of its intervals in nanoseconds: over the whole window, each
    /// time, as it is short.
    fn rhythm(&self, accrual: &Accrual) -> Option<(f64, f64)> {
        if self.readings.len() < ACCRUAL_READINGS_MIN {
            return None;
        }
        let later = self.readings.iter();
        let earlier = self.readings.iter().skip(1);
        let intervals = later
            .zip(earlier)
            .map(|(later, earlier)| nanos(later.received_at.since(earlier.received_at)) as f64);
        let (mean, deviation) = mean_and_deviation(intervals);
        let least = nanos(accrual.min_std_deviation).max(1) as f64;
        Some((mean, deviation.max(least)))
    }
}

/// Mean and population standard deviation, in two passes.
pub(super) fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let (sum, count) = values
        .clone()
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count == 0.0 {
        return (0.0, 0.0);
    }
    let mean = sum / count;
    let squares = values.fold(0.0, |squares, value| {
        squares + (value - mean) * (value - mean)
    });
    (mean, libm::sqrt(squares / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(value: f64, values: &[f64]) -> f64 {
        let (mean, deviation) = mean_and_deviation(values.iter().copied());
        normal_level((value - mean) / deviation).get()
    }

    /// The values of upstream's own tests, where they are finite; where upstream has infinity or
    /// no number, ours is finite and right.
    #[test]
    fn agrees_with_the_golden_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean_and_deviation(values.into_iter()), (5.0, 2.0));
        assert!((level(4.0, &values) - 0.160_231_392_277_849).abs() < 1e-14);
        let negative = values.map(|value| -value);
        assert!((level(-4.0, &negative) - 0.510_691_989_265_240_7).abs() < 1e-14);
        let small = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0];
        let far = level(10.0, &small);
        assert!(far > 30.0 && far.is_finite(), "{far}");
        assert_eq!(
            level(1e7, &[1e7, 1e7]),
            0.0,
            "no deviation at all is no level"
        );
    }
}
