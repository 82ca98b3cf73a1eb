//! Parameters of the detectors: plain values outside, valid by construction inside.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::bounds::WINDOW_SAMPLES_MAX;
use crate::time::nanos;

/// A rule that parameters break: the field, and the values with the inequality they violate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, as it is named in code.
    pub field: &'static str,
    /// The values and the rule, for example `0 must be at least 1`.
    pub text: String,
}

impl Violation {
    /// A violation of `field`.
    #[must_use]
    pub const fn new(field: &'static str, text: String) -> Self {
        Self { field, text }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

/// A detector and its parameters: plain values, to be turned into a [`DetectorConfig`].
#[derive(Clone, Debug, PartialEq)]
pub enum DetectorParams {
    /// The phi accrual detector \[PHI\].
    Phi(PhiParams),
    /// Chen's NFD-E \[CHEN\]. Its level is 1 at the freshness point.
    Chen(ChenParams),
    /// Bertier's detector \[BERTIER\]: Chen's with a margin that adapts. Its level is 1 at the
    /// freshness point.
    Bertier(BertierParams),
    /// A fixed time-out, or a time to live: the level is the silence over the time-out.
    Deadline(DeadlineParams),
}

/// Parameters of the phi accrual detector.
#[derive(Clone, Debug, PartialEq)]
pub struct PhiParams {
    /// The distribution that intervals are assumed to follow.
    pub distribution: Distribution,
    /// What is remembered of past intervals.
    pub history: History,
    /// The standard deviation is taken to be at least this: 500 ms, so that a perfectly regular
    /// sender is not suspected for its first hiccup. Above 0.
    pub min_std_deviation: Duration,
    /// Added to the mean interval: a pause that is always acceptable. Default 0.
    pub acceptable_pause: Duration,
    /// The interval assumed before any was measured: 500 ms. It enters the history as two
    /// intervals, a quarter below and a quarter above it. Above 0.
    pub first_heartbeat_estimate: Duration,
}

impl PhiParams {
    /// The defaults: normal, 200 intervals, 500 ms, no pause, 500 ms.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            distribution: Distribution::Normal,
            history: History::Window { samples: 200 },
            min_std_deviation: Duration::from_millis(500),
            acceptable_pause: Duration::ZERO,
            first_heartbeat_estimate: Duration::from_millis(500),
        }
    }
}

impl Default for PhiParams {
    fn default() -> Self {
        Self::new()
    }
}

/// The distribution that intervals are assumed to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Normal, with the exact tail \[PHI\].
    Normal,
    /// Exponential: the mean alone counts, as in Cassandra.
    Exponential,
    /// Lognormal: for intervals that are never early and sometimes very late.
    LogNormal,
    /// The intervals seen themselves, with a parametric tail beyond the largest. Needs a window.
    Empirical,
    /// Akka's approximation of the normal, for those who bring thresholds from there.
    Logistic,
}

impl Distribution {
    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Exponential => "exponential",
            Self::LogNormal => "lognormal",
            Self::Empirical => "empirical",
            Self::Logistic => "logistic",
        }
    }
}

/// What is remembered of past intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum History {
    /// The last `samples` intervals, each with the same weight: 1 to [`WINDOW_SAMPLES_MAX`].
    Window {
        /// How many.
        samples: usize,
    },
    /// All intervals, the newest with weight `1 / samples` and each older one with less; at least
    /// 2. Costs no memory for a window and forgets smoothly.
    Decayed {
        /// The weight of an interval, as the number of intervals over which it fades.
        samples: usize,
    },
}

impl History {
    /// The number of intervals, of the one kind or the other.
    #[must_use]
    pub const fn samples(self) -> usize {
        match self {
            Self::Window { samples } | Self::Decayed { samples } => samples,
        }
    }
}

/// Parameters of Chen's detector.
#[derive(Clone, Debug, PartialEq)]
pub struct ChenParams {
    /// The sender's interval (eta). Above 0.
    pub interval: Duration,
    /// The safety margin (alpha) after the expected arrival. Above 0.
    pub margin: Duration,
    /// Arrivals from which the next one is estimated: 1 to [`WINDOW_SAMPLES_MAX`].
    pub window: usize,
}

/// Parameters of Bertier's detector.
#[derive(Clone, Debug, PartialEq)]
pub struct BertierParams {
    /// The sender's interval (eta). Above 0.
    pub interval: Duration,
    /// Arrivals from which the next one is estimated: 1 to [`WINDOW_SAMPLES_MAX`].
    pub window: usize,
    /// Weight of the mean error in the margin: 1.
    pub beta: f64,
    /// Weight of the error's deviation in the margin: 4.
    pub phi: f64,
    /// How fast the margin follows the error: 0.1; above 0 and at most 1.
    pub gamma: f64,
    /// The least margin, so that a perfectly regular sender is not suspected for its first hiccup.
    pub min_margin: Duration,
}

impl BertierParams {
    /// The published parameters for a sender with this interval: a window of 1,000, beta 1, phi 4,
    /// gamma 0.1; and a least margin of 100 ms, about what a busy machine's scheduler adds.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self {
            interval,
            window: 1_000,
            beta: 1.0,
            phi: 4.0,
            gamma: 0.1,
            min_margin: Duration::from_millis(100),
        }
    }
}

/// Parameters of a fixed time-out.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadlineParams {
    /// The silence at which the level is 1. Above 0.
    pub timeout: Duration,
}

/// Valid parameters of a detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    params: DetectorParams,
    spans: Spans,
}

/// The spans of the parameters in nanoseconds, so that a heartbeat converts none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spans {
    /// Added to the expected silence: the acceptable pause.
    pub(super) pause: f64,
    /// The least scale of the distribution: minimum standard deviation, margin, or time-out.
    pub(super) scale: f64,
    /// The interval to assume or to expect.
    pub(super) interval: u64,
    /// Whether the silence less mean and pause, over the deviation, is all there is to ask: phi
    /// with a normal or logistic distribution.
    pub(super) located: bool,
}

impl Spans {
    fn of(params: &DetectorParams) -> Self {
        let (pause, scale, interval) = match params {
            DetectorParams::Phi(phi) => (
                phi.acceptable_pause,
                phi.min_std_deviation,
                phi.first_heartbeat_estimate,
            ),
            DetectorParams::Chen(chen) => (Duration::ZERO, chen.margin, chen.interval),
            DetectorParams::Bertier(bertier) => {
                (Duration::ZERO, bertier.min_margin, bertier.interval)
            }
            DetectorParams::Deadline(deadline) => {
                (Duration::ZERO, deadline.timeout, deadline.timeout)
            }
        };
        let located = matches!(
            params,
            DetectorParams::Phi(PhiParams {
                distribution: Distribution::Normal | Distribution::Logistic,
                ..
            })
        );
        Self {
            located,
            pause: nanos(pause) as f64,
            scale: nanos(scale) as f64,
            interval: nanos(interval),
        }
    }
}

impl DetectorConfig {
    /// Checks the parameters.
    ///
    /// # Errors
    /// Every violated rule. State: nothing was changed.
    pub fn new(params: DetectorParams) -> Result<Self, Vec<Violation>> {
        let mut rules = Rules(Vec::new());
        match &params {
            DetectorParams::Phi(phi) => {
                rules.positive("min_std_deviation", phi.min_std_deviation);
                rules.positive("first_heartbeat_estimate", phi.first_heartbeat_estimate);
                match phi.history {
                    History::Window { samples } => rules.window(samples),
                    History::Decayed { samples } => {
                        rules.check("samples", samples >= 2, || {
                            format!("{samples} must be at least 2")
                        });
                        let windowed = phi.distribution != Distribution::Empirical;
                        rules.check("history", windowed, || {
                            "the empirical distribution needs a window".into()
                        });
                    }
                }
            }
            DetectorParams::Chen(chen) => {
                rules.positive("interval", chen.interval);
                rules.positive("margin", chen.margin);
                rules.window(chen.window);
            }
            DetectorParams::Bertier(bertier) => {
                rules.positive("interval", bertier.interval);
                rules.positive("min_margin", bertier.min_margin);
                rules.window(bertier.window);
                rules.at_least_zero("beta", bertier.beta);
                rules.at_least_zero("phi", bertier.phi);
                let gamma = bertier.gamma;
                rules.check("gamma", gamma > 0.0 && gamma <= 1.0, || {
                    format!("{gamma} must be above 0 and at most 1")
                });
            }
            DetectorParams::Deadline(deadline) => rules.positive("timeout", deadline.timeout),
        }
        if rules.0.is_empty() {
            let spans = Spans::of(&params);
            Ok(Self { params, spans })
        } else {
            Err(rules.0)
        }
    }

    /// The parameters.
    #[must_use]
    pub const fn params(&self) -> &DetectorParams {
        &self.params
    }

    /// The number of samples remembered; 0 where none are.
    pub(super) const fn window(&self) -> usize {
        match &self.params {
            DetectorParams::Phi(phi) => phi.history.samples(),
            DetectorParams::Chen(chen) => chen.window,
            DetectorParams::Bertier(bertier) => bertier.window,
            DetectorParams::Deadline(_) => 0,
        }
    }

    pub(super) const fn spans(&self) -> &Spans {
        &self.spans
    }
}

struct Rules(Vec<Violation>);

impl Rules {
    fn check(&mut self, field: &'static str, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Violation::new(field, text()));
        }
    }

    fn positive(&mut self, field: &'static str, span: Duration) {
        self.check(field, !span.is_zero(), || "must be above 0".into());
    }

    fn at_least_zero(&mut self, field: &'static str, value: f64) {
        self.check(field, value.is_finite() && value >= 0.0, || {
            format!("{value} must be at least 0")
        });
    }

    fn window(&mut self, samples: usize) {
        self.check(
            "window",
            (1..=WINDOW_SAMPLES_MAX).contains(&samples),
            || format!("{samples} must be from 1 to {WINDOW_SAMPLES_MAX}"),
        );
    }
}
