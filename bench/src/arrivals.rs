//! The arrivals that every subject hears: one a second, up to 50 ms early or late.

use std::time::Duration;

/// Arrivals without an end. Their intervals come from a table that stays in the cache, so that
/// making one costs every subject the same fraction of a nanosecond.
pub struct Arrivals {
    intervals: Box<[u64; TABLE]>,
    at: usize,
    now: u64,
}

const TABLE: usize = 1024;

impl Arrivals {
    #[must_use]
    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut interval = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            950_000_000 + state % 100_000_000
        };
        Self {
            intervals: Box::new(std::array::from_fn(|_| interval())),
            at: 0,
            now: 0,
        }
    }

    /// When the next arrival comes, in nanoseconds.
    #[inline]
    pub fn next_nanos(&mut self) -> u64 {
        self.at = (self.at + 1) % TABLE;
        self.now += self.intervals[self.at];
        self.now
    }

    /// Silences from 0.5 s to 2.5 s after the last arrival: below, at and far above the mean.
    #[inline]
    pub fn next_silence(&mut self) -> Duration {
        self.at = (self.at + 1) % 2048;
        Duration::from_millis(500 + self.at as u64)
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new()
    }
}
