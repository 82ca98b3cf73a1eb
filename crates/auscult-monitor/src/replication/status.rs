//! What a monitor knows of its group.

use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::ServerState;

use super::Monitor;
use super::contact::now;
use super::node::Node;
use crate::shared::{Age, ChangeError, MonitorId, MonitorStatus, Role, StoreCounters, StoreStatus};

type Metrics = openraft::RaftMetrics<u64, Monitor>;

impl Node {
    fn metrics(&self) -> Metrics {
        self.raft().metrics().borrow().clone()
    }

    /// Who leads, as far as this monitor knows: nobody, where that one was not heard for long.
    pub(super) fn leader(&self) -> Option<u64> {
        let leader = self.raft().server_metrics().borrow().current_leader?;
        if leader == self.id().0 {
            return Some(leader);
        }
        let silence = self.0.contact.lock().silence(now());
        (silence <= self.0.timing.lease * 2).then_some(leader)
    }

    /// Where a monitor of the group is reached.
    pub(super) fn address(&self, id: u64) -> Option<String> {
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow();
        let monitor = metrics.membership_config.membership().get_node(&id);
        monitor.map(|monitor| monitor.raft.clone())
    }

    /// Whether this monitor leads, and too few of the others have answered of late: it cannot
    /// decide anything, and another one may lead by now.
    pub(super) fn leads_alone(&self) -> bool {
        let metrics = self.metrics();
        metrics.state == ServerState::Leader && !self.reaches_enough(&metrics)
    }

    fn reaches_enough(&self, metrics: &Metrics) -> bool {
        let bound = self.0.timing.lease + self.0.timing.heartbeat;
        let acknowledged = metrics.millis_since_quorum_ack;
        acknowledged.is_some_and(|millis| Duration::from_millis(millis) <= bound)
    }

    /// Why this monitor takes no part now, if its storage made it stop.
    pub(super) fn stopped(&self) -> Option<ChangeError> {
        self.metrics().running_state.err()?;
        self.0.journal.trouble().map(ChangeError::Store)
    }

    pub(super) fn age(&self) -> Age {
        let metrics = self.metrics();
        if metrics.running_state.is_ok() && metrics.state == ServerState::Leader {
            return Age(metrics.millis_since_quorum_ack.map(Duration::from_millis));
        }
        let applied = self.0.machine.applied().borrow().index;
        let mut contact = self.0.contact.lock();
        contact.settle(applied);
        Age(contact.age(now()))
    }

    /// Whether it left its group, or others say that it was removed.
    pub(super) fn is_outside(&self) -> bool {
        self.0.identity.read().outside || self.0.removed.load(Ordering::Relaxed)
    }

    fn role(&self, metrics: &Metrics) -> Role {
        if self.is_outside() {
            return Role::Outside;
        }
        if metrics.running_state.is_err() {
            return Role::Stopped;
        }
        match metrics.state {
            ServerState::Leader => Role::Leader,
            ServerState::Follower => Role::Follower,
            ServerState::Candidate => Role::Candidate,
            ServerState::Learner => Role::Learner,
            ServerState::Shutdown => Role::Stopped,
        }
    }

    pub(super) fn look(&self) -> StoreStatus {
        let metrics = self.metrics();
        let identity = self.0.identity.read().clone();
        let role = self.role(&metrics);
        let alone = role == Role::Leader && !self.reaches_enough(&metrics);
        let leader = self.leader();
        let trouble = match role {
            Role::Stopped => Some(match self.0.journal.trouble() {
                Some(trouble) => trouble.to_string(),
                None => "the log of the shared settings failed".to_owned(),
            }),
            Role::Leader if alone => Some("it leads, but reaches too few of the others".to_owned()),
            Role::Outside => Some(
                "it left its group or was removed, and takes no changes; start it with --join, or \
                 with an empty data folder"
                    .to_owned(),
            ),
            Role::Follower | Role::Candidate | Role::Learner
                if identity.group.is_empty() || leader.is_none() =>
            {
                let refused = self.0.refused.lock().clone();
                Some(refused.unwrap_or_else(|| "no leader is known".to_owned()))
            }
            Role::Leader | Role::Follower | Role::Candidate | Role::Learner => None,
        };
        let counters = &self.0.counters;
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let applied = *self.0.machine.applied().borrow();
        StoreStatus {
            group: identity.group,
            id: MonitorId(identity.id),
            role,
            term: metrics.current_term,
            leader: leader.filter(|_| !alone).map(MonitorId),
            revision: applied.revision,
            age: self.age(),
            log_last: metrics.last_log_index.unwrap_or(0),
            log_applied: applied.index,
            monitors: self.monitors(&metrics),
            trouble,
            counters: StoreCounters {
                proposed: read(&counters.proposed),
                refused: read(&counters.refused),
                no_leader: read(&counters.no_leader),
                unclear: read(&counters.unclear),
                unstored: read(&counters.unstored),
                campaigns: read(&counters.campaigns),
            },
        }
    }

    fn monitors(&self, metrics: &Metrics) -> Vec<MonitorStatus> {
        let membership = metrics.membership_config.membership();
        let leader = self.leader();
        let contact = self.0.contact.lock();
        let at = now();
        let is_voter = |id: u64| membership.voter_ids().any(|voter| voter == id);
        let status = |(&id, monitor): (&u64, &Monitor)| {
            let leads = metrics.current_leader == Some(id);
            let role = match (leader == Some(id), is_voter(id)) {
                (true, _) => Role::Leader,
                (false, true) => Role::Follower,
                (false, false) => Role::Learner,
            };
            let matched = metrics.replication.as_ref().and_then(|all| all.get(&id));
            let last = metrics.last_log_index.unwrap_or(0);
            MonitorStatus {
                id: MonitorId(id),
                monitor: monitor.clone(),
                role,
                lag: matched.map(|matched| {
                    let matched = matched.as_ref().map_or(0, |id| id.index);
                    last.saturating_sub(matched)
                }),
                heard: if id == metrics.id {
                    Some(Duration::ZERO)
                } else if leads {
                    contact.heard_leader(at)
                } else {
                    contact.heard(id, at)
                },
            }
        };
        membership.nodes().map(status).collect()
    }
}
