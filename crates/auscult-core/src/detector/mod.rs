//! Failure detectors: from the arrivals of one signal to a level of suspicion.
//!
//! ```
//! use auscult_core::detector::{Detector, Level, Phi, PhiParams};
//! use auscult_core::time::Instant;
//!
//! let mut detector = Phi::new(PhiParams::new())?;
//! detector.heartbeat(Instant::from_millis(1_000), None);
//! detector.heartbeat(Instant::from_millis(2_000), None);
//! let level = detector.level(Instant::from_millis(2_500));
//! let suspect_at = detector.deadline(Level::new(8.0));
//! # assert!(level < Level::new(1.0) && suspect_at > Some(Instant::from_millis(5_000)));
//! # Ok::<(), Vec<auscult_core::detector::Violation>>(())
//! ```
//!
//! - [`Phi`]: how improbable is the present silence, going by the intervals before it? [`Chen`]:
//!   when is the next heartbeat of a regular sender due? [`Bertier`]: the same, with a margin that
//!   adapts. [`Deadline`]: a fixed time-out. `docs/detectors.md` tells how to choose.
//! - [`shared`]: phi, for several threads.
//! - [`DetectorConfig`], [`DetectorState`] and [`Mark`] are their parts, for those who watch a
//!   million signals with few configurations: what is valid by construction, what was learnt, and a
//!   threshold with the arithmetic of its deadline already done.
//!
//! A deadline is the inverse of the level to the nanosecond: at the deadline the level is at least
//! the threshold, and one nanosecond before it is below. Levels are `f64`, so where one nanosecond
//! is less than their last digits (silences of weeks, deviations of months, the flat start of a
//! curve) they have plateaus, and the level may be at the threshold some nanoseconds earlier, never
//! later.

mod bertier;
mod chen;
pub mod config;
mod curve;
mod deadline;
mod decayed;
mod empirical;
mod expectation;
#[cfg(test)]
mod golden;
mod logistic;
mod mark;
mod normal;
mod outages;
mod phase;
mod phi;
#[cfg(target_has_atomic = "64")]
pub mod shared;
mod standalone;
mod state;
mod window;

use core::cmp::Ordering;
use core::fmt;

use crate::time::Instant;

pub use bertier::Bertier;
pub use chen::Chen;
pub use config::{
    BertierParams, ChenParams, DeadlineParams, DetectorConfig, DetectorParams, Distribution,
    History, PhiParams, Violation,
};
use curve::Curve;
pub use deadline::Deadline;
pub use mark::Mark;
pub use phi::Phi;
pub use state::{DetectorState, Heard, Learn, Statistics};

/// A failure detector of one signal.
///
/// Time flows through `now` alone. Arrivals may come late, twice, out of order and at equal times;
/// a detector then learns nothing wrong and never fails.
pub trait Detector {
    /// Takes one arrival. `sequence` is the sender's number of the heartbeat, where it sends one:
    /// it tells a lost heartbeat from a late one, and a duplicate from both.
    fn heartbeat(&mut self, received_at: Instant, sequence: Option<u64>);

    /// The level of suspicion at `now`, if nothing has arrived since the last heartbeat. Reading
    /// changes nothing, so a scrape cannot change a verdict. Zero before the first heartbeat.
    fn level(&self, now: Instant) -> Level;

    /// The first moment at which [`level`](Self::level) is at least `threshold`, if nothing more
    /// arrives: its inverse, to the nanosecond. `None` when that never happens: before the first
    /// heartbeat, or beyond the end of time.
    fn deadline(&self, threshold: Level) -> Option<Instant>;
}

/// A level of suspicion: finite, not negative, and never NaN. What a value means is each detector's
/// own (`phi = 8`: wrong about once in 10^8 decisions, if the model holds).
#[derive(Clone, Copy, PartialEq, Default)]
pub struct Level(f64);

impl Level {
    /// No suspicion.
    pub const ZERO: Self = Self(0.0);
    /// The largest level there is.
    pub const MAX: Self = Self(f64::MAX);

    /// Takes a level: NaN and negative values become zero, infinity becomes [`MAX`](Self::MAX).
    #[must_use]
    pub const fn new(value: f64) -> Self {
        if value > f64::MAX {
            Self::MAX
        } else if value > 0.0 {
            Self(value)
        } else {
            Self::ZERO
        }
    }

    /// The level as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The level of a value that lies `deviations` standard deviations beyond the mean, if it is
/// normally distributed: phi, `-log10` of the probability of a greater one.
#[must_use]
pub fn normal_level(deviations: f64) -> Level {
    Level::new(normal::phi(deviations))
}

/// How many standard deviations beyond the mean [`normal_level`] is `level`.
#[must_use]
pub fn normal_deviations(level: Level) -> f64 {
    normal::quantile(level.get())
}

impl Eq for Level {}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Level {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
