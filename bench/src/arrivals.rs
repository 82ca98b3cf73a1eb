//! The arrivals that every subject hears: one a second, up to 50 ms early or late.

use std::time::Duration;

/// Arrivals without an end, from a table small enough to stay in the cache, so that making them
/// costs every subject the same nanosecond.
pub struct Arrivals {
    offsets: Vec<u64>,
}

const TABLE: usize = 1024;
const SECOND: u64 = 1_000_000_000;

impl Arrivals {
    #[must_use]
    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut jitter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 100_000_000
        };
        let offsets = (0..TABLE as u64).map(|at| at * SECOND + jitter()).collect();
        Self { offsets }
    }

    /// When the arrival number `at` comes, in nanoseconds.
    #[inline]
    #[must_use]
    pub fn at(&self, at: usize) -> u64 {
        let rounds = (at / TABLE) as u64;
        self.offsets[at % TABLE] + rounds * (TABLE as u64 * SECOND)
    }

    /// Silences from 0.5 s to 2.5 s after the last arrival: below, at and far above the mean.
    #[inline]
    #[must_use]
    pub fn silence(&self, at: usize) -> Duration {
        Duration::from_millis(500 + (at % 2000) as u64)
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}
