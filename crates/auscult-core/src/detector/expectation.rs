//! When the next arrival is expected, and the first nanosecond at which it is overdue by so much.

/// The next arrival, as a location and a scale in nanoseconds after the last one.
///
/// Invariant: both are finite and the scale is above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expectation {
    pub(super) location: f64,
    pub(super) scale: f64,
}

impl Expectation {
    /// How many scales beyond the location a silence of `nanos` is. Never falls as `nanos` grows.
    #[inline]
    pub(super) fn score(&self, nanos: u64) -> f64 {
        (nanos as f64 - self.location) / self.scale
    }

    /// The shortest silence whose score is at least `score`; `None` when even `limit` nanoseconds
    /// are too short.
    #[inline]
    pub(super) fn silence(&self, score: f64, limit: u64) -> Option<u64> {
        if let Some(silence) = self.silence_without_doubt(score) {
            return (silence <= limit).then_some(silence);
        }
        let estimate = self.location + score * self.scale;
        first_at_least(estimate, limit, |nanos| self.score(nanos) >= score)
    }

    /// The shortest silence whose score is at least `score`, when it lies so far between two
    /// nanoseconds that rounding cannot matter. That is nearly always so, and costs no division and
    /// no branch that could be mispredicted.
    #[inline]
    pub(super) fn silence_without_doubt(&self, score: f64) -> Option<u64> {
        let beyond = score * self.scale;
        let estimate = self.location + beyond;
        let doubt = (self.location.abs() + beyond.abs()) * DOUBT;
        // Adding 2^52 rounds to the nearest whole number and leaves it in the mantissa.
        let shifted = estimate + WHOLE;
        let nearest = shifted.to_bits() & MANTISSA;
        let fraction = estimate - (shifted - WHOLE);
        let clear = estimate > 1.0 && fraction.abs() > doubt;
        clear.then(|| nearest + u64::from(fraction > 0.0))
    }
}

/// 2^52: above it an `f64` has no fraction.
const WHOLE: f64 = (1_u64 << 52) as f64;
const MANTISSA: u64 = (1 << 52) - 1;
/// Relative error of an estimated silence and of the score behind it, with a few bits to spare.
/// Beyond 6 days it amounts to half a nanosecond, and everything is in doubt.
const DOUBT: f64 = 1.0 / (1_u64 << 50) as f64;

/// The first number up to `limit` for which `reached` holds, as it then does for all above.
/// `estimate` says where to look first.
#[inline]
pub(super) fn first_at_least(
    estimate: f64,
    limit: u64,
    reached: impl Fn(u64) -> bool,
) -> Option<u64> {
    // The common ways out: the estimate lies between two nanoseconds, or on one.
    let below = estimate as i64;
    if below > 0 {
        let below = below as u64;
        if below < limit && !reached(below) && reached(below + 1) {
            return Some(below + 1);
        }
        if below <= limit && reached(below) && !reached(below - 1) {
            return Some(below);
        }
    }
    search(limit, reached)
}

#[cold]
#[inline(never)]
fn search(limit: u64, reached: impl Fn(u64) -> bool) -> Option<u64> {
    if reached(0) {
        return Some(0);
    }
    if !reached(limit) {
        return None;
    }
    let (mut low, mut high) = (0, limit);
    while low < high {
        let middle = low + (high - low) / 2;
        if reached(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(high)
}
