//! Who belongs to the group: what its leader does about it.
//!
//! A newcomer is a learner first, which has no vote. It asks to be made a voter when it has
//! everything; one that dies before is a learner for good, and holds up nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::type_config::TypeConfigExt as _;
use openraft::{ChangeMembers, ServerState};

use super::contact::now;
use super::node::Node;
use super::rpc::{Ask, Reply};
use super::{Group, Monitor};

/// How many entries a learner may lack when it is made a voter: what is written while it asks.
const LAG_MAX: u64 = 64;

/// How many monitors belong to one group. More than seven make no group safer, and every one makes
/// changes slower.
pub const MONITORS_MAX: usize = 15;

/// How long a change of the group may take.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

type Changes = ChangeMembers<u64, Monitor>;

impl Node {
    /// Takes a newcomer in as a learner.
    pub(super) async fn take_in(&self, id: u64, monitor: Monitor) -> Reply {
        let known = self.roster();
        if let Some((other, same)) =
            (known.iter()).find(|(other, known)| **other != id && known.name == monitor.name)
        {
            let text = format!(
                "{} is the name of another monitor of the group ({other:012x}, at {}): give this \
                 one another with --name, or remove that one with 'auscult cluster remove {}'",
                same.name, same.raft, same.name,
            );
            return Reply::Failed { text };
        }
        if let Some((_, same)) =
            (known.iter()).find(|(other, known)| **other != id && known.raft == monitor.raft)
        {
            let text = format!(
                "{} is the address of another monitor of the group, {}: choose another with \
                 --raft-bind or --raft-advertise, or remove that one with 'auscult cluster remove \
                 {}'",
                same.raft, same.name, same.name,
            );
            return Reply::Failed { text };
        }
        if known.len() >= MONITORS_MAX && !known.contains_key(&id) {
            let text = format!("a group has at most {MONITORS_MAX} monitors");
            return Reply::Failed { text };
        }
        let nodes = BTreeMap::from([(id, monitor.clone())]);
        match known.get(&id) {
            Some(same) if *same == monitor => Reply::Done,
            Some(_) => self.change_roster(Changes::SetNodes(nodes)).await,
            None => self.change_roster(Changes::AddNodes(nodes)).await,
        }
    }

    /// Gives a learner that has everything a vote.
    pub(super) async fn promote(&self, id: u64) -> Reply {
        let lag = {
            let metrics = self.raft().metrics();
            let metrics = metrics.borrow();
            let membership = metrics.membership_config.membership();
            if membership.voter_ids().any(|voter| voter == id) {
                return Reply::Done;
            }
            let matched = metrics.replication.as_ref().and_then(|all| all.get(&id));
            let matched = matched.copied().flatten().map(|matched| matched.index);
            let last = metrics.last_log_index.unwrap_or(0);
            matched.map(|matched| last.saturating_sub(matched))
        };
        if lag.is_none_or(|lag| lag > LAG_MAX) {
            let text = "it has not caught up yet".to_owned();
            return Reply::Failed { text };
        }
        let newcomer = BTreeSet::from([id]);
        self.change_roster(Changes::AddVoterIds(newcomer)).await
    }

    /// Lets one go, be it alive or dead.
    pub(super) async fn let_go(&self, id: u64) -> Reply {
        let (is_voter, alone, successor) = {
            let metrics = self.raft().metrics();
            let metrics = metrics.borrow();
            let membership = metrics.membership_config.membership();
            if membership.get_node(&id).is_none() {
                return Reply::Done;
            }
            let voters: BTreeSet<u64> = membership.voter_ids().collect();
            let replication = metrics.replication.clone().unwrap_or_default();
            let successor = (replication.into_iter())
                .filter(|(other, _)| *other != metrics.id && voters.contains(other))
                .max_by_key(|(_, matched)| *matched);
            let alone = voters.len() == 1;
            (voters.contains(&id), alone, successor.map(|(id, _)| id))
        };
        if is_voter && alone {
            let text = "it is the last of its group".to_owned();
            return Reply::Failed { text };
        }
        if let Some(successor) = successor
            && id == self.id().0
        {
            // Whoever leads then does it.
            let handed = self.hand_over(successor).await;
            if matches!(handed, Reply::Done) {
                return Reply::NotLeader {
                    leader: Some(successor),
                };
            }
            return handed;
        }
        let gone = BTreeSet::from([id]);
        let change = if is_voter {
            Changes::RemoveVoters(gone)
        } else {
            Changes::RemoveNodes(gone)
        };
        self.change_roster(change).await
    }

    async fn change_roster(&self, change: Changes) -> Reply {
        // A change of voters is two entries of the log: nobody else ends one that is under way.
        let _one_at_a_time = self.0.roster.lock().await;
        self.change_roster_alone(change).await
    }

    /// As [`change_roster`](Self::change_roster), for one who holds the lock.
    async fn change_roster_alone(&self, change: Changes) -> Reply {
        let raft = self.raft();
        let changing = raft.change_membership(change, false);
        let Ok(changed) = Group::timeout(CHANGE_TIMEOUT, changing).await else {
            return Reply::Unclear;
        };
        match changed {
            Ok(_) => Reply::Done,
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                Reply::NotLeader {
                    leader: forward.leader_id,
                }
            }
            // One that is older is not agreed on yet: it is asked again soon.
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_),
            ))) => Reply::NoQuorum,
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                Reply::Failed {
                    text: error.to_string(),
                }
            }
            Err(RaftError::Fatal(fatal)) => Reply::Failed {
                text: fatal.to_string(),
            },
        }
    }

    /// Lets another one lead.
    ///
    /// A voter votes for nobody else for as long as it has just heard its leader. So the leader
    /// falls silent for that long, takes no changes meanwhile, and then has the other one campaign.
    pub(super) async fn hand_over(&self, to: u64) -> Reply {
        if to == self.id().0 {
            return Reply::Done;
        }
        let (address, lag) = {
            let metrics = self.raft().metrics();
            let metrics = metrics.borrow();
            let membership = metrics.membership_config.membership();
            let is_voter = membership.voter_ids().any(|voter| voter == to);
            let address = (membership.get_node(&to)).filter(|_| is_voter);
            let matched = metrics.replication.as_ref().and_then(|all| all.get(&to));
            let matched = matched
                .copied()
                .flatten()
                .map_or(0, |matched| matched.index);
            let last = metrics.last_log_index.unwrap_or(0);
            (
                address.map(|it| it.raft.clone()),
                last.saturating_sub(matched),
            )
        };
        let Some(address) = address else {
            let text = "it has no vote, so it cannot lead".to_owned();
            return Reply::Failed { text };
        };
        if lag > LAG_MAX {
            let text = format!("it lacks {lag} entries of the log; wait until it has caught up");
            return Reply::Failed { text };
        }
        // One that cannot be reached would leave the group without a leader for a while.
        let there = self.request_to(to, Ask::Invite);
        let answered = (self.0.network).call(&address, there, self.0.timing.lease);
        match answered.await {
            Ok(Reply::AnotherMonitor { .. }) => {
                let text = format!("another monitor is at {address} now");
                return Reply::Failed { text };
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("the one at {address}, that was to lead: {error}");
                return Reply::Failed { text };
            }
        }
        self.step_aside(to, &address).await
    }

    async fn step_aside(&self, to: u64, address: &str) -> Reply {
        let timing = self.0.timing;
        let raft = self.raft();
        let _resting = Resting::begin(self);
        Group::sleep(timing.lease + timing.heartbeat / 4).await;
        let campaign = self.request_to(to, Ask::Campaign);
        let asked = self.0.network.call(address, campaign, timing.lease).await;
        if let Err(error) = asked {
            let text = error.to_string();
            return Reply::Failed { text };
        }
        let mut metrics = raft.server_metrics();
        let leads = metrics.wait_for(|metrics| metrics.current_leader == Some(to));
        match Group::timeout(timing.lease * 2, leads).await {
            Ok(Ok(_)) => Reply::Done,
            Ok(Err(_)) | Err(_) => Reply::Unclear,
        }
    }

    /// A change of the group that its leader did not end is ended by the next one.
    pub(super) async fn end_change(&self) {
        let Ok(_one_at_a_time) = self.0.roster.try_lock() else {
            return;
        };
        let unfinished = {
            let metrics = self.raft().metrics();
            let metrics = metrics.borrow();
            let config = metrics.membership_config.membership().get_joint_config();
            let leads = metrics.state == ServerState::Leader;
            config.last().filter(|_| leads && config.len() > 1).cloned()
        };
        if let Some(voters) = unfinished {
            let change = Changes::ReplaceAllVoters(voters);
            let _tried_again_later = self.change_roster_alone(change).await;
        }
    }

    /// The monitors of the group, as far as this one knows.
    pub(super) fn roster(&self) -> BTreeMap<u64, Monitor> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow();
        let nodes = metrics.membership_config.membership().nodes();
        nodes.map(|(id, monitor)| (*id, monitor.clone())).collect()
    }

    /// Whether it is about to let another one lead.
    pub(super) fn is_resting(&self) -> bool {
        self.0.resting.lock().is_some_and(|until| now() < until)
    }
}

/// For as long as it lives, a leader falls silent.
struct Resting(Node);

impl Resting {
    fn begin(node: &Node) -> Self {
        *node.0.resting.lock() = Some(now() + node.0.timing.lease * 4);
        node.raft().runtime_config().heartbeat(false);
        Self(node.clone())
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        *self.0.0.resting.lock() = None;
        self.0.raft().runtime_config().heartbeat(true);
    }
}
