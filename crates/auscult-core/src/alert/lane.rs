//! The way to one receiver: what waits to be told, what is on its way, and when to try again.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::key::AlertId;
use super::rule::Receiver;
use crate::rng::Rng;
use crate::time::{Instant, nanos};

/// The values of the labels that make a group.
pub(super) type GroupKey = Vec<String>;

/// The way to one receiver.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Alerts of which there is something to tell, and since when. At most one entry for each
    /// alert, so it cannot grow beyond their number however long the receiver is away.
    pub(super) queue: BTreeMap<AlertId, Instant>,
    /// Messages on their way.
    pub(super) in_flight: BTreeSet<u64>,
    /// When the last message of a group was handed out, within the group interval.
    pub(super) last_sent: BTreeMap<GroupKey, Instant>,
    /// Failures since the last answer.
    pub(super) failures: u32,
    /// Nothing is sent before.
    pub(super) blocked_until: Instant,
    /// When it is to be looked at.
    pub(super) wake: Option<Instant>,
    pub(super) counters: LaneCounters,
    /// When it confirmed anything last, in this process.
    pub(super) confirmed_at: Option<Instant>,
}

/// What was counted of one receiver since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounters {
    /// Messages that it confirmed.
    pub delivered: u64,
    /// Messages that failed, those without any answer included.
    pub failed: u64,
    /// Messages that it did not take.
    pub refused: u64,
    /// Notices in the messages that it confirmed.
    pub notices: u64,
    /// Episodes that came and went before it could be told: they are counted in later notices.
    pub skipped: u64,
    /// Ends of alerts that were given up on.
    pub abandoned: u64,
}

/// Whether a receiver is taken to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// It is told what is to be told.
    Closed,
    /// It failed too often; it is left alone until a moment.
    Open {
        /// Until then.
        until: Instant,
    },
    /// One message tries whether it is back.
    HalfOpen,
}

impl Breaker {
    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Lane {
    pub(super) fn breaker(&self, receiver: &Receiver, now: Instant) -> Breaker {
        if self.failures < receiver.breaker {
            Breaker::Closed
        } else if self.blocked_until > now {
            Breaker::Open {
                until: self.blocked_until,
            }
        } else {
            Breaker::HalfOpen
        }
    }

    /// How many messages may be on their way.
    pub(super) const fn in_flight_max(&self, receiver: &Receiver) -> usize {
        if self.failures < receiver.breaker {
            receiver.in_flight
        } else {
            1
        }
    }

    /// The receiver answered.
    pub(super) const fn on_answer(&mut self) {
        self.failures = 0;
        self.blocked_until = Instant::ORIGIN;
    }

    /// The receiver did not answer, or cannot take anything now.
    pub(super) fn on_failure(
        &mut self,
        receiver: &Receiver,
        now: Instant,
        retry_after: Option<Duration>,
        rng: &mut Rng,
    ) {
        self.failures = self.failures.saturating_add(1);
        let pause = pause_after(receiver, self.failures, rng);
        // What the receiver asks for counts, within our own bounds.
        let asked = retry_after.unwrap_or_default().min(receiver.backoff_max);
        self.blocked_until = self.blocked_until.max(now.after(pause.max(asked)));
    }
}

/// The pause after so many failures in a row: doubled each time, and a random part of its upper
/// half taken away, so that those who failed together do not come back together.
pub(super) fn pause_after(receiver: &Receiver, failures: u32, rng: &mut Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(63);
    let whole = nanos(receiver.backoff_min).saturating_mul(1 << doublings);
    let whole = whole.min(nanos(receiver.backoff_max));
    Duration::from_nanos(whole - rng.below(whole / 2 + 1))
}
