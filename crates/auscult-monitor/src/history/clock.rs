//! The time in which rows are kept: milliseconds since the Unix epoch, by the wall clock at the
//! start and the monotonic one since then.
//!
//! A wall clock that is set is followed, but only between two looks, and the recorder is told: the
//! time that it jumped over was not watched, and the time that it goes through again is kept as it
//! was the first time.

use std::sync::atomic::{AtomicU64, Ordering};

use auscult_core::time::Instant;

use crate::clock::Clock;

/// A disagreement of the clocks below this is left alone: they are read one after the other.
const STEP_NANOS_MIN: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Timeline {
    clock: Clock,
    /// The epoch's nanosecond at the origin of the monotonic clock.
    origin_nanos: AtomicU64,
}

impl Timeline {
    pub(super) fn new(clock: Clock) -> Self {
        let origin = measured(&clock);
        Self {
            clock,
            origin_nanos: AtomicU64::new(origin),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.ms(self.clock.now())
    }

    pub(super) fn nanos(&self, at: Instant) -> u64 {
        let origin = self.origin_nanos.load(Ordering::Relaxed);
        origin.saturating_add(at.as_nanos())
    }

    pub(super) fn ms(&self, at: Instant) -> u64 {
        self.nanos(at) / 1_000_000
    }

    /// Whether the wall clock was set since the last look; from now on it is followed.
    pub(super) fn was_set(&self) -> bool {
        let measured = measured(&self.clock);
        let agreed = self.origin_nanos.load(Ordering::Relaxed);
        let set = measured.abs_diff(agreed) > STEP_NANOS_MIN;
        if set {
            self.origin_nanos.store(measured, Ordering::Relaxed);
        }
        set
    }

    #[cfg(test)]
    pub(super) fn step(&self, by_ms: i64) {
        let origin = self.origin_nanos.load(Ordering::Relaxed);
        let stepped = origin.saturating_add_signed(by_ms * 1_000_000);
        self.origin_nanos.store(stepped, Ordering::Relaxed);
    }
}

fn measured(clock: &Clock) -> u64 {
    let wall = u64::try_from(clock.wall_now().as_nanosecond()).unwrap_or(0);
    wall.saturating_sub(clock.now().as_nanos())
}
