//! Shared settings: what every monitor of a group agrees on, whoever keeps it.
//!
//! # Use
//! [`SettingsStore::change`] proposes, [`SettingsStore::read`] looks at what is applied here, and
//! [`SettingsStore::revisions`] tells whoever follows that there is something new to read. What a
//! change may do is decided by `auscult_core::monitor::registry` alone; a store only sees to it
//! that every monitor makes the same changes in the same order and that none is lost.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::registry::{Change, Outcome, Refusal, Registry, Revision};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::store::StoreError;

/// Where shared settings are kept.
pub trait SettingsStore: Send + Sync {
    /// Has a change made, by whoever may make it. Returns when it is decided for good and can be
    /// [read](Self::read) here. One without a [`ChangeId`] is given one, so that it can be asked
    /// again underway and is never made twice.
    ///
    /// [`ChangeId`]: auscult_core::monitor::registry::ChangeId
    ///
    /// # Errors
    /// Why not. State: nothing was changed, except after [`ChangeError::Unclear`].
    fn change(&self, change: Change) -> BoxFuture<'_, Result<Outcome, ChangeError>>;

    /// Looks at the settings as they are applied here. Changes wait meanwhile, so look and be gone.
    fn read(&self, look: &mut dyn FnMut(&Registry, Age));

    /// Waits until whatever was acknowledged anywhere before this call can be [read](Self::read)
    /// here, and says up to where that is.
    ///
    /// # Errors
    /// Why that cannot be known now. Nothing is changed in any case.
    fn confirm(&self) -> BoxFuture<'_, Result<Revision, ChangeError>>;

    /// The revision that is applied here, whenever it becomes another one.
    fn revisions(&self) -> watch::Receiver<Revision>;

    /// A large change that has reached this monitor and is not decided yet, so that it can be made
    /// ready meanwhile; nothing once it was decided or given up. A store may tell of none.
    fn coming(&self) -> watch::Receiver<Option<Arc<Change>>> {
        watch::channel(None).1
    }

    /// How the store is, and who else is there.
    fn status(&self) -> StoreStatus;
}

/// How long ago it was known that what is applied here is all that was decided; `None` where that
/// was not known since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub Option<Duration>);

/// Why a change is not made.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// The settings forbid it. State: nothing was changed.
    Refused(Refusal),
    /// Nobody may decide now: no leader is known, or too few of the group answer. State: nothing
    /// was changed.
    NoLeader {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// This monitor left its group, or was removed from it. State: nothing was changed.
    Outside,
    /// No answer came in time. State: it may be made yet, or may have been. Ask again with the same
    /// id.
    Unclear,
    /// It cannot be written down. State: nothing was changed.
    Store(StoreError),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoLeader { .. } => {
                f.write_str("the monitors of the group have no leader now; nothing was changed")
            }
            Self::Outside => f.write_str(
                "this monitor left its group or was removed, and takes no changes; nothing was \
                 changed",
            ),
            Self::Unclear => f.write_str(
                "no answer came in time; the change may be made yet: look, or ask again",
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

/// A monitor as the others know it: addresses as host and port, as they are advertised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitor {
    /// Its name, unique in the group.
    pub name: String,
    /// Where the others reach its part of the group; empty where it takes part with nobody.
    pub raft: String,
    /// Where clients reach it.
    pub http: String,
    /// Where its agent is reached; empty where it runs none.
    #[serde(default)]
    pub agent: String,
}

/// Names a monitor for good: random, and never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorId(pub u64);

impl fmt::Display for MonitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// What a monitor is in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It decides.
    Leader,
    /// It follows, and votes.
    Follower,
    /// It asks to be elected.
    Candidate,
    /// It follows, and does not vote yet.
    Learner,
    /// It is no part of its group any more: it left, or was removed.
    Outside,
    /// Its store failed; it tries again.
    Stopped,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::Leader,
        Self::Follower,
        Self::Candidate,
        Self::Learner,
        Self::Outside,
        Self::Stopped,
    ];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Outside => "outside",
            Self::Stopped => "stopped",
        }
    }
}

/// How a store is.
#[derive(Clone, Debug)]
pub struct StoreStatus {
    /// The group's name, the same at all its monitors; empty before it belongs to one.
    pub group: String,
    /// This monitor.
    pub id: MonitorId,
    /// What this monitor is.
    pub role: Role,
    /// How many elections there were.
    pub term: u64,
    /// Who leads, as far as this monitor knows; a leader that reaches too few of the others is
    /// none.
    pub leader: Option<MonitorId>,
    /// The revision applied here.
    pub revision: Revision,
    /// How old the knowledge is that this is all.
    pub age: Age,
    /// The last entry of the log here.
    pub log_last: u64,
    /// The last entry that is applied here.
    pub log_applied: u64,
    /// The monitors of the group by id, this one among them.
    pub monitors: Vec<MonitorStatus>,
    /// What is wrong, in a sentence, if anything is.
    pub trouble: Option<String>,
    /// What was counted since the start.
    pub counters: StoreCounters,
}

/// One monitor of a group, as another one sees it.
#[derive(Clone, Debug)]
pub struct MonitorStatus {
    /// Which one.
    pub id: MonitorId,
    /// Its name and addresses.
    pub monitor: Monitor,
    /// What it is: leader, follower or learner.
    pub role: Role,
    /// How many entries of the log it has not got; known by the leader alone.
    pub lag: Option<u64>,
    /// How long ago it was heard: by the leader each, by the others the leader.
    pub heard: Option<Duration>,
}

/// What a store counts since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounters {
    /// Changes proposed through this monitor.
    pub proposed: u64,
    /// Those refused by the settings.
    pub refused: u64,
    /// Those for which no leader was found in time.
    pub no_leader: u64,
    /// Those that were left unclear.
    pub unclear: u64,
    /// Those that could not be written down.
    pub unstored: u64,
    /// Elections that this monitor asked for.
    pub campaigns: u64,
}

#[cfg(test)]
pub(crate) mod suite;
