//! When to ask to be elected.
//!
//! openraft 0.9 has no pre-vote: a monitor that was cut off would count its terms up, and when it
//! returns the leader would have to go. So openraft never campaigns by itself here. A monitor that
//! has not heard a leader for a while first asks the others whether they would vote for it, which
//! binds nobody, and campaigns only when enough of them would.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use openraft::type_config::TypeConfigExt as _;
use openraft::{LogId, ServerState};

use super::contact::now;
use super::node::{Node, count};
use super::rpc::{Ask, Canvass, Reply};
use super::{Group, Monitor};

/// How long an answer of one who would vote is waited for.
const CANVASS_TIMEOUT: Duration = Duration::from_millis(300);

type Membership = openraft::Membership<u64, Monitor>;

/// Campaigns whenever it is time to. Ends with the task.
pub(super) async fn run(node: Node) {
    let timing = node.0.timing;
    // openraft measures the lease from a moment later than we do.
    let margin = timing.heartbeat / 3;
    let mut wait = stagger(&node);
    loop {
        Group::sleep(timing.heartbeat / 3).await;
        let Some(chance) = chance(&node) else {
            continue;
        };
        if chance.others.is_empty() {
            elect(&node).await;
            continue;
        }
        let is_time = || {
            let contact = node.0.contact.lock();
            let at = now();
            let is_silent = contact.silence(at) > timing.lease + margin + wait;
            is_silent && !contact.has_just_voted(at, timing.lease / 2 + wait)
        };
        // Asked again, as it may have voted for another one meanwhile.
        if !is_time() {
            continue;
        }
        if would_win(&node, chance).await && is_time() {
            elect(&node).await;
            // The votes come, or they do not.
            Group::sleep(timing.lease / 2).await;
        }
        wait = stagger(&node);
    }
}

fn stagger(node: &Node) -> Duration {
    node.0.rng.lock().span_below(node.0.timing.stagger)
}

/// What is needed to find out whether one would win.
struct Chance {
    me: u64,
    membership: Membership,
    others: Vec<(u64, String)>,
    last: Option<LogId<u64>>,
}

/// `None` where it leads, does not vote, or has stopped.
fn chance(node: &Node) -> Option<Chance> {
    if node.0.identity.read().outside {
        return None;
    }
    let raft = node.raft();
    let (me, membership) = {
        let metrics = raft.metrics();
        let metrics = metrics.borrow();
        let may = match metrics.state {
            ServerState::Follower | ServerState::Candidate => metrics.running_state.is_ok(),
            ServerState::Leader | ServerState::Learner | ServerState::Shutdown => false,
        };
        if !may {
            return None;
        }
        (metrics.id, metrics.membership_config.membership().clone())
    };
    let last = raft.data_metrics().borrow().last_log;
    let others = (membership.voter_ids())
        .filter(|voter| *voter != me)
        .filter_map(|voter| {
            let monitor = membership.get_node(&voter)?;
            Some((voter, monitor.raft.clone()))
        });
    let others = others.collect();
    Some(Chance {
        me,
        membership,
        others,
        last,
    })
}

async fn would_win(node: &Node, chance: Chance) -> bool {
    let asked = chance.others.iter().map(|(voter, address)| {
        let request = node.request_to(*voter, Ask::Canvass { last: chance.last });
        async move {
            let called = node.0.network.call(address, request, CANVASS_TIMEOUT).await;
            (*voter, called)
        }
    });
    let mut answers: FuturesUnordered<_> = asked.collect();
    let mut yes = BTreeSet::from([chance.me]);
    // One that does not answer is not waited for when the others are enough.
    while !is_quorum(&chance.membership, &yes) {
        match answers.next().await {
            None => return false,
            Some((voter, Ok(Reply::Canvass(Canvass::Yes)))) => {
                yes.insert(voter);
            }
            Some((_, Ok(Reply::Canvass(Canvass::NoVoter)))) => {
                node.0.removed.store(true, Ordering::Relaxed);
            }
            Some((_, _no_or_no_answer)) => {}
        }
    }
    true
}

/// While the group changes, a majority of those before and of those after are needed.
fn is_quorum(membership: &Membership, yes: &BTreeSet<u64>) -> bool {
    (membership.get_joint_config().iter()).all(|voters| {
        let agreeing = voters.intersection(yes).count();
        agreeing * 2 > voters.len()
    })
}

async fn elect(node: &Node) {
    count(&node.0.counters.campaigns);
    // It fails only where the group has stopped here.
    let _asked = node.raft().trigger().elect().await;
}
