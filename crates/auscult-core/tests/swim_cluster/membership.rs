//! Joining, leaving, coming back; and that the same seed gives the same bytes.

use std::time::Duration;

use auscult_core::swim::{
    EventKind, Incarnation, JoinOutcome, Label, Params, Refusal, Reject, State,
};

use crate::cluster::{Cluster, address_of, lan, moved_address_of, name_of};

const SECOND: Duration = Duration::from_secs(1);

/// [SWIM 5] 17 members join in a network that loses a tenth, and stay.
#[test]
fn seventeen_join_at_a_tenth_of_loss_and_nobody_is_removed() {
    for seed in 0..5 {
        let mut cluster = Cluster::new(lan(), seed);
        cluster.loss = 100;
        for node in 0..17 {
            cluster.add();
            if node > 0 {
                cluster.join(node, 0);
            }
            cluster.run(SECOND / 2);
        }
        cluster.run(120 * SECOND);
        cluster.check_invariants();
        assert_eq!(cluster.convictions(), [], "seed {seed}");
        assert!(
            cluster.nodes.iter().all(|node| node.swim.live() == 17),
            "seed {seed}"
        );
    }
}

#[test]
fn every_seed_gives_a_typed_result() {
    let mut cluster = Cluster::new(lan(), 1);
    let mut other = lan();
    other.label = Label::new("other").unwrap();
    for _ in 0..2 {
        cluster.add();
    }
    cluster.add_with(other);
    cluster.join(1, 0);
    cluster.run(SECOND);
    cluster.join(1, 1);
    cluster.run(SECOND);
    cluster.join(1, 2);
    cluster.run(SECOND);
    cluster.add();
    cluster.crash(3);
    cluster.join(1, 3);
    cluster.run(SECOND);
    let outcomes: Vec<_> = cluster.joins.iter().map(|&(_, outcome)| outcome).collect();
    assert_eq!(
        outcomes,
        [
            JoinOutcome::Joined { members: 2 },
            JoinOutcome::Myself,
            JoinOutcome::Refused(Refusal::Label),
            JoinOutcome::Failed(auscult_core::swim::StreamFailure::Unreachable),
        ]
    );
    assert!(cluster.rejected.contains(&(2, Reject::Label)));
    assert_eq!(cluster.nodes[2].swim.live(), 1);
}

#[test]
fn a_second_process_with_a_name_that_is_taken_is_refused_by_its_bearer() {
    let mut cluster = Cluster::joined(lan(), 1, 3);
    cluster.add();
    cluster.restart(3, moved_address_of(3), Incarnation::FIRST);
    cluster.rename(3, 0);
    cluster.join(3, 0);
    cluster.run(SECOND);
    assert_eq!(
        cluster.joins.last(),
        Some(&(3, JoinOutcome::Refused(Refusal::Name)))
    );
}

#[test]
fn two_thousand_periods_without_faults_convict_nobody() {
    let mut cluster = Cluster::joined(lan(), 3, 8);
    cluster.run(2_000 * SECOND);
    cluster.check_invariants();
    assert!(cluster.log.is_empty(), "{:?}", cluster.log[0].event);
}

#[test]
fn a_member_that_leaves_is_not_convicted_and_does_not_come_back() {
    let mut cluster = Cluster::joined(lan(), 2, 10);
    cluster.leave(4);
    cluster.run(20 * SECOND);
    assert_eq!(cluster.convictions(), []);
    for node in cluster.running().collect::<Vec<_>>() {
        assert_eq!(cluster.state(node, 4), Some(State::Left));
        assert_eq!(cluster.nodes[node].swim.live(), 9);
    }
    cluster.check_invariants();
}

/// The record of a member that left is forgotten after its time, and says so.
#[test]
fn records_are_forgotten_by_reason() {
    let mut params = lan();
    params.left_retention = 60 * SECOND;
    params.dead_retention = 120 * SECOND;
    let mut cluster = Cluster::joined(params, 2, 6);
    cluster.leave(4);
    cluster.crash(5);
    cluster.run(70 * SECOND);
    assert_eq!(
        (cluster.state(0, 4), cluster.state(0, 5)),
        (None, Some(State::Dead))
    );
    cluster.run(80 * SECOND);
    assert_eq!(cluster.state(0, 5), None);
    let forgotten = |of: State| {
        let kind = EventKind::Forgotten { was: of };
        cluster
            .log
            .iter()
            .filter(|logged| logged.event.kind == kind)
            .count()
    };
    assert_eq!((forgotten(State::Left), forgotten(State::Dead)), (4, 4));
    cluster.check_invariants();
}

/// A restart that remembers nothing comes with the incarnation that the others know, and elsewhere.
#[test]
fn a_restart_refutes_its_old_record_at_once() {
    for (dead_first, number) in [(true, 0), (false, 0), (true, 7), (false, 7)] {
        let mut cluster = Cluster::joined(lan(), 4, 10);
        cluster.crash(4);
        cluster.run(if dead_first { 30 * SECOND } else { SECOND });
        cluster.log.clear();
        let incarnation = Incarnation::new(number).unwrap();
        cluster.restart(4, moved_address_of(4), incarnation);
        cluster.join(4, 0);
        cluster.run_until_agreed(5 * SECOND);
        cluster.run(60 * SECOND);
        assert_eq!(cluster.convictions(), []);
        for node in 0..10 {
            let member = cluster.nodes[node].swim.member(&name_of(4)).unwrap();
            assert_eq!(member.address(), moved_address_of(4), "{node}");
            assert!(member.incarnation() >= incarnation);
        }
        cluster.check_invariants();
    }
}

#[test]
fn another_address_is_taken_from_the_member_itself() {
    let mut cluster = Cluster::joined(lan(), 4, 5);
    cluster.move_to(2, moved_address_of(2));
    cluster.run_until_agreed(5 * SECOND);
    let before = address_of(2);
    let updated = cluster.log.iter().filter(|logged| {
        matches!(logged.event.kind, EventKind::Updated { before: was, .. } if was == before)
    });
    assert_eq!(updated.count(), 4);
    cluster.run(30 * SECOND);
    assert_eq!(cluster.convictions(), []);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let mut cluster = Cluster::new(Params { ..lan() }, seed);
        cluster.trace = Some(String::new());
        cluster.loss = 150;
        for node in 0..12 {
            cluster.add();
            if node > 0 {
                cluster.join(node, 0);
            }
        }
        cluster.run(10 * SECOND);
        cluster.crash(3);
        cluster.block(&[1], &[2]);
        cluster.run(30 * SECOND);
        cluster.trace.take().unwrap()
    };
    let first = run(9);
    assert!(first == run(9), "two runs differ");
    assert!(first != run(10));
    assert!(first.len() > 10_000);
}
