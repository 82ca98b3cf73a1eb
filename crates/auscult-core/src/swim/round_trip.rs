//! What a round trip takes: a mean and a deviation that follow the samples [Jacobson 1988].

use core::time::Duration;

/// A decayed mean and mean deviation, in whole microseconds; empty at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// [`UNMEASURED`] before the first sample.
    mean_micros: u32,
    deviation_micros: u32,
}

/// Greater than any mean.
const UNMEASURED: u32 = u32::MAX;

impl Default for RoundTrip {
    fn default() -> Self {
        Self {
            mean_micros: UNMEASURED,
            deviation_micros: 0,
        }
    }
}

impl RoundTrip {
    /// Takes a sample: an eighth of it goes into the mean, a quarter of its distance from the
    /// mean into the deviation.
    pub fn add(&mut self, sample: Duration) {
        let sample = u32::try_from(sample.as_micros()).unwrap_or(UNMEASURED);
        let sample = sample.min(UNMEASURED - 1);
        if self.mean_micros == UNMEASURED {
            *self = Self {
                mean_micros: sample,
                deviation_micros: sample / 2,
            };
            return;
        }
        let (mean, deviation) = (
            i64::from(self.mean_micros),
            i64::from(self.deviation_micros),
        );
        let error = i64::from(sample) - mean;
        self.mean_micros = (mean + error / 8) as u32;
        self.deviation_micros = (deviation + (error.abs() - deviation) / 4) as u32;
    }

    /// The mean; `None` before the first sample.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let mean = Duration::from_micros(u64::from(self.mean_micros));
        (self.mean_micros != UNMEASURED).then_some(mean)
    }

    /// The mean and four deviations: what is rarely exceeded. `None` before the first sample.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let deviation = Duration::from_micros(u64::from(self.deviation_micros));
        self.mean().map(|mean| mean + deviation * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_its_samples_and_narrows_when_they_agree() {
        let mut trip = RoundTrip::default();
        assert_eq!((trip.mean(), trip.patience()), (None, None));
        trip.add(Duration::from_millis(8));
        assert_eq!(trip.mean(), Some(Duration::from_millis(8)));
        assert_eq!(trip.patience(), Some(Duration::from_millis(24)));
        for _ in 0..100 {
            trip.add(Duration::from_millis(8));
        }
        assert!(trip.patience().unwrap() < Duration::from_micros(8_100));
        trip.add(Duration::from_millis(16));
        assert_eq!(trip.mean(), Some(Duration::from_millis(9)));
    }

    #[test]
    fn absurd_samples_do_not_overflow() {
        let mut trip = RoundTrip::default();
        for sample in [Duration::MAX, Duration::ZERO, Duration::MAX] {
            trip.add(sample);
        }
        assert!(trip.patience().unwrap() <= Duration::from_secs(5 * 4_295));
    }
}
