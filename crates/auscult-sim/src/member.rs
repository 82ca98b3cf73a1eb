//! One place of a world: the process that runs there, its address, its clock, and what waits for
//! it.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::swim::{
    Answer, Config, ExchangeId, Incarnation, MemberName, Output, Packet, Request, StreamFailure,
    Ticket,
};
use auscult_core::time::Instant;

use crate::clock::Clock;
use crate::deed::{Crash, Stall};
use crate::machine::Machine;
use crate::net::Weather;
use crate::workers::Workers;

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It runs.
    Runs,
    /// It was stopped, and what arrives waits.
    Stalls(Stall),
    /// It has ended.
    Off(Crash),
}

/// What was counted at one place, or in a whole world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams sent.
    pub sent: u64,
    /// Bytes of the datagrams sent, without headers; 0 with
    /// [`Wire::Typed`](crate::Wire::Typed).
    pub bytes: u64,
    /// Datagrams, and requests and answers over streams, that were handled.
    pub delivered: u64,
    /// Datagrams, and requests and answers over streams, sent here that came to nothing.
    pub dropped: u64,
    /// Streams opened.
    pub streams: u64,
}

/// What is looked at for each message stands first.
#[repr(C)]
pub(crate) struct Member {
    pub(crate) machine: Box<dyn Machine>,
    /// When the machine wants to be called, by the time of the world.
    pub(crate) wake: Instant,
    /// The earliest moment at which it will be.
    pub(crate) armed: Instant,
    pub(crate) address: SocketAddr,
    pub(crate) power: Power,
    /// How many processes ran here before this one.
    pub(crate) life: u32,
    /// How long it takes for each thing that it handles.
    pub(crate) each: Duration,
    pub(crate) workers: Workers,
    pub(crate) clock: Clock,
    pub(crate) traffic: Traffic,
    /// What the process has not read yet.
    pub(crate) inbox: VecDeque<Parcel>,
    pub(crate) weather: Option<Weather>,
    /// Whether it is busy with the first thing of its inbox.
    pub(crate) busy: bool,
    /// What it wants to send, and cannot.
    pub(crate) outbox: VecDeque<Output>,
    pub(crate) name: MemberName,
    pub(crate) config: Config,
    /// What its disk says: the shell keeps what it begins with, and what the machine says later.
    pub(crate) kept: Incarnation,
}

impl Member {
    pub(crate) fn runs(&self) -> bool {
        self.power == Power::Runs
    }

    /// Forgets everything that belonged to the process that ran here.
    pub(crate) fn clear(&mut self) {
        self.inbox.clear();
        self.outbox.clear();
        self.busy = false;
        self.wake = Instant::FAR_FUTURE;
        self.armed = Instant::FAR_FUTURE;
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .field("address", &self.address)
            .field("power", &self.power)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

/// Something that a process is to handle.
#[derive(Debug)]
pub(crate) enum Parcel {
    Datagram {
        from: SocketAddr,
        packet: Packet,
    },
    Request {
        from: SocketAddr,
        ticket: Ticket,
        request: Request,
    },
    Answer {
        /// Of which process at this place.
        life: u32,
        exchange: ExchangeId,
        answer: Answer,
    },
    Failed {
        /// Of which process at this place.
        life: u32,
        exchange: ExchangeId,
        failure: StreamFailure,
    },
    Join(Vec<SocketAddr>),
    Leave,
    Tick,
}

impl Parcel {
    /// Whether it is read from the socket for datagrams.
    pub(crate) const fn is_datagram(&self) -> bool {
        match self {
            Self::Datagram { .. } => true,
            Self::Request { .. }
            | Self::Answer { .. }
            | Self::Failed { .. }
            | Self::Join(_)
            | Self::Leave
            | Self::Tick => false,
        }
    }
}
