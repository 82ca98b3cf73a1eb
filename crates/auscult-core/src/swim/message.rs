//! What members say to each other: datagrams, and requests with their answers over a stream.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use super::broadcast::Broadcast;
use super::member::{Claim, Incarnation, Label, LabelTag, MemberId, MemberName, State};
use super::metadata::{Delta, MetadataNews, MetadataTag, Stamp};
use crate::bounds::ID_BYTES_MAX;

/// One datagram: who sends it, one thing to do, and as much news as fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Of which cluster the sender is a member.
    pub label: LabelTag,
    /// Who sends it.
    pub from: MemberId,
    /// What it is for.
    pub body: Body,
    /// News about members, the most important first.
    pub updates: Vec<Update>,
    /// News about their metadata.
    pub metadata: Vec<MetadataNews>,
    /// What users of members tell all.
    pub broadcasts: Vec<Broadcast>,
}

impl Packet {
    /// A datagram without news.
    #[must_use]
    pub const fn bare(label: LabelTag, from: MemberId, body: Body) -> Self {
        Self {
            label,
            from,
            body,
            updates: Vec::new(),
            metadata: Vec::new(),
            broadcasts: Vec::new(),
        }
    }
}

/// What a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing but the updates.
    Gossip,
    /// "Do you hear me?" [SWIM 3.1]
    Ping {
        /// Comes back in the ack.
        sequence: Sequence,
        /// The sender's round of probes, for the shared order.
        round: u64,
    },
    /// The answer to a ping, sent to where the ping came from.
    Ack {
        /// Of the ping.
        sequence: Sequence,
        /// The low bits of the digest of the sender's view.
        view: ViewTag,
        /// Some bits of the digest of the sender's copies of metadata.
        metadata: MetadataTag,
        /// Whether the sender of the ping is known here.
        asker: Asker,
    },
    /// "Ask that member in my place." [SWIM 3.1] There is no address in it: who is asked to ask
    /// does so at the address that it knows itself, so nobody can have datagrams sent where he
    /// likes.
    AskPing {
        /// Comes back in what answers it.
        sequence: Sequence,
        /// Whom to ask.
        target: MemberId,
    },
    /// A ping in another member's place.
    RelayPing {
        /// Comes back in the ack; the relay's own number.
        sequence: Sequence,
        /// In whose place.
        origin: MemberId,
    },
    /// The answer to a relayed ping, for the relay.
    RelayAck {
        /// Of the relayed ping.
        sequence: Sequence,
        /// Whether the origin itself was heard lately.
        origin: Hearsay,
    },
    /// "It answered me", for the origin.
    Relayed {
        /// Of the request.
        sequence: Sequence,
        /// Whether the target heard the origin itself lately.
        origin: Hearsay,
    },
    /// "I hear you, but it did not answer me" [LG], for the origin.
    Nack {
        /// Of the request.
        sequence: Sequence,
    },
    /// The answer to a datagram that is not taken.
    Refused(Refusal),
    /// "I am here": a direct heartbeat, for those who judge the sender by its silence.
    Heartbeat {
        /// Numbers the sender's heartbeats, the same one to all; so a lost one is told from a late
        /// one.
        number: u64,
        /// When the next one follows.
        pace: Pace,
    },
    /// "Send me heartbeats for a while."
    Watch {
        /// Comes back in the answer.
        sequence: Sequence,
        /// What the last answer gave. Without the right one nothing follows but an answer, so
        /// nobody can have heartbeats sent to a member that did not ask for them.
        proof: Proof,
    },
    /// The answer to [`Watch`](Self::Watch), for the address at which the one who asks is known.
    Watching {
        /// Of the request.
        sequence: Sequence,
        /// To be given with the next request.
        proof: Proof,
        /// How often heartbeats follow; [`Pace::NONE`] when they do not.
        pace: Pace,
    },
}

/// Milliseconds until a member's next heartbeat. 0: none follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pace(pub u16);

impl Pace {
    /// No heartbeat follows.
    pub const NONE: Self = Self(0);

    /// The span; `None` when no heartbeat follows.
    #[must_use]
    pub const fn span(self) -> Option<Duration> {
        match self.0 {
            0 => None,
            millis => Some(Duration::from_millis(millis as u64)),
        }
    }
}

/// What a member gives to another one at its address, and wants to see again: that the other one
/// is there. It is no secret from those who read the datagrams; sealing them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Proof(pub u32);

/// Numbers probes, so that an answer finds its question. Wraps around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u16);

/// The low 16 bits of the digest of a view: enough to see within a few probes that views differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ViewTag(pub u16);

/// Whether the one who asks is known to the one who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// It is.
    Known,
    /// It is not, and should introduce itself.
    Unknown,
}

/// Whether one member has heard another one lately, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hearsay {
    /// It has.
    Heard,
    /// It has not.
    NotHeard,
}

/// Why a member is not talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It has another cluster's label.
    Label,
    /// It has the name, or the id, of a member that is another one.
    Name,
    /// There is no room for another member.
    Full,
    /// Who was asked is leaving the cluster itself.
    Leaving,
    /// Who was asked takes only what is sealed with a key. The agents say this, the machine never
    /// does; so with the next two.
    Sealed,
    /// Who was asked has no key, and takes only what is not sealed.
    Plain,
    /// Who was asked does not have the key.
    UnknownKey,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Label,
        Self::Name,
        Self::Full,
        Self::Leaving,
        Self::Sealed,
        Self::Plain,
        Self::UnknownKey,
    ];

    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Name => "name",
            Self::Full => "full",
            Self::Leaving => "leaving",
            Self::Sealed => "sealed",
            Self::Plain => "plain",
            Self::UnknownKey => "unknown_key",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Label => "the other member belongs to a cluster with another label",
            Self::Name => "the name is taken by another member",
            Self::Full => "the cluster has no room for another member",
            Self::Leaving => "the other member is leaving the cluster",
            Self::Sealed => {
                "the other member takes sealed messages only: this one needs the cluster's key file"
            }
            Self::Plain => "the other member has no key file and takes plain messages only",
            Self::UnknownKey => {
                "the other member does not have the key that this one seals with: copy its key file"
            }
        })
    }
}

/// News about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is alive, and this is where: only the member itself begins such news.
    Alive {
        /// Its name; the id follows from it.
        name: MemberName,
        /// Where it listens.
        address: SocketAddr,
        /// In which incarnation.
        incarnation: Incarnation,
    },
    /// It did not answer.
    Suspect {
        /// Who did not.
        member: MemberId,
        /// In which incarnation.
        incarnation: Incarnation,
        /// Whom it did not answer.
        by: MemberId,
    },
    /// It had its time.
    Dead {
        /// Who is dead.
        member: MemberId,
        /// In which incarnation.
        incarnation: Incarnation,
        /// Who convicted it.
        by: MemberId,
    },
    /// It says goodbye.
    Left {
        /// Who leaves.
        member: MemberId,
        /// In which incarnation.
        incarnation: Incarnation,
    },
}

impl Update {
    /// Whom it is about.
    #[must_use]
    pub fn member(&self) -> MemberId {
        match self {
            Self::Alive { name, .. } => name.id(),
            Self::Suspect { member, .. }
            | Self::Dead { member, .. }
            | Self::Left { member, .. } => *member,
        }
    }

    /// What it claims.
    #[must_use]
    pub const fn claim(&self) -> Claim {
        match self {
            Self::Alive { incarnation, .. } => Claim::new(*incarnation, State::Alive),
            Self::Suspect { incarnation, .. } => Claim::new(*incarnation, State::Suspect),
            Self::Dead { incarnation, .. } => Claim::new(*incarnation, State::Dead),
            Self::Left { incarnation, .. } => Claim::new(*incarnation, State::Left),
        }
    }

    /// The bytes that it takes in a datagram, at most: every codec keeps to it.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        match self {
            Self::Alive { name, .. } => 1 + 1 + name.len() + ADDRESS_BYTES_MAX + NUMBER_BYTES_MAX,
            Self::Suspect { .. } | Self::Dead { .. } => 1 + 8 + NUMBER_BYTES_MAX + 8,
            Self::Left { .. } => 1 + 8 + NUMBER_BYTES_MAX,
        }
    }
}

/// What is known of one member, as it goes over a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub name: MemberName,
    /// Where it listens, or did.
    pub address: SocketAddr,
    /// What it is said to be.
    pub claim: Claim,
    /// What the sender's copy of its metadata is worth; the epoch is at most the incarnation.
    pub metadata: Stamp,
}

/// A copy of a member's metadata that may lack something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Whose metadata.
    pub member: MemberId,
    /// What the copy is worth.
    pub stamp: Stamp,
}

/// A question over a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The probe of last resort: datagrams may be blocked where streams pass.
    Ping {
        /// Of which cluster.
        label: Label,
        /// Who asks.
        from: MemberId,
    },
    /// "What do you know?" Also how a member joins.
    Sync {
        /// Of which cluster.
        label: Label,
        /// Who asks.
        from: Box<Record>,
        /// Its round of probes.
        round: u64,
        /// The digest of its view.
        view: u64,
        /// The digest of its copies of metadata. The same ones here mean that there is nothing to
        /// tell.
        metadata: u64,
    },
    /// "What did I miss of these members' metadata?"
    Metadata {
        /// Of which cluster.
        label: Label,
        /// Who asks.
        from: MemberId,
        /// Whose metadata, and what the sender has of it.
        wants: Vec<Want>,
    },
    /// "You did not know this." Follows a sync.
    Push {
        /// Of which cluster.
        label: Label,
        /// Who says so.
        from: MemberId,
        /// What the other one did not know.
        records: Vec<Record>,
    },
}

impl Request {
    /// Of which cluster.
    #[must_use]
    pub const fn label(&self) -> &Label {
        match self {
            Self::Ping { label, .. }
            | Self::Sync { label, .. }
            | Self::Push { label, .. }
            | Self::Metadata { label, .. } => label,
        }
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a ping: who answers.
    Pong {
        /// Who answers.
        from: MemberId,
    },
    /// To a sync: views are the same.
    Same {
        /// Who answers.
        from: MemberId,
        /// Its round of probes.
        round: u64,
    },
    /// To a sync: everything that is known.
    Records {
        /// Who answers.
        from: MemberId,
        /// Its round of probes.
        round: u64,
        /// All members, the one who answers among them.
        records: Vec<Record>,
    },
    /// To a question for metadata.
    Metadata {
        /// Who answers.
        from: MemberId,
        /// What was missed, in the order of the question.
        deltas: Vec<Delta>,
        /// How many at the end of the question were not looked at, as this is enough for one
        /// answer.
        left: u64,
    },
    /// To a push.
    Taken,
    /// No.
    Refused(Refusal),
}

/// The family, the address and the port.
const ADDRESS_BYTES_MAX: usize = 1 + 16 + 2;
/// 62 bits, seven a byte.
const NUMBER_BYTES_MAX: usize = 9;
/// What a datagram takes before its news, at most.
pub(super) const BODY_BYTES_MAX: usize = 1 + 4 + 8 + 1 + 2 + 10;

const _: () = assert!(
    2 + ID_BYTES_MAX + ADDRESS_BYTES_MAX + NUMBER_BYTES_MAX == crate::bounds::UPDATE_BYTES_MAX
);
