//! The one place that reads a clock.
//!
//! Everything else is told the time as a core [`Instant`]: nanoseconds since this process started
//! to watch. Wall time appears at the edges alone: in what people read, and in the kernel's receive
//! times.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auscult_core::time::{Instant, nanos};
use jiff::Timestamp;

/// A disagreement between the clocks below this is noise of reading them one after the other, and
/// must not make the same moment print differently twice.
const OFFSET_TOLERANCE_NANOS: i64 = 1_000_000;

/// The process's clock. Clones share one origin.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    /// Wall time minus monotonic time, in nanoseconds, as last agreed upon.
    offset_nanos: Arc<AtomicI64>,
}

/// The two clocks, read together: turns the kernel's wall times into moments.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    now: Instant,
    wall: Duration,
}

impl Clock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        let origin = std::time::Instant::now();
        let offset = signed(since_epoch(SystemTime::now()));
        Self {
            origin,
            offset_nanos: Arc::new(AtomicI64::new(offset)),
        }
    }

    /// The present moment. Never goes backwards.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(nanos(self.origin.elapsed()))
    }

    /// The present wall time.
    #[must_use]
    pub fn wall_now(&self) -> Timestamp {
        timestamp(signed(since_epoch(SystemTime::now())))
    }

    /// The wall time of a moment, as the wall clock counts now.
    #[must_use]
    pub fn wall(&self, at: Instant) -> Timestamp {
        let anchor = self.anchor();
        let measured = signed(anchor.wall).saturating_sub(signed_nanos(anchor.now));
        let agreed = self.offset_nanos.load(Ordering::Relaxed);
        let offset = if measured.abs_diff(agreed) > OFFSET_TOLERANCE_NANOS.unsigned_abs() {
            self.offset_nanos.store(measured, Ordering::Relaxed);
            measured
        } else {
            agreed
        };
        timestamp(signed_nanos(at).saturating_add(offset))
    }

    /// The moment as the standard library expresses it, to sleep until it.
    #[must_use]
    pub fn std(&self, at: Instant) -> std::time::Instant {
        let since = Duration::from_nanos(at.as_nanos());
        // Beyond the platform's range nobody waits to the end anyway.
        let far = Duration::from_secs(86_400 * 365);
        self.origin
            .checked_add(since)
            .unwrap_or_else(|| self.origin + far)
    }

    /// Reads both clocks.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        Anchor {
            now: self.now(),
            wall: since_epoch(SystemTime::now()),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Anchor {
    /// The present moment, as it was when the clocks were read.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The moment of a wall time, at most now and at least `not_before`: whoever found nothing to
    /// read at `not_before` knows that what he reads now came later, whatever was done to the wall
    /// clock.
    #[must_use]
    pub fn moment(&self, wall: Duration, not_before: Instant) -> Instant {
        let age = self.wall.saturating_sub(wall);
        self.now.before(age).max(not_before).min(self.now)
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

fn signed(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

fn signed_nanos(at: Instant) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}

fn timestamp(nanos_since_epoch: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos_since_epoch)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_prints_the_same_twice() {
        let clock = Clock::new();
        let at = clock.now();
        let first = clock.wall(at);
        assert!((0..100).all(|_| clock.wall(at) == first));
    }

    #[test]
    fn a_wall_time_becomes_a_moment_between_the_last_read_and_now() {
        let now = Instant::from_secs(100);
        let wall = Duration::from_secs(1_000_000);
        let anchor = Anchor { now, wall };
        let last_read = Instant::from_secs(90);
        let moment = |wall| anchor.moment(wall, last_read);

        let five_seconds_old = wall - Duration::from_secs(5);
        assert_eq!(moment(five_seconds_old), Instant::from_secs(95));
        assert_eq!(
            moment(wall + Duration::from_secs(7)),
            now,
            "never in the future"
        );
        assert_eq!(
            moment(Duration::ZERO),
            last_read,
            "never before the last read"
        );
    }

    #[test]
    fn the_end_of_time_can_be_waited_for() {
        let clock = Clock::new();
        assert!(clock.std(Instant::FAR_FUTURE) > clock.std(clock.now()));
    }
}
