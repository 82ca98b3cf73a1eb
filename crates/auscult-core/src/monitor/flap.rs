//! The flap score: how often a target's status changed lately, in one number.
//!
//! Every change counts 1, and fades to a half in [`HALF_LIFE`]. The faded count is mapped to 0..1
//! so that a score reads like a share: 8 changes just now are 0.5. As with Icinga, flapping starts
//! at an upper mark and stops at a lower one, so that the verdict on flapping does not flap. One
//! outage is 3 changes (late, down, up) and a score of 0.27; the third within a few minutes is
//! flapping. Failure mode: a target that is checked once an hour never changes often enough to be
//! called flapping.

use core::time::Duration;

use crate::time::Instant;

/// The faded count of changes at the moment of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flap {
    count: f32,
}

impl Flap {
    /// The count as it is after `span` without a change.
    pub(super) fn faded(self, span: Duration) -> Self {
        let halves = span.as_secs_f64() / HALF_LIFE.as_secs_f64();
        let count = f64::from(self.count) * libm::exp2(-halves);
        Self {
            count: count as f32,
        }
    }

    /// One change more.
    pub(super) fn changed(self) -> Self {
        Self {
            count: self.count + 1.0,
        }
    }

    /// 0 to 1.
    pub(super) fn score(self) -> f64 {
        let count = f64::from(self.count);
        count / (count + COUNT_OF_A_HALF)
    }

    /// Whether the score is high enough to call the target flapping.
    pub(super) fn starts(self) -> bool {
        self.score() >= SCORE_STARTS
    }

    /// When the score will be at the lower mark, if the last change was at `since`.
    pub(super) fn steady_at(self, since: Instant) -> Instant {
        let lower = COUNT_OF_A_HALF * SCORE_STOPS / (1.0 - SCORE_STOPS);
        let halves = libm::log2(f64::from(self.count) / lower).max(0.0);
        let nanos = halves * HALF_LIFE.as_secs_f64() * 1e9;
        since.after(Duration::from_nanos(nanos as u64))
    }
}

/// A change counts half after this time: some minutes, as a person looks at a page.
const HALF_LIFE: Duration = Duration::from_secs(300);
const COUNT_OF_A_HALF: f64 = 8.0;
const SCORE_STARTS: f64 = 0.5;
const SCORE_STOPS: f64 = 0.3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outage_is_not_flapping_and_three_are() {
        let mut flap = Flap::default();
        for change in 1..=9 {
            flap = flap.faded(Duration::from_secs(2)).changed();
            assert_eq!(flap.starts(), change >= 9, "{change}: {}", flap.score());
        }
    }

    #[test]
    fn is_steady_when_the_score_has_faded_to_the_lower_mark() {
        let mut flap = Flap::default();
        for _ in 0..12 {
            flap = flap.changed();
        }
        let since = Instant::from_secs(100);
        let span = flap.steady_at(since).since(since);
        assert!((flap.faded(span).score() - SCORE_STOPS).abs() < 1e-6);
        assert!(span > HALF_LIFE);
    }
}
