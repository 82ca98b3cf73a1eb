//! What goes into the machine: arrivals, failed checks, time; and why it wants to be called again.

use core::fmt;
use core::time::Duration;

use super::status::Failure;
use crate::time::Instant;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Signs of life, best in the order in which they arrived. A batch of some dozens costs less
    /// for each than one alone, as their memory is fetched together.
    Arrivals(&'a [Arrival<'a>]),
    /// A check was not answered as it should be. It is kept as evidence; the silence raises the
    /// level.
    Failed {
        /// The signal that the check serves.
        signal: SignalKey,
        /// When the check failed.
        at: Instant,
        /// Why.
        failure: Failure,
    },
    /// Somebody else judges this signal, and says how it is: a group of members that watch each
    /// other, for example. From then on its own detector decides nothing, and arrivals of it are
    /// rejected.
    Told {
        /// The signal.
        signal: SignalKey,
        /// Since when it is so. A moment after `now` counts as `now`.
        at: Instant,
        /// How it is.
        verdict: Told,
        /// Why, for people. It is kept as evidence.
        why: &'a str,
    },
    /// Nothing but that time passed.
    Tick,
    /// Everything that was queued when [`Output::Drain`](super::Output::Drain) came has been fed.
    Drained,
}

/// What those can say of a signal who judge it in place of its detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is alive.
    Up,
    /// It may have failed.
    Late,
    /// It has failed.
    Down,
    /// They cannot tell, as the fault may be theirs.
    Unknown,
}

/// One sign of life.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Whose.
    pub source: Source<'a>,
    /// When it reached this machine, as early as the shell can tell (the kernel's receive time). A
    /// moment after `now` counts as `now`.
    pub received_at: Instant,
    /// The sender's number of this heartbeat, where it sends one.
    pub sequence: Option<u64>,
    /// The interval that the sender says it keeps. It is the first estimate of a signal that was
    /// never heard, and is not used afterwards: what is measured is better.
    pub interval_hint: Option<Duration>,
}

/// Which signal an arrival belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// By its key: no name is looked up.
    Key(SignalKey),
    /// By name.
    Name {
        /// The target.
        target: &'a str,
        /// The signal; without one, the target's first.
        signal: Option<&'a str>,
    },
}

/// Stands for one signal as long as it is watched. A signal that takes its place later has another
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKey {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl SignalKey {
    /// The key as a number, to be kept where only numbers fit.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// The key that [`to_bits`](Self::to_bits) gave. Any other number is a key that stands for no
    /// signal, or for one that happens to have it.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            slot: (bits >> 32) as u32,
            generation: bits as u32,
        }
    }
}

/// Why the machine wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// The level of a signal crosses a threshold.
    Deadline,
    /// The grace of a signal that was not heard yet ends.
    Grace,
    /// The deadlines that were noted for this moment have moved on, and are noted anew.
    Rearm,
    /// A flapping target may be steady again.
    Steady,
    /// Whether the observer may trust itself again is to be seen.
    MassCheck,
    /// Verdicts have been held back for the longest time allowed.
    MassHold,
    /// The answer to [`Output::Drain`](super::Output::Drain) is overdue; the machine goes on
    /// without.
    Drain,
}

impl Wake {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Deadline,
        Self::Grace,
        Self::Rearm,
        Self::Steady,
        Self::MassCheck,
        Self::MassHold,
        Self::Drain,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Grace => "grace",
            Self::Rearm => "rearm",
            Self::Steady => "steady",
            Self::MassCheck => "mass_check",
            Self::MassHold => "mass_hold",
            Self::Drain => "drain",
        }
    }
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
