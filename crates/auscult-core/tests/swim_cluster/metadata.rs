//! Metadata: what it costs, and that all have the same in the end, whatever is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auscult_core::bounds::METADATA_BYTES_MAX;
use auscult_core::rng::Rng;
use auscult_core::swim::EventKind;

use crate::cluster::{Cluster, lan, name_of};

const SECOND: Duration = Duration::from_secs(1);

fn set(cluster: &mut Cluster, node: usize, key: &str, value: Option<&[u8]>) {
    let done = cluster.with(node, |swim, now| swim.set_metadata(now, key, value));
    assert_eq!(done, Ok(()));
}

/// What one member knows of another one's metadata.
fn copy(cluster: &Cluster, node: usize, of: usize) -> BTreeMap<String, Vec<u8>> {
    let Some(member) = cluster.nodes[node].swim.member(&name_of(of)) else {
        return BTreeMap::new();
    };
    let items = member.metadata();
    items
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

fn all_have(cluster: &Cluster, of: usize, key: &str, value: Option<&[u8]>) -> bool {
    cluster.running().all(|node| {
        let copy = copy(cluster, node, of);
        copy.get(key).map(Vec::as_slice) == value
    })
}

#[test]
fn a_change_reaches_all_with_the_news_and_costs_about_its_key() {
    let mut cluster = Cluster::joined(lan(), 1, 16);
    set(&mut cluster, 3, "large", Some(&[7; 1_000]));
    set(&mut cluster, 3, "zone", Some(b"north"));
    cluster.run(10 * SECOND);
    assert!(all_have(&cluster, 3, "zone", Some(b"north")));
    assert!(all_have(&cluster, 3, "large", Some(&[7; 1_000])));
    cluster.run(10 * SECOND);
    (cluster.sent, cluster.bytes) = (0, 0);
    cluster.run(10 * SECOND);
    let idle = cluster.bytes;
    cluster.bytes = 0;
    cluster.log.clear();
    set(&mut cluster, 3, "zone", Some(b"south"));
    cluster.run(10 * SECOND);
    assert!(all_have(&cluster, 3, "zone", Some(b"south")));
    // Each of 16 members says it some eight times, in some 50 bytes with the head of a datagram.
    let cost = cluster.bytes - idle;
    assert!(cost < 16 * 8 * 80, "{cost} bytes");
    set(&mut cluster, 3, "zone", None);
    cluster.run(10 * SECOND);
    assert!(all_have(&cluster, 3, "zone", None));
    let told = cluster.log.iter().filter(|logged| {
        matches!(&logged.event.kind, EventKind::Updated { keys, .. } if keys.len() == 1 && keys[0].as_str() == "zone")
    });
    assert_eq!(told.count(), 2 * 15);
    cluster.check_invariants();
}

#[test]
fn what_no_datagram_takes_travels_by_stream() {
    let mut cluster = Cluster::joined(lan(), 2, 12);
    let value = vec![1; METADATA_BYTES_MAX - 4];
    set(&mut cluster, 0, "page", Some(&value));
    cluster.run(5 * SECOND);
    assert!(all_have(&cluster, 0, "page", Some(&value)));
    let late = cluster.add();
    cluster.join(late, 5);
    cluster.run(3 * SECOND);
    assert_eq!(copy(&cluster, late, 0).len(), 1);
    cluster.check_invariants();
}

/// What all members have together is more than one answer takes.
#[test]
fn a_joiner_asks_until_it_has_everything() {
    let mut cluster = Cluster::joined(lan(), 5, 20);
    for node in 0..20 {
        let value = vec![node as u8; METADATA_BYTES_MAX - 4];
        set(&mut cluster, node, "page", Some(&value));
    }
    cluster.run(60 * SECOND);
    let late = cluster.add();
    cluster.join(late, 7);
    cluster.run(SECOND / 2);
    for of in 0..20 {
        assert!(all_have(
            &cluster,
            of,
            "page",
            Some(&[of as u8; METADATA_BYTES_MAX - 4])
        ));
    }
    assert_eq!(cluster.nodes[late].swim.counters().metadata_asks, 2);
    cluster.check_invariants();
}

/// [SWIM 5] That members have told of themselves costs nothing while nothing changes.
#[test]
fn an_idle_group_with_metadata_sends_two_messages_of_the_same_size() {
    let mut cluster = Cluster::joined(lan(), 6, 32);
    for node in 0..32 {
        set(&mut cluster, node, "zone", Some(b"north"));
    }
    cluster.run(60 * SECOND);
    (cluster.sent, cluster.bytes) = (0, 0);
    cluster.run(100 * SECOND);
    let each = cluster.sent as f64 / 32.0 / 100.0;
    assert!((1.99..=2.01).contains(&each), "{each}");
    let with_headers = cluster.bytes + 28 * cluster.sent;
    assert!(with_headers as f64 / 32.0 / 100.0 <= 94.0, "{with_headers}");
}

/// Somebody changes something every second: the news tells all, and nobody compares everything.
#[test]
fn changes_without_end_do_not_make_members_compare_everything() {
    let mut cluster = Cluster::joined(lan(), 7, 48);
    let syncs = |cluster: &Cluster| {
        let nodes = cluster.nodes.iter();
        nodes.map(|node| node.swim.counters().syncs).sum::<u64>()
    };
    let before = syncs(&cluster);
    for second in 0..120_u8 {
        set(
            &mut cluster,
            usize::from(second) % 48,
            "load",
            Some(&[second]),
        );
        cluster.run(SECOND);
    }
    // Each compares once in a minute in any case.
    let each = (syncs(&cluster) - before) as f64 / 48.0;
    assert!(each < 3.0, "{each} in two minutes");
}

#[test]
fn metadata_begins_anew_with_a_restart() {
    let mut cluster = Cluster::joined(lan(), 3, 8);
    for key in ["a", "b", "c"] {
        set(&mut cluster, 1, key, Some(b"old"));
    }
    cluster.run(5 * SECOND);
    for (count, value) in [(1_u64, Some(&b"new"[..])), (2, None)] {
        let address = cluster.nodes[1].address;
        let incarnation = auscult_core::swim::Incarnation::new(count).unwrap();
        cluster.restart(1, address, incarnation);
        if value.is_some() {
            set(&mut cluster, 1, "b", value);
        }
        cluster.join(1, 0);
        cluster.run(15 * SECOND);
        for node in cluster.running() {
            let copy = copy(&cluster, node, 1);
            assert_eq!(copy.len(), usize::from(value.is_some()), "{node}: {copy:?}");
        }
    }
    cluster.check_invariants();
}

/// What each member should have: the dumb twin.
type Twin = Vec<BTreeMap<String, Vec<u8>>>;

/// One thing that users, or the network, do.
fn meddle(cluster: &mut Cluster, rng: &mut Rng, twin: &mut Twin) {
    let node = rng.below(twin.len() as u64) as usize;
    match rng.below(20) {
        0 => {
            let address = cluster.nodes[node].address;
            let incarnation = cluster.nodes[node].swim.me().incarnation().next();
            cluster.crash(node);
            cluster.run(rng.span_below(30 * SECOND));
            cluster.restart(node, address, incarnation);
            cluster.join(node, (node + 1) % twin.len());
            twin[node].clear();
        }
        1 => {
            let (some, others): (Vec<_>, Vec<_>) = (0..twin.len()).partition(|_| rng.below(2) == 0);
            cluster.block(&some, &others);
            if rng.below(2) == 0 {
                cluster.block(&others, &some);
            }
        }
        2 => cluster.unblock_all(),
        3 => cluster.stall(node),
        4 => (0..twin.len()).for_each(|node| cluster.resume(node)),
        // Keys come and go in numbers that make members forget what was removed.
        5 => {
            for key in 0..100 {
                let _unknown = twin[node].remove(&key.to_string());
                set(cluster, node, &key.to_string(), None);
            }
        }
        step => {
            let count = if step < 10 { 60 } else { 1 };
            for _ in 0..count {
                let key = rng.below(100).to_string();
                let length = if rng.below(30) == 0 { 2_000 } else { 3 };
                let value = vec![rng.next_u64() as u8; length];
                set(cluster, node, &key, Some(&value));
                let _before = twin[node].insert(key, value);
            }
        }
    }
}

/// Whatever is lost, doubled, out of order, cut off, stopped or started anew: in the end all have
/// what each one set since its process began.
#[test]
fn all_have_the_same_in_the_end() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let count = 3 + rng.below(7) as usize;
        let mut params = lan();
        params.direct_limit = [0, 5, 100][seed as usize % 3];
        if seed % 2 == 0 {
            // What acks show has to be enough.
            params.sync_interval = 3_600 * SECOND;
        }
        let mut cluster = Cluster::joined(params, seed, count);
        cluster.loss = rng.below(300);
        cluster.duplicated = 100;
        cluster.latency.1 = Duration::from_millis(1 + rng.below(300));
        let mut twin = vec![BTreeMap::new(); count];
        for _ in 0..40 {
            meddle(&mut cluster, &mut rng, &mut twin);
            cluster.run(rng.span_below(4 * SECOND));
            cluster.check_invariants();
        }
        cluster.unblock_all();
        (0..count).for_each(|node| cluster.resume(node));
        let began = cluster.now;
        while !agree(&cluster, &twin) {
            let took = cluster.now.since(began);
            assert!(
                took < 120 * SECOND,
                "seed {seed}: no agreement after {took:?}"
            );
            cluster.run(SECOND);
        }
    }
}

fn agree(cluster: &Cluster, twin: &Twin) -> bool {
    let digests = cluster.nodes.iter().map(|node| node.swim.metadata_digest());
    let same = digests.collect::<BTreeSet<_>>().len() == 1;
    same && (0..twin.len()).all(|node| {
        let mut members = twin.iter().enumerate();
        members.all(|(of, expected)| copy(cluster, node, of) == *expected)
    })
}

#[test]
fn a_broadcast_is_delivered_once_to_all_others() {
    let mut cluster = Cluster::joined(lan(), 4, 9);
    for number in 0..20_u8 {
        let sent = cluster.with(2, |swim, now| swim.broadcast(now, None, &[number; 100]));
        assert_eq!(sent, Ok(()));
    }
    cluster.run(10 * SECOND);
    let mut told: Vec<_> = std::mem::take(&mut cluster.broadcasts);
    told.sort();
    assert_eq!(told.len(), 20 * 8);
    assert!(
        told.iter()
            .all(|(node, from, key, _)| { *node != 2 && *from == name_of(2) && key.is_none() })
    );
    told.dedup();
    assert_eq!(told.len(), 20 * 8);
    cluster.check_invariants();
}

/// Whatever is lost, doubled or out of order: nobody is told twice, or of something after what
/// took its place. Without loss, all are told of what was not superseded.
#[test]
fn broadcasts_keep_what_they_promise() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let count = 3 + rng.below(30) as usize;
        let mut params = lan();
        params.direct_limit = [0, 100][seed as usize / 2 % 2];
        // So few that chance alone would leave somebody out.
        params.retransmit_multiplier = 1;
        let mut cluster = Cluster::joined(params, seed, count);
        cluster.loss = [0, 200][seed as usize % 2];
        cluster.duplicated = 100;
        cluster.latency.1 = Duration::from_millis(1 + rng.below(300));
        let mut last: BTreeMap<(usize, Option<String>, u64), u64> = BTreeMap::new();
        for number in 0..60_u64 {
            let node = rng.below(count as u64) as usize;
            let key = [None, Some("a"), Some("b")][rng.below(3) as usize];
            let payload = number.to_le_bytes();
            let sent = cluster.with(node, |swim, now| swim.broadcast(now, key, &payload));
            assert_eq!(sent, Ok(()));
            // What has no key is superseded by nothing.
            let alone = if key.is_none() { number } else { 0 };
            let _before = last.insert((node, key.map(Into::into), alone), number);
            cluster.run(rng.span_below(SECOND));
        }
        cluster.run(30 * SECOND);
        cluster.check_invariants();
        let mut told: BTreeSet<(usize, u64)> = BTreeSet::new();
        let mut latest: BTreeMap<(usize, String, String), u64> = BTreeMap::new();
        for (node, from, key, payload) in &cluster.broadcasts {
            let number = u64::from_le_bytes(payload[..].try_into().unwrap());
            assert!(
                told.insert((*node, number)),
                "seed {seed}: {node} told twice"
            );
            if let Some(key) = key {
                let before = latest.insert((*node, from.clone(), key.clone()), number);
                assert!(before < Some(number), "seed {seed}: {node} told too late");
            }
        }
        let lasting = last.iter().flat_map(|((origin, _, _), number)| {
            let others = (0..count).filter(move |node| node != origin);
            others.map(move |node| (node, *number))
        });
        let missed = lasting.filter(|told_of| !told.contains(told_of)).count();
        if cluster.loss == 0 {
            assert_eq!(missed, 0, "seed {seed}");
        }
    }
}
