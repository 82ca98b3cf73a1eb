//! Bertier's detector \[BERTIER\]: Chen's, with a margin that follows the errors of the estimate.
//!
//! - **Intuition.** Nobody knows the right margin beforehand, but the errors of the past estimates
//!   tell it, as round-trip times tell a TCP sender its time-out.
//! - **Formula.** For arrival k with error `e = A_k - EA_k - delay`: `delay += gamma e`, `var +=
//!   gamma (|e| - var)`, and the margin is `beta delay + phi var`, at least the configured minimum.
//!   The level is `(t - EA) / margin`.
//! - **A value means.** As with Chen, 1 at the freshness point.
//! - **Limits.** The margin is kept in single precision.
//! - **Source.** \[BERTIER\] Bertier, Marin, Sens: Implementation and performance evaluation of an
//!   adaptable failure detector, 2002. The error is that of EA_k without the margin, unlike in some
//!   public code.
//! - **Fails when.** The margin has shrunk to the jitter of a quiet hour and the first loss comes:
//!   it is the fastest of the detectors here, and the one that is wrong most often.

use super::config::{BertierParams, DetectorParams, Spans};
use super::standalone::standalone;

standalone! {
    /// Bertier's detector of one sender. Its level is 1 at the freshness point.
    ///
    /// ```
    /// use auscult_core::detector::{Bertier, BertierParams, Detector, Level};
    /// use auscult_core::time::Instant;
    /// use core::time::Duration;
    ///
    /// let params = BertierParams::new(Duration::from_secs(1));
    /// let mut detector = Bertier::new(params)?;
    /// for number in 0..100 {
    ///     detector.heartbeat(Instant::from_secs(number), Some(number));
    /// }
    /// // So steady a sender leaves the least margin, 100 ms.
    /// let suspect_at = detector.deadline(Level::new(1.0));
    /// assert_eq!(suspect_at, Some(Instant::from_millis(100_100)));
    /// # Ok::<(), Vec<auscult_core::detector::Violation>>(())
    /// ```
    Bertier, BertierParams, DetectorParams::Bertier
}

/// The mean error of the estimate and its mean deviation, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Margin {
    delay: f32,
    deviation: f32,
}

impl Margin {
    /// Takes the distance of an arrival from where it was expected, in nanoseconds.
    pub(super) fn learn(&mut self, distance: f64, gamma: f64) {
        let (delay, deviation) = (f64::from(self.delay), f64::from(self.deviation));
        let error = distance - delay;
        self.delay = (delay + gamma * error) as f32;
        self.deviation = (deviation + gamma * (error.abs() - deviation)) as f32;
    }

    /// Both as words.
    pub(super) fn words(self) -> [u64; 2] {
        [self.delay, self.deviation].map(|value| u64::from(value.to_bits()))
    }

    /// The inverse of [`words`](Self::words); `None` for what is no number.
    pub(super) fn from_words(words: [u64; 2]) -> Option<Self> {
        let [delay, deviation] = words.map(|word| {
            let value = f32::from_bits(u32::try_from(word).ok()?);
            value.is_finite().then_some(value)
        });
        Some(Self {
            delay: delay?,
            deviation: deviation?,
        })
    }

    pub(super) fn nanos(self, params: &BertierParams, spans: &Spans) -> f64 {
        let margin = params.beta * f64::from(self.delay) + params.phi * f64::from(self.deviation);
        margin.clamp(spans.scale, f64::from(f32::MAX))
    }
}
