//! The clock that a member sees: as fast as it likes, and set when somebody sets it.

use std::time::Duration;

use auscult_core::time::Instant;

/// By how much a clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It shows a later time than before: a suspended machine that wakes up, a leap.
    Forward(Duration),
    /// It shows an earlier time than before, which no monotonic clock should.
    Back(Duration),
}

/// From the time of the world to the time that one member sees, and back.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Nanoseconds of the member's in 1,000,000,000 of the world's.
    rate: u64,
    /// Both times when the rate or the clock was last set.
    world: Instant,
    local: Instant,
}

impl Clock {
    pub(crate) const fn new() -> Self {
        Self {
            rate: BILLION,
            world: Instant::ORIGIN,
            local: Instant::ORIGIN,
        }
    }

    /// What the member sees when the world's time is `now`.
    pub(crate) fn local(&self, now: Instant) -> Instant {
        if self.rate == BILLION && self.local == self.world {
            return now;
        }
        let past = now.as_nanos() - self.world.as_nanos();
        let past = u128::from(past) * u128::from(self.rate) / u128::from(BILLION);
        self.local.after(span(past))
    }

    /// The first moment of the world at which the member sees `at`, or a later time.
    pub(crate) fn world(&self, at: Instant) -> Instant {
        if self.rate == BILLION && self.local == self.world {
            return at;
        }
        let left = at.as_nanos().saturating_sub(self.local.as_nanos());
        let left = u128::from(left) * u128::from(BILLION);
        self.world.after(span(left.div_ceil(u128::from(self.rate))))
    }

    /// From now on it gains so many millionths; a negative number loses them.
    pub(crate) fn set_rate(&mut self, now: Instant, gained_ppm: i32) {
        self.local = self.local(now);
        self.world = now;
        let gained = i64::from(gained_ppm.clamp(GAIN_LEAST, GAIN_MOST)) * 1_000;
        self.rate = BILLION.saturating_add_signed(gained);
    }

    pub(crate) fn step(&mut self, now: Instant, by: Step) {
        let local = self.local(now);
        self.world = now;
        self.local = match by {
            Step::Forward(by) => local.after(by),
            Step::Back(by) => local.before(by),
        };
    }
}

/// A clock stops at nothing, and runs at most ten times too fast.
const GAIN_LEAST: i32 = -999_000;
const GAIN_MOST: i32 = 9_000_000;
const BILLION: u64 = 1_000_000_000;

fn span(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_never_early_by_the_members_own_clock() {
        for ppm in [-900_000, -123, 0, 77, 500_000, 9_000_000] {
            let mut clock = Clock::new();
            clock.set_rate(Instant::from_millis(1_234), ppm);
            clock.step(
                Instant::from_secs(5),
                Step::Back(Duration::from_millis(777)),
            );
            for millis in (6_000..9_000).step_by(37) {
                let at = clock
                    .local(Instant::from_millis(millis))
                    .after(Duration::from_nanos(11));
                let wake = clock.world(at);
                assert!(clock.local(wake) >= at, "{ppm} {millis}");
                assert!(
                    clock.local(wake.before(Duration::from_nanos(2))) < at,
                    "{ppm} {millis}"
                );
            }
        }
    }

    #[test]
    fn a_step_moves_the_time_and_not_the_rate() {
        let mut clock = Clock::new();
        clock.step(
            Instant::from_secs(10),
            Step::Forward(Duration::from_secs(3)),
        );
        assert_eq!(clock.local(Instant::from_secs(20)), Instant::from_secs(23));
        assert_eq!(clock.world(Instant::from_secs(23)), Instant::from_secs(20));
    }
}
