//! Alerts of peers, with a receiver that hangs.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auscult_core::peer_metric::{Reading, Sender, Validity};
use tokio::sync::oneshot;

use super::sinks::WebSink;
use crate::peer_metrics::PeerMonitor;
use crate::serve::{ServeConfig, Server};

const PEERS: usize = 1_000;

fn publish(monitor: &PeerMonitor, ttl: impl Fn(u64) -> u64) {
    for at in 0..PEERS {
        let peer = format!("peer-{at:04}");
        let reading = Reading {
            metric: "ping",
            peer: &peer,
            value: "ok",
            ttl: Duration::from_millis(ttl(at as u64)),
            valid: Validity::Valid,
            weight: 0,
            epoch: None,
        };
        monitor.log_metric(Sender::Trusted, &reading).unwrap();
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !holds() {
            ticks.tick().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(90), waiting).await;
    assert!(waited.is_ok(), "in 90 s it was never so that {what}");
}

/// All fire at once, whatever the receiver does; and when it is back it is told of each once, and
/// once more when it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_peers_are_told_of_once_when_the_receiver_is_back() {
    let sink = WebSink::start().await;
    sink.hangs.store(true, Ordering::Relaxed);
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yml");
    let text = format!(
        "peer_metrics: {{create: true}}
receivers:
- {{name: hook, type: webhook, url: \"http://{}/\", group_wait: 0s, group_interval: 0s, timeout: 1s}}",
        sink.addr
    );
    std::fs::write(&settings, text).unwrap();
    let config = ServeConfig {
        settings: Some(settings),
        data_dir: Some(folder.path().join("data")),
        udp_bind: None,
        ..ServeConfig::ephemeral()
    };
    let server = Server::bind(config).await.unwrap();
    let (monitor, desk) = (server.peer_metrics().clone(), server.alerts().clone());
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    let firing = || {
        let fires = |alerts: &auscult_core::alert::Alerts| {
            alerts
                .alerts()
                .filter(|alert| alert.record().fires())
                .count()
        };
        desk.read(|alerts, _| fires(alerts))
    };
    until("it takes what is published", || {
        !desk.read(|alerts, _| alerts.config().rules().count() == 0)
    })
    .await;
    publish(&monitor, |at| 500 + at);
    until("all fire", || firing() == PEERS).await;
    assert!(sink.alerts().is_empty());

    sink.hangs.store(false, Ordering::Relaxed);
    until("it is told of all", || sink.alerts().len() >= PEERS).await;
    publish(&monitor, |_| 3_600_000);
    until("it is told of all ends", || {
        sink.alerts().len() >= 2 * PEERS
    })
    .await;
    assert_eq!(firing(), 0);
    let told = sink.alerts();
    let each: BTreeSet<&String> = told.iter().collect();
    assert_eq!(
        (told.len(), each.len()),
        (2 * PEERS, 2 * PEERS),
        "each once"
    );
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}
