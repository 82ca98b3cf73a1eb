//! What monitors say to each other about what they observe.
//!
//! A monitor keeps one *session* with every other one: it sends what changed since the last message
//! that was answered, and at every beat at least an empty message, which says that all it told
//! still stands. What is sent is the state of a target, not its history, so a message may be lost,
//! repeated or come late: what was in it is sent again, and what is older than what is known is
//! not taken. Who has missed something asks for everything anew ([`Reply::Resync`]).
//!
//! Ages travel, not moments: clocks are not compared.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::status::Status;
use super::verdict::{MonitorName, Turn, Verdict};
use crate::id::TargetId;

/// One message of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The session: a later one of the same monitor is greater.
    pub session: u64,
    /// Counts the messages of the session from 1, those that were lost included.
    pub sequence: u64,
    /// The last message of the session that was answered, 0 for none: who has less must ask for
    /// everything.
    pub answered: u64,
    /// Whether the sender may own targets.
    pub serving: bool,
    /// Whether the sender says itself that it is at fault: then its reports do not count.
    pub at_fault: bool,
    /// Whether the other one knows everything now.
    pub complete: bool,
    /// What changed.
    pub items: Vec<Item>,
}

/// What a monitor has to say of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The target.
    pub target: TargetId,
    /// What it sees itself; none when it does not observe the target.
    pub report: Option<Report>,
    /// The last ruling that it knows of, if there was one.
    pub ruling: Option<Announced>,
}

/// What one observer says of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How it sees it.
    pub status: Status,
    /// The level of suspicion when the status changed.
    pub level: f64,
    /// How long it has been so.
    pub age: Duration,
    /// On what evidence, as a sentence.
    pub why: Arc<str>,
}

/// A [`Ruling`](super::Ruling) on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Announced {
    /// Its number.
    pub turn: Turn,
    /// The verdict before.
    pub from: Verdict,
    /// The verdict from now on.
    pub verdict: Verdict,
    /// Who announced it last.
    pub owner: MonitorName,
    /// How long ago it was found.
    pub age: Duration,
    /// Who says what.
    pub text: Arc<str>,
    /// Whether it was told to the world.
    pub told: bool,
}

/// The answer to a [`Batch`].
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It was taken.
    Taken {
        /// Rulings that were not, as others are known here in their place.
        refused: Vec<Item>,
    },
    /// It is older than what is known; nothing was taken.
    Old,
    /// Something is missing here: begin a new session with everything.
    Resync,
}
