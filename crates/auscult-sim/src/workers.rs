//! How a process divides what it has to do, which decides what goes on in it while it cannot send.

use auscult_core::swim::{Body, Output, Packet, Request, Wake, Wakes};

/// How a process divides what it has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One loop does everything in turn, as our agent does.
    One,
    /// As memberlist does: one worker reads datagrams, one probes, one sends news on, one compares
    /// views, and each timer and each stream has its own. None waits for another. Datagrams that
    /// nobody has read wait in the socket's buffer; one that finds `waiting_max` there is lost.
    Many {
        /// How many the buffer holds.
        waiting_max: usize,
    },
}

impl Workers {
    /// What is not done while the worker that wants to send this waits until it can.
    pub(crate) fn held_by(self, output: &Output) -> Wakes {
        match self {
            Self::One => Wakes::ALL,
            Self::Many { .. } => match output {
                Output::Send { packet, .. } => held_by_datagram(packet),
                Output::Ask { request, .. } => held_by_request(request),
                Output::Answer { .. }
                | Output::Event(_)
                | Output::Joined { .. }
                | Output::Rejected { .. }
                | Output::Persist { .. }
                | Output::Broadcast { .. }
                | Output::ModeChanged { .. }
                | Output::Gone => Wakes::NONE,
            },
        }
    }
}

fn held_by_datagram(packet: &Packet) -> Wakes {
    match packet.body {
        Body::Gossip => Wakes::of(&[Wake::Gossip]),
        Body::Ping { .. } | Body::AskPing { .. } => {
            Wakes::of(&[Wake::Period, Wake::Indirect, Wake::Verdict])
        }
        // Sent by the worker that reads, which waits already, or by a timer's, which has just that
        // one thing to say.
        Body::Ack { .. }
        | Body::RelayPing { .. }
        | Body::RelayAck { .. }
        | Body::Relayed { .. }
        | Body::Nack { .. }
        | Body::Refused(_)
        | Body::Heartbeat { .. }
        | Body::Watch { .. }
        | Body::Watching { .. } => Wakes::NONE,
    }
}

fn held_by_request(request: &Request) -> Wakes {
    match request {
        Request::Sync { .. } => Wakes::of(&[Wake::Sync, Wake::Heal]),
        // A stream has a worker of its own.
        Request::Ping { .. } | Request::Metadata { .. } | Request::Push { .. } => Wakes::NONE,
    }
}
