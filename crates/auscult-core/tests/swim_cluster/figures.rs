//! Figures that the design promises: messages when idle, and the time to the first probe.

use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{EventKind, ProbeOrder, StreamProbe, SuspicionRule, Timing};
use auscult_core::time::Instant;

use crate::cluster::{Cluster, lan};

const SECOND: Duration = Duration::from_secs(1);

/// [SWIM 5] Two messages per member and period, whatever the size of the group.
#[test]
fn an_idle_group_sends_two_messages_per_member_and_period() {
    let mut cluster = Cluster::joined(lan(), 1, 64);
    cluster.run(60 * SECOND);
    (cluster.sent, cluster.bytes) = (0, 0);
    cluster.run(100 * SECOND);
    let each = cluster.sent as f64 / 64.0 / 100.0;
    assert!((1.99..=2.01).contains(&each), "{each}");
    let with_headers = cluster.bytes + 28 * cluster.sent;
    let bytes = with_headers as f64 / 64.0 / 100.0;
    assert!(bytes <= 94.0, "{bytes}");
}

/// The time from a moment to the first ping that arrives at a member, over many members and
/// moments.
fn first_pings(order: ProbeOrder, seed: u64) -> Vec<f64> {
    let mut params = lan();
    params.order = order;
    let mut cluster = Cluster::joined(params, seed, 128);
    cluster.run(30 * SECOND);
    cluster.pings.clear();
    let began = cluster.now;
    cluster.run(300 * SECOND);
    let mut arrivals = vec![Vec::new(); 128];
    for &(node, at) in &cluster.pings {
        arrivals[node].push(at);
    }
    let mut rng = Rng::new(seed);
    let mut waits = Vec::new();
    for arrivals in &arrivals {
        for _ in 0..200 {
            let crash = began.after(rng.span_below(280 * SECOND));
            let next = arrivals.partition_point(|&at: &Instant| at < crash);
            waits.push(arrivals[next].since(crash).as_secs_f64());
        }
    }
    waits.sort_by(f64::total_cmp);
    waits
}

fn mean(waits: &[f64]) -> f64 {
    waits.iter().sum::<f64>() / waits.len() as f64
}

#[test]
fn shared_order_brings_the_first_probe_within_two_periods() {
    let waits = first_pings(ProbeOrder::Shared, 1);
    let (mean, p99) = (mean(&waits), waits[waits.len() * 99 / 100]);
    assert!(mean <= 0.65 && p99 <= 1.7, "mean {mean}, p99 {p99}");
}

/// [SWIM 3.3] With independent orders the time is about exponential, with a mean of a period.
#[test]
fn own_order_has_the_published_distribution() {
    let waits = first_pings(ProbeOrder::Own, 1);
    let (mean, p99) = (mean(&waits), waits[waits.len() * 99 / 100]);
    assert!((0.9..=1.1).contains(&mean), "mean {mean}");
    assert!((3.8..=5.2).contains(&p99), "p99 {p99}");
}

/// From a crash to the last survivor's verdict: the median over seeds, and the worst.
fn detection(rule: SuspicionRule, members: usize, kills: u64) -> (f64, f64) {
    let mut lasts = Vec::new();
    for seed in 0..kills {
        let mut params = lan();
        params.suspicion = rule;
        let mut cluster = Cluster::joined(params, seed, members);
        cluster.run(20 * SECOND);
        cluster.log.clear();
        cluster.crash(7);
        let crashed_at = cluster.now;
        cluster.run(30 * SECOND);
        let failed = |kind: &EventKind| matches!(kind, EventKind::Failed { .. });
        let found: Vec<_> = cluster
            .log
            .iter()
            .filter(|logged| failed(&logged.event.kind))
            .map(|logged| logged.event.at.since(crashed_at).as_secs_f64())
            .collect();
        assert_eq!(found.len(), members - 1, "seed {seed}");
        lasts.extend(found.into_iter().reduce(f64::max));
    }
    lasts.sort_by(f64::total_cmp);
    (lasts[lasts.len() / 2], lasts[lasts.len() - 1])
}

/// What the suspicion's rule is for: time that refutations do not need is not waited for.
#[test]
fn the_last_survivor_knows_of_a_crash_in_half_the_time_of_the_logarithmic_rule() {
    let bounded = detection(SuspicionRule::Refutation, 25, 15);
    let logarithmic = detection(SuspicionRule::Logarithmic, 25, 15);
    assert!(bounded.0 <= 3.5 && bounded.1 <= 4.5, "{bounded:?}");
    assert!(
        bounded.0 <= 0.5 * logarithmic.0,
        "{bounded:?} {logarithmic:?}"
    );
    let at_fifty = detection(SuspicionRule::Refutation, 50, 6);
    assert!(at_fifty.0 <= 4.25 && at_fifty.1 <= 5.0, "{at_fifty:?}");
}

/// As many members as fit a test, all at once, through one seed.
#[test]
fn two_hundred_members_that_join_at_once_agree_in_ten_seconds() {
    let mut cluster = Cluster::new(lan(), 1);
    cluster.add();
    for node in 1..200 {
        cluster.add();
        cluster.join(node, 0);
    }
    let took = cluster.run_until_agreed(60 * SECOND);
    assert!(took <= 10 * SECOND, "{took:?}");
    assert_eq!(cluster.convictions(), []);
    cluster.check_invariants();
}

/// [SWIM 3.1, 5] How often a probe of a member that runs fails: `(1 - q^2)(1 - q^4)^k`, where `q`
/// is the share of datagrams that arrive. The paper's table has that times `e / (e - 1)`, as
/// several may probe one member in a period there; with the shared order exactly one does. There
/// are enough probes for 10 % at three deviations: 900 failures in each cell.
#[test]
fn probes_fail_as_often_as_published() {
    for (loss, relays) in [
        (50, 0),
        (100, 0),
        (100, 1),
        (100, 2),
        (100, 3),
        (200, 1),
        (200, 3),
    ] {
        let mut params = lan();
        params.timing = Timing::Fixed;
        params.stream_probe = StreamProbe::Off;
        params.indirect_probes = relays;
        params.health_max = 0;
        // Neighbours do not probe a suspect besides, and nobody is convicted.
        params.suspicion = SuspicionRule::Logarithmic;
        params.suspicion_multiplier = 100;
        let arrives = 1.0 - loss as f64 / 1_000.0;
        let expected = (1.0 - arrives.powi(2)) * (1.0 - arrives.powi(4)).powi(relays as i32);
        let members = 24;
        let mut cluster = Cluster::joined(params, loss + relays as u64, members);
        let count = |cluster: &Cluster| {
            let counters = cluster.nodes.iter().map(|node| node.swim.counters());
            counters.fold((0, 0), |(probes, failed), counters| {
                (probes + counters.probes, failed + counters.probes_failed)
            })
        };
        let before = count(&cluster);
        cluster.loss = loss;
        let seconds = (900.0 / expected / members as f64).ceil();
        cluster.run(SECOND.mul_f64(seconds + 1.0));
        let after = count(&cluster);
        let share = (after.1 - before.1) as f64 / (after.0 - before.0) as f64;
        let ratio = share / expected;
        assert!(
            (0.9..=1.1).contains(&ratio),
            "{loss} {relays}: {share} {expected}"
        );
    }
}
