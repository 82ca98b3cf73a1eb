//! What the observers' reports add up to, and what was said of it.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

use super::super::status::Status;
use crate::id::{IdError, check_name};
use crate::time::Instant;

/// The name of a monitor, unique in its group. Same rules as [`TargetId`](crate::id::TargetId).
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorName(Arc<str>);

impl MonitorName {
    /// Takes a name.
    ///
    /// # Errors
    /// The first rule that `text` breaks. State: nothing was changed.
    pub fn new(text: &str) -> Result<Self, IdError> {
        check_name(text)?;
        Ok(Self(text.into()))
    }
}

impl Deref for MonitorName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MonitorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for MonitorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// What the fresh reports about a target add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// An operator asked not to judge it.
    Paused,
    /// Most observers hear it, and none calls it down.
    Up,
    /// Nothing was found yet.
    Unknown,
    /// This monitor hears too few others to judge; what was found before stands as it was. Shown
    /// only, never told of a target.
    ObserverIsolated,
    /// Most observers find it late, or there is a majority neither for up nor for down.
    Late,
    /// Most observers hear it, and at least one that is not at fault itself calls it down.
    PartiallyReachable,
    /// Most observers call it down.
    Down,
}

impl Verdict {
    /// Every verdict, from best to worst.
    pub const ALL: [Self; 7] = [
        Self::Paused,
        Self::Up,
        Self::Unknown,
        Self::ObserverIsolated,
        Self::Late,
        Self::PartiallyReachable,
        Self::Down,
    ];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Up => "up",
            Self::Unknown => "unknown",
            Self::ObserverIsolated => "observer_isolated",
            Self::Late => "late",
            Self::PartiallyReachable => "partially_reachable",
            Self::Down => "down",
        }
    }

    /// The verdict of that [name](Self::as_str).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// The status that is as bad: what one series for both can show.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Paused => Status::Paused,
            Self::Up => Status::Up,
            Self::Unknown | Self::ObserverIsolated => Status::Unknown,
            Self::Late | Self::PartiallyReachable => Status::Late,
            Self::Down => Status::Down,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ObserverIsolated => "observer isolated",
            Self::PartiallyReachable => "partially reachable",
            Self::Paused | Self::Up | Self::Unknown | Self::Late | Self::Down => self.as_str(),
        };
        f.pad(text)
    }
}

/// Why a verdict is not found, so that the last one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// As many observers say one thing as say another.
    Tie,
    /// Not more than half of the observers have said something lately.
    TooFew {
        /// Those who have.
        fresh: usize,
        /// All observers of the target.
        of: usize,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tie => write!(f, "the observers are tied, the last verdict stands"),
            Self::TooFew { fresh, of } => write!(
                f,
                "fresh reports from {fresh} of {of} observers are too few, the last verdict stands"
            ),
        }
    }
}

/// The number of a ruling on a target; a later one is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// When rulings on the target began, as milliseconds of somebody's wall clock: rulings on a
    /// target that was removed and added again are greater than those before.
    pub epoch: u64,
    /// Counts from 1; 0 before the first ruling.
    pub number: u64,
}

/// A change of the verdict on a target: announced to the other monitors by the target's owner, and
/// told to the world when most of them have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling {
    /// Its number.
    pub turn: Turn,
    /// The verdict before.
    pub from: Verdict,
    /// The verdict from now on.
    pub verdict: Verdict,
    /// Who announced it last.
    pub owner: MonitorName,
    /// When it was found.
    pub at: Instant,
    /// Who says what: `down for 2 of 3; reachable from m2`.
    pub text: Arc<str>,
    /// Whether it was told to the world.
    pub told: bool,
}

impl Ruling {
    /// The ruling before the first: nothing was found yet.
    pub(super) fn none(owner: MonitorName, at: Instant) -> Self {
        Self {
            turn: Turn::default(),
            from: Verdict::Unknown,
            verdict: Verdict::Unknown,
            owner,
            at,
            text: Arc::from("no verdict yet"),
            told: true,
        }
    }

    /// What this ruling is called wherever it is told, by whomever and how often: whoever has seen
    /// the key has seen the ruling.
    #[must_use]
    pub fn key(&self, target: &str) -> String {
        let Turn { epoch, number } = self.turn;
        format!("{target}#{epoch:x}.{number}.{}", self.verdict.as_str())
    }
}
