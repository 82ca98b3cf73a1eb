//! A million signals, and the order in which they are heard.

use auscult_core::time::Instant;

/// 2^20 signals: a little more than a million, so that an order over all of them is cheap to make.
pub const SIGNALS: usize = 1 << 20;

/// Every signal once a round, in an order without neighbours and another one each round, one
/// heartbeat a microsecond: each signal is heard after 0 to 2 seconds, one second on average.
pub struct Crowd {
    at: usize,
    signals: usize,
}

impl Crowd {
    /// `signals` is a power of two.
    #[must_use]
    pub const fn new(signals: usize) -> Self {
        assert!(signals.is_power_of_two());
        Self { at: 0, signals }
    }

    /// The next signal, and when it is heard.
    #[inline]
    pub const fn next(&mut self) -> (usize, Instant) {
        let mask = self.signals - 1;
        let round = self.at / self.signals;
        // Multiplications by odd numbers and shifts to the right are one-to-one below a power of
        // two.
        let mut x = (self.at ^ round.wrapping_mul(0x5bd1_e995)) & mask;
        x = x.wrapping_mul(0x9e37_79b1) & mask;
        x ^= x >> 9;
        x = x.wrapping_mul(0x85eb_ca6b) & mask;
        x ^= x >> 7;
        self.at += 1;
        (x, self.now())
    }

    /// The present.
    #[inline]
    #[must_use]
    pub const fn now(&self) -> Instant {
        // A million heartbeats take a second, whatever the number of signals.
        Instant::from_nanos(self.at as u64 * (1_000_000_000 / self.signals as u64))
    }
}

/// The name of a signal's target, made in place as a datagram would bring it.
#[derive(Clone, Copy)]
pub struct Id([u8; 8]);

impl Id {
    #[inline]
    #[must_use]
    pub fn new(at: usize) -> Self {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let mut bytes = *b"t0000000";
        for (place, byte) in bytes.iter_mut().skip(1).enumerate() {
            *byte = DIGITS[(at >> (4 * (6 - place))) & 15];
        }
        Self(bytes)
    }

    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_heard_once_a_round_and_rounds_differ() {
        let mut crowd = Crowd::new(1024);
        let mut round = || -> Vec<usize> { (0..1024).map(|_| crowd.next().0).collect() };
        let (first, second) = (round(), round());
        assert_ne!(first, second);
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, (0..1024).collect::<Vec<_>>());
        }
    }

    #[test]
    fn names_differ() {
        assert_eq!(Id::new(0).as_str(), "t0000000");
        assert_eq!(Id::new(0xabcde).as_str(), "t00abcde");
    }
}
