//! Metrics of peers in a group: they come to one of three monitors, and one of three tells.

use std::time::Duration;

use auscult_core::alert::Episode;
use auscult_core::id::TargetId;
use auscult_core::peer_metric::{Reading, Sender, Validity};

use super::group::{Group, MONITORS, fires};
use super::sinks::WebSink;
use crate::peer_metrics::PeerMonitor;

const PEER: &str = "node-1";

fn publish(to: &PeerMonitor, value: &str, ttl: Duration) {
    let reading = Reading {
        metric: "ping",
        peer: PEER,
        value,
        ttl,
        valid: Validity::Valid,
        weight: 0,
        epoch: None,
    };
    to.publish(Sender::Trusted, &reading).unwrap();
}

fn newest(of: &PeerMonitor) -> Option<String> {
    let metrics = of.last_metrics("ping");
    metrics.first().map(|it| it.reading.value.to_string())
}

fn episodes(group: &Group) -> Vec<Episode> {
    let firing = |index: usize| {
        let desk = &group.monitors[index].alerts;
        desk.read(|alerts, _| {
            let mut firing = alerts.alerts().filter(|alert| fires(*alert));
            firing.next().map(|alert| alert.record().episode)
        })
    };
    (0..group.monitors.len()).filter_map(firing).collect()
}

fn judges(monitor: &PeerMonitor) -> bool {
    monitor.read(|log, _| log.is_present(PEER))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_tells_of_a_peer_and_another_one_that_it_is_heard_of_again() {
    let sink = WebSink::start().await;
    let named = format!("peer_metrics: {{peers: [{PEER}], metrics: [{{name: ping, grace: 1h}}]}}");
    let mut group = Group::start_with(&sink, [&*named; MONITORS]).await;
    let all = |group: &Group, value: &str| {
        let mut monitors = group.monitors.iter();
        monitors.all(|it| newest(&it.peers).as_deref() == Some(value))
    };
    let ready = || group.monitors.iter().all(|it| judges(&it.peers));
    group.until("named everywhere", false, ready).await;
    publish(&group.monitors[1].peers, "1", Duration::from_secs(30));
    group
        .until("known everywhere", false, || all(&group, "1"))
        .await;

    publish(&group.monitors[1].peers, "2", Duration::from_millis(300));
    group
        .until("told", false, || !sink.alerts().is_empty())
        .await;
    group
        .until("firing everywhere", false, || {
            let known = episodes(&group);
            known.len() == MONITORS && known.iter().all(|it| *it == known[0])
        })
        .await;

    let teller = group.teller().expect("somebody tells");
    group.end(teller).await;
    publish(&group.monitors[0].peers, "3", Duration::from_secs(3_600));
    group
        .until("resolved", false, || sink.alerts().len() > 1)
        .await;
    group
        .until("over everywhere", false, || {
            group.count(|alert| !fires(alert)) == MONITORS - 1
        })
        .await;
    assert_eq!(sink.alerts(), ["node-1 firing", "node-1 resolved"]);
    let keys = sink.keys();
    let name = |key: &str| key.rsplit_once('-').map(|(name, _)| name.to_owned());
    assert_eq!(name(&keys[0]), name(&keys[1]), "the same episode to both");
    while !group.monitors.is_empty() {
        group.end(0).await;
    }
}

/// The settings of one alone name the peer: that one tells, whoever would be the first by name.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_one_of_three_judges_is_told_of_by_that_one() {
    let sink = WebSink::start().await;
    let peers: Vec<String> = (0..8).map(|n| format!("node-{n}")).collect();
    let named = format!(
        "peer_metrics: {{peers: [{}], metrics: [{{name: ping, grace: 3s}}]}}",
        peers.join(", ")
    );
    let mut group = Group::start_with(&sink, ["", &named, ""]).await;
    let told = || sink.alerts().len() >= peers.len();
    group.until("told of all", false, told).await;
    let mut all: Vec<String> = peers.iter().map(|peer| format!("{peer} firing")).collect();
    all.sort();
    let mut alerts = sink.alerts();
    alerts.sort();
    assert_eq!(alerts, all);
    while !group.monitors.is_empty() {
        group.end(0).await;
    }
}

/// Whoever comes later, or was away, is told the newest readings of the peers that it judges.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_at_one_is_forgotten_at_all() {
    let sink = WebSink::start().await;
    let anybody = "peer_metrics: {create: true}";
    let mut group = Group::start_with(&sink, [anybody; MONITORS]).await;
    publish(&group.monitors[0].peers, "1", Duration::from_secs(60));
    let everywhere = || {
        let mut monitors = group.monitors.iter();
        monitors.all(|it| newest(&it.peers).as_deref() == Some("1"))
    };
    group.until("known everywhere", false, everywhere).await;
    let peer = TargetId::new(PEER).unwrap();
    group.monitors[2].peers.forget_everywhere(&peer, None);
    let nowhere = || group.monitors.iter().all(|it| newest(&it.peers).is_none());
    group.until("forgotten everywhere", false, nowhere).await;
    while !group.monitors.is_empty() {
        group.end(0).await;
    }
}

/// What comes over the agents comes to each monitor by itself, or does not: of each peer another
/// one misses what the two others hear, so the one that tells misses some, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_of_three_alone_missed_is_no_alarm() {
    let sink = WebSink::start().await;
    let peers: Vec<String> = (0..9).map(|n| format!("node-{n}")).collect();
    let named = format!(
        "peer_metrics: {{peers: [{}], metrics: [{{name: ping, grace: 1h}}]}}",
        peers.join(", ")
    );
    let mut group = Group::start_with(&sink, [&*named; MONITORS]).await;
    for index in 0..MONITORS {
        let value = format!("from {index}");
        let everywhere = || {
            let mut monitors = group.monitors.iter();
            monitors.all(|it| newest(&it.peers).as_ref() == Some(&value))
        };
        let from = &group.monitors[index].peers;
        publish(from, &value, Duration::from_secs(3_600));
        group.until("known everywhere", false, everywhere).await;
    }

    let hear = |index: usize, peer: &str, ttl: Duration| {
        let reading = Reading {
            metric: "load",
            peer,
            value: "1",
            ttl,
            valid: Validity::Valid,
            weight: 0,
            epoch: None,
        };
        let monitor = &group.monitors[index].peers;
        monitor.log_metric(Sender::Peer(peer), &reading).unwrap();
    };
    for (n, peer) in peers.iter().enumerate() {
        (0..MONITORS).for_each(|it| hear(it, peer, Duration::from_millis(500)));
        let others = (0..MONITORS).filter(|it| *it != n % MONITORS);
        others.for_each(|it| hear(it, peer, Duration::from_secs(3_600)));
    }
    let long = |monitor: &PeerMonitor| {
        let metrics = monitor.last_metrics("load");
        let long = metrics
            .iter()
            .filter(|it| it.reading.ttl.as_secs() == 3_600);
        long.count()
    };
    let mended = || {
        group
            .monitors
            .iter()
            .all(|it| long(&it.peers) == peers.len())
    };
    group.until("known to all", false, mended).await;
    for monitor in &group.monitors {
        let counters = monitor.peers.read(|log, _| *log.counters());
        assert_eq!((counters.asked, counters.failed), (3, 0));
    }
    assert_eq!(sink.alerts(), [""; 0]);
    while !group.monitors.is_empty() {
        group.end(0).await;
    }
}
