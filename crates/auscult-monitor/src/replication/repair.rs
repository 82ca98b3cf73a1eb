//! Goes on after the storage failed.
//!
//! openraft stops for good when it cannot write: what it promised the others would not be true any
//! more. A full disk is made room on, so it is started anew from what is on the disk as soon as
//! something can be written there. Meanwhile the settings can be read.

use std::time::Duration;

use openraft::type_config::TypeConfigExt as _;

use super::Group;
use super::journal::apart;
use super::node::Node;

/// How often it is tried whether there is room again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(node: Node) {
    loop {
        let mut metrics = node.raft().metrics();
        // Not `changed`: each receiver begins as if nothing had been seen yet. An end of the
        // channel is an end of openraft too.
        drop(metrics.wait_for(|now| now.running_state.is_err()).await);
        if again(&node).await {
            continue;
        }
        tracing::error!(
            trouble = ?node.0.journal.trouble(),
            "the shared settings cannot be written; changes are refused, watching goes on"
        );
        while !again(&node).await {
            Group::sleep(PAUSE).await;
        }
        tracing::info!("the shared settings can be written again");
    }
}

async fn again(node: &Node) -> bool {
    let _one_at_a_time = node.0.changing.lock().await;
    if runs(node) {
        return true;
    }
    let identity = node.0.identity.read().clone();
    let writable = apart(&node.0.journal, move |journal| identity.keep(journal)).await;
    if writable.is_err() {
        return false;
    }
    match node.begin_again().await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the shared settings cannot be used yet");
            false
        }
    }
}

fn runs(node: &Node) -> bool {
    let metrics = node.raft().metrics();
    let state = metrics.borrow().running_state.is_ok();
    state && metrics.has_changed().is_ok()
}
