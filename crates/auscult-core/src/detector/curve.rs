//! From the distance beyond the expected arrival to a level, and back.
//!
//! Every detector measures the silence as `score = (silence - location) / scale`; a curve turns the score
//! into a level. A threshold is turned once into the score at which the curve reaches it, so that a deadline
//! costs one multiplication.

use core::f64::consts::LN_10;

use super::{Level, logistic, normal};

/// How a score becomes a level. Each one is monotone up to the last digits of an `f64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    /// The tail of the normal distribution.
    Normal,
    /// Akka's approximation of it.
    Logistic,
    /// The tail of the exponential distribution.
    Exponential,
    /// The score itself.
    Ratio,
}

impl Curve {
    pub(super) fn level(self, score: f64) -> Level {
        Level::new(match self {
            Self::Normal => normal::phi(score),
            Self::Logistic => logistic::phi(score),
            Self::Exponential => score / LN_10,
            Self::Ratio => score,
        })
    }

    /// The least score from which on the level is at least `threshold`. Minus infinity for zero.
    #[cold]
    pub(super) fn score(self, threshold: Level) -> f64 {
        let level = threshold.get();
        if level == 0.0 {
            return f64::NEG_INFINITY;
        }
        if level > LEVEL_MAX {
            return f64::INFINITY;
        }
        let near = match self {
            Self::Normal => normal::quantile(level),
            Self::Logistic => logistic::quantile(level),
            Self::Exponential => level * LN_10,
            Self::Ratio => level,
        };
        if near.is_finite() {
            self.settle(near, threshold)
        } else {
            near
        }
    }

    /// Moves `score` by single bits to the first one with [`SETTLED`] neighbours above it that all reach the
    /// threshold: a curve's last digits may waver, its verdict must not.
    fn settle(self, mut score: f64, threshold: Level) -> f64 {
        let mut reached = 0;
        for _ in 0..STEPS_MAX {
            if self.level(score) < threshold {
                break;
            }
            score = score.next_down();
        }
        while reached <= SETTLED {
            score = score.next_up();
            reached = if self.level(score) < threshold {
                0
            } else {
                reached + 1
            };
        }
        for _ in 0..SETTLED {
            score = score.next_down();
        }
        score
    }
}

/// Levels above this are never reached: squares of scores would overflow.
const LEVEL_MAX: f64 = 1e300;
/// Neighbouring floats over which a curve may waver.
const SETTLED: u32 = 16;
/// Floats that an inverse may miss the threshold by.
const STEPS_MAX: u32 = 256;
