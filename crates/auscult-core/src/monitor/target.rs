//! What is watched: targets, their signals, and changes to them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use super::config::SignalConfig;
use crate::bounds::{LABELS_PER_TARGET_MAX, SIGNALS_PER_TARGET_MAX, TARGETS_MAX};
use crate::id::{SignalName, TargetId};

/// Labels of a target, in the order of their names.
pub type Labels = BTreeMap<Box<str>, Box<str>>;

/// Something the monitor watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name.
    pub id: TargetId,
    /// What an operator says about it; at most [`LABELS_PER_TARGET_MAX`].
    pub labels: Labels,
    /// Its streams of arrivals, 1 to [`SIGNALS_PER_TARGET_MAX`], with distinct names.
    pub signals: Vec<Signal>,
}

/// One stream of arrivals of a target, with its own detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name, unique within the target.
    pub name: SignalName,
    /// How its arrivals are judged.
    pub config: SignalConfig,
}

/// A change to what is watched.
#[derive(Clone, Debug)]
pub enum Change {
    /// Adds a target, or replaces the one of that name: signals whose name and configuration stay
    /// the same keep their history and status.
    Put(Target),
    /// Forgets a target.
    Remove(TargetId),
    /// Stops judging a target; its arrivals are still taken.
    Pause(TargetId),
    /// Leaves a target to others who observe it: it is known, not judged, and nothing is said of
    /// that. Its arrivals are still taken.
    Rest(TargetId),
    /// Judges a target again that is paused or rests, with a new grace.
    Resume(TargetId),
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The target is new.
    Added,
    /// The target was there and is different now.
    Replaced,
    /// Everything was so already.
    Unchanged,
    /// The target is gone.
    Removed,
    /// The target is not judged any more.
    Paused,
    /// The target is left to others.
    Rests,
    /// The target is judged again.
    Resumed,
}

/// Why a change was refused. State: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no target of that name.
    UnknownTarget(TargetId),
    /// The machine is full.
    TooManyTargets {
        /// Its limit.
        limit: usize,
    },
    /// A target needs 1 to [`SIGNALS_PER_TARGET_MAX`] signals.
    SignalCount {
        /// How many there were.
        found: usize,
    },
    /// Two signals of the target have the same name.
    DuplicateSignal(SignalName),
    /// More than [`LABELS_PER_TARGET_MAX`] labels.
    TooManyLabels {
        /// How many there were.
        found: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTarget(id) => write!(f, "there is no target named {id}"),
            Self::TooManyTargets { limit } => {
                write!(
                    f,
                    "at most {limit} targets are watched (the build's limit is {TARGETS_MAX})"
                )
            }
            Self::SignalCount { found } => {
                write!(
                    f,
                    "a target has 1 to {SIGNALS_PER_TARGET_MAX} signals, not {found}"
                )
            }
            Self::DuplicateSignal(name) => write!(f, "the signal {name} stands twice"),
            Self::TooManyLabels { found } => {
                write!(
                    f,
                    "a target has at most {LABELS_PER_TARGET_MAX} labels, not {found}"
                )
            }
        }
    }
}

impl core::error::Error for Refusal {}
