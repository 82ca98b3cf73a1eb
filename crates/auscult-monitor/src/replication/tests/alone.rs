//! A group of one.

use std::sync::Arc;

use auscult_core::monitor::registry::{Refusal, Revision};
use tempfile::TempDir;

use super::super::*;
use super::stage::{Wires, config, made, open, put, refused, until};
use crate::shared::{ChangeError, Role, SettingsStore as _};

async fn alone(journal: Journal) -> Node {
    Node::start(config(1), journal, Arc::new(Wires::default()))
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_monitor_alone_decides_and_can_be_read_when_it_is_answered() {
    let node = alone(Journal::in_memory().unwrap()).await;
    let mut revisions = node.revisions();
    let revision = made(&node, "a").await;
    assert_eq!(revision, Revision::new(1));
    let mut found = 0;
    node.read(&mut |registry, _| found = registry.len());
    assert_eq!(found, 1);
    revisions.wait_for(|told| *told == revision).await.unwrap();
    let ChangeError::Refused(Refusal::Condition { .. }) = refused(&node, "a").await else {
        panic!("it should be refused");
    };
    assert_eq!(node.confirm().await.unwrap(), revision);
    let status = node.status();
    assert_eq!(status.role, Role::Leader);
    assert_eq!(status.leader, Some(status.id));
    assert_eq!(status.monitors.len(), 1);
    assert_eq!((status.counters.proposed, status.counters.refused), (2, 1));
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_there_after_a_restart_and_no_change_is_made_twice() {
    let folder = TempDir::new().unwrap();
    let node = alone(Journal::open(folder.path()).unwrap()).await;
    let mut change = put("a");
    change.id = Some(auscult_core::monitor::registry::ChangeId(7));
    let outcome = node.change(change.clone()).await.unwrap();
    let group = node.status().group;
    node.stop().await;
    drop(node);

    let journal = open(folder.path()).await;
    let node = alone(journal).await;
    assert_eq!(node.change(change).await.unwrap(), outcome);
    assert_eq!(node.status().group, group);
    assert_eq!(made(&node, "b").await, Revision::new(2));
    until("leads", || node.status().role == Role::Leader).await;
    node.stop().await;
}
