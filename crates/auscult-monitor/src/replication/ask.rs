//! Changes and confirmations: asked of whoever leads, until there is an answer.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer to something else is the same as none, whichever it is"
)]

use std::time::Duration;

use auscult_core::monitor::registry::{Change, ChangeId, Outcome, Revision};
use openraft::error::{CheckIsLeaderError, ClientWriteError, Fatal, RaftError};
use openraft::type_config::TypeConfigExt as _;

use super::Group;
use super::contact::now;
use super::journal::apart;
use super::node::Node;
use super::records::{Answer, Command};
use super::rpc::{Ask, CallError, Reply, Request};
use crate::shared::ChangeError;

/// How long to wait before the leader is looked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// How long one monitor may take to answer: longer than it takes to write a large change down, and
/// short enough that another one can be asked.
const ATTEMPT: Duration = Duration::from_secs(5);

/// When it is worth asking again where there is no leader.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a change that is made may take to be applied here.
const CATCH_UP: Duration = Duration::from_secs(5);

/// What came of asking once.
enum Attempt {
    Answered(Reply),
    /// Nothing was done.
    Refused,
    /// It may have been done.
    Unclear,
}

impl Node {
    pub(super) async fn ask_change(&self, change: Change) -> Result<Outcome, ChangeError> {
        let reply = self.ask_leader(Ask::Change(change.into())).await?;
        let Reply::Changed { index, answer } = reply else {
            return Err(ChangeError::Unclear);
        };
        match answer {
            // It is made, and whoever asks wants to find it here. Where this monitor lags behind
            // for long, it is better asked of another one.
            Answer::Decided(Ok(outcome)) => match self.applied(index, CATCH_UP).await {
                Some(_) => Ok(outcome),
                None => Err(ChangeError::Unclear),
            },
            Answer::Decided(Err(refusal)) => Err(ChangeError::Refused(refusal)),
            Answer::NoChange => Err(ChangeError::Unclear),
        }
    }

    pub(super) async fn ask_confirm(&self) -> Result<Revision, ChangeError> {
        let no_leader = ChangeError::NoLeader {
            retry_after: RETRY_AFTER,
        };
        match self.ask_leader(Ask::Confirm).await {
            Ok(Reply::Confirmed { index }) => {
                let applied = self.applied(index, CATCH_UP).await;
                applied.ok_or(no_leader)
            }
            // Nothing was to be changed.
            Ok(_) | Err(ChangeError::Unclear) => Err(no_leader),
            Err(error) => Err(error),
        }
    }

    /// Waits until the log is applied here up to an entry; `None` when that takes too long.
    pub(super) async fn applied(&self, index: u64, within: Duration) -> Option<Revision> {
        let mut applied = self.0.machine.applied();
        let reached = applied.wait_for(|applied| applied.index >= index);
        let reached = Group::timeout(within, reached).await.ok()?;
        reached.ok().map(|applied| applied.revision)
    }

    /// Asks whoever leads until one answers who does.
    pub(super) async fn ask_leader(&self, ask: Ask) -> Result<Reply, ChangeError> {
        let started = now();
        let mut unclear = false;
        loop {
            if self.is_outside() {
                return Err(match unclear {
                    true => ChangeError::Unclear,
                    false => ChangeError::Outside,
                });
            }
            let left = self.0.timing.change.saturating_sub(now() - started);
            match self.attempt(&ask, left.min(ATTEMPT)).await {
                Attempt::Answered(reply) => return Ok(reply),
                Attempt::Unclear => unclear = true,
                Attempt::Refused => {}
            }
            if let Some(trouble) = self.stopped() {
                return Err(if unclear {
                    ChangeError::Unclear
                } else {
                    trouble
                });
            }
            let spent = now() - started;
            if unclear && spent >= self.0.timing.change {
                return Err(ChangeError::Unclear);
            }
            if !unclear && spent >= self.0.timing.patience {
                return Err(ChangeError::NoLeader {
                    retry_after: RETRY_AFTER,
                });
            }
            Group::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self, ask: &Ask, within: Duration) -> Attempt {
        let Some(leader) = self.leader() else {
            return Attempt::Refused;
        };
        let reply = if leader == self.id().0 {
            Ok(self.decide(ask.clone(), within).await)
        } else {
            let Some(to) = self.address(leader) else {
                return Attempt::Refused;
            };
            let request = self.request_to(leader, ask.clone());
            let mut metrics = self.raft().server_metrics();
            let called = self.0.network.call(&to, request, within);
            let another =
                metrics.wait_for(|now| now.current_leader.is_some_and(|now| now != leader));
            // Who waits for one that is gone learns from the others that there is a new one.
            tokio::select! {
                biased;
                reply = called => reply,
                _ = another => return Attempt::Unclear,
            }
        };
        match reply {
            Ok(reply @ (Reply::Changed { .. } | Reply::Confirmed { .. } | Reply::Done)) => {
                Attempt::Answered(reply)
            }
            // What could not be written down there may be here, when this one leads.
            Ok(reply @ Reply::Failed { .. }) if !matches!(ask, Ask::Change(_) | Ask::Confirm) => {
                Attempt::Answered(reply)
            }
            Ok(Reply::Unclear) | Err(CallError::Broken(_)) => Attempt::Unclear,
            Ok(_) | Err(CallError::Unreachable(_)) => Attempt::Refused,
        }
    }

    pub(super) fn request(&self, ask: Ask) -> Request {
        let identity = self.0.identity.read();
        Request {
            group: identity.group.clone(),
            from: identity.id,
            to: None,
            ask,
        }
    }

    /// As [`request`](Self::request), for nobody but this one.
    pub(super) fn request_to(&self, to: u64, ask: Ask) -> Request {
        Request {
            to: Some(to),
            ..self.request(ask)
        }
    }

    /// Answers what only a leader can.
    pub(super) async fn decide(&self, ask: Ask, within: Duration) -> Reply {
        let leader = self.leader();
        if leader != Some(self.id().0) {
            return Reply::NotLeader { leader };
        }
        if self.is_resting() {
            return Reply::NotLeader { leader: None };
        }
        if self.leads_alone() {
            return Reply::NoQuorum;
        }
        match ask {
            Ask::Change(command) => self.propose(command, within).await,
            Ask::Confirm => self.confirm_here().await,
            Ask::Join { id, monitor } => self.take_in(id, monitor).await,
            Ask::Promote { id } => self.promote(id).await,
            Ask::Remove { id } => self.let_go(id).await,
            Ask::Transfer { to } => self.hand_over(to).await,
            _ => Reply::Failed {
                text: "this is not for the leader alone".to_owned(),
            },
        }
    }

    async fn propose(&self, command: Command, within: Duration) -> Reply {
        let id = command.0.id;
        let raft = self.raft();
        let Ok(written) = Group::timeout(within, raft.client_write(command)).await else {
            return Reply::Unclear;
        };
        match written {
            Ok(response) => Reply::Changed {
                index: response.log_id.index,
                answer: response.data,
            },
            // It was the leader a moment ago. What it wrote down and had to give up for entries of
            // another leader may have reached a third one, which may lead next.
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Reply::Unclear,
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                Reply::Failed {
                    text: error.to_string(),
                }
            }
            Err(RaftError::Fatal(fatal)) => self.after_stop(id, &fatal).await,
        }
    }

    async fn confirm_here(&self) -> Reply {
        match self.raft().get_read_log_id().await {
            Ok((index, _applied)) => Reply::Confirmed {
                index: index.map_or(0, |id| id.index),
            },
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(forward))) => {
                Reply::NotLeader {
                    leader: forward.leader_id,
                }
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => Reply::NoQuorum,
            Err(RaftError::Fatal(fatal)) => Reply::Failed {
                text: fatal.to_string(),
            },
        }
    }

    /// A leader writes a change down before it tells the others. So one that is not in its log was
    /// told to nobody.
    async fn after_stop(&self, id: Option<ChangeId>, fatal: &Fatal<u64>) -> Reply {
        match apart(&self.0.journal, move |journal| journal.recently(id)).await {
            Ok(false) => Reply::Failed {
                text: fatal.to_string(),
            },
            Ok(true) | Err(_) => Reply::Unclear,
        }
    }
}
