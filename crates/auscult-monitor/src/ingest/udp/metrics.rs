//! Figures about heartbeats over UDP.

use std::sync::atomic::{AtomicU64, Ordering};

use auscult_core::monitor::Rejection;

use crate::engine::Tally;

/// Why a heartbeat was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// The bytes are no heartbeat.
    Malformed,
    /// A key is configured, and the heartbeat has no code.
    Unsigned,
    /// Its code is wrong.
    BadMac,
    /// A key is configured, and the heartbeat has no sequence number: it could be recorded and sent
    /// again.
    Unsequenced,
    /// No target has that name.
    UnknownTarget,
    /// The target has no signal of that name.
    UnknownSignal,
    /// The sequence number was seen already.
    Duplicate,
    /// The sequence number is older than the newest one.
    Stale,
    /// The target is a member of the group, which judges it.
    Member,
    /// The target would have been created, but there are as many as allowed.
    Full,
}

impl RejectReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Unsigned,
        Self::BadMac,
        Self::Unsequenced,
        Self::UnknownTarget,
        Self::UnknownSignal,
        Self::Duplicate,
        Self::Stale,
        Self::Member,
        Self::Full,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unsigned => "unsigned",
            Self::BadMac => "bad_mac",
            Self::Unsequenced => "unsequenced",
            Self::UnknownTarget => "unknown_target",
            Self::UnknownSignal => "unknown_signal",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Member => "member",
            Self::Full => "full",
        }
    }
}

impl From<Rejection> for RejectReason {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UnknownTarget => Self::UnknownTarget,
            // Datagrams carry names and no keys.
            Rejection::UnknownSignal | Rejection::StaleKey => Self::UnknownSignal,
            Rejection::Duplicate => Self::Duplicate,
            Rejection::Stale => Self::Stale,
            Rejection::Told => Self::Member,
        }
    }
}

/// Counts since the start. A datagram with one heartbeat is counted once: as accepted, or as
/// rejected for one reason. What the kernel dropped before is counted by the kernel.
#[derive(Debug, Default)]
pub struct UdpMetrics {
    datagrams: AtomicU64,
    reads: AtomicU64,
    accepted: AtomicU64,
    rejected: [AtomicU64; RejectReason::ALL.len()],
}

impl UdpMetrics {
    /// Datagrams that were read.
    #[must_use]
    pub fn datagrams(&self) -> u64 {
        self.datagrams.load(Ordering::Relaxed)
    }

    /// Calls of the kernel that read them.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Heartbeats that were taken.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Heartbeats that were not taken for `reason`.
    #[must_use]
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        self.rejected[reason as usize].load(Ordering::Relaxed)
    }

    /// Heartbeats that were not taken.
    #[must_use]
    pub fn rejected_total(&self) -> u64 {
        RejectReason::ALL
            .iter()
            .map(|&reason| self.rejected(reason))
            .sum()
    }

    pub(super) fn reject(&self, reason: RejectReason, count: u64) {
        if count > 0 {
            self.rejected[reason as usize].fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self, datagrams: u64) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.datagrams.fetch_add(datagrams, Ordering::Relaxed);
    }

    /// Counts a batch that the machine saw; `full` of its unknown targets were refused for want of
    /// room.
    pub(super) fn tally(&self, tally: &Tally, full: u64) {
        self.accepted.fetch_add(tally.taken, Ordering::Relaxed);
        for (rejection, count) in tally.rejections() {
            let reason = RejectReason::from(rejection);
            let count = match reason {
                RejectReason::UnknownTarget => count.saturating_sub(full),
                RejectReason::Malformed
                | RejectReason::Unsigned
                | RejectReason::BadMac
                | RejectReason::Unsequenced
                | RejectReason::UnknownSignal
                | RejectReason::Duplicate
                | RejectReason::Stale
                | RejectReason::Member
                | RejectReason::Full => count,
            };
            self.reject(reason, count);
        }
        self.reject(RejectReason::Full, full);
    }
}
