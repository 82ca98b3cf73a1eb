//! Publishing metrics to all members: readings of `auscult_core::peer_metric` in broadcasts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use auscult_core::id::{IdError, check_name};
use auscult_core::peer_metric::{Reading, message};
use auscult_core::swim::BroadcastRefusal;

use crate::handle::{AgentHandle, Refused};

/// Why a metric is not published. State: nothing was queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricRefusal {
    /// The name of the metric is none.
    Name(IdError),
    /// It is said to be another one's: a member speaks for itself only.
    ForeignPeer,
    /// It would be good for less than a millisecond.
    Ttl,
    /// It is not sent.
    Broadcast(BroadcastRefusal),
}

/// Why what was to be published was not, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricReject {
    /// It cannot be read.
    Malformed,
    /// Its sender shows no certificate where one is asked for.
    Certificate,
    /// The name of the metric is none.
    Name,
    /// It is said to be another one's.
    ForeignPeer,
    /// It would be good for less than a millisecond.
    Ttl,
    /// It does not fit a datagram.
    Value,
    /// Too many broadcasts wait.
    Full,
    /// The member leaves.
    Leaving,
}

impl MetricReject {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Certificate,
        Self::Name,
        Self::ForeignPeer,
        Self::Ttl,
        Self::Value,
        Self::Full,
        Self::Leaving,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Certificate => "certificate",
            Self::Name => "name",
            Self::ForeignPeer => "foreign_peer",
            Self::Ttl => "ttl",
            Self::Value => "value",
            Self::Full => "full",
            Self::Leaving => "leaving",
        }
    }
}

impl From<&MetricRefusal> for MetricReject {
    fn from(refusal: &MetricRefusal) -> Self {
        match refusal {
            MetricRefusal::Name(_) | MetricRefusal::Broadcast(BroadcastRefusal::Key(_)) => {
                Self::Name
            }
            MetricRefusal::ForeignPeer => Self::ForeignPeer,
            MetricRefusal::Ttl => Self::Ttl,
            MetricRefusal::Broadcast(BroadcastRefusal::TooLong { .. }) => Self::Value,
            MetricRefusal::Broadcast(BroadcastRefusal::Full) => Self::Full,
            // That it leaves; a reason that the core gets one day has no name here yet.
            MetricRefusal::Broadcast(_) => Self::Leaving,
        }
    }
}

/// What became of the metrics that a member was to publish, since it began.
#[derive(Debug, Default)]
pub(crate) struct MetricCounters {
    published: AtomicU64,
    rejected: [AtomicU64; MetricReject::ALL.len()],
}

impl MetricCounters {
    pub(crate) fn reject(&self, reason: MetricReject) {
        self.rejected[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for MetricRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "the name of the metric: {error}"),
            Self::ForeignPeer => f.write_str("a member speaks for itself only"),
            Self::Ttl => f.write_str("the time to live must be at least a millisecond"),
            Self::Broadcast(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for MetricRefusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Broadcast(refusal) => refusal.source(),
            Self::ForeignPeer | Self::Ttl => None,
        }
    }
}

impl AgentHandle {
    /// Publishes a metric of this member to all members, of which those that monitor keep it. It
    /// goes as a broadcast does: soon, to all who are members now, and without a promise; so a
    /// metric is published at least twice within its time to live. Without an epoch it has that of
    /// this agent, which differs from run to run.
    ///
    /// # Errors
    /// Why it is not sent. State: nothing was queued.
    pub async fn log_metric(&self, reading: &Reading<'_>) -> Result<(), Refused<MetricRefusal>> {
        let sent = self.send_metric(reading).await;
        let counters = self.metric_counters();
        match &sent {
            Ok(()) => drop(counters.published.fetch_add(1, Ordering::Relaxed)),
            Err(Refused::Refused(refusal)) => counters.reject(refusal.into()),
            Err(Refused::Stopped) => {}
        }
        sent
    }

    /// Metrics of this member that were published since the agent began.
    #[must_use]
    pub fn metrics_published(&self) -> u64 {
        self.metric_counters().published.load(Ordering::Relaxed)
    }

    /// Metrics that this member was to publish and did not, for this reason.
    #[must_use]
    pub fn metrics_rejected(&self, reason: MetricReject) -> u64 {
        self.metric_counters().rejected[reason as usize].load(Ordering::Relaxed)
    }

    async fn send_metric(&self, reading: &Reading<'_>) -> Result<(), Refused<MetricRefusal>> {
        let refuse = |refusal| Err(Refused::Refused(refusal));
        if let Err(error) = check_name(reading.metric) {
            return refuse(MetricRefusal::Name(error));
        }
        if reading.peer != self.name().as_str() {
            return refuse(MetricRefusal::ForeignPeer);
        }
        if reading.ttl.as_millis() == 0 {
            return refuse(MetricRefusal::Ttl);
        }
        let epoch = reading.epoch.or(Some(self.run()));
        let payload = message::encode(&Reading { epoch, ..*reading });
        let key = message::key(reading.metric);
        match self.broadcast(Some(&key), &payload).await {
            Ok(()) => Ok(()),
            Err(Refused::Stopped) => Err(Refused::Stopped),
            Err(Refused::Refused(refusal)) => refuse(MetricRefusal::Broadcast(refusal)),
        }
    }
}
