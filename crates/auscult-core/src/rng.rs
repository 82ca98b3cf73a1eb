//! A small random generator with a fixed algorithm: a seed means the same thing for ever.
//!
//! SplitMix64 [Steele, Lea, Flood 2014]: a counter and a finaliser. It is for choosing whom to
//! ask and when, never for secrets.

use core::time::Duration;

use crate::time::nanos;

/// A generator of random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// The generator that `seed` stands for.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, of all 2^64 equally likely.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number below `bound`; 0 for a bound of 0. The bias is below `bound / 2^64`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// A span below `bound`.
    pub fn span_below(&mut self, bound: Duration) -> Duration {
        Duration::from_nanos(self.below(nanos(bound)))
    }
}

/// The finaliser of SplitMix64: every bit of the argument moves every bit of the result.
#[must_use]
pub const fn mix(mut value: u64) -> u64 {
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for the seed 1234567, as in the reference implementation's test.
    #[test]
    fn agrees_with_the_reference() {
        let mut rng = Rng::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| rng.next_u64()), expected);
    }

    #[test]
    fn stays_below_its_bound_and_reaches_everything() {
        let mut rng = Rng::new(7);
        let mut seen = [0; 5];
        for _ in 0..1_000 {
            seen[rng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&times| times > 150), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
