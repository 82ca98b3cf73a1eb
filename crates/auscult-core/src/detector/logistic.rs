//! Akka's approximation of the normal level, for those who bring thresholds from there.
//!
//! Akka, and the monitors that took its code, compute `e = exp(-y (1.5976 + 0.070566 y^2))` and
//! `phi = -log10(e / (1 + e))`, which is infinite from y = 21.6 because `e` is 0 there. The same
//! curve written with logarithms, `phi = ln(1 + exp(g)) / ln 10` with `g = y (1.5976 + 0.070566
//! y^2)`, is finite throughout. It is no probability: beyond y = 3 it exceeds the normal level, by
//! 0.24 at 4 and by 6 at 8.

use core::f64::consts::LN_10;

/// The level at `y` standard deviations beyond the mean.
pub(super) fn phi(y: f64) -> f64 {
    let g = exponent(y);
    (g.max(0.0) + libm::log1p(libm::exp(-g.abs()))) / LN_10
}

/// The `y` at which [`phi`] is about `level`, to a few units in the last place.
pub(super) fn quantile(level: f64) -> f64 {
    let tail = level * LN_10;
    // ln(exp(tail) - 1) without overflow.
    let g = tail + libm::log(-libm::expm1(-tail));
    // The cubic y^3 + 3 p y = 2 q has one real root.
    let p = LINEAR / CUBIC / 3.0;
    let q = g / CUBIC / 2.0;
    let root = libm::sqrt(p);
    let mut y = 2.0 * root * libm::sinh(libm::asinh(q / (p * root)) / 3.0);
    for _ in 0..2 {
        let step = (exponent(y) - g) / (LINEAR + 3.0 * CUBIC * y * y);
        if step.is_finite() {
            y -= step;
        }
    }
    y
}

fn exponent(y: f64) -> f64 {
    y * (LINEAR + CUBIC * y * y)
}

const LINEAR: f64 = 1.5976;
const CUBIC: f64 = 0.070566;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::golden::LEVELS;

    #[test]
    fn levels_are_those_of_fifty_digits() {
        for &(y, _, logistic) in LEVELS {
            let error = phi(y) / logistic - 1.0;
            assert!(
                error.abs() <= 1e-14,
                "y = {y}: {} is off by {error:e}",
                phi(y)
            );
        }
    }

    #[test]
    fn the_inverse_leads_back() {
        for &(y, _, logistic) in LEVELS {
            let error = (quantile(logistic) - y) / y.abs().max(0.01);
            assert!(
                error.abs() <= 1e-13,
                "y = {y}: {} is off by {error:e}",
                quantile(logistic)
            );
        }
    }
}
