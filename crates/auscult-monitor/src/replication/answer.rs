//! What a monitor answers to the others of its group.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever is not asked of everybody is asked of the leader"
)]

use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use openraft::error::{InstallSnapshotError, RaftError};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest};
use openraft::{LogId, ServerState};

use super::Group;
use super::contact::now;
use super::node::Node;
use super::rpc::{Ask, Callee, Canvass, Reply, Request};

impl Callee for Node {
    fn answer(&self, request: Request) -> BoxFuture<'_, Reply> {
        Box::pin(self.handle(request))
    }
}

impl Node {
    /// Answers a request of another monitor. Whoever carries requests calls this.
    pub async fn handle(&self, request: Request) -> Reply {
        let (id, group) = {
            let identity = self.0.identity.read();
            (identity.id, identity.group.clone())
        };
        if request.to.is_some_and(|to| to != id) {
            // It would count as the one that was there before, which has promised its vote and has
            // entries that are not here.
            return Reply::AnotherMonitor { id };
        }
        match request.ask {
            Ask::Invite => {
                let leader = self.leader().and_then(|leader| self.address(leader));
                return Reply::Invited { group, leader };
            }
            Ask::Summon { addresses } => {
                return match self.join(addresses).await {
                    Ok(()) => Reply::Done,
                    Err(error) => failed(&error),
                };
            }
            _ if group.is_empty() || request.group != group => {
                return Reply::OtherGroup { group };
            }
            _ => {}
        }
        match request.ask {
            Ask::Append(append) => self.append(append).await,
            Ask::Vote(vote) => self.vote(vote).await,
            Ask::Snapshot(piece) => {
                let at = now();
                self.0.removed.store(false, Ordering::Relaxed);
                let outcome = self.raft().install_snapshot(piece).await;
                self.0.contact.lock().hear_leader(at);
                match outcome {
                    Ok(response) => Reply::Snapshot {
                        vote: response.vote,
                    },
                    Err(RaftError::APIError(InstallSnapshotError::SnapshotMismatch(_))) => {
                        Reply::SnapshotMismatch
                    }
                    Err(RaftError::Fatal(fatal)) => failed(&fatal),
                }
            }
            Ask::Canvass { last } => Reply::Canvass(self.canvass(request.from, last)),
            Ask::Campaign => match self.raft().trigger().elect().await {
                Ok(()) => Reply::Done,
                Err(fatal) => failed(&fatal),
            },
            Ask::Observe(letter) => self.take_letter(request.from, letter),
            ask => self.decide(ask, self.0.timing.change).await,
        }
    }

    async fn append(&self, append: AppendEntriesRequest<Group>) -> Reply {
        let at = now();
        let committed = append.leader_commit.map_or(0, |id| id.index);
        // What it sends may take long to write down. It is there all the same.
        if self.raft().server_metrics().borrow().vote == append.vote {
            self.0.contact.lock().hear_leader(at);
        }
        match self.raft().append_entries(append).await {
            Ok(response) => {
                if !matches!(response, AppendEntriesResponse::HigherVote(_)) {
                    let applied = self.0.machine.applied().borrow().index;
                    self.0.removed.store(false, Ordering::Relaxed);
                    let mut contact = self.0.contact.lock();
                    contact.hear_leader(at);
                    contact.learn(at, committed, applied);
                }
                Reply::Append(response)
            }
            Err(error) => failed(&error),
        }
    }

    async fn vote(&self, vote: VoteRequest<u64>) -> Reply {
        match self.raft().vote(vote).await {
            Ok(response) => {
                if response.vote_granted {
                    self.0.contact.lock().vote(now());
                }
                Reply::Vote(response)
            }
            Err(error) => failed(&error),
        }
    }

    fn canvass(&self, from: u64, last: Option<LogId<u64>>) -> Canvass {
        let raft = self.raft();
        let leads = raft.server_metrics().borrow().state == ServerState::Leader;
        let lease = self.0.timing.lease;
        let is_behind = last < raft.data_metrics().borrow().last_log;
        let is_voter = {
            let metrics = raft.server_metrics();
            let metrics = metrics.borrow();
            let mut voters = metrics.membership_config.membership().voter_ids();
            voters.any(|voter| voter == from)
        };
        // It was removed while it was away, and nobody who leads would ever tell it.
        if is_behind && !is_voter {
            return Canvass::NoVoter;
        }
        let has_leader = if leads {
            !self.leads_alone()
        } else {
            let contact = self.0.contact.lock();
            let at = now();
            contact.silence(at) <= lease || contact.has_just_voted(at, lease / 2)
        };
        if has_leader {
            return Canvass::HasLeader;
        }
        match is_behind {
            true => Canvass::LogBehind,
            false => Canvass::Yes,
        }
    }
}

fn failed(error: &dyn std::error::Error) -> Reply {
    Reply::Failed {
        text: error.to_string(),
    }
}
