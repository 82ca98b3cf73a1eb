//! The phi accrual detector \[PHI\]: how improbable is the present silence, in tenfolds?
//!
//! - **Intuition.** A silence is suspicious when intervals like it were rare, so the detector
//!   remembers the last intervals and asks how much of their distribution lies beyond the present
//!   silence.
//! - **Formula.** `phi(t) = -log10 P(interval > t)`, with t the silence less the acceptable pause.
//! - **A value means.** At `phi = 8` a suspicion is wrong about once in 10^8 decisions, if
//!   intervals follow the distribution. They rarely do so far out, so thresholds above 8 buy time
//!   rather than certainty.
//! - **Limits.** Finite and increasing for any silence that an [`Instant`](crate::time::Instant)
//!   can express.
//! - **Source.** \[PHI\] Hayashibara, Défago, Yared, Katayama: The phi accrual failure detector,
//!   2004.
//! - **Fails when.** One scale mixes loss with jitter, as a lost heartbeat doubles an interval; and
//!   when a new rhythm sets in, until the window has filled with it.

use alloc::vec::Vec;

use super::config::{DetectorConfig, DetectorParams, Distribution, PhiParams, Spans, Violation};
use super::curve::Curve;
use super::empirical;
use super::expectation::{Expectation, first_at_least};
use super::outages::Outages;
use super::window::{Slots, Window};
use super::{Detector, DetectorState, Heard, Level, Mark, Statistics};
use crate::time::Instant;

/// The phi accrual detector of one sender.
///
/// It has no status to tell it of outages, so it judges by its level: an interval at whose end the
/// level had reached the *outage level*, by default [`OUTAGE_LEVEL`](Self::OUTAGE_LEVEL), is not
/// learnt, as a window with one ten-minute outage in it would need minutes to notice the next. When
/// eight intervals in a row were of that kind, the sender has a new rhythm: the detector then
/// forgets the old one.
///
/// ```
/// use auscult_core::detector::{Detector, Level, Phi, PhiParams};
/// use auscult_core::time::Instant;
///
/// let mut detector = Phi::new(PhiParams::new())?;
/// for second in 0..60 {
///     detector.heartbeat(Instant::from_secs(second), None);
/// }
/// assert!(detector.level(Instant::from_secs(60)).get() < 1.0);
/// assert!(detector.level(Instant::from_secs(64)).get() > 8.0);
/// // No need to ask again and again: this is when it will be 8, if nothing more arrives.
/// assert!(detector.deadline(Level::new(8.0)) < Some(Instant::from_secs(64)));
/// # Ok::<(), Vec<auscult_core::detector::Violation>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Phi {
    config: DetectorConfig,
    state: DetectorState,
    outage: Mark,
    outages: Outages,
}

impl Phi {
    /// The level from which a silence counts as an outage: 16, the threshold at which monitors with
    /// these defaults speak of a fault.
    pub const OUTAGE_LEVEL: Level = Level::new(16.0);

    /// A detector that has heard nothing.
    ///
    /// # Errors
    /// Every violated rule. State: nothing was made.
    pub fn new(params: PhiParams) -> Result<Self, Vec<Violation>> {
        Self::with_outage_level(params, Self::OUTAGE_LEVEL)
    }

    /// A detector that learns the intervals at whose end its level was below `outage_level`. With
    /// [`Level::MAX`] it learns them all.
    ///
    /// # Errors
    /// Every violated rule. State: nothing was made.
    pub fn with_outage_level(
        params: PhiParams,
        outage_level: Level,
    ) -> Result<Self, Vec<Violation>> {
        let config = DetectorConfig::new(DetectorParams::Phi(params))?;
        let state = DetectorState::new(&config);
        let outage = Mark::new(&config, outage_level);
        Ok(Self {
            config,
            state,
            outage,
            outages: Outages::NONE,
        })
    }

    /// The newest arrival that was taken.
    #[must_use]
    pub fn last_arrival(&self) -> Option<Instant> {
        self.state.last_arrival()
    }

    /// What the detector works with.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.state.statistics(&self.config)
    }
}

impl Detector for Phi {
    fn heartbeat(&mut self, received_at: Instant, sequence: Option<u64>) {
        let overdue = self.state.deadline(&self.config, &self.outage);
        let mut outages = self.outages;
        let learn = outages.judge(overdue.is_some_and(|overdue| received_at >= overdue));
        let before = self.state.last_arrival();
        let heard = self
            .state
            .heartbeat(&self.config, received_at, sequence, learn);
        if heard != Heard::Taken {
            return;
        }
        if let (true, Some(before)) = (outages.are_a_rhythm(), before) {
            self.state.restart(&self.config, received_at.since(before));
            outages = Outages::NONE;
        }
        self.outages = outages;
    }

    fn level(&self, now: Instant) -> Level {
        self.state.level(&self.config, now)
    }

    fn deadline(&self, threshold: Level) -> Option<Instant> {
        let mark = Mark::new(&self.config, threshold);
        self.state.deadline(&self.config, &mark)
    }
}

/// Mean and standard deviation of the remembered intervals, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Moments {
    #[inline]
    pub(super) const fn new((mean, deviation): (f64, f64)) -> Self {
        Self { mean, deviation }
    }

    /// As the distribution works with them: the deviation not below the configured one, the mean
    /// not zero.
    #[inline]
    pub(super) fn bounded(self, distribution: Distribution, spans: &Spans) -> Self {
        match distribution {
            Distribution::Exponential => {
                let mean = self.mean.max(NANOS_MIN);
                Self::new((mean, mean))
            }
            Distribution::LogNormal => Self {
                mean: self.mean.max(NANOS_MIN),
                ..self.no_less_spread(spans)
            },
            Distribution::Normal | Distribution::Empirical | Distribution::Logistic => {
                self.no_less_spread(spans)
            }
        }
    }

    #[inline]
    fn no_less_spread(self, spans: &Spans) -> Self {
        let least = spans.scale;
        // Unlike `max`, one instruction.
        let deviation = if self.deviation > least {
            self.deviation
        } else {
            least
        };
        Self { deviation, ..self }
    }

    /// The expectation of the distributions that have a location: normal and logistic.
    #[inline]
    pub(super) fn located(self, spans: &Spans) -> Expectation {
        let Self { mean, deviation } = self.no_less_spread(spans);
        Expectation {
            location: mean + spans.pause,
            scale: deviation,
        }
    }

    #[inline]
    pub(super) fn expectation(self, distribution: Distribution, spans: &Spans) -> Expectation {
        let Self { mean, deviation } = self.bounded(distribution, spans);
        match distribution {
            Distribution::Normal | Distribution::Logistic => self.located(spans),
            Distribution::Exponential | Distribution::Empirical => Expectation {
                location: spans.pause,
                scale: deviation,
            },
            Distribution::LogNormal => {
                // The lognormal distribution with this mean and deviation: its median, and the
                // deviation of the logarithm.
                let ratio = deviation / mean;
                let square = ratio * ratio;
                Expectation {
                    location: mean / libm::sqrt(1.0 + square),
                    scale: libm::sqrt(libm::log1p(square)),
                }
            }
        }
    }
}

/// The curve of a distribution. The empirical one has the exponential's beyond its largest
/// interval.
pub(super) const fn curve(distribution: Distribution) -> Curve {
    match distribution {
        Distribution::Normal | Distribution::LogNormal => Curve::Normal,
        Distribution::Logistic => Curve::Logistic,
        Distribution::Exponential | Distribution::Empirical => Curve::Exponential,
    }
}

/// What the detector knows, borrowed to answer one question.
pub(super) struct Knowledge<'a, S> {
    pub(super) distribution: Distribution,
    pub(super) spans: &'a Spans,
    pub(super) moments: Moments,
    /// The intervals themselves, where there are any.
    pub(super) window: Option<&'a Window<S>>,
}

impl<S: Slots> Knowledge<'_, S> {
    /// The level after a silence of `nanos`.
    pub(super) fn level(&self, nanos: u64) -> Level {
        let expectation = self.moments.expectation(self.distribution, self.spans);
        let curve = curve(self.distribution);
        match (self.distribution, self.window) {
            (Distribution::LogNormal, _) => curve.level(self.log_score(&expectation, nanos)),
            (Distribution::Empirical, Some(window)) => {
                empirical::level(window, &expectation, nanos)
            }
            _ => curve.level(expectation.score(nanos)),
        }
    }

    /// The shortest silence, up to `limit` nanoseconds, at which the level is at least the mark.
    #[inline]
    pub(super) fn silence(&self, mark: &Mark, limit: u64) -> Option<u64> {
        let expectation = self.moments.expectation(self.distribution, self.spans);
        match (self.distribution, self.window) {
            (Distribution::LogNormal, _) => {
                let silence = expectation.location * libm::exp(mark.score * expectation.scale);
                first_at_least(self.spans.pause + silence, limit, |nanos| {
                    self.log_score(&expectation, nanos) >= mark.score
                })
            }
            (Distribution::Empirical, Some(window)) => {
                empirical::silence(window, &expectation, mark, limit)
            }
            _ => expectation.silence(mark.score, limit),
        }
    }

    /// The score of the silence on a logarithmic scale.
    fn log_score(&self, expectation: &Expectation, nanos: u64) -> f64 {
        let silence = nanos as f64 - self.spans.pause;
        if silence > 0.0 {
            libm::log(silence / expectation.location) / expectation.scale
        } else {
            f64::NEG_INFINITY
        }
    }
}

/// One microsecond: the finest interval that a window distinguishes from none.
const NANOS_MIN: f64 = 1_000.0;
