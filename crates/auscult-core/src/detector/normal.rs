//! The tail of the normal distribution, as a level: `phi(z) = -log10 P(Z > z)`, and its inverse.
//!
//! `1 - cdf(z)` loses all its digits by z = 8 and is 0 from 8.29, where the level would jump to
//! infinity; `erfc` alone ends at 37.5. The logarithm of the tail has no such end: below 5 it is
//! that of `erfc`, above it Laplace's continued fraction of Mills' ratio, here its 24th convergent
//! as a quotient of two polynomials in `1 / z^2` with positive coefficients. Relative error at most
//! 1e-14 for z >= -6, checked against 50 digits.

use core::f64::consts::{FRAC_1_SQRT_2, LN_10};

/// The level at `z` standard deviations beyond the mean. Finite up to 1e154, then infinite; 0 far
/// below the mean.
pub(super) fn phi(z: f64) -> f64 {
    if z < 0.0 {
        -libm::log1p(-0.5 * libm::erfc(-z * FRAC_1_SQRT_2)) / LN_10
    } else if z < 5.0 {
        -libm::log(0.5 * libm::erfc(z * FRAC_1_SQRT_2)) / LN_10
    } else {
        (0.5 * z * z + LN_SQRT_2_PI + libm::log(z * mills(z))) / LN_10
    }
}

/// The `z` at which [`phi`] is about `level`, to a few units in the last place.
pub(super) fn quantile(level: f64) -> f64 {
    if level < LEVEL_OF_ZERO {
        return quantile_below_mean(level);
    }
    let tail = level * LN_10;
    // The leading terms of the asymptotic series. Newton's method on the logarithm of the tail
    // converges from here in five steps for any level.
    let square = 2.0 * tail - libm::log(4.0 * core::f64::consts::PI * tail);
    let mut z = libm::sqrt(square.max(0.0));
    for _ in 0..8 {
        let excess = (level - phi(z)) * LN_10;
        z += excess / hazard(z);
    }
    z
}

/// The inverse where the tail is more than one half: there the distance of the tail from 1 matters.
fn quantile_below_mean(level: f64) -> f64 {
    // cdf(z) = 1 - 10^-level, and by symmetry -z has this as its tail.
    let cdf = -libm::expm1(-level * LN_10);
    if cdf <= 0.0 {
        return f64::NEG_INFINITY;
    }
    -quantile((-libm::log10(cdf)).max(LEVEL_OF_ZERO))
}

/// Density over tail: how fast the logarithm of the tail falls.
fn hazard(z: f64) -> f64 {
    if z >= 5.0 {
        return z * mills(z);
    }
    libm::exp(phi(z) * LN_10 - 0.5 * z * z - LN_SQRT_2_PI)
}

/// `density(z) / (tail(z) z)` for z >= 5.
fn mills(z: f64) -> f64 {
    let u = 1.0 / (z * z);
    let mut above = 0.0;
    let mut below = 0.0;
    for i in (0..TERMS).rev() {
        above = above * u + ABOVE[i];
        below = below * u + BELOW[i];
    }
    above / below
}

const LEVEL_OF_ZERO: f64 = core::f64::consts::LOG10_2;
const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_8;

/// Coefficients of each polynomial.
const TERMS: usize = 13;
/// z + 1/(z + 2/(z + ... 24/z)) = z ABOVE(1/z^2) / BELOW(1/z^2).
const ABOVE: [f64; TERMS] = convergent().0;
const BELOW: [f64; TERMS] = convergent().1;

/// The recurrence `h(k) = h(k-1) + k u h(k-2)` of the convergents' numerators and denominators,
/// with one factor of z divided out of each.
const fn convergent() -> ([f64; TERMS], [f64; TERMS]) {
    let mut above = [[0.0; TERMS]; 2];
    let mut below = [[0.0; TERMS]; 2];
    above[0][0] = 1.0;
    above[1][0] = 1.0;
    below[1][0] = 1.0;
    let mut k = 1;
    while k <= 24 {
        let (mut next_above, mut next_below) = (above[1], below[1]);
        let mut i = 1;
        while i < TERMS {
            next_above[i] += k as f64 * above[0][i - 1];
            next_below[i] += k as f64 * below[0][i - 1];
            i += 1;
        }
        above = [above[1], next_above];
        below = [below[1], next_below];
        k += 1;
    }
    (above[1], below[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::golden::{LEVELS, QUANTILES};

    #[test]
    fn levels_are_those_of_fifty_digits() {
        for &(z, normal, _) in LEVELS {
            let error = phi(z) / normal - 1.0;
            assert!(
                error.abs() <= 1e-14,
                "z = {z}: {} is off by {error:e}",
                phi(z)
            );
        }
    }

    #[test]
    fn levels_rise_strictly_from_minus_six_to_a_million() {
        let mut last = phi(-6.0);
        let mut z = -6.0;
        while z < 1e6 {
            z += if z < 60.0 { 1.0 / 1_024.0 } else { z / 1e4 };
            let level = phi(z);
            assert!(
                level > last && level.is_finite(),
                "{level} after {last} at {z}"
            );
            last = level;
        }
    }

    #[test]
    fn levels_do_not_step_where_the_method_changes() {
        for join in [0.0_f64, 5.0] {
            let (below, above) = (phi(join.next_down()), phi(join));
            assert!((above / below - 1.0).abs() < 1e-15, "{below} {above}");
        }
    }

    #[test]
    fn the_inverse_is_exact_too() {
        for &(level, z) in QUANTILES {
            let error = (quantile(level) - z) / z.abs().max(0.1);
            assert!(
                error.abs() <= 1e-14,
                "{level}: {} is off by {error:e}",
                quantile(level)
            );
        }
    }

    #[test]
    fn far_out_there_is_neither_nan_nor_a_negative_level() {
        for z in [
            -1e300,
            -40.0,
            1e153,
            1e200,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            assert!(phi(z) >= 0.0, "{} at {z}", phi(z));
        }
    }
}
