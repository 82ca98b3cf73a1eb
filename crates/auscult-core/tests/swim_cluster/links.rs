//! What is said of links: blocked ones are named soon, and losses are not taken for one.

use std::time::Duration;

use auscult_core::swim::{Direction, EventKind, Link, Params};

use crate::cluster::{Cluster, hybrid, lan, name_of};

const SECOND: Duration = Duration::from_secs(1);

fn link(cluster: &Cluster, node: usize, of: usize) -> Link {
    cluster.nodes[node]
        .swim
        .member(&name_of(of))
        .unwrap()
        .link()
}

fn changes(cluster: &Cluster) -> usize {
    let log = cluster.log.iter();
    log.filter(|logged| matches!(logged.event.kind, EventKind::LinkChanged { .. }))
        .count()
}

/// With heartbeats every member is known to be heard long before its turn to be probed.
#[test]
fn who_is_heard_is_known_to_be_heard() {
    let mut cluster = Cluster::joined(hybrid(), 0, 25);
    cluster.run(3 * SECOND);
    for other in 1..25 {
        assert_eq!(link(&cluster, 0, other).hears, Direction::Passes, "{other}");
    }
}

/// Losses alone never make a link look blocked: not once in 25 members' probes of ten minutes.
#[test]
fn losses_are_not_taken_for_a_blocked_link() {
    for (seed, loss) in [(0, 0), (1, 100), (2, 100), (3, 300), (4, 300)] {
        let mut cluster = Cluster::joined(lan(), seed, 25);
        cluster.loss = loss;
        cluster.run(600 * SECOND);
        assert_eq!(changes(&cluster), 0, "seed {seed}");
    }
}

/// Nothing that 2 says reaches 1. Both say so, which way it is, and convict nobody.
fn check(params: Params, seed: u64, loss: u64, within: Duration) {
    let mut cluster = Cluster::joined(params, seed, 6);
    cluster.loss = loss;
    cluster.run(60 * SECOND);
    assert_eq!(changes(&cluster), 0, "seed {seed}");
    cluster.block(&[2], &[1]);
    let (passes, blocked) = (Direction::Passes, Direction::Blocked);
    let deaf = Link {
        hears: blocked,
        heard: passes,
    };
    let dumb = Link {
        hears: passes,
        heard: blocked,
    };
    let began = cluster.now;
    let named = |cluster: &Cluster| link(cluster, 1, 2) == deaf && link(cluster, 2, 1) == dumb;
    while !named(&cluster) {
        let since = cluster.now.since(began);
        assert!(
            since <= within,
            "seed {seed} at loss {loss} after {since:?}"
        );
        cluster.run(SECOND / 10);
    }
    cluster.run(120 * SECOND);
    assert!(named(&cluster), "seed {seed} at loss {loss}");
    assert_eq!(changes(&cluster), 2, "seed {seed} at loss {loss}");
    assert_eq!(cluster.convictions(), [], "seed {seed} at loss {loss}");
    cluster.unblock_all();
    cluster.run(60 * SECOND);
    let both = Link {
        hears: passes,
        heard: passes,
    };
    assert_eq!((link(&cluster, 1, 2), link(&cluster, 2, 1)), (both, both));
}

/// Each member has its turn once in five periods, and then it takes some more.
#[test]
fn a_one_way_link_is_named_within_periods_of_its_probe() {
    for seed in 0..5 {
        check(lan(), seed, 0, 12 * SECOND);
        check(lan(), seed, 100, 15 * SECOND);
        check(lan(), seed, 300, 60 * SECOND);
    }
}

#[test]
fn heartbeats_name_a_one_way_link_soon() {
    for seed in 0..5 {
        check(hybrid(), seed, 0, 12 * SECOND);
        check(hybrid(), seed, 100, 15 * SECOND);
    }
}
