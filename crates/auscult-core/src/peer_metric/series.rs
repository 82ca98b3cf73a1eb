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
    /// It is due, and others were asked whether they heard of it.
    pub(super) is_asked: bool,
    /// Something of it came that whoever keeps the readings was not told of.
    pub(super) changed: bool,
}

/// A reading that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The value.
    pub value: Box<str>,
    /// When it arrived. One that an earlier process took arrived [`earlier`](Self::earlier) than
    /// this by that much: our clock may have no name for that moment.
    pub received_at: Instant,
    /// How much earlier it arrived, of a reading that an earlier process took; else zero.
    pub earlier: Duration,
    /// What the time since the reading before it was.
    pub pause: Pause,
    /// How long it is good for.
    pub ttl: Duration,
    /// Whether it has a value.
    pub valid: Validity,
    /// How much it counts.
    pub weight: i64,
}

/// What the time between two readings was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// An interval of the sender.
    Interval,
    /// It ended a failure: the sender was away, and did not keep its rhythm.
    Outage,
    /// For some of it nobody listened, or the peer was none, so it says nothing of the sender.
    Unheard,
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
        let (silence, cause) = self.silence(rule, newest);
        // A peer that comes back has as much time again.
        let heard_of = newest.received_at.max(self.expected_since);
        Some((heard_of.after(silence), cause))
    }

    /// The newest reading, if its time is not over at `now`, by its own arrival.
    pub(super) fn good(&self, rule: &MetricRule, now: Instant) -> Option<&Kept> {
        let newest = self.readings.front()?;
        let (silence, _) = self.silence(rule, newest);
        let left = silence.checked_sub(newest.earlier)?;
        (now < newest.received_at.after(left)).then_some(newest)
    }

    /// How long nothing may come after the newest reading, and what it is when that is over.
    fn silence(&self, rule: &MetricRule, newest: &Kept) -> (Duration, Cause) {
        let ttl = newest.ttl;
        let by_ttl = (ttl, Cause::Expired { ttl });
        match rule.decision {
            Decision::Ttl => by_ttl,
            Decision::Accrual(accrual) => self.improbable(&accrual).unwrap_or(by_ttl),
            Decision::Either(accrual) => match self.improbable(&accrual) {
                Some(improbable) if improbable.0 < ttl => improbable,
                Some(_) | None => by_ttl,
            },
        }
    }

    /// The shortest silence that is at the threshold.
    fn improbable(&self, accrual: &Accrual) -> Option<(Duration, Cause)> {
        let (mean, deviation) = self.rhythm(accrual)?;
        let silence = mean + normal_deviations(accrual.threshold) * deviation;
        // From below, so that the level at that moment is not less than the threshold.
        let silence = libm::ceil(silence.max(0.0));
        let level = accrual.threshold;
        Some((
            Duration::from_nanos(silence as u64),
            Cause::Silent { level },
        ))
    }

    /// The level of its silence at `now`; none while there are too few readings.
    pub(super) fn level(&self, accrual: &Accrual, now: Instant) -> Option<Level> {
        let (mean, deviation) = self.rhythm(accrual)?;
        let newest = self.readings.front()?.received_at.max(self.expected_since);
        let silence = nanos(now.since(newest)) as f64;
        Some(normal_level((silence - mean) / deviation))
    }

    /// What the time since the newest reading is, when another one comes.
    pub(super) fn pause(&self) -> Pause {
        let newest = self.readings.front();
        let unheard = newest.is_some_and(|newest| {
            newest.earlier > Duration::ZERO || newest.received_at < self.expected_since
        });
        if unheard {
            return Pause::Unheard;
        }
        // Until there is a rhythm, any pause may be part of it; and who ends every failure has
        // another one, and is not away each time.
        let intervals = self.readings.iter();
        let intervals = intervals.filter(|reading| reading.pause == Pause::Interval);
        let before = self.readings.iter().take(OUTAGES_OF_A_NEW_RHYTHM - 1);
        let outages = before.filter(|reading| reading.pause == Pause::Outage);
        let is_away = intervals.count() >= ACCRUAL_READINGS_MIN
            && outages.count() + 1 < OUTAGES_OF_A_NEW_RHYTHM;
        match self.standing {
            Standing::Failed { .. } if is_away => Pause::Outage,
            Standing::Failed { .. } | Standing::Awaited | Standing::Fresh | Standing::Departed => {
                Pause::Interval
            }
        }
    }

    /// Mean and standard deviation of its intervals in nanoseconds: over the whole window, each
    /// time, as it is short.
    fn rhythm(&self, accrual: &Accrual) -> Option<(f64, f64)> {
        let pairs = self.readings.iter().zip(self.readings.iter().skip(1));
        let heard = pairs.filter(|(later, _)| later.pause == Pause::Interval);
        let intervals = heard.map(|(later, earlier)| {
            let passed = later.received_at.since(earlier.received_at) + earlier.earlier;
            nanos(passed.saturating_sub(later.earlier)) as f64
        });
        // One reading more than intervals.
        if intervals.clone().count() + 1 < ACCRUAL_READINGS_MIN {
            return None;
        }
        let (mean, deviation) = mean_and_deviation(intervals);
        let least = nanos(accrual.min_std_deviation).max(1) as f64;
        Some((mean, deviation.max(least)))
    }
}

/// As of the signals of targets: one or two may be a sender that tries to recover.
const OUTAGES_OF_A_NEW_RHYTHM: usize = 3;

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
