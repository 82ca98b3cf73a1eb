//! What can be seen of a world while time passes. What nobody asked for is never made.

use std::net::SocketAddr;
use std::ops::BitOr;

use auscult_core::swim::{Event, Incarnation, JoinOutcome, Key, MemberName, Mode, Reject};
use auscult_core::time::Instant;

use crate::deed::Deed;

/// Something that happened in a world.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// When, by the time of the world.
    pub at: Instant,
    /// What.
    pub kind: Observed,
}

/// What happened. Members are named by their places.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// A member sent a datagram. [`Interest::SENT`]
    Sent {
        /// Who.
        from: usize,
        /// To whom; `None` where nobody has ever listened.
        to: Option<usize>,
        /// What it is for.
        what: Payload,
        /// Its bytes without headers; 0 with [`Wire::Typed`](crate::Wire::Typed).
        bytes: u32,
    },
    /// A datagram arrived and is handled now. [`Interest::DELIVERED`]
    Delivered {
        /// Who sent it; `None` once no member listens at the address that it came from.
        from: Option<usize>,
        /// Who takes it.
        to: usize,
        /// What it is for.
        what: Payload,
    },
    /// A datagram or a stream came to nothing. [`Interest::DROPPED`]
    Dropped {
        /// Who sent it.
        from: Option<usize>,
        /// Who would have taken it; `None` where nobody has ever listened.
        to: Option<usize>,
        /// What it is for.
        what: Payload,
        /// Why.
        why: Drop,
    },
    /// A member says that something happened to another one. [`Interest::EVENTS`]
    Event {
        /// Who says so.
        observer: usize,
        /// What; its time is that of the observer's clock.
        event: Event,
    },
    /// What became of asking one address to join. [`Interest::EVENTS`]
    Joined {
        /// Who asked.
        member: usize,
        /// Whom.
        seed: SocketAddr,
        /// What became of it.
        outcome: JoinOutcome,
    },
    /// A member keeps its incarnation on its disk. [`Interest::EVENTS`]
    Persisted {
        /// Who.
        member: usize,
        /// What it keeps.
        incarnation: Incarnation,
    },
    /// A member said goodbye, and its process ended. [`Interest::EVENTS`]
    Gone {
        /// Who.
        member: usize,
    },
    /// A member was told something by the user of another one. [`Interest::EVENTS`]
    Broadcast {
        /// Who was told.
        member: usize,
        /// By whom.
        from: MemberName,
        /// What it is about.
        key: Option<Key>,
        /// What it says.
        payload: Vec<u8>,
    },
    /// A member finds failures in another way from now on. [`Interest::EVENTS`]
    ModeChanged {
        /// Who.
        member: usize,
        /// In which way.
        mode: Mode,
    },
    /// A member did not do what its own user asked for. [`Interest::EVENTS`]
    Refused {
        /// Who did not.
        member: usize,
        /// Why, in a sentence.
        why: String,
    },
    /// A member did not take something. [`Interest::REJECTED`]
    Rejected {
        /// Who did not.
        member: usize,
        /// Where it came from.
        from: SocketAddr,
        /// Why.
        reason: Reject,
    },
    /// Something was done to the world. [`Interest::DEEDS`]
    Deed(Deed),
}

/// What a datagram or a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payload {
    /// A datagram with nothing but news.
    Gossip,
    /// A ping.
    Ping,
    /// Its answer.
    Ack,
    /// The request to ping somebody else.
    AskPing,
    /// A ping in another one's place.
    RelayPing,
    /// Its answer.
    RelayAck,
    /// The answer of the relay.
    Relayed,
    /// The answer of the relay when it got none.
    Nack,
    /// A refusal.
    Refused,
    /// A direct heartbeat.
    Heartbeat,
    /// The request for heartbeats.
    Watch,
    /// Its answer.
    Watching,
    /// A request over a stream.
    Request,
    /// The answer to a request over a stream.
    Answer,
}

impl Payload {
    /// The name used in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gossip => "gossip",
            Self::Ping => "ping",
            Self::Ack => "ack",
            Self::AskPing => "ask-ping",
            Self::RelayPing => "relay-ping",
            Self::RelayAck => "relay-ack",
            Self::Relayed => "relayed",
            Self::Nack => "nack",
            Self::Refused => "refused",
            Self::Heartbeat => "heartbeat",
            Self::Watch => "watch",
            Self::Watching => "watching",
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}

/// Why something sent came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drop {
    /// The network lost it.
    Lost,
    /// A rule lets nothing pass.
    Cut,
    /// Nobody listens there.
    Nobody,
    /// Too much waits there already.
    Overflow,
}

impl Drop {
    /// The name used in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Cut => "cut",
            Self::Nobody => "nobody",
            Self::Overflow => "overflow",
        }
    }
}

/// Which observations somebody wants to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interest(u8);

impl Interest {
    /// None.
    pub const NONE: Self = Self(0);
    /// What members say of each other and of themselves.
    pub const EVENTS: Self = Self(1);
    /// What is done to the world.
    pub const DEEDS: Self = Self(2);
    /// What members do not take.
    pub const REJECTED: Self = Self(4);
    /// Every datagram sent.
    pub const SENT: Self = Self(8);
    /// Every datagram that arrives.
    pub const DELIVERED: Self = Self(16);
    /// Every datagram that does not.
    pub const DROPPED: Self = Self(32);
    /// Everything.
    pub const ALL: Self = Self(63);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Interest {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Observed {
    /// The interest that asks for it.
    #[must_use]
    pub const fn interest(&self) -> Interest {
        match self {
            Self::Sent { .. } => Interest::SENT,
            Self::Delivered { .. } => Interest::DELIVERED,
            Self::Dropped { .. } => Interest::DROPPED,
            Self::Event { .. }
            | Self::Joined { .. }
            | Self::Persisted { .. }
            | Self::Broadcast { .. }
            | Self::ModeChanged { .. }
            | Self::Refused { .. }
            | Self::Gone { .. } => Interest::EVENTS,
            Self::Rejected { .. } => Interest::REJECTED,
            Self::Deed(_) => Interest::DEEDS,
        }
    }
}
