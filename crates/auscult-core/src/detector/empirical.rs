//! The distribution of the intervals in the window themselves, with an exponential tail beyond the largest.
//!
//! Below the largest interval x, `P(interval > t)` is `(1 + intervals above t) / (1 + all intervals)`: a staircase
//! that promises no more than the sample shows. It reaches `1 / (n + 1)` at x and goes on from there without a
//! step as an exponential with the window's standard deviation, at least the configured minimum, as its mean.
//! Asking costs one pass over the window, and a threshold below `log10(n + 1)` some thirty.

use core::f64::consts::LN_10;

use super::expectation::{Expectation, first_at_least};
use super::window::Window;
use super::{Level, Mark};

/// The level after a silence of `nanos`.
pub(super) fn level(window: &Window, tail: &Expectation, nanos: u64) -> Level {
    let silence = nanos as f64 - tail.location;
    let (ticks, tick) = window.ticks();
    let tick = tick as f64;
    let above = ticks
        .iter()
        .filter(|&&ticks| f64::from(ticks) * tick > silence);
    let above = above.count() as f64;
    let samples = ticks.len() as f64;
    if above > 0.0 {
        return Level::new(libm::log10((samples + 1.0) / (above + 1.0)));
    }
    let largest = f64::from(ticks.iter().copied().max().unwrap_or(0)) * tick;
    Level::new(libm::log10(samples + 1.0) + (silence - largest) / tail.scale / LN_10)
}

/// The shortest silence, up to `limit` nanoseconds, at which the level is at least the mark.
pub(super) fn silence(window: &Window, tail: &Expectation, mark: &Mark, limit: u64) -> Option<u64> {
    let (ticks, tick) = window.ticks();
    let largest = f64::from(ticks.iter().copied().max().unwrap_or(0)) * tick as f64;
    let beyond = mark.score - libm::log(ticks.len() as f64 + 1.0);
    let estimate = tail.location + largest + beyond * tail.scale;
    first_at_least(estimate, limit, |nanos| {
        level(window, tail, nanos) >= mark.threshold
    })
}
