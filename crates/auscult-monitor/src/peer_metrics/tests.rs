//! The monitor of peers without a server, and within one.

use std::time::Duration;

use auscult_agent::events;
use auscult_core::peer_metric::{MetricLogParams, Validity};

use super::*;
use crate::serve::{ServeConfig, ServeError, Server};
use auscult_agent::{Agent, AgentConfig};
use auscult_core::alert::{Phase, Subject};
use auscult_core::swim::{Label, MemberName, Params};
use tempfile::TempDir;
use tokio::sync::oneshot;

fn started() -> PeerMonitor {
    let config = MetricLogConfig::new(MetricLogParams::new()).unwrap();
    PeerMonitor::start(config, Clock::new())
}

fn peer(name: &str) -> TargetId {
    TargetId::new(name).unwrap()
}

fn ping(peer: &str, ttl_ms: u64) -> Reading<'_> {
    Reading {
        metric: "ping",
        peer,
        value: "ok",
        ttl: Duration::from_millis(ttl_ms),
        valid: Validity::Valid,
        weight: 0,
        epoch: None,
    }
}

async fn next(alerts: &mut Alerts) -> PeerEvent {
    let waited = tokio::time::timeout(Duration::from_secs(20), alerts.next()).await;
    let reading = waited.expect("something should have happened by now");
    let events::Reading::Event(logged) = reading else {
        panic!("{reading:?}");
    };
    logged.event.clone()
}

#[tokio::test]
async fn the_timer_wakes_for_what_fails_and_for_nothing_else() {
    let monitor = started();
    monitor.set_peers(&[peer("a"), peer("b")]);
    let mut alerts = monitor.alerts();
    monitor
        .log_metric(Sender::Trusted, &ping("b", 3_600_000))
        .unwrap();
    // Earlier than what the timer waits for.
    monitor
        .log_metric(Sender::Trusted, &ping("a", 100))
        .unwrap();
    let failed = next(&mut alerts).await;
    assert!(matches!(&failed, PeerEvent::Failed { peer, last: Some(_), .. } if &**peer == "a"));
    monitor
        .log_metric(Sender::Trusted, &ping("a", 3_600_000))
        .unwrap();
    assert!(matches!(
        next(&mut alerts).await,
        PeerEvent::Recovered { .. }
    ));
    assert!(monitor.wakeups() <= 2, "{}", monitor.wakeups());
    assert_eq!(monitor.recent_failures(10).len(), 1);
    monitor.shutdown().await;
}

#[tokio::test]
async fn after_the_end_nobody_is_told_anything() {
    let monitor = started();
    monitor.set_peers(&[peer("a")]);
    monitor
        .log_metric(Sender::Trusted, &ping("a", 100))
        .unwrap();
    let mut alerts = monitor.alerts();
    monitor.shutdown().await;
    monitor.shutdown().await;
    let past = monitor.clock().now().after(Duration::from_secs(10));
    // As if the time had passed and somebody still published.
    monitor.drive(|log, _| log.handle(past, Input::Tick));
    let past = past.after(Duration::from_secs(10));
    monitor.drive(|log, _| log.handle(past, Input::Tick));
    assert_eq!(monitor.read(|log, _| log.counters().failing), 1);
    assert!(alerts.try_next().is_none());
    assert_eq!(monitor.metric_names().len(), 1, "it can still be read");
}

#[tokio::test]
async fn the_task_ends_with_the_last_one_who_uses_it() {
    let monitor = started();
    let timer = monitor.0.timer.lock().take().unwrap();
    drop(monitor);
    let ended = tokio::time::timeout(Duration::from_secs(20), timer).await;
    ended.expect("it should have ended").unwrap();
}

/// A server with these settings, its data in the folder.
struct Stage {
    monitor: PeerMonitor,
    desk: AlertDesk,
    agent: Option<AgentHandle>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Stage {
    async fn start(folder: &TempDir, settings: &str) -> Self {
        let file = folder.path().join("settings.yml");
        std::fs::write(&file, settings).unwrap();
        let config = ServeConfig {
            settings: Some(file),
            data_dir: Some(folder.path().join("data")),
            udp_bind: None,
            ..ServeConfig::ephemeral()
        };
        let server = Server::bind(config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        Self {
            monitor: server.peer_metrics().clone(),
            desk: server.alerts().clone(),
            agent: server.agent().cloned(),
            stop,
            running: tokio::spawn(server.run(async {
                let _ = stopped.await;
            })),
        }
    }

    /// How far the alert of a peer's ping is.
    fn phase(&self, name: &str) -> Option<Phase> {
        self.desk.read(|alerts, _| {
            let subject = Subject::Peer(peer(name));
            let mut all = alerts.alerts();
            let alert = all.find(|alert| alert.record().key.subject == subject)?;
            Some(alert.phase())
        })
    }

    /// Whether everybody confirmed to know of a peer's alert.
    fn is_told(&self, name: &str) -> bool {
        self.desk.read(|alerts, _| {
            let subject = Subject::Peer(peer(name));
            let mut records = alerts.alerts().map(|alert| alert.record());
            let record = records.find(|record| record.key.subject == subject);
            record.is_some_and(|record| {
                let told = record.deliveries.iter().all(|it| it.told >= record.episode);
                !record.deliveries.is_empty() && told
            })
        })
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

/// Waits for a condition, with a deadline.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "in 30 s it was never so that {what}");
}

fn rejected(monitor: &PeerMonitor, reason: Rejection) -> u64 {
    monitor.read(|log, _| log.counters().rejections(reason))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_publish_over_their_agents_and_for_themselves_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "
membership: {name: monitor, bind: \"127.0.0.1:0\", label: test, profile: local}
receivers: [{name: journal, type: log}]
";
    let stage = Stage::start(&folder, settings).await;
    let seed = stage.agent.as_ref().unwrap().address().to_string();
    let params = Params::local(Label::new("test").unwrap());
    let name = MemberName::new("web-1").unwrap();
    let config = AgentConfig::new(name, ([127, 0, 0, 1], 0).into(), params);
    let member = Agent::start(config).await.unwrap();
    assert!(member.join(&[seed]).await[0].outcome.is_ok());
    until("the member is a peer", || {
        stage.monitor.read(|log, _| log.is_present("web-1"))
    })
    .await;

    member.log_metric(&ping("web-1", 600)).await.unwrap();
    until("its metric is known", || {
        !stage.monitor.last_metrics("ping").is_empty()
    })
    .await;
    assert_eq!(&*stage.monitor.last_metrics("ping")[0].peer, "web-1");
    member.log_metric(&ping("db-1", 600)).await.unwrap_err();
    until("its alert fires", || {
        stage.phase("web-1") == Some(Phase::Firing)
    })
    .await;
    member.log_metric(&ping("web-1", 3_600_000)).await.unwrap();
    until("its alert is over", || {
        stage.phase("web-1") == Some(Phase::Resolved)
    })
    .await;
    // The agent says when it began, and nobody else does.
    let restarts = stage.monitor.read(|log, _| log.counters().restarts);
    assert_eq!(restarts, 0);

    member
        .broadcast(Some("metric/ping"), b"what is this?")
        .await
        .unwrap();
    until("it is refused", || {
        rejected(&stage.monitor, Rejection::Malformed) == 1
    })
    .await;
    member
        .broadcast(Some("other"), b"for somebody else")
        .await
        .unwrap();
    member.leave().await;
    until("it is no peer", || {
        !stage.monitor.read(|log, _| log.is_present("web-1"))
    })
    .await;
    assert!(stage.monitor.last_metrics("ping").is_empty());
    assert_eq!(rejected(&stage.monitor, Rejection::Malformed), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_outlives_the_monitor_and_is_over_when_the_peer_is_heard_of() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "
peer_metrics: {peers: [a, b], metrics: [{name: ping, grace: 100ms}]}
receivers: [{name: journal, type: log, group_wait: 0s, group_interval: 0s}]
";
    let stage = Stage::start(&folder, settings).await;
    // What was told is on the disk.
    until("people are told of peers that never report", || {
        stage.is_told("a") && stage.is_told("b")
    })
    .await;
    stage.end().await;

    // Nobody waits for it any more, so only what was told before keeps it.
    let settings = settings.replace("100ms", "1h");
    let stage = Stage::start(&folder, &settings).await;
    until("the peers are known", || {
        stage.monitor.read(|log, _| log.peers().count()) == 2
    })
    .await;
    assert_eq!(stage.phase("a"), Some(Phase::Firing));
    stage
        .monitor
        .log_metric(Sender::Trusted, &ping("a", 3_600_000))
        .unwrap();
    until("it is over", || stage.phase("a") == Some(Phase::Resolved)).await;
    assert_eq!(stage.phase("b"), Some(Phase::Firing));
    stage.end().await;
}
