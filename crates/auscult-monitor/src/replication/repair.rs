//! Goes on after the storage failed.
//!
//! openraft stops for good when it cannot write: what it promised the others would not be true any
//! more. A full disk is made room on, so it is started anew from what is on the disk as soon as
//! something can be written there. Meanwhile the settings can be read.

use std::time::Duration;

use openraft::type_config::TypeConfigExt as _;

use super::Group;
use super::contact::now;
use super::journal::apart;
use super::node::Node;

/// How often it is tried whether there is room again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long it has to go on before it counts as repaired: where there is next to no room, what it
/// needs to start can be written, and what it is sent then cannot.
const SETTLED: Duration = Duration::from_secs(5);

pub(super) async fn run(node: Node) {
    let mut is_told = false;
    let mut began = None;
    loop {
        if is_told && Group::timeout(SETTLED, ended(&node)).await.is_err() {
            is_told = false;
            tracing::info!("the shared settings can be written again");
            continue;
        }
        ended(&node).await;
        let lasted = began.is_none_or(|began| now() - began >= SETTLED);
        if !(lasted && again(&node).await) {
            if !is_told {
                is_told = true;
                tracing::error!(
                    trouble = ?node.0.journal.trouble(),
                    "the shared settings cannot be written; changes are refused, watching goes on"
                );
            }
            Group::sleep(PAUSE).await;
            while !again(&node).await {
                Group::sleep(PAUSE).await;
            }
        }
        began = Some(now());
    }
}

/// Until openraft has stopped.
async fn ended(node: &Node) {
    let mut metrics = node.raft().metrics();
    // Not `changed`: each receiver begins as if nothing had been seen yet. An end of the channel is
    // an end of openraft too.
    drop(metrics.wait_for(|now| now.running_state.is_err()).await);
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
