//! Publishing metrics to all members: readings of `auscult_core::peer_metric` in broadcasts.

use std::fmt;

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
