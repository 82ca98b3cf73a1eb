//! A threshold, prepared for asking again and again when it will be crossed.

use super::config::{DetectorConfig, DetectorParams};
use super::curve::Curve;
use super::{Level, phi};

/// A threshold of one detector configuration, with the score at which its curve reaches it.
///
/// Made once per configuration: it costs a microsecond, and saves that at every heartbeat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    pub(super) threshold: Level,
    pub(super) score: f64,
}

impl Mark {
    /// Prepares `threshold` for detectors of `config`.
    #[must_use]
    pub fn new(config: &DetectorConfig, threshold: Level) -> Self {
        let curve = match config.params() {
            DetectorParams::Phi(params) => phi::curve(params.distribution),
            DetectorParams::Chen(_) | DetectorParams::Bertier(_) | DetectorParams::Deadline(_) => {
                Curve::Ratio
            }
        };
        let score = curve.score(threshold);
        Self { threshold, score }
    }

    /// The threshold.
    #[must_use]
    pub const fn threshold(&self) -> Level {
        self.threshold
    }
}
