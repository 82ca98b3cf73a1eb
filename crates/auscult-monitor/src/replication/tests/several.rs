//! Groups of several.

use std::time::Duration;

use auscult_core::monitor::registry::Registry;
use openraft::type_config::TypeConfigExt as _;
use tempfile::TempDir;

use super::super::*;
use super::stage::{Wires, config, has, leader, made, many, open, refused, until, voters};
use crate::shared::{ChangeError, Role, SettingsStore as _};

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
async fn another_one_leads_when_it_is_asked_for() {
    let wires = Wires::default();
    let nodes = wires.group(3).await;
    until("one leads", || leader(&nodes).is_some()).await;
    let first = leader(&nodes).unwrap();
    let next = (first + 1) % 3;
    let term = nodes[first].status().term;
    // Asked of the third, which neither leads nor will.
    let asked = nodes[(first + 2) % 3].transfer(nodes[next].id().0).await;
    asked.unwrap();
    until("it leads", || leader(&nodes) == Some(next)).await;
    assert!(nodes[next].status().term > term);
    made(&nodes[first], "a").await;
}

#[tokio::test(start_paused = true)]
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

#[tokio::test(start_paused = true)]
async fn one_that_was_removed_while_it_was_away_says_so() {
    let wires = Wires::default();
    let mut nodes = wires.group(3).await;
    let away = nodes.remove((leader(&nodes).unwrap() + 1) % 3);
    // It hears nobody, and reaches all the same those whom it asks.
    wires.cut(&format!("m{}:7000", away.id().0));
    nodes[0].remove(away.id().0).await.unwrap();
    until("it knows", || away.status().role == Role::Outside).await;
    let trouble = away.status().trouble.unwrap_or_default();
    assert!(trouble.contains("was removed"), "{trouble}");
    let error = refused(&away, "b").await;
    assert!(matches!(error, ChangeError::Outside), "{error:?}");
    assert_eq!(away.status().counters.campaigns, 0);
    made(&nodes[0], "a").await;
}

/// Cut off one way: it hears nothing, and could ask for votes. Nobody would vote for it, so it does
/// not ask, and when it is back the same one leads in the same term.
#[tokio::test(start_paused = true)]
async fn one_that_was_cut_off_disturbs_nobody_when_it_returns() {
    let wires = Wires::default();
    let nodes = wires.group(3).await;
    let first = leader(&nodes).unwrap();
    let away = &nodes[(first + 1) % 3];
    let (term, address) = (nodes[first].status().term, format!("m{}:7000", away.id().0));
    wires.cut(&address);
    until("it misses its leader for long", || {
        let age = away.status().age.0;
        age.is_some_and(|age| age > Timing::LAN.lease * 4)
    })
    .await;
    made(&nodes[first], "a").await;
    // It knows of nobody who could make a change, and leaves none in doubt.
    assert_eq!(away.status().leader, None);
    let error = refused(away, "b").await;
    assert!(matches!(error, ChangeError::NoLeader { .. }), "{error:?}");
    wires.connect(away, &address);
    until("it caught up", || has(away, "a")).await;
    let status = nodes[first].status();
    assert_eq!((status.role, status.term), (Role::Leader, term));
    assert_eq!(away.status().counters.campaigns, 0);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_dies_leaves_no_voter_behind() {
    let wires = Wires::default();
    let nodes = wires.group(1).await;
    let newcomer = wires.start(
        NodeConfig {
            join: vec!["m1:7000".to_owned()],
            ..config(2)
        },
        Journal::in_memory().unwrap(),
    );
    let newcomer = newcomer.await;
    // It asks to be taken in, and is never heard again.
    wires.cut("m2:7000");
    until("it is known", || nodes[0].status().monitors.len() == 2).await;
    newcomer.stop().await;
    assert_eq!(voters(&nodes[0]), 1);
    made(&nodes[0], "a").await;
    nodes[0].remove(2).await.unwrap();
    until("it is gone", || nodes[0].status().monitors.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_a_snapshot_where_the_log_was_shortened() {
    let wires = Wires::default();
    let config = NodeConfig {
        snapshot_after: 20,
        ..config(1)
    };
    let first = wires.start(config, Journal::in_memory().unwrap()).await;
    for number in 0..60 {
        made(&first, &format!("t{number}")).await;
    }
    until("the log was shortened", || {
        let purged = first.raft().metrics().borrow().purged;
        purged.is_some_and(|id| id.index > 20)
    })
    .await;
    let second = wires.join(2).await;
    until("it votes", || voters(&second) == 2).await;
    second.confirm().await.unwrap();
    let digest = |node: &Node| {
        let mut digest = 0;
        node.read(&mut |registry, _| digest = Registry::digest(registry));
        digest
    };
    assert_eq!(digest(&second), digest(&first));
}

/// Sending it takes longer than openraft waits, so it would never arrive if it were not waited for.
#[tokio::test(start_paused = true)]
async fn a_change_that_is_large_arrives_and_nobody_is_elected_meanwhile() {
    let wires = Wires::default();
    let nodes = wires.group(3).await;
    let first = leader(&nodes).unwrap();
    let term = nodes[first].status().term;
    wires.slow(Duration::from_millis(1_500));
    let outcome = nodes[(first + 1) % 3].change(many(8)).await.unwrap();
    assert_eq!(outcome.created, 8);
    for node in &nodes {
        node.confirm().await.unwrap();
        assert!(has(node, "t7"));
    }
    assert_eq!(nodes[first].status().term, term);
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_flags_is_the_same_monitor_and_flags_of_before_change_nothing() {
    let wires = Wires::default();
    let nodes = wires.group(1).await;
    let folder = TempDir::new().unwrap();
    let joining = NodeConfig {
        join: vec!["m1:7000".to_owned()],
        ..config(2)
    };
    let second = wires
        .start(joining.clone(), open(folder.path()).await)
        .await;
    until("it votes", || voters(&second) == 2).await;
    made(&second, "a").await;
    let before = second.status();
    second.stop().await;
    drop(second);
    wires.cut("m2:7000");

    let without = NodeConfig::new(Monitor::default(), 99);
    let again = Node::start(
        without,
        open(folder.path()).await,
        std::sync::Arc::new(wires.clone()),
    );
    let again = again.await.unwrap();
    wires.connect(&again, "m2:7000");
    let after = again.status();
    assert_eq!((after.id, after.group), (before.id, before.group));
    made(&again, "b").await;
    assert_eq!(again.status().monitors.len(), 2);
    again.stop().await;
    drop(again);
    wires.cut("m2:7000");

    let again = wires.start(joining, open(folder.path()).await).await;
    assert_eq!(again.status().id, before.id);
    made(&again, "c").await;
    made(&nodes[0], "d").await;
}

#[tokio::test(start_paused = true)]
async fn settings_of_its_own_are_not_given_up_for_a_group() {
    let wires = Wires::default();
    let _first = wires.group(1).await;
    let folder = TempDir::new().unwrap();
    let alone = wires.start(config(2), open(folder.path()).await).await;
    made(&alone, "mine").await;
    let error = alone.join(vec!["m1:7000".to_owned()]).await.unwrap_err();
    assert!(matches!(error, JoinError::HasSettings), "{error}");
    alone.stop().await;
    drop(alone);
    wires.cut("m2:7000");
    let joining = NodeConfig {
        join: vec!["m1:7000".to_owned()],
        ..config(2)
    };
    let network = std::sync::Arc::new(wires.clone());
    let Err(error) = Node::start(joining, open(folder.path()).await, network).await else {
        panic!("it joined");
    };
    assert!(error.to_string().contains("would be lost"), "{error}");

    // One without settings may, whenever it is asked to.
    let empty = wires.start(config(3), Journal::in_memory().unwrap()).await;
    empty.join(vec!["m1:7000".to_owned()]).await.unwrap();
    until("it votes", || voters(&empty) == 2).await;
    made(&empty, "theirs").await;
}

/// One that lost its disk has another id, and is not taken for the one that was at its address: it
/// would have a vote, and entries that it has not.
#[tokio::test(start_paused = true)]
async fn one_that_lost_its_disk_is_nobody_until_the_old_one_is_removed() {
    let wires = Wires::default();
    let mut nodes = wires.group(3).await;
    made(&nodes[0], "a").await;
    let first = leader(&nodes).unwrap();
    let lost = nodes.remove((first + 1) % 3);
    let old = lost.status().id.0;
    let address = format!("m{old}:7000");
    wires.cut(&address);
    lost.stop().await;
    let again = NodeConfig {
        monitor: super::stage::monitor(&format!("m{old}")),
        join: nodes.iter().map(|node| node.monitor().raft).collect(),
        no_group: NoGroup::Begin,
        ..config(9)
    };
    let again = wires.start(again, Journal::in_memory().unwrap()).await;
    until("it says what stands in the way", || {
        let trouble = again.status().trouble.unwrap_or_default();
        trouble.contains(&format!("auscult cluster remove m{old}"))
    })
    .await;
    Group::sleep(Timing::LAN.lease * 8).await;
    assert_eq!(
        again.status().log_last,
        0,
        "it is not taken for the old one"
    );
    made(&nodes[0], "b").await;
    nodes[1].remove(old).await.unwrap();
    until("it votes", || voters(&again) == 3).await;
    assert!(has(&again, "a") && has(&again, "b"));
    assert_eq!(again.status().trouble, None);
}

/// One of several that are started alike begins the group, as long as none of the others has one.
#[tokio::test(start_paused = true)]
async fn one_that_may_begin_a_group_does_so_only_where_there_is_none() {
    let wires = Wires::default();
    let may_begin = |number: u64, other: &str| NodeConfig {
        join: vec![other.to_owned()],
        no_group: NoGroup::Begin,
        ..config(number)
    };
    let journal = || Journal::in_memory().unwrap();
    // The other one waits to be let in, and says so.
    let second = wires.start(
        NodeConfig {
            join: vec!["m1:7000".to_owned()],
            ..config(2)
        },
        journal(),
    );
    let second = second.await;
    let begun = Group::now();
    let first = wires.start(may_begin(1, "m2:7000"), journal()).await;
    until("both vote", || voters(&first) == 2 && voters(&second) == 2).await;
    assert!(Group::now() - begun < BEGIN_AFTER);
    made(&first, "a").await;

    // It has lost its disk, and got another id.
    wires.cut("m1:7000");
    first.stop().await;
    let mut again = may_begin(3, "m2:7000");
    again.monitor = super::stage::monitor("m1");
    let again = wires.start(again, journal()).await;
    until("it knows the group", || {
        again.status().group == second.status().group
    })
    .await;
    until("it says what stands in the way", || {
        let trouble = again.status().trouble.unwrap_or_default();
        trouble.contains("auscult cluster remove m1") || trouble.contains("no leader")
    })
    .await;
    assert_eq!(voters(&again), 0);

    // Nobody answers: it begins one after a while.
    let lonely = wires.start(may_begin(4, "m9:7000"), journal()).await;
    let begun = Group::now();
    until("it leads alone", || {
        leader(std::slice::from_ref(&lonely)).is_some()
    })
    .await;
    assert!(Group::now() - begun >= BEGIN_AFTER / 2);
    made(&lonely, "b").await;
    let status = lonely.status();
    lonely.stop().await;
    assert_ne!(status.group, second.status().group);
}
