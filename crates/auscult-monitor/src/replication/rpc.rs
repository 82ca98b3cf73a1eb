//! What monitors of a group ask each other, and what they answer.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, VoteRequest, VoteResponse,
};
use openraft::{LogId, Vote};
use serde::{Deserialize, Serialize};

use super::records::{Answer, Command};
use super::{Group, Monitor};
use crate::observers;
use crate::observers::wire::Letter;

/// Carries requests to other monitors.
pub trait Network: Send + Sync + 'static {
    /// Has the monitor at this address (as advertised) answer a request. Given up when it takes
    /// longer than `timeout`, or when the future is dropped; the other one may have done all of it
    /// then.
    fn call<'a>(
        &'a self,
        to: &'a str,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Reply, CallError>>;

    /// Where the monitors are of which this address tells: itself, if nothing else is known.
    fn lookup<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Vec<String>> {
        Box::pin(async move { vec![address.to_owned()] })
    }
}

/// Answers requests of other monitors.
pub trait Callee: Send + Sync + 'static {
    /// Answers one. Given up by the one who asked, it is answered all the same.
    fn answer(&self, request: Request) -> BoxFuture<'_, Reply>;
}

/// No network at all: for a monitor that takes part with nobody.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Network for Nobody {
    fn call<'a>(
        &'a self,
        _to: &'a str,
        _request: Request,
        _timeout: Duration,
    ) -> BoxFuture<'a, Result<Reply, CallError>> {
        let text = "this monitor has no address in the group: start it with --raft-bind";
        Box::pin(async move { Err(CallError::Unreachable(text.to_owned())) })
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// It cannot be reached. State: it did not hear of the request.
    Unreachable(String),
    /// It was asked, and did not answer as it should. State: it may have done what was asked.
    Broken(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) => write!(f, "it cannot be reached: {text}"),
            Self::Broken(text) => write!(f, "it did not answer as it should: {text}"),
        }
    }
}

impl std::error::Error for CallError {}

/// A request, with who asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The group of the one who asks; empty where it has none yet.
    pub group: String,
    /// Who asks.
    pub from: u64,
    /// Who shall answer; nobody in particular where that is not known. Another one may be found at
    /// an address by now, with the journal of another one.
    #[serde(default)]
    pub to: Option<u64>,
    /// For what.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Raft: take these entries of the log, or know that there is still a leader.
    Append(AppendEntriesRequest<Group>),
    /// Raft: vote for the one who asks.
    Vote(VoteRequest<u64>),
    /// Raft: take this piece of a snapshot.
    Snapshot(InstallSnapshotRequest<Group>),
    /// Whether it would vote for the one who asks, whose log ends here. Binds nobody.
    Canvass {
        /// The end of the log.
        last: Option<LogId<u64>>,
    },
    /// Of the leader: make a change.
    Change(Command),
    /// Of the leader: up to where everything is that was acknowledged by now.
    Confirm,
    /// Of which group it is, and who leads. Everybody may ask.
    Invite,
    /// To join the group of these addresses. Everybody may ask one that is alone and has no
    /// settings.
    Summon {
        /// Where to reach monitors of the group.
        addresses: Vec<String>,
    },
    /// Of the leader: take a newcomer in, or know its new addresses.
    Join {
        /// Who it is.
        id: u64,
        /// Its name and addresses.
        monitor: Monitor,
    },
    /// Of the leader: give a learner a vote.
    Promote {
        /// Which one.
        id: u64,
    },
    /// Of the leader: let one go.
    Remove {
        /// Which one.
        id: u64,
    },
    /// Of the leader: let another one lead.
    Transfer {
        /// Which one.
        to: u64,
    },
    /// To ask to be elected, now.
    Campaign,
    /// To take what an observer has to say; no affair of Raft's.
    Observe(Letter),
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Ask::Append`].
    Append(AppendEntriesResponse<u64>),
    /// To [`Ask::Vote`].
    Vote(VoteResponse<u64>),
    /// To [`Ask::Snapshot`]: taken so far.
    Snapshot {
        /// For whom the one asked voted last.
        vote: Vote<u64>,
    },
    /// To [`Ask::Snapshot`]: the piece does not follow the one before; begin again.
    SnapshotMismatch,
    /// To [`Ask::Canvass`].
    Canvass(Canvass),
    /// To [`Ask::Change`]: it is decided, in this entry of the log.
    Changed {
        /// Which entry.
        index: u64,
        /// How it was decided.
        answer: Answer,
    },
    /// To [`Ask::Confirm`]: it is all in the log up to this entry.
    Confirmed {
        /// Which entry.
        index: u64,
    },
    /// To [`Ask::Invite`].
    Invited {
        /// Of which group the one asked is; empty where of none yet.
        group: String,
        /// Where its leader is reached, as far as it knows.
        leader: Option<String>,
    },
    /// To [`Ask::Observe`].
    Observed(observers::wire::Answer),
    /// It is done.
    Done,
    /// The one asked does not lead. Nothing was done.
    NotLeader {
        /// Who does, as far as it knows.
        leader: Option<u64>,
    },
    /// The one asked leads, and too few of the others answer. Nothing was done.
    NoQuorum,
    /// The one asked cannot say whether it was done, or will be.
    Unclear,
    /// The one asked is of another group. Nothing was done.
    OtherGroup {
        /// Which one.
        group: String,
    },
    /// The one asked is another one than was meant. Nothing was done.
    AnotherMonitor {
        /// Which one.
        id: u64,
    },
    /// The one asked could not. Nothing was done.
    Failed {
        /// Why.
        text: String,
    },
}

/// Whether one would be voted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Canvass {
    /// It would.
    Yes,
    /// There is a leader.
    HasLeader,
    /// The one asked has more in its log.
    LogBehind,
    /// The one asked has more in its log, and there the one who asks has no vote.
    NoVoter,
}
