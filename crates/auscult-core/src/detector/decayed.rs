//! Mean and deviation of all intervals, the old ones fading: 20 bytes instead of a window.
//!
//! The newest interval has the weight `1 / samples`, and each older one `1 - 1 / samples` of the
//! weight of the one after it. Until as many intervals were seen, all have the same weight, so the
//! start is that of a window. The variance is updated in a form that cannot become negative.

use super::config::DetectorConfig;

/// Exponentially weighted mean and variance, in nanoseconds. Without padding, which an enum of
/// histories could not use.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(4))]
pub(super) struct Decayed {
    mean: f64,
    variance: f64,
    seen: u32,
}

impl Decayed {
    /// There was no arrival.
    pub(super) const EMPTY: Self = Self {
        mean: 0.0,
        variance: 0.0,
        seen: 0,
    };

    /// Forgets everything and assumes two intervals, a quarter below and a quarter above
    /// `estimate`.
    pub(super) fn assume(&mut self, estimate: u64) {
        let mean = estimate as f64;
        let quarter = mean / 4.0;
        *self = Self {
            mean,
            variance: quarter * quarter,
            seen: 2,
        };
    }

    /// Takes an interval in nanoseconds. One fades over as many intervals as the window of the
    /// configuration has.
    #[inline]
    pub(super) fn push(&mut self, nanos: u64, config: &DetectorConfig) {
        self.seen = self.seen.saturating_add(1);
        let weight = 1.0 / (self.seen as usize).min(config.window()) as f64;
        let error = nanos as f64 - self.mean;
        let step = weight * error;
        self.mean += step;
        self.variance = (1.0 - weight) * (self.variance + error * step);
    }

    /// The state as words that can be stored one by one.
    pub(super) const fn to_words(self) -> [u64; 4] {
        let (mean, variance) = (self.mean.to_bits(), self.variance.to_bits());
        [mean, variance, self.seen as u64, 0]
    }

    /// The inverse of [`to_words`](Self::to_words).
    pub(super) const fn from_words([mean, variance, seen, _]: [u64; 4]) -> Self {
        Self {
            mean: f64::from_bits(mean),
            variance: f64::from_bits(variance),
            seen: seen as u32,
        }
    }

    /// Whether these can be the words of one.
    pub(super) fn is_sound(self) -> bool {
        let (mean, variance) = (self.mean, self.variance);
        mean.is_finite() && mean >= 0.0 && variance.is_finite() && variance >= 0.0
    }

    /// Mean and standard deviation in nanoseconds.
    #[inline]
    pub(super) fn mean_and_deviation(&self) -> (f64, f64) {
        (self.mean, libm::sqrt(self.variance))
    }

    pub(super) const fn samples(&self) -> u32 {
        self.seen
    }
}
