//! When checks are due: spread over the interval from the start, at a fixed rate, never two at
//! once.
//!
//! The n-th signal starts at the fraction `n * 0.618...` of its interval (a golden-ratio sequence:
//! any run of signals is spread evenly, whatever their number). Slots follow at exact multiples of
//! the interval, each with a little jitter of its own, so that lateness never accumulates into
//! drift and checks do not march in step with something periodic at the other end.

use std::time::Duration;

use auscult_core::time::{Instant, nanos};

/// The slots of one signal's checks.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// The moment of slot 0.
    base: Instant,
    interval_nanos: u64,
    jitter_nanos: u64,
    place: u32,
    slot: u64,
}

impl Schedule {
    /// The schedule of the `place`-th signal: its first check is due before one interval has
    /// passed.
    pub(super) fn new(now: Instant, interval: Duration, place: u32) -> Self {
        let interval_nanos = nanos(interval).max(1);
        let fraction = place.wrapping_mul(GOLDEN_FRACTION);
        let phase = (u128::from(interval_nanos) * u128::from(fraction)) >> u32::BITS;
        let jitter_max = nanos(JITTER_MAX).min(interval_nanos / JITTER_DIVISOR);
        Self {
            base: now.after(Duration::from_nanos(u64::try_from(phase).unwrap_or(0))),
            interval_nanos,
            jitter_nanos: jitter_max,
            place,
            slot: 0,
        }
    }

    /// The schedule of a signal that other monitors check, too: the slots of all of them are at
    /// multiples of the interval by the wall clock, each shifted by its own `fraction` of it. The
    /// first check is due before one interval has passed. Where the clocks differ, the checks are
    /// spread worse, and nothing else.
    pub(super) fn shared(
        now: Instant,
        wall: Duration,
        interval: Duration,
        fraction: u32,
        place: u32,
    ) -> Self {
        let mut schedule = Self::new(now, interval, place);
        let interval = u128::from(schedule.interval_nanos);
        let wanted = (interval * u128::from(fraction)) >> u32::BITS;
        let reached = wall.as_nanos() % interval;
        let wait = (interval + wanted - reached) % interval;
        schedule.base = now.after(Duration::from_nanos(u64::try_from(wait).unwrap_or(0)));
        schedule
    }

    /// From one slot to the next.
    pub(super) const fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval_nanos)
    }

    /// When the next check is due.
    pub(super) fn due(&self) -> Instant {
        self.moment(self.slot)
    }

    /// Moves on to the next slot that is not over yet, and tells how many were missed on the way.
    pub(super) fn advance(&mut self, now: Instant) -> u64 {
        let next = self.slot + 1;
        let reached = nanos(now.since(self.base)) / self.interval_nanos;
        let mut slot = next.max(reached);
        if self.moment(slot) < now {
            slot += 1;
        }
        self.slot = slot;
        slot - next
    }

    fn moment(&self, slot: u64) -> Instant {
        let plain = slot.saturating_mul(self.interval_nanos);
        let jitter = match slot {
            0 => 0,
            _ => mix(u64::from(self.place) << 40 ^ slot) % self.jitter_nanos.max(1),
        };
        self.base
            .after(Duration::from_nanos(plain.saturating_add(jitter)))
    }
}

/// 2^32 divided by the golden ratio.
const GOLDEN_FRACTION: u32 = 0x9e37_79b9;

/// Jitter is at most this part of the interval, so that it stays small against what a detector
/// learns ...
const JITTER_DIVISOR: u64 = 32;

/// ... and at most this, because a longer one would only blur a long interval.
const JITTER_MAX: Duration = Duration::from_millis(100);

/// SplitMix64's finalizer: neighbouring slots get unrelated jitter.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Instant = Instant::from_secs(7);

    #[test]
    fn first_checks_fill_the_first_interval_evenly() {
        for count in [10_u32, 100, 1_000, 10_000] {
            let mut tenths = [0_u32; 10];
            for place in 0..count {
                let offset = Schedule::new(START, SECOND, place).due().since(START);
                assert!(offset < SECOND, "{place}: {offset:?}");
                tenths[offset.as_millis() as usize / 100] += 1;
            }
            let share = count / 10;
            for tenth in tenths {
                assert!(
                    tenth.abs_diff(share) <= 1 + share / 50,
                    "{count}: {tenths:?}"
                );
            }
        }
    }

    #[test]
    fn observers_check_at_evenly_spread_moments_whenever_they_started() {
        let third = u32::MAX / 3;
        let mut due = Vec::new();
        for (observer, started) in [(0, 0), (1, 12_345_678), (2, 999_999_999)] {
            let wall = Duration::from_secs(1_800_000_000) + Duration::from_nanos(started);
            let now = Instant::from_nanos(started);
            let schedule = Schedule::shared(now, wall, SECOND, observer * third, observer);
            assert!(schedule.due().since(now) < SECOND);
            due.push(nanos(schedule.due().since(Instant::ORIGIN)) % 1_000_000_000 / 1_000_000);
        }
        assert_eq!(due, [0, 333, 666]);
    }

    #[test]
    fn slots_do_not_drift_and_their_jitter_is_small() {
        let mut schedule = Schedule::new(START, SECOND, 3);
        let first = schedule.due();
        for slot in 1..1_000_u32 {
            let started = schedule.due().after(Duration::from_millis(200));
            assert_eq!(schedule.advance(started), 0);
            let jitter = schedule.due().since(first.after(SECOND * slot));
            assert!(jitter < SECOND / 32, "{slot}: {jitter:?}");
        }
    }

    #[test]
    fn slots_that_passed_during_a_slow_check_are_missed_and_counted() {
        let mut schedule = Schedule::new(START, SECOND, 0);
        let first = schedule.due();
        let ended = first.after(Duration::from_millis(2_500));
        assert_eq!(schedule.advance(ended), 2);
        let due = schedule.due();
        assert!(due >= first.after(SECOND * 3) && due < first.after(SECOND * 4));
    }

    proptest! {
        /// Against the dumb way: step through all slots until one is not over.
        #[test]
        fn the_next_slot_is_the_first_that_is_not_over(
            place: u32,
            interval_ms in 1_u64..100_000,
            elapsed_ms in proptest::collection::vec(0_u64..500_000, 1..20),
        ) {
            let interval = Duration::from_millis(interval_ms);
            let mut schedule = Schedule::new(START, interval, place);
            for elapsed in elapsed_ms {
                let now = schedule.due().after(Duration::from_millis(elapsed));
                let mut slot = schedule.slot + 1;
                while schedule.moment(slot) < now {
                    slot += 1;
                }
                let missed = slot - schedule.slot - 1;
                prop_assert_eq!(schedule.advance(now), missed);
                prop_assert_eq!(schedule.slot, slot);
                prop_assert!(schedule.due() >= now);
            }
        }
    }
}
