//! The word of a leader that is busy writing.
//!
//! openraft waits for the disk in the task that also says that there is a leader. A change of many
//! settings takes longer to write than the others wait for that word, above all where the machine
//! or the disk is busy, so they would elect another leader, which would begin to write it anew. So
//! while something large is written, the word is said here.

use std::time::Duration;

use futures_util::future::join_all;
use openraft::ServerState;
use openraft::raft::AppendEntriesRequest;
use openraft::type_config::TypeConfigExt as _;

use super::Group;
use super::contact::now;
use super::journal::Writing;
use super::node::Node;
use super::rpc::{Ask, Reply};

/// How long writing may take. A disk that takes longer is a reason to have another leader.
const WRITING_MAX: Duration = Duration::from_secs(15);

/// Says it whenever it has to be said. Ends with the task.
pub(super) async fn run(node: Node) {
    let mut writing = node.0.journal.writing().subscribe();
    loop {
        let begins = writing.wait_for(|writing| *writing == Writing::Much);
        if begins.await.is_err() {
            return;
        }
        let began = now();
        while *writing.borrow_and_update() == Writing::Much && now() - began < WRITING_MAX {
            tokio::join!(say(&node), Group::sleep(node.0.timing.heartbeat));
        }
        let ends = writing.wait_for(|writing| *writing == Writing::Nothing);
        if ends.await.is_err() {
            return;
        }
    }
}

/// Tells the others that this monitor leads, if it does.
async fn say(node: &Node) {
    let (vote, others) = {
        let raft = node.raft();
        let metrics = raft.metrics();
        let metrics = metrics.borrow();
        if metrics.state != ServerState::Leader {
            return;
        }
        let all = metrics.membership_config.membership().nodes();
        let others = all.filter(|(id, _)| **id != metrics.id);
        let others: Vec<_> = others.map(|(id, it)| (*id, it.raft.clone())).collect();
        (metrics.vote, others)
    };
    let committed = node.0.machine.applied().borrow().entry;
    let said = others.into_iter().map(|(id, address)| async move {
        // Without entries, behind nothing: it fits every log.
        let word = AppendEntriesRequest {
            vote,
            prev_log_id: None,
            entries: Vec::new(),
            leader_commit: committed,
        };
        let request = node.request_to(id, Ask::Append(word));
        let called = node
            .0
            .network
            .call(&address, request, node.0.timing.heartbeat);
        // One that has voted for another leader is found by openraft.
        if matches!(called.await, Ok(Reply::Append(_))) {
            node.0.contact.lock().hear(id, now());
        }
    });
    join_all(said).await;
}
