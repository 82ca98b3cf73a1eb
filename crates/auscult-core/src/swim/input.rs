//! What goes into the machine, and why it wants to be called again.

use core::fmt;
use core::net::SocketAddr;

use super::message::{Answer, Packet, Request};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Nothing but that time passed.
    Tick,
    /// A datagram.
    Packet {
        /// Where it came from.
        from: SocketAddr,
        /// What it says.
        packet: Packet,
    },
    /// Another member asks over a stream; answer with [`Output::Answer`](super::Output::Answer).
    Request {
        /// Where it comes from.
        from: SocketAddr,
        /// Finds the stream again.
        ticket: Ticket,
        /// What is asked.
        request: Request,
    },
    /// The answer to what [`Output::Ask`](super::Output::Ask) asked.
    Answered {
        /// Which.
        exchange: ExchangeId,
        /// The answer.
        answer: Answer,
    },
    /// There is no answer to what [`Output::Ask`](super::Output::Ask) asked.
    Failed {
        /// Which.
        exchange: ExchangeId,
        /// Why.
        failure: StreamFailure,
    },
    /// The caller wants to join through these addresses. Each gives one
    /// [`Output::Joined`](super::Output::Joined); those that do not answer are asked again from
    /// time to time.
    Join {
        /// Addresses of members, at most [`SEEDS_MAX`](crate::bounds::SEEDS_MAX) of them in all.
        seeds: &'a [SocketAddr],
    },
    /// The caller wants to leave: ends with [`Output::Gone`](super::Output::Gone).
    Leave,
    /// The member listens elsewhere from now on.
    Moved {
        /// Where.
        address: SocketAddr,
    },
}

/// Stands for a stream that another member opened; the shell chooses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Stands for a stream that the machine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// Why a stream gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamFailure {
    /// No connection: refused, or no route.
    Unreachable,
    /// Nothing came in time.
    TimedOut,
    /// What came is no answer.
    Malformed,
}

impl StreamFailure {
    /// Every failure.
    pub const ALL: [Self; 3] = [Self::Unreachable, Self::TimedOut, Self::Malformed];

    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Malformed => "malformed",
        }
    }
}

/// Why the machine wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wake {
    /// A new period begins with a probe.
    Period,
    /// A direct probe is overdue: others are asked to ask.
    Indirect,
    /// Whether a probe failed is decided.
    Verdict,
    /// A probe made for another member is overdue.
    Relay,
    /// The time of a suspect is over.
    Suspicion,
    /// News is sent on.
    Gossip,
    /// Views are compared with another member's.
    Sync,
    /// A dead member or a seed is asked.
    Heal,
    /// The record of a dead member, or of one that left, is forgotten.
    Reap,
    /// A stream gave no answer in time.
    Exchange,
    /// The next direct heartbeats are sent.
    Heartbeat,
    /// A member whose heartbeats are awaited may be silent.
    Silence,
    /// Heartbeats are asked for again.
    Watch,
    /// A link is looked at.
    Link,
}

impl Wake {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Period,
        Self::Indirect,
        Self::Verdict,
        Self::Relay,
        Self::Suspicion,
        Self::Gossip,
        Self::Sync,
        Self::Heal,
        Self::Reap,
        Self::Exchange,
        Self::Heartbeat,
        Self::Silence,
        Self::Watch,
        Self::Link,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Indirect => "indirect",
            Self::Verdict => "verdict",
            Self::Relay => "relay",
            Self::Suspicion => "suspicion",
            Self::Gossip => "gossip",
            Self::Sync => "sync",
            Self::Heal => "heal",
            Self::Reap => "reap",
            Self::Exchange => "exchange",
            Self::Heartbeat => "heartbeat",
            Self::Silence => "silence",
            Self::Watch => "watch",
            Self::Link => "link",
        }
    }
}

/// Some of the reasons for which a machine wants to be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wakes(u16);

impl Wakes {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Every one.
    pub const ALL: Self = Self((1 << Wake::ALL.len()) - 1);

    /// These.
    #[must_use]
    pub fn of(wakes: &[Wake]) -> Self {
        Self(wakes.iter().fold(0, |all, &wake| all | Self::bit(wake)))
    }

    /// These, and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this is one of them.
    #[must_use]
    pub const fn has(self, wake: Wake) -> bool {
        self.0 & Self::bit(wake) != 0
    }

    const fn bit(wake: Wake) -> u16 {
        1 << wake as u16
    }
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
