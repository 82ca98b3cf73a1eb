//! A leader that has to wait for its disk. In real time, as the disk is another thread's.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::super::*;
use super::stage::{Wires, config, has, leader, many, until, voters};
use crate::replication::contact::now;
use crate::shared::SettingsStore as _;

/// Far longer than a thread of a busy machine waits for its turn.
const LEASE: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_elected_while_the_leader_waits_for_its_disk() {
    let wires = Wires::default();
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let config = NodeConfig {
            timing: Timing {
                heartbeat: Duration::from_millis(100),
                lease: LEASE,
                ..Timing::LAN
            },
            join: match number {
                1 => Vec::new(),
                _ => vec!["m1:7000".to_owned()],
            },
            ..config(number)
        };
        nodes.push(wires.start(config, Journal::in_memory().unwrap()).await);
        until("all vote", || voters(&nodes[0]) == nodes.len()).await;
    }
    let leads = leader(&nodes).unwrap();
    let before = nodes[leads].status();

    // Who reads for long holds up who writes.
    let journal = Arc::clone(&nodes[leads].0.journal);
    let (begin, begun) = tokio::sync::oneshot::channel();
    let (end, ended) = mpsc::channel::<()>();
    let reader = thread::spawn(move || {
        journal.read(|_| {
            begin.send(()).unwrap();
            ended.recv().unwrap();
            Ok(())
        })
    });
    begun.await.unwrap();
    let proposer = nodes[leads].clone();
    let changing = tokio::spawn(async move { proposer.change(many(8)).await });
    let since = now();
    until("several leases have passed", || now() - since > LEASE * 3).await;
    assert!(!changing.is_finished());
    end.send(()).unwrap();
    reader.join().unwrap().unwrap();

    assert_eq!(changing.await.unwrap().unwrap().created, 8);
    for node in &nodes {
        until("it is there", || has(node, "t7")).await;
        assert_eq!(
            node.status().counters.campaigns,
            match node.id() {
                id if id == nodes[0].id() => before.counters.campaigns,
                _ => 0,
            }
        );
    }
    let after = nodes[leads].status();
    assert_eq!((after.role, after.term), (before.role, before.term));
}
