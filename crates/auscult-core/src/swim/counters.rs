//! What the machine counted since it began.

use super::event::Reject;
use super::input::Wake;

/// Numbers that only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    wakes: [u64; Wake::ALL.len()],
    rejected: [u64; Reject::ALL.len()],
    /// Calls with a time before that of the call before.
    pub clock_regressions: u64,
    /// Times at which the process was found not to have run.
    pub stalls: u64,
    /// Probes of a period.
    pub probes: u64,
    /// Probes that were answered on the way round only.
    pub detours: u64,
    /// Probes that were not answered at all.
    pub probes_failed: u64,
    /// Suspicions of others that this member heard of or had itself.
    pub suspicions: u64,
    /// Members convicted here.
    pub convictions: u64,
    /// How often this member contradicted what was said of it.
    pub refutations: u64,
    /// Views compared over a stream.
    pub syncs: u64,
    /// Times that another member was asked for metadata over a stream.
    pub metadata_asks: u64,
    /// Broadcasts that were not sent as often as they should be, as too many wait.
    pub broadcasts_dropped: u64,
    /// Pieces of news that were not told as often as they should be, as too many wait. Who lacks
    /// them gets them when views are compared.
    pub news_dropped: u64,
    /// Direct heartbeats sent.
    pub heartbeats_sent: u64,
    /// Direct heartbeats heard.
    pub heartbeats_heard: u64,
    /// Times at which a member that sent heartbeats fell silent and was asked.
    pub silences: u64,
    /// Rounds in which the shared order was not taken because views differed.
    pub own_order_rounds: u64,
}

impl Counters {
    /// How often the machine was called at a moment that it had asked for, by reason.
    #[must_use]
    pub const fn wakes(&self, why: Wake) -> u64 {
        self.wakes[why as usize]
    }

    /// What was not taken, by reason.
    #[must_use]
    pub const fn rejected(&self, reason: Reject) -> u64 {
        self.rejected[reason as usize]
    }

    pub(super) const fn count_wake(&mut self, why: Wake) {
        self.wakes[why as usize] += 1;
    }

    pub(super) const fn count_rejected(&mut self, reason: Reject) {
        self.rejected[reason as usize] += 1;
    }
}
