//! Crashes, partitions, one-way links, stalls.

use std::time::Duration;

use auscult_core::swim::{Direction, EventKind, Outcome, Path, State};

use crate::cluster::{Cluster, lan, name_of};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_crash_is_found_by_all_and_nobody_else_is_convicted() {
    for seed in 0..10 {
        let mut cluster = Cluster::joined(lan(), seed, 25);
        cluster.crash(7);
        cluster.run(12 * SECOND);
        cluster.check_invariants();
        let mut by: Vec<_> = cluster.convictions();
        by.sort();
        let expected: Vec<_> = (0..25)
            .filter(|&node| node != 7)
            .map(|node| (node, name_of(7)))
            .collect();
        assert_eq!(by, expected, "seed {seed}");
    }
}

/// An event says by which ways the member was asked, and how long it had.
#[test]
fn verdicts_carry_their_evidence() {
    let mut cluster = Cluster::joined(lan(), 1, 25);
    cluster.crash(7);
    cluster.run(12 * SECOND);
    let first = cluster
        .log
        .iter()
        .find_map(|logged| {
            if let EventKind::Suspected(accusation) = &logged.event.kind {
                return Some((logged, accusation));
            }
            None
        })
        .unwrap();
    let (logged, accusation) = first;
    assert_eq!(logged.event.member.as_str(), name_of(7));
    let accuser = &accusation.accusers[0];
    assert_eq!(accuser.name.as_deref(), Some(&*name_of(logged.node)));
    let paths: Vec<_> = accusation.attempts.iter().collect();
    assert_eq!(
        (&paths[0].path, paths[0].outcome),
        (&Path::Direct, Outcome::Silence)
    );
    let relays = paths[1..]
        .iter()
        .filter(|attempt| matches!(attempt.path, Path::Relay(_)));
    assert!(
        relays
            .clone()
            .all(|attempt| attempt.outcome == Outcome::Nack)
    );
    assert_eq!(relays.count(), 3);
    let stream = paths.last().unwrap();
    assert!(stream.path == Path::Stream && matches!(stream.outcome, Outcome::Broken(_)));
    let verdict = cluster
        .log
        .iter()
        .find_map(|logged| {
            if let EventKind::Failed { accusation, .. } = &logged.event.kind {
                return Some((logged.event.at, accusation));
            }
            None
        })
        .unwrap();
    let deadline = verdict.1.deadline.unwrap();
    assert_eq!(deadline.at, verdict.0);
    assert_eq!((deadline.members, deadline.needed), (25, 3));
    assert_eq!(deadline.least, Duration::from_millis(1_700));
    assert_eq!(
        deadline.confirmations as usize,
        verdict.1.accusers.len() - 1
    );
}

/// Both sides convict each other; whatever the length of the partition, it heals without an
/// operator.
#[test]
fn a_partition_heals_by_itself() {
    for (seed, span, left) in [(1, 60, 10), (2, 180, 3), (3, 600, 10), (4, 3_600, 1)] {
        let mut cluster = Cluster::joined(lan(), seed, 20);
        let (one, other): (Vec<_>, Vec<_>) = (0..20).partition(|&node| node < left);
        cluster.block(&one, &other);
        cluster.block(&other, &one);
        cluster.run(span * SECOND);
        for node in 0..20 {
            let live = if node < left { left } else { 20 - left };
            assert_eq!(cluster.nodes[node].swim.live(), live, "seed {seed}, {node}");
        }
        cluster.unblock_all();
        cluster.log.clear();
        let took = cluster.run_until_agreed(60 * SECOND);
        assert!(took <= 20 * SECOND, "seed {seed} took {took:?}");
        cluster.run(60 * SECOND);
        cluster.check_invariants();
        assert_eq!(cluster.convictions(), [], "seed {seed}");
    }
}

/// Nothing that 2 says reaches 1: 1 hears of 2 by way of others, says what is wrong, and nobody
/// is convicted.
#[test]
fn a_one_way_link_is_named_and_convicts_nobody() {
    let mut cluster = Cluster::joined(lan(), 5, 6);
    cluster.block(&[2], &[1]);
    cluster.run(120 * SECOND);
    assert_eq!(cluster.convictions(), []);
    let link = cluster.nodes[1].swim.member(&name_of(2)).unwrap().link();
    assert_eq!(
        (link.hears, link.heard),
        (Direction::Blocked, Direction::Passes)
    );
    let link = cluster.nodes[2].swim.member(&name_of(1)).unwrap().link();
    assert_eq!(
        (link.hears, link.heard),
        (Direction::Passes, Direction::Blocked)
    );
    let suspected =
        |logged: &&crate::cluster::Logged| matches!(logged.event.kind, EventKind::Suspected(_));
    assert_eq!(cluster.log.iter().filter(suspected).count(), 0);
    cluster.unblock_all();
    cluster.run(60 * SECOND);
    let link = cluster.nodes[1].swim.member(&name_of(2)).unwrap().link();
    assert_eq!(
        (link.hears, link.heard),
        (Direction::Passes, Direction::Passes)
    );
}

/// [LG] Who did not run for a while convicts nobody for that time, and is taken back.
#[test]
fn a_stalled_member_convicts_nobody_and_returns() {
    for (seed, span) in [(1, 2), (2, 10), (3, 60)] {
        let mut cluster = Cluster::joined(lan(), seed, 16);
        for node in [3, 4] {
            cluster.stall(node);
        }
        cluster.run(span * SECOND);
        for node in [3, 4] {
            cluster.resume(node);
        }
        cluster.run_until_agreed(30 * SECOND);
        cluster.run(30 * SECOND);
        cluster.check_invariants();
        let victims = [name_of(3), name_of(4)];
        for (node, victim) in cluster.convictions() {
            assert!(
                victims.contains(&victim),
                "seed {seed}: {node} convicted {victim}"
            );
        }
    }
}

#[test]
fn a_suspect_that_answers_nobody_but_hears_refutes() {
    let mut cluster = Cluster::joined(lan(), 6, 12);
    cluster.stall(5);
    while cluster.state(0, 5) != Some(State::Suspect) {
        cluster.run(SECOND / 10);
    }
    cluster.resume(5);
    cluster.run(3 * SECOND);
    assert_eq!(cluster.state(0, 5), Some(State::Alive));
    assert_eq!(cluster.convictions(), []);
    let count = |wanted: fn(&EventKind) -> bool| {
        let log = cluster.log.iter();
        log.filter(|logged| wanted(&logged.event.kind)).count()
    };
    let suspected = count(|kind| matches!(kind, EventKind::Suspected(_)));
    let refuted =
        count(|kind| matches!(kind, EventKind::Refuted { accusers, .. } if !accusers.is_empty()));
    assert!(suspected > 0);
    assert_eq!(suspected, refuted);
}

/// Rapid's unstable members, a fiftieth of 100: four of five datagrams from and to them are lost.
/// Whatever becomes of those, and whatever they say, the others convict none of themselves.
#[test]
fn members_that_lose_most_datagrams_take_nobody_with_them() {
    let mut cluster = Cluster::joined(lan(), 1, 100);
    let unstable = [10, 50];
    cluster.loss_at = unstable.map(|node| (node, 800)).into();
    cluster.run(180 * SECOND);
    let names = unstable.map(name_of);
    for (node, victim) in cluster.convictions() {
        let at_a_healthy_one = !unstable.contains(&node);
        assert!(
            names.contains(&victim) || !at_a_healthy_one,
            "{node} convicted {victim}"
        );
    }
    cluster.check_invariants();
}
