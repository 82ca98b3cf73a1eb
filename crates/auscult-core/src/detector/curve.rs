//! From the distance beyond the expected arrival to a level, and back.
//!
//! Every detector measures the silence as `score = (silence - location) / scale`; a curve turns the
//! score into a level. A threshold is turned once into the score at which the curve reaches it, so
//! that a deadline costs one multiplication.

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
        match self {
            Self::Normal => self.settle(normal::quantile(level), threshold),
            Self::Logistic => self.settle(logistic::quantile(level), threshold),
            Self::Exponential => {
                // A division never wavers: the product is off by two steps at most.
                let near = (level * LN_10).next_down().next_down();
                let steps = [near, near.next_up(), near.next_up().next_up()];
                let reaches = |score: &f64| self.level(*score) >= threshold;
                let after = steps[2].next_up();
                steps.into_iter().find(reaches).unwrap_or(after)
            }
            Self::Ratio => level,
        }
    }

    /// Moves `score` by the smallest steps to the first one with [`SETTLED`] neighbours above it
    /// that all reach the threshold: a curve's last digits may waver, its verdict must not.
    fn settle(self, mut score: f64, threshold: Level) -> f64 {
        if !score.is_finite() {
            return score;
        }
        for _ in 0..STEPS_MAX {
            if self.level(score) < threshold {
                break;
            }
            score = below(score);
        }
        let mut first = score;
        let mut reached = 0;
        while reached <= SETTLED {
            score = above(score);
            if self.level(score) < threshold {
                reached = 0;
            } else {
                if reached == 0 {
                    first = score;
                }
                reached += 1;
            }
        }
        // Between the grains there are more scores, which may waver as much as their neighbours.
        if first.abs() < 1.0 {
            first + WAVER
        } else {
            first
        }
    }
}

/// The next score that can have another level.
fn above(score: f64) -> f64 {
    if score.abs() < 1.0 {
        score + GRAIN
    } else {
        score.next_up()
    }
}

fn below(score: f64) -> f64 {
    -above(-score)
}

/// Around zero the level is about a third, and scores that differ by less do not show in it.
const GRAIN: f64 = f64::EPSILON / 2.0;
const WAVER: f64 = GRAIN * 8.0;
/// Levels above this are never reached: squares of scores would overflow.
const LEVEL_MAX: f64 = 1e300;
/// Neighbouring scores over which a curve may waver.
const SETTLED: u32 = 16;
/// Scores that an inverse may miss the threshold by.
const STEPS_MAX: u32 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// A curve may waver by its last digits, but never back below a threshold that it has settled
    /// above.
    #[test]
    fn no_level_above_a_score_is_below_its_threshold() {
        for curve in [
            Curve::Normal,
            Curve::Logistic,
            Curve::Exponential,
            Curve::Ratio,
        ] {
            for i in 1..2_000 {
                let threshold = Level::new(f64::from(i) / 400.0 + 1e-4);
                let mut score = curve.score(threshold);
                for step in 0..256 {
                    let level = curve.level(score);
                    assert!(
                        level >= threshold,
                        "{curve:?}: {level} < {threshold}, {step} above"
                    );
                    score = score.next_up();
                }
            }
        }
    }
}
