//! What goes into the log of metrics and what comes out of it.

use core::fmt;
use core::time::Duration;

use super::ask::Company;
use super::series::Kept;
use crate::bounds::METRIC_VALUE_BYTES_MAX;
use crate::detector::Level;
use crate::id::{SignalName, TargetId};
use crate::time::Instant;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Somebody published a metric.
    Published {
        /// Who it comes from.
        sender: Sender<'a>,
        /// When it reached this machine. A moment after `now` counts as `now`.
        received_at: Instant,
        /// What was published.
        reading: Reading<'a>,
    },
    /// These are the peers from now on, each once; others have departed. When the source of this
    /// fails, say nothing: the peers that are known go on being judged. Those beyond the limit of
    /// peers are passed over and counted.
    Peers(&'a [TargetId]),
    /// A peer shall be forgotten with its readings, or one metric of it.
    Forget {
        /// The peer.
        peer: &'a str,
        /// The metric; without one, all.
        metric: Option<&'a str>,
    },
    /// What was published cannot even be read as a reading. It is refused and counted like one.
    Unreadable(Rejection),
    /// An earlier process found this metric failed, and told of it. It stays failed until it is
    /// heard of. Where there is something of it already, or no room, nothing happens.
    FailedBefore {
        /// The peer, known or not.
        peer: &'a TargetId,
        /// The metric.
        metric: &'a SignalName,
    },
    /// What an earlier process kept of a metric of a peer. Where there are readings of it already,
    /// or no room, nothing happens.
    Restored(Restored<'a>),
    /// Whether others take what the same peers publish.
    Company(Company),
    /// To [`Output::Ask`]: all that could be asked have answered, and what they knew was published
    /// here.
    Answered {
        /// The peer.
        peer: &'a TargetId,
        /// The metric.
        metric: &'a SignalName,
    },
    /// Nothing but that time passed.
    Tick,
}

/// What an earlier process kept of a metric of a peer.
///
/// What it says is good until its time is over, counted from when it arrived. The metric has as
/// much time again before it fails, as what came meanwhile was not heard. A peer that is not known
/// has departed, and comes back when it is named, unless anybody may be a peer.
#[derive(Clone, Copy, Debug)]
pub struct Restored<'a> {
    /// The peer, known or not.
    pub peer: &'a TargetId,
    /// The metric.
    pub metric: &'a SignalName,
    /// Which run of its sender the readings are of, where it says so.
    pub epoch: Option<u64>,
    /// Its readings, the newest first; each arrived [`earlier`](Kept::earlier) than now.
    pub readings: &'a [Kept],
}

/// Who a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'a> {
    /// This peer, which proved who it is: it speaks for itself only.
    Peer(&'a str),
    /// One that may speak for every peer.
    Trusted,
}

/// One reading of a metric, as it is published. Nothing of it is believed before it is checked.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The metric.
    pub metric: &'a str,
    /// Whose.
    pub peer: &'a str,
    /// The value, of at most [`METRIC_VALUE_BYTES_MAX`] bytes.
    pub value: &'a str,
    /// How long it is good for, counted by our clock from its arrival. The sender's clock plays no
    /// part.
    pub ttl: Duration,
    /// Whether there is a value. One that has none shows that the peer lives, and no more.
    pub valid: Validity,
    /// How much the value counts beside those of other peers.
    pub weight: i64,
    /// Any number that differs between the runs of the sender: with another one than before, a new
    /// window begins. It has no order, so a clock that was set back between two runs does no harm.
    /// `None`: the sender does not tell its runs apart.
    pub epoch: Option<u64>,
}

/// Whether a reading has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It has.
    Valid,
    /// The peer could not tell its value.
    Invalid,
}

/// Takes a time to live as people and programs write it, in seconds.
///
/// # Errors
/// It is negative, not a number, infinite, or more than there is of time. State: nothing was
/// changed.
pub fn ttl_of_seconds(seconds: f64) -> Result<Duration, Rejection> {
    Duration::try_from_secs_f64(seconds).map_err(|_| Rejection::Ttl)
}

/// One thing the machine has to say, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A metric of a peer has failed. It is said once.
    Failed {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
        /// When: the moment it was due.
        at: Instant,
        /// Why.
        cause: Cause,
    },
    /// A metric that had failed is heard of again.
    Recovered {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
        /// When.
        at: Instant,
    },
    /// A metric that had failed is not judged any more: it was forgotten, or is not expected any
    /// more.
    Released {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
    },
    /// A peer departed; nothing of it fails any more.
    Departed {
        /// The peer.
        peer: TargetId,
    },
    /// A metric of a peer is due, and others are to be asked whether anything of it came to them
    /// since. It is to be answered with [`Input::Answered`].
    Ask {
        /// The peer.
        peer: TargetId,
        /// The metric.
        metric: SignalName,
    },
    /// What was published was not taken. It changed nothing.
    Rejected(Rejection),
}

/// Why a metric has failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// The time to live of its last reading is over.
    Expired {
        /// That time to live.
        ttl: Duration,
    },
    /// Its silence is improbable.
    Silent {
        /// How improbable.
        level: Level,
    },
    /// It was never published.
    NeverReported {
        /// The grace that is over.
        grace: Duration,
    },
    /// An earlier process found it failed, and nothing came since.
    FailedBefore,
}

impl Cause {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired { .. } => "expired",
            Self::Silent { .. } => "silent",
            Self::NeverReported { .. } => "never_reported",
            Self::FailedBefore => "failed_before",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { ttl } => write!(f, "nothing came within its time to live, {ttl:?}"),
            Self::Silent { level } => {
                write!(f, "its silence is improbable, at level {:.2}", level.get())
            }
            Self::NeverReported { grace } => write!(f, "nothing ever came within {grace:?}"),
            Self::FailedBefore => {
                f.write_str("it had failed before this process began, and nothing came since")
            }
        }
    }
}

/// Why what was published was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// It cannot be read as a reading.
    Malformed,
    /// The name of the metric or of the peer is none.
    Name,
    /// The sender speaks for somebody else.
    ForeignPeer,
    /// There is no such peer.
    UnknownPeer,
    /// The value is too long.
    Value,
    /// The time to live is not within the limits, or no span at all.
    Ttl,
    /// It arrived before the newest reading.
    Stale,
    /// There are too many names of metrics.
    TooManyNames,
    /// There are too many peers.
    TooManyPeers,
    /// There are too many pairs of a metric and a peer.
    TooManySeries,
    /// The values weigh too much together.
    TooManyBytes,
}

impl Rejection {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Name,
        Self::ForeignPeer,
        Self::UnknownPeer,
        Self::Value,
        Self::Ttl,
        Self::Stale,
        Self::TooManyNames,
        Self::TooManyPeers,
        Self::TooManySeries,
        Self::TooManyBytes,
    ];

    /// The stable code used in metrics and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Name => "name",
            Self::ForeignPeer => "foreign_peer",
            Self::UnknownPeer => "unknown_peer",
            Self::Value => "value",
            Self::Ttl => "ttl",
            Self::Stale => "stale",
            Self::TooManyNames => "too_many_names",
            Self::TooManyPeers => "too_many_peers",
            Self::TooManySeries => "too_many_series",
            Self::TooManyBytes => "too_many_bytes",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it cannot be read",
            Self::Name => "a name of a metric or a peer is not allowed",
            Self::ForeignPeer => "a peer speaks for itself only",
            Self::UnknownPeer => "there is no such peer",
            Self::Value => return write!(f, "a value has at most {METRIC_VALUE_BYTES_MAX} bytes"),
            Self::Ttl => "the time to live is not within the limits",
            Self::Stale => "it arrived before the newest reading",
            Self::TooManyNames => "there are too many names of metrics",
            Self::TooManyPeers => "there are too many peers",
            Self::TooManySeries => "there are too many metrics of peers",
            Self::TooManyBytes => "the values weigh too much together",
        })
    }
}

/// Counts since the machine was made, and what it holds at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Readings that were taken.
    pub taken: u64,
    /// Times that others were asked, as a metric was due.
    pub asked: u64,
    /// Failures.
    pub failed: u64,
    /// Recoveries.
    pub recovered: u64,
    /// Windows that began anew, as their sender did.
    pub restarts: u64,
    /// Metrics of peers that an earlier process kept and that are gone on with.
    pub restored: u64,
    /// Metrics of peers that were freed with what was kept of them.
    pub forgotten: u64,
    /// Peers that were named and passed over, as there are too many.
    pub peers_refused: u64,
    /// Times that the process did not run when it should have.
    pub stalls: u64,
    /// Calls with a time before that of an earlier call.
    pub clock_regressions: u64,
    /// Pairs of a metric and a peer at present.
    pub series: usize,
    /// Those of them that have failed and are judged.
    pub failing: usize,
    /// Bytes of all values at present.
    pub values_bytes: usize,
    rejections: [u64; Rejection::ALL.len()],
}

impl Counters {
    /// Readings that were not taken for this reason.
    #[must_use]
    pub const fn rejections(&self, reason: Rejection) -> u64 {
        self.rejections[reason as usize]
    }

    pub(super) const fn count_rejection(&mut self, reason: Rejection) {
        self.rejections[reason as usize] += 1;
    }
}
