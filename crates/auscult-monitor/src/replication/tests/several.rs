//! Groups of several.

use super::super::*;
use super::stage::{Wires, config, has, leader, made, refused, until, voters};
use crate::shared::{ChangeError, Role, SettingsStore as _};

#[tokio::test]
async fn monitors_join_any_and_a_change_through_any_is_at_all() {
    let wires = Wires::default();
    let mut nodes = wires.group(2).await;
    let config = NodeConfig {
        join: vec!["m2:7000".to_owned()],
        ..config(3)
    };
    let third = Journal::in_memory().unwrap();
    nodes.push(wires.start(config, third).await);
    for node in &nodes {
        until("all vote", || voters(node) == 3).await;
    }
    for (node, name) in nodes.iter().zip(["a", "b", "c"]) {
        made(node, name).await;
        assert!(has(node, name));
    }
    for node in &nodes {
        node.confirm().await.unwrap();
        assert!(["a", "b", "c"].iter().all(|name| has(node, name)));
        assert_eq!(node.status().group, nodes[0].status().group);
    }
}

#[tokio::test]
async fn without_a_leader_there_is_another_one_and_without_a_majority_nothing_is_changed() {
    let wires = Wires::default();
    let mut nodes = wires.group(3).await;
    let first = leader(&nodes).unwrap();
    let dead = nodes.remove(first);
    wires.cut(&format!("m{}:7000", dead.id().0));
    dead.stop().await;
    until("another leads", || leader(&nodes).is_some()).await;
    made(&nodes[0], "a").await;
    made(&nodes[1], "b").await;

    wires.cut(&format!("m{}:7000", nodes[1].id().0));
    nodes[1].stop().await;
    let error = refused(&nodes[0], "c").await;
    let is_known = matches!(error, ChangeError::NoLeader { .. } | ChangeError::Unclear);
    assert!(is_known, "{error:?}");
    // Known to be alone by now, it says so at once and nothing is left to chance.
    let error = refused(&nodes[0], "d").await;
    assert!(matches!(error, ChangeError::NoLeader { .. }), "{error:?}");
    assert!(has(&nodes[0], "b"));
}

#[tokio::test]
async fn another_one_leads_when_it_is_asked_for() {
    let wires = Wires::default();
    let nodes = wires.group(3).await;
    let first = leader(&nodes).unwrap();
    let next = (first + 1) % 3;
    let term = nodes[first].status().term;
    // Asked of the third, which neither leads nor will.
    let asked = nodes[(first + 2) % 3].transfer(nodes[next].id().0).await;
    asked.unwrap();
    until("it leads", || leader(&nodes) == Some(next)).await;
    assert_eq!(nodes[next].status().term, term + 1);
    made(&nodes[first], "a").await;
}

#[tokio::test]
async fn one_leaves_be_it_the_leader_and_a_dead_one_is_removed() {
    let wires = Wires::default();
    let mut nodes = wires.group(3).await;
    let gone = nodes.remove(leader(&nodes).unwrap());
    gone.leave().await.unwrap();
    assert_eq!(gone.status().role, Role::Outside);
    until("two vote", || nodes.iter().all(|node| voters(node) == 2)).await;
    made(&nodes[0], "a").await;

    nodes.push(wires.join(4).await);
    until("three vote", || nodes.iter().all(|node| voters(node) == 3)).await;
    let dead = nodes.remove(1);
    wires.cut(&format!("m{}:7000", dead.id().0));
    dead.stop().await;
    until("somebody leads", || leader(&nodes).is_some()).await;
    nodes[0].remove(dead.id().0).await.unwrap();
    until("two vote", || nodes.iter().all(|node| voters(node) == 2)).await;
    made(&nodes[1], "b").await;
}
