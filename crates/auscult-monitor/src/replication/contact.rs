//! Who was heard when.

use std::collections::BTreeMap;
use std::time::Duration;

use openraft::type_config::TypeConfigExt as _;
use openraft::{AsyncRuntime, RaftTypeConfig};

use super::Group;

/// A moment by the clock of the runtime that drives the group.
pub(super) type Moment = <<Group as RaftTypeConfig>::AsyncRuntime as AsyncRuntime>::Instant;

pub(super) fn now() -> Moment {
    Group::now()
}

/// What a monitor remembers of having heard others.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    started: Moment,
    /// When the leader was last heard.
    leader: Option<Moment>,
    /// When it was last asked for its vote and gave it.
    voted: Option<Moment>,
    /// The last moment for which it is known that what is applied here was everything.
    current: Option<Moment>,
    /// It will be known for this moment when the log is applied up to this entry.
    awaited: Option<(u64, Moment)>,
    /// When each of the others last answered.
    others: BTreeMap<u64, Moment>,
}

impl Contact {
    pub(super) fn new() -> Self {
        Self {
            started: now(),
            leader: None,
            voted: None,
            current: None,
            awaited: None,
            others: BTreeMap::new(),
        }
    }

    pub(super) fn hear_leader(&mut self, at: Moment) {
        self.leader = self.leader.max(Some(at));
    }

    /// A leader said at `at` that everything up to `committed` is decided.
    pub(super) fn learn(&mut self, at: Moment, committed: u64, applied: u64) {
        self.settle(applied);
        if committed <= applied {
            self.current = self.current.max(Some(at));
            self.awaited = None;
        } else if self.awaited.is_none() {
            self.awaited = Some((committed, at));
        }
    }

    /// The log is applied up to here.
    pub(super) fn settle(&mut self, applied: u64) {
        if let Some((index, at)) = self.awaited
            && index <= applied
        {
            self.current = self.current.max(Some(at));
            self.awaited = None;
        }
    }

    pub(super) fn vote(&mut self, at: Moment) {
        self.voted = Some(at);
    }

    pub(super) fn hear(&mut self, other: u64, at: Moment) {
        self.others.insert(other, at);
    }

    /// How long the leader has not been heard: since the start where it never was.
    pub(super) fn silence(&self, at: Moment) -> Duration {
        since(at, self.leader.unwrap_or(self.started).max(self.started))
    }

    /// Whether a vote was given away within this time: there may be a leader at any moment.
    pub(super) fn has_just_voted(&self, at: Moment, within: Duration) -> bool {
        self.voted.is_some_and(|voted| since(at, voted) <= within)
    }

    pub(super) fn heard_leader(&self, at: Moment) -> Option<Duration> {
        self.leader.map(|heard| since(at, heard))
    }

    pub(super) fn heard(&self, other: u64, at: Moment) -> Option<Duration> {
        self.others.get(&other).map(|heard| since(at, *heard))
    }

    pub(super) fn age(&self, at: Moment) -> Option<Duration> {
        self.current.map(|current| since(at, current))
    }
}

fn since(at: Moment, before: Moment) -> Duration {
    if at > before {
        at - before
    } else {
        Duration::ZERO
    }
}
