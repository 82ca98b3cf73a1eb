//! What an agent counted since it began.

use std::time::Duration;

use auscult_core::swim;

use crate::layers::LayerReject;

/// Numbers of one agent, as they were after the last batch of inputs. Those that count only grow.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// What the machine counted.
    pub swim: swim::Counters,
    /// How slow the member thinks itself to be: 0 is well.
    pub local_health: u8,
    /// Pieces of news that are still to be sent.
    pub backlog: usize,

    /// Datagrams that arrived.
    pub datagrams_received: u64,
    /// Their bytes, without headers.
    pub bytes_received: u64,
    /// Datagrams handed to the kernel.
    pub datagrams_sent: u64,
    /// Their bytes, without headers.
    pub bytes_sent: u64,
    /// Datagrams that the kernel did not take: no route, no buffer, too long.
    pub send_errors: u64,
    /// Datagrams that a full queue or a line that is down cost, where gRPC carries them.
    pub datagrams_dropped: u64,
    /// Datagrams that are no message of the codec.
    pub datagrams_malformed: u64,
    /// Datagrams and frames that the layers did not take, by reason.
    pub layer_rejected: [u64; LayerReject::ALL.len()],

    /// Streams of others.
    pub streams_accepted: u64,
    /// Streams of others that were pushed out by later ones.
    pub streams_evicted: u64,
    /// Streams of others on which no whole request came in time, or that broke.
    pub streams_failed: u64,
    /// Streams of others that carried no request of the codec, or too long a one.
    pub streams_malformed: u64,
    /// Streams that this agent opened.
    pub streams_opened: u64,
    /// Those of them that brought no answer.
    pub streams_unanswered: u64,

    /// Wake-ups that the machine had asked for.
    pub wakes: u64,
    /// How late the last of them was.
    pub lateness: Duration,
    /// How late the latest of them was.
    pub lateness_max: Duration,
    /// The sum of all of them.
    pub lateness_sum: Duration,
    /// Times at which the snapshot on disk could not be written.
    pub record_errors: u64,
    /// Snapshots of the members that were taken.
    pub snapshots: u64,
}

impl Counters {
    /// Datagrams and frames that the layers did not take for this reason.
    #[must_use]
    pub const fn layer_rejected(&self, reason: LayerReject) -> u64 {
        self.layer_rejected[reason as usize]
    }

    pub(crate) const fn count_layer_rejected(&mut self, reason: LayerReject) {
        self.layer_rejected[reason as usize] += 1;
    }

    pub(crate) fn count_wake(&mut self, late: Duration) {
        self.wakes += 1;
        self.lateness = late;
        self.lateness_max = self.lateness_max.max(late);
        self.lateness_sum += late;
    }
}
