//! What every store of shared settings promises, over Raft.

use super::stage::Wires;
use crate::shared::{SettingsStore, suite};

#[tokio::test(start_paused = true)]
async fn a_group_of_one_keeps_every_promise_of_a_store() {
    check(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_of_three_keeps_every_promise_of_a_store() {
    check(3).await;
}

async fn check(count: u64) {
    let nodes = Wires::default().group(count).await;
    let stores: Vec<&dyn SettingsStore> = nodes.iter().map(|node| node as _).collect();
    suite::holds(&stores).await;
    for node in &nodes {
        node.stop().await;
    }
}
