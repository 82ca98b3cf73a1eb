//! What the machine says: what to send, what happened and on what evidence, and what it did not
//! take.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::direct::Mode;
use super::input::{ExchangeId, StreamFailure, Ticket};
use super::member::{Incarnation, MemberId, MemberName, State};
use super::message::{Answer, Packet, Refusal, Request};
use super::metadata::Key;
use crate::detector::Level;
use crate::time::Instant;

/// One thing that the machine says.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        packet: Packet,
    },
    /// Open a stream, ask, and give back what comes as
    /// [`Input::Answered`](super::Input::Answered) or [`Input::Failed`](super::Input::Failed).
    Ask {
        /// Where to.
        to: SocketAddr,
        /// Comes back with the answer.
        exchange: ExchangeId,
        /// What.
        request: Request,
        /// When the machine stops waiting; the shell may close the stream then.
        until: Instant,
    },
    /// Answer on the stream that brought a request, and close it.
    Answer {
        /// Which stream.
        ticket: Ticket,
        /// What.
        answer: Answer,
    },
    /// Something happened to a member.
    Event(Event),
    /// What became of one address of [`Input::Join`](super::Input::Join).
    Joined {
        /// Which address.
        seed: SocketAddr,
        /// What became of it.
        outcome: JoinOutcome,
    },
    /// The member's own incarnation: keep it where the next run finds it, plus one.
    Persist {
        /// The number to keep.
        incarnation: Incarnation,
    },
    /// Something was not taken. State: unchanged.
    Rejected {
        /// Where it came from.
        from: SocketAddr,
        /// Why it was not.
        reason: Reject,
    },
    /// A member's user tells all members something with
    /// [`Swim::broadcast`](super::Swim::broadcast).
    Broadcast {
        /// Who.
        from: MemberName,
        /// What it is about.
        key: Option<Key>,
        /// What it says.
        payload: Vec<u8>,
    },
    /// The group outgrew direct heartbeats, or is small enough for them again.
    ModeChanged {
        /// How failures are found from now on.
        mode: Mode,
        /// Live members, this one included.
        members: usize,
    },
    /// [`Input::Leave`](super::Input::Leave) is done: the goodbye was said as often as news is. Or
    /// the name was lost to another process: [`name_lost_to`](super::Swim::name_lost_to).
    Gone,
}

/// What became of asking one address to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinOutcome {
    /// It let us in.
    Joined {
        /// Members that it told us of, itself included.
        members: usize,
    },
    /// It answered that it would not.
    Refused(Refusal),
    /// It did not answer; it will be asked again.
    Failed(StreamFailure),
    /// It is the member itself.
    Myself,
    /// There were too many addresses to ask at a time.
    TooMany,
}

/// Why something was not taken. State: unchanged, in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reject {
    /// It has another cluster's label.
    Label,
    /// It says that it comes from this member itself.
    Myself,
    /// A member with this id has another name.
    Name,
    /// There is no room for another member.
    Full,
    /// It answers nothing that was asked, or not in time.
    Unasked,
    /// Metadata that breaks a bound, or that there is no room for.
    Metadata,
    /// A broadcast that is delivered, but too long to be passed on from here.
    TooLong,
}

impl Reject {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Label,
        Self::Myself,
        Self::Name,
        Self::Full,
        Self::Unasked,
        Self::Metadata,
        Self::TooLong,
    ];

    /// The stable code used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Myself => "myself",
            Self::Name => "name",
            Self::Full => "full",
            Self::Unasked => "unasked",
            Self::Metadata => "metadata",
            Self::TooLong => "too_long",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fact about a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened, by the clock of the one who says so.
    pub at: Instant,
    /// Who it is about.
    pub member: MemberName,
    /// What.
    pub kind: EventKind,
}

/// What happened to a member.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// It was not known, or was dead or had left, and is alive.
    Joined {
        /// Where it listens.
        address: SocketAddr,
        /// In which incarnation.
        incarnation: Incarnation,
        /// What it was before, where there was a record.
        before: Option<State>,
    },
    /// It listens elsewhere, came back so quickly that nobody missed it, or its metadata changed.
    Updated {
        /// Where it listened.
        before: SocketAddr,
        /// Where it listens.
        address: SocketAddr,
        /// In which incarnation.
        incarnation: Incarnation,
        /// Keys of its metadata that were set, changed or removed. Empty where it is not that.
        keys: Vec<Key>,
    },
    /// It did not answer somebody.
    Suspected(Box<Accusation>),
    /// It contradicted the suspicion.
    Refuted {
        /// In which incarnation.
        incarnation: Incarnation,
        /// How long after the suspicion was heard of here.
        after: Duration,
        /// Who had suspected it.
        accusers: Vec<Accuser>,
    },
    /// It did not contradict the suspicion in time.
    Failed {
        /// Whose time for it was over first, as far as is known here: this member, or the one
        /// that told.
        by: Accuser,
        /// What is known here of the case.
        accusation: Box<Accusation>,
    },
    /// It said goodbye.
    Left,
    /// Its record was forgotten.
    Forgotten {
        /// What it was.
        was: State,
    },
    /// One direction between it and us changed.
    LinkChanged {
        /// Both directions, now.
        link: Link,
    },
    /// Another process uses the same name at this address, and contradicts what the first one says.
    /// Both of them say so, and so does every other member that sees the name go to and fro.
    NameConflict {
        /// Where the other one listens.
        address: SocketAddr,
    },
}

impl EventKind {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Joined { .. } => "joined",
            Self::Updated { .. } => "updated",
            Self::Suspected(_) => "suspected",
            Self::Refuted { .. } => "refuted",
            Self::Failed { .. } => "failed",
            Self::Left => "left",
            Self::Forgotten { .. } => "forgotten",
            Self::LinkChanged { .. } => "link_changed",
            Self::NameConflict { .. } => "name_conflict",
        }
    }
}

/// Who accused, on what evidence, and how long the accused has to contradict.
#[derive(Clone, Debug, PartialEq)]
pub struct Accusation {
    /// In which incarnation it is accused.
    pub incarnation: Incarnation,
    /// Who accused it, the first one first.
    pub accusers: Vec<Accuser>,
    /// How it was asked, when this member is an accuser itself.
    pub attempts: Vec<Attempt>,
    /// How slow this member thought itself to be then: 0 is well.
    pub local_health: u8,
    /// How its time is computed. `None` where another member convicted it and this one had not
    /// heard of the suspicion.
    pub deadline: Option<Deadline>,
}

/// Who accused a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accuser {
    /// Its id.
    pub id: MemberId,
    /// Its name, if it is known here.
    pub name: Option<MemberName>,
}

/// One way by which a member was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// By which way.
    pub path: Path,
    /// What came of it.
    pub outcome: Outcome,
}

/// A way by which a member is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// A datagram.
    Direct,
    /// Nothing was asked: its heartbeats did not come.
    Heartbeats {
        /// How suspicious the silence was.
        level: Level,
        /// From which level it counts.
        threshold: Level,
    },
    /// A datagram by way of this member.
    Relay(MemberId),
    /// A stream.
    Stream,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing came.
    Silence,
    /// The relay is well, but got no answer [LG].
    Nack,
    /// The stream could not be opened, or broke.
    Broken(StreamFailure),
}

/// The arithmetic of a suspicion's deadline. [LG]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deadline {
    /// When the suspicion began here.
    pub since: Instant,
    /// When the accused is dead, as things stand.
    pub at: Instant,
    /// The least time that it has, once `needed` others agree.
    pub least: Duration,
    /// The time that it has while nobody agrees.
    pub most: Duration,
    /// Others who agree with the first accuser.
    pub confirmations: u32,
    /// How many of them bring the time down to the least.
    pub needed: u32,
    /// Live members then.
    pub members: usize,
    /// What was added for times in which this process did not run.
    pub stalled: Duration,
}

/// The two directions between this member and another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Whether this member hears the other one.
    pub hears: Direction,
    /// Whether the other one hears this member.
    pub heard: Direction,
}

/// What is known of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Nothing yet.
    Unknown,
    /// Datagrams pass.
    Passes,
    /// Datagrams do not pass, though they do on the way round.
    Blocked,
}

impl Direction {
    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passes => "passes",
            Self::Blocked => "blocked",
        }
    }
}
