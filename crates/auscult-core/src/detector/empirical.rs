//! The distribution of the intervals in the window themselves, with an exponential tail beyond the
//! largest.
//!
//! Below the largest interval x, `P(interval > t)` is `(1 + intervals above t) / (1 + all
//! intervals)`: a staircase that promises no more than the sample shows. It reaches `1 / (n + 1)`
//! at x and goes on from there without a step as an exponential with the window's standard
//! deviation, at least the configured minimum, as its mean. Asking costs one pass over the window,
//! and a threshold below `log10(n + 1)` some sixty.

use core::f64::consts::LN_10;

use super::expectation::{Expectation, first_at_least};
use super::window::{Slots, Window};
use super::{Level, Mark};

/// The level after a silence of `nanos`.
pub(super) fn level(window: &Window<impl Slots>, tail: &Expectation, nanos: u64) -> Level {
    let silence = nanos as f64 - tail.location;
    if silence < 0.0 {
        return Level::ZERO;
    }
    let samples = f64::from(window.samples());
    let passed = whole_ticks(silence, window.tick_nanos() as f64);
    let longer: u32 = window.ticks().map(|ticks| u32::from(ticks > passed)).sum();
    if longer > 0 {
        return Level::new(libm::log10((samples + 1.0) / (f64::from(longer) + 1.0)));
    }
    beyond_largest(samples, silence - largest_nanos(window), tail)
}

/// The largest number of ticks that is no longer than `silence`, so that intervals compare as
/// integers.
fn whole_ticks(silence: f64, tick: f64) -> u32 {
    let near = (silence / tick) as u32;
    // The quotient was rounded, the products are exact.
    if f64::from(near) * tick > silence {
        near - 1
    } else if f64::from(near) * tick + tick <= silence {
        near.saturating_add(1)
    } else {
        near
    }
}

/// The shortest silence, up to `limit` nanoseconds, at which the level is at least the mark.
pub(super) fn silence(
    window: &Window<impl Slots>,
    tail: &Expectation,
    mark: &Mark,
    limit: u64,
) -> Option<u64> {
    let samples = f64::from(window.samples());
    let largest = largest_nanos(window);
    if beyond_largest(samples, 0.0, tail) < mark.threshold {
        // The usual case, and one pass: the staircase is too short for the threshold.
        let from_largest = mark.score - libm::log(samples + 1.0);
        let estimate = tail.location + largest + from_largest * tail.scale;
        return first_at_least(estimate, limit, |nanos| {
            let silence = nanos as f64 - tail.location - largest;
            silence >= 0.0 && beyond_largest(samples, silence, tail) >= mark.threshold
        });
    }
    let estimate = tail.location + largest;
    first_at_least(estimate, limit, |nanos| {
        level(window, tail, nanos) >= mark.threshold
    })
}

/// The level `silence` nanoseconds after the largest interval.
fn beyond_largest(samples: f64, silence: f64, tail: &Expectation) -> Level {
    Level::new(libm::log10(samples + 1.0) + silence / tail.scale / LN_10)
}

fn largest_nanos(window: &Window<impl Slots>) -> f64 {
    f64::from(window.ticks().max().unwrap_or(0)) * window.tick_nanos() as f64
}
