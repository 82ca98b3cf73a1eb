//! An alert as it outlives the process: what happened to it, and what each receiver knows of it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::key::{AlertId, AlertKey, Episode};
use super::matcher::{Labelled, Silence};
use super::rule::Severity;
use crate::bounds::{
    FLAP_EPISODES_MAX, LABELS_PER_TARGET_MAX, PARENTS_MAX, REASON_BYTES_MAX, RECEIVERS_MAX,
};
use crate::id::{ReceiverName, SilenceName, TargetId};
use crate::monitor::Labels;
use crate::time::Instant;

/// What must be on the disk before the machine goes on.
///
/// It is written whole or not at all, and in the order of the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Its number; each is one more than that of the write before.
    pub number: u64,
    /// Alerts: how they are now, or `None` for those that are forgotten.
    pub alerts: Vec<(AlertId, Option<Record>)>,
    /// Silences: how they are now, or `None` for those that are gone.
    pub silences: Vec<(SilenceName, Option<Silence>)>,
}

/// An alert, as it is written down. From the records alone the machine can be rebuilt.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is about.
    pub key: AlertKey,
    /// How bad it is, by the rule at the time.
    pub severity: Severity,
    /// The subject's labels at the time.
    pub labels: Arc<Labels>,
    /// The targets on which the subject depends.
    pub parents: Arc<[TargetId]>,
    /// Why it fires, for people.
    pub reason: Arc<str>,
    /// Whether the alert is this monitor's own affair, or that of its group.
    pub scope: Scope,
    /// Which time it fires or last fired.
    pub episode: Episode,
    /// How often it fired: 1 the first time.
    pub count: u64,
    /// When the condition of that episode was first met.
    pub since: Instant,
    /// When it began to fire.
    pub fired: Instant,
    /// When and why it was over; `None` while it fires.
    pub ended: Option<(Instant, Ending)>,
    /// Who looks after it.
    pub acknowledged: Option<Acknowledgement>,
    /// Counts the changes of `acknowledged` in this episode.
    pub acknowledgements: u32,
    /// When the last episodes began to fire, the oldest first.
    pub episodes: Vec<Instant>,
    /// Whether this episode is several, as it comes and goes too often.
    pub flapping: bool,
    /// What each receiver knows.
    pub deliveries: Vec<Delivery>,
}

impl Record {
    /// Whether it fires.
    #[must_use]
    pub const fn fires(&self) -> bool {
        self.count > 0 && self.ended.is_none()
    }

    /// Whether it is no larger than one that this machine makes itself.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.reason.len() <= REASON_BYTES_MAX
            && self.parents.len() <= PARENTS_MAX
            // The group's name is one more.
            && self.labels.len() <= LABELS_PER_TARGET_MAX + 1
            && self.episodes.len() <= FLAP_EPISODES_MAX
            && self.deliveries.len() <= RECEIVERS_MAX
    }

    pub(super) fn labelled(&self) -> Labelled<'_> {
        Labelled {
            key: &self.key,
            severity: self.severity,
            labels: &self.labels,
        }
    }
}

/// Whose affair an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This monitor's alone: it tells of it.
    Own,
    /// That of all monitors of the group: one of them tells of it, and all know what was told.
    Group,
}

/// Why an alert was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The condition was met no more.
    Cleared,
    /// Its subject is not watched any more.
    SubjectGone,
    /// Its rule is gone, or is for others now.
    RuleGone,
}

impl Ending {
    /// The stable code used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cleared => "cleared",
            Self::SubjectGone => "subject_gone",
            Self::RuleGone => "rule_gone",
        }
    }
}

/// Somebody looks after an alert: nobody is reminded of it until it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub by: Box<str>,
    /// What they say.
    pub comment: Box<str>,
    /// Since when.
    pub at: Instant,
}

/// What one receiver knows of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The receiver.
    pub receiver: ReceiverName,
    /// The newest episode of which it was, or shall be, told: nothing hindered that.
    pub wanted: Episode,
    /// The newest episode that it confirmed to know of.
    pub told: Episode,
    /// When it last confirmed anything.
    pub told_at: Instant,
    /// Reminders of that episode that it confirmed.
    pub repeats: u32,
    /// The newest episode whose end it confirmed to know of.
    pub told_end: Episode,
    /// An episode of which it may know, and whose end it has not confirmed.
    pub exposed: Option<Exposed>,
    /// An episode of which it knows nothing, and which is over: that it was is still to be told.
    pub brief: Option<Past>,
    /// Episodes that came and went before it could be told; they are counted in the next notice.
    pub skipped: u32,
}

impl Delivery {
    pub(super) const fn new(receiver: ReceiverName) -> Self {
        Self {
            receiver,
            wanted: Episode::NONE,
            told: Episode::NONE,
            told_at: Instant::ORIGIN,
            repeats: 0,
            told_end: Episode::NONE,
            exposed: None,
            brief: None,
            skipped: 0,
        }
    }
}

/// An episode of which a receiver may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Which.
    pub episode: Episode,
    /// How it ended, if it did.
    pub past: Option<Past>,
}

/// An episode that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Which.
    pub episode: Episode,
    /// How often the alert had fired, that time included.
    pub count: u64,
    /// When it began to fire.
    pub fired: Instant,
    /// When it was over.
    pub ended: Instant,
    /// Why it was over.
    pub ending: Ending,
}
