//! What an agent tells those who read its events: what happened to members, and what an operator
//! should know of this one.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::swim::{Event, Mode, Reject};
use auscult_core::time::Instant;

use crate::layers::LayerReject;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AgentEvent {
    /// To a member, as the machine says.
    Member(Event),
    /// Something was not taken that an operator can do something about. Said at once, and then not
    /// for another minute of the same reason.
    Rejected(Rejection),
    /// The group outgrew direct heartbeats, or is small enough for them again. Not said by a member
    /// that is alone.
    ModeChanged {
        /// How failures are found from now on.
        mode: Mode,
        /// Live members, this one included.
        members: usize,
    },
}

impl AgentEvent {
    /// What happened to a member, if it is that.
    #[must_use]
    pub const fn of_member(&self) -> Option<&Event> {
        match self {
            Self::Member(event) => Some(event),
            Self::Rejected(_) | Self::ModeChanged { .. } => None,
        }
    }

    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Member(event) => event.kind.as_str(),
            Self::Rejected(_) => "rejected",
            Self::ModeChanged { .. } => "mode_changed",
        }
    }
}

/// Messages that were not taken, for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: RejectReason,
    /// Where the last of them came from; none for one that a stream brought.
    pub from: Option<SocketAddr>,
    /// How many there were since the last event of this reason: at least 1.
    pub count: u64,
}

/// Why something was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// The layers did not.
    Layer(LayerReject),
    /// The machine did not.
    Machine(Reject),
}

impl RejectReason {
    /// Which of the two, as metrics call it.
    #[must_use]
    pub const fn layer(self) -> &'static str {
        match self {
            Self::Layer(_) => "seal",
            Self::Machine(_) => "machine",
        }
    }

    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Layer(reason) => reason.as_str(),
            Self::Machine(reason) => reason.as_str(),
        }
    }

    /// What an operator should know, for those that are the operators' doing.
    #[must_use]
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Layer(reason) => reason.advice(),
            Self::Machine(Reject::Label) => Some(
                "it is of a cluster with another label: was a member started with the wrong \
                 --label, or given an address of another cluster?",
            ),
            Self::Machine(Reject::Full) => Some(
                "there is no room for another member: is something making up members? Keys \
                 (--key-file) keep strangers out",
            ),
            Self::Machine(
                Reject::Myself
                | Reject::Name
                | Reject::Unasked
                | Reject::Metadata
                | Reject::TooLong,
            ) => None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, reason, .. } = self;
        let noun = if *count == 1 { "message" } else { "messages" };
        write!(f, "rejected {count} {noun}")?;
        if let Some(from) = self.from {
            let last = if *count == 1 { "" } else { "the last " };
            write!(f, ", {last}from {from}")?;
        }
        write!(f, " ({})", reason.as_str())?;
        match reason.advice() {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

/// Which rejections are said, and how often: whoever sends much that is not taken fills a counter,
/// and neither the log nor the ring of events.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    /// At most one for each reason with advice.
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    reason: RejectReason,
    last: Instant,
    unsaid: u64,
}

impl Rejections {
    /// Takes note of one that was rejected. Gives what is to be said now, if anything is.
    pub(crate) fn note(
        &mut self,
        at: Instant,
        from: Option<SocketAddr>,
        reason: RejectReason,
    ) -> Option<Rejection> {
        reason.advice()?;
        let mut known = self.said.iter_mut();
        let count = match known.find(|said| said.reason == reason) {
            Some(said) => {
                said.unsaid += 1;
                if at.since(said.last) < SAID_APART {
                    return None;
                }
                said.last = at;
                std::mem::take(&mut said.unsaid)
            }
            None => {
                let (last, unsaid) = (at, 0);
                self.said.push(Said {
                    reason,
                    last,
                    unsaid,
                });
                1
            }
        };
        Some(Rejection {
            reason,
            from,
            count,
        })
    }
}

/// Between two events of the same reason.
const SAID_APART: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN_KEY: RejectReason = RejectReason::Layer(LayerReject::UnknownKey);

    #[test]
    fn a_flood_is_said_once_a_minute_with_its_number() {
        let mut rejections = Rejections::default();
        let mut said = Vec::new();
        for second in 0..130 {
            let at = Instant::ORIGIN.after(Duration::from_secs(second));
            said.extend(rejections.note(at, None, UNKNOWN_KEY));
        }
        let counts: Vec<u64> = said.iter().map(|rejection| rejection.count).collect();
        assert_eq!(counts, [1, 60, 60]);
    }

    #[test]
    fn reasons_are_told_apart_and_what_nobody_can_change_is_not_said() {
        let mut rejections = Rejections::default();
        let now = Instant::ORIGIN;
        let label = RejectReason::Machine(Reject::Label);
        assert!(rejections.note(now, None, UNKNOWN_KEY).is_some());
        assert!(rejections.note(now, None, label).is_some());
        let replay = RejectReason::Layer(LayerReject::Replay);
        let unasked = RejectReason::Machine(Reject::Unasked);
        assert_eq!(rejections.note(now, None, replay), None);
        assert_eq!(rejections.note(now, None, unasked), None);
        assert_eq!(rejections.said.len(), 2);
    }

    #[test]
    fn a_rejection_says_what_to_do() {
        let rejection = Rejection {
            reason: UNKNOWN_KEY,
            from: Some(([127, 0, 0, 1], 7946).into()),
            count: 3,
        };
        let text = rejection.to_string();
        let start = "rejected 3 messages, the last from 127.0.0.1:7946 (unknown_key): something \
                     comes in that is sealed with a key which is not in the ring";
        assert!(text.starts_with(start), "{text}");
    }
}
