//! Direct heartbeats: how soon a crash is found, what loss does not do, and the way from one mode
//! to the other and back.

use std::time::Duration;

use auscult_core::swim::{EventKind, Mode, Outcome, Path};

use crate::cluster::{Cluster, hybrid, name_of};

const SECOND: Duration = Duration::from_secs(1);

/// From a crash to each survivor's verdict, in order.
fn verdicts(cluster: &mut Cluster, victim: usize) -> Vec<Duration> {
    cluster.log.clear();
    cluster.crash(victim);
    let crashed_at = cluster.now;
    cluster.run(12 * SECOND);
    let mut found: Vec<_> = cluster
        .log
        .iter()
        .filter(|logged| matches!(logged.event.kind, EventKind::Failed { .. }))
        .map(|logged| logged.event.at.since(crashed_at))
        .collect();
    found.sort();
    assert_eq!(found.len(), cluster.running().count());
    found
}

#[test]
fn the_last_survivor_of_a_small_group_knows_of_a_crash_within_three_seconds() {
    for (members, loss, seeds) in [(5, 0, 10), (25, 0, 5), (25, 100, 5), (50, 0, 2)] {
        let mut lasts = Vec::new();
        for seed in 0..seeds {
            let mut cluster = Cluster::joined(hybrid(), seed, members);
            cluster.loss = loss;
            cluster.run(20 * SECOND);
            lasts.push(*verdicts(&mut cluster, 3).last().unwrap());
        }
        lasts.sort();
        assert!(
            lasts[lasts.len() - 1] <= 3 * SECOND,
            "{members} members: {lasts:?}"
        );
    }
}

/// A verdict says how long the silence was, as a level, and from which level it counts.
#[test]
fn a_silence_is_evidence() {
    let mut cluster = Cluster::joined(hybrid(), 1, 25);
    cluster.log.clear();
    cluster.crash(7);
    cluster.run(5 * SECOND);
    let accusations = cluster.log.iter().filter_map(|logged| {
        if let EventKind::Suspected(accusation) = &logged.event.kind {
            return Some(accusation);
        }
        None
    });
    let mut crossed = 0;
    for accusation in accusations.filter(|accusation| !accusation.attempts.is_empty()) {
        let attempts = &accusation.attempts;
        let Path::Heartbeats { level, threshold } = attempts[0].path else {
            panic!("{attempts:?}");
        };
        crossed += usize::from(level >= threshold);
        assert_eq!(threshold.get(), 8.0);
        assert_eq!(attempts[0].outcome, Outcome::Silence);
        assert_eq!(attempts[1].path, Path::Direct);
        assert_eq!(attempts.last().unwrap().path, Path::Stream);
    }
    assert!(crossed > 0);
}

/// A tenth or a fifth of all datagrams is lost, and nobody is convicted.
#[test]
fn loss_alone_convicts_nobody() {
    for (seed, loss, seconds) in [(0, 100, 300), (1, 200, 150)] {
        let mut cluster = Cluster::joined(hybrid(), seed, 25);
        cluster.loss = loss;
        cluster.run(seconds * SECOND);
        cluster.check_invariants();
        assert_eq!(cluster.convictions(), [], "seed {seed}");
    }
}

/// From heartbeats to probes and back, under loss, while members come and go: nobody is lost, and
/// nobody is suspected because of it.
#[test]
fn a_group_that_grows_and_shrinks_changes_its_mode_and_loses_nobody() {
    for (seed, loss) in [(0, 0), (1, 50)] {
        let mut cluster = Cluster::joined(hybrid(), seed, 90);
        cluster.loss = loss;
        let modes = |cluster: &Cluster| {
            let running: Vec<_> = cluster.running().collect();
            let mode = cluster.nodes[running[0]].swim.mode();
            let same = |&node: &usize| cluster.nodes[node].swim.mode() == mode;
            assert!(running.iter().all(same), "seed {seed}");
            mode
        };
        assert_eq!(modes(&cluster), Mode::Direct);
        for _ in 0..30 {
            let node = cluster.add();
            cluster.join(node, 0);
            cluster.run(SECOND / 4);
        }
        cluster.run_until_agreed(30 * SECOND);
        assert_eq!(modes(&cluster), Mode::Gossip);
        cluster.run(20 * SECOND);
        for node in 85..120 {
            cluster.leave(node);
            cluster.run(SECOND / 4);
        }
        cluster.run_until_agreed(30 * SECOND);
        cluster.run(20 * SECOND);
        assert_eq!(modes(&cluster), Mode::Direct);
        assert_eq!(cluster.convictions(), [], "seed {seed}");
        cluster.check_invariants();
    }
}

/// Above the limit, those who are watched send heartbeats to those who asked, and to nobody else.
#[test]
fn a_watched_member_is_judged_by_its_heartbeats_in_a_large_group() {
    let mut params = hybrid();
    params.direct_limit = 10;
    let mut cluster = Cluster::joined(params, 1, 40);
    let sent = |cluster: &Cluster| cluster.nodes[3].swim.counters().heartbeats_sent;
    let before = sent(&cluster);
    cluster
        .with(2, |swim, now| swim.watch(now, &name_of(3)))
        .unwrap();
    cluster.run(60 * SECOND);
    let member = cluster.nodes[2].swim.member(&name_of(3)).unwrap();
    assert!(member.watched());
    assert!(member.level(cluster.now).unwrap().get() < 8.0);
    assert!(member.round_trip().mean().unwrap() < SECOND / 100);
    let sent = sent(&cluster) - before;
    assert!((115..=130).contains(&sent), "{sent}");
    cluster.log.clear();
    cluster.crash(3);
    let crashed_at = cluster.now;
    cluster.run(2 * SECOND);
    let by_the_watcher = cluster.log.iter().find(|logged| logged.node == 2).unwrap();
    assert!(matches!(by_the_watcher.event.kind, EventKind::Suspected(_)));
    assert!(by_the_watcher.event.at.since(crashed_at) <= SECOND * 3 / 2);
    cluster.check_invariants();
}

/// What heartbeats cost each member in a period, and what 28 bytes of headers add.
#[test]
fn heartbeats_cost_what_the_limit_says() {
    for (members, datagrams, kilobytes) in [(25, 50.5, 2.4), (50, 100.5, 4.8), (100, 200.5, 9.5)] {
        let mut cluster = Cluster::joined(hybrid(), 1, members);
        cluster.run(20 * SECOND);
        (cluster.sent, cluster.bytes) = (0, 0);
        cluster.run(20 * SECOND);
        let each = 1.0 / members as f64 / 20.0;
        let sent = cluster.sent as f64 * each;
        let bytes = (cluster.bytes + 28 * cluster.sent) as f64 * each;
        assert!(
            sent <= datagrams && bytes <= kilobytes * 1_000.0,
            "{sent} {bytes}"
        );
    }
}
