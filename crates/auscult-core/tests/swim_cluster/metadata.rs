//! Metadata: what it costs, and that all have the same in the end, whatever is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_core::bounds::METADATA_BYTES_MAX;
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
