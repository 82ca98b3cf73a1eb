//! What goes into the machine and what comes out of it.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::group::{Concern, Duty};
use super::key::{AlertId, AlertKey, Episode, Subject};
use super::matcher::Silence;
use super::message::Message;
use super::record::Write;
use crate::bounds::SILENCES_MAX;
use crate::id::{SignalName, SilenceName, TargetId};
use crate::monitor::{Labels, Status};
use crate::time::Instant;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A signal has this status.
    Observed(Observation<'a>),
    /// A subject is not watched any more. Its alerts are over.
    Gone(&'a Subject),
    /// Who tells of the alerts of a subject that is the affair of the group.
    Duty {
        /// The subject.
        subject: &'a Subject,
        /// Who.
        duty: &'a Duty,
    },
    /// What came of a message. One that is not known any more is passed over.
    Sent {
        /// Its number.
        message: u64,
        /// What came of it.
        outcome: Sent,
    },
    /// The write with this number is on the disk.
    Written(u64),
    /// The write with this number could not be made.
    NotWritten(u64),
    /// Nothing but that time passed.
    Tick,
}

/// The status of one signal, told when it changes. To tell it again changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Whose signal.
    pub subject: &'a Subject,
    /// The signal.
    pub signal: &'a SignalName,
    /// Whose affair it is.
    pub concern: Concern<'a>,
    /// Since when. A moment after `now` counts as `now`.
    pub at: Instant,
    /// The status.
    pub status: Status,
    /// The subject's labels.
    pub labels: &'a Arc<Labels>,
    /// The targets on which the subject depends: while all of them have alerts, nobody is told of
    /// its own. Those beyond [`PARENTS_MAX`](crate::bounds::PARENTS_MAX) are passed over.
    pub parents: &'a Arc<[TargetId]>,
    /// Why it is so, for people.
    pub reason: &'a str,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The receiver confirmed it.
    Delivered,
    /// There was no answer, or one that says that the receiver cannot do it now.
    Failed {
        /// How long the receiver asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The receiver answered that it does not take this message.
    Refused,
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Somebody looks after an alert that fires.
    Acknowledge {
        /// The alert.
        alert: AlertId,
        /// Who.
        by: alloc::boxed::Box<str>,
        /// What they say.
        comment: alloc::boxed::Box<str>,
    },
    /// Nobody looks after it any more.
    Withdraw(AlertId),
    /// Puts a silence, or replaces the one of that name.
    Silence(Silence),
    /// Ends a silence now.
    EndSilence(SilenceName),
}

/// Why a request was refused. State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such alert.
    UnknownAlert(AlertId),
    /// The alert does not fire.
    NotFiring(AlertId),
    /// There is no silence of that name.
    UnknownSilence(SilenceName),
    /// There are too many silences.
    TooManySilences,
    /// A silence for everything, which is a way to be told of nothing for ever.
    NoMatchers,
    /// A silence that is over before it begins, or by now.
    EmptySpan,
    /// Too many or too long conditions.
    Matchers(alloc::string::String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAlert(id) => write!(f, "there is no alert {id}"),
            Self::NotFiring(id) => write!(f, "the alert {id} does not fire"),
            Self::UnknownSilence(name) => write!(f, "there is no silence named {name}"),
            Self::TooManySilences => write!(f, "there are {SILENCES_MAX} silences already"),
            Self::NoMatchers => f.write_str("a silence needs at least one condition"),
            Self::EmptySpan => f.write_str("a silence ends after it begins, and in the future"),
            Self::Matchers(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for Refusal {}

/// One thing the machine has to say, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be written to the disk, and answered with [`Input::Written`] or [`Input::NotWritten`].
    /// There is one at a time.
    Write(Write),
    /// To be sent, and answered with [`Input::Sent`]. What it tells is on the disk by now.
    Send(Message),
    /// An alert began to fire, or is over. Not yet on the disk.
    Moved {
        /// The alert.
        alert: AlertId,
        /// What it is about.
        key: AlertKey,
        /// Which episode.
        episode: Episode,
        /// When.
        at: Instant,
        /// The phase from now on.
        to: Phase,
    },
    /// There are [`ALERTS_MAX`](crate::bounds::ALERTS_MAX) alerts, so this one is not made.
    Full(AlertKey),
}

/// How far an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its condition is met, but not for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

impl Phase {
    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// Why the machine wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// An alert begins, ends, is repeated or is forgotten.
    Alert,
    /// A receiver is to be told something, or tried again.
    Receiver,
    /// What came of a message was not told in time.
    Overdue,
    /// A silence begins or ends.
    Silence,
    /// A write is overdue, or is tried again.
    Write,
}
