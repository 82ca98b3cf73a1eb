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

/// More failures than are kept: the newest are there, and a reader that is slow learns how many it
/// missed, and what has failed at present is known all the same.
#[tokio::test]
async fn what_is_too_much_to_keep_is_counted_and_the_newest_stay() {
    let monitor = started();
    let names: Vec<TargetId> = (0..3_000).map(|n| peer(&format!("p{n:04}"))).collect();
    monitor.set_peers(&names);
    let mut alerts = monitor.alerts();
    let now = monitor.clock().now();
    for round in 0..2_u64 {
        for name in &names {
            monitor
                .log_metric(Sender::Trusted, &ping(name, 60_000))
                .unwrap();
        }
        let past = now.after(Duration::from_secs(100 * (round + 1)));
        // The first one is late, as the process may not have run; the second one judges.
        for at in [past, past.after(Duration::from_secs(2))] {
            monitor.drive(|log, _| log.handle(at, Input::Tick));
        }
    }
    assert_eq!(monitor.read(|log, _| log.counters().failing), 3_000);
    let recent = monitor.recent_failures(1_000);
    assert_eq!(recent.len(), 1_000);
    assert_eq!(&**recent[0].event.peer(), "p2999", "the newest first");
    let missed = match alerts.next().await {
        events::Reading::Lagged(missed) => missed,
        other @ (events::Reading::Event(_) | events::Reading::OtherRun) => panic!("{other:?}"),
    };
    assert!(missed > 1_000, "{missed}");
    assert_eq!(monitor.read(|log, _| log.failing().count()), 3_000);
    monitor.shutdown().await;
}

/// Many publish while many read, and nobody waits for a network.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_publish_and_read_at_once() {
    let monitor = started();
    let names: Vec<TargetId> = (0..8).map(|n| peer(&format!("p{n}"))).collect();
    monitor.set_peers(&names);
    let writers = names.clone().into_iter().map(|name| {
        let monitor = monitor.clone();
        tokio::task::spawn_blocking(move || {
            for n in 0..2_000 {
                let ttl_ms = if n % 7 == 0 { 100 } else { 60_000 };
                let reading = ping(&name, ttl_ms);
                monitor.log_metric(Sender::Peer(&name), &reading).unwrap();
                if n % 50 == 0 {
                    monitor.forget(&name, Some("other"));
                }
            }
        })
    });
    let readers = (0..2).map(|_| {
        let monitor = monitor.clone();
        tokio::task::spawn_blocking(move || {
            for _ in 0..2_000 {
                assert!(monitor.last_metrics("ping").len() <= 8);
                assert!(monitor.latest_for_peer("p3").len() <= 1);
                let _names = monitor.metric_names();
            }
        })
    });
    let all: Vec<_> = writers.chain(readers).collect();
    for one in all {
        one.await.unwrap();
    }
    monitor.read(|log, _| {
        log.check_invariants();
        assert_eq!(log.counters().taken, 16_000);
    });
    assert_eq!(monitor.last_metrics("ping").len(), 8);
    monitor.shutdown().await;
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

/// Whatever a member of the group sends: refused with a reason and counted, or kept out of it by
/// the member's own agent; and nobody's verdict changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_broadcasts_are_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "
membership: {name: monitor, bind: \"127.0.0.1:0\", label: test, profile: local}
peer_metrics: {ttl_max: 1h}
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
    let encoded = |reading: Reading<'_>| auscult_core::peer_metric::message::encode(&reading);
    let good = encoded(ping("web-1", 60_000));
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let huge = encoded(Reading {
        ttl: Duration::from_millis(u64::MAX),
        ..ping("web-1", 1)
    });
    for (metric, bytes, reason) in [
        ("metric/huge", huge, Rejection::Ttl),
        ("metric/zero", encoded(ping("web-1", 0)), Rejection::Ttl),
        ("metric/version", with(0, 9), Rejection::Malformed),
        ("metric/flag", with(1, 7), Rejection::Malformed),
        ("metric/text", with(26, 0xff), Rejection::Malformed),
        ("metric/short", good[..25].to_vec(), Rejection::Malformed),
        ("metric/empty", Vec::new(), Rejection::Malformed),
        ("metric/", good.clone(), Rejection::Name),
    ] {
        let before = rejected(&stage.monitor, reason);
        member.broadcast(Some(metric), &bytes).await.unwrap();
        until(metric, || rejected(&stage.monitor, reason) == before + 1).await;
    }
    // Ten megabytes never leave the member, and a name that is none does not, either.
    let value = "x".repeat(10_000_000);
    let large = Reading {
        value: &value,
        ..ping("web-1", 1_000)
    };
    member.log_metric(&large).await.unwrap_err();
    let nameless = Reading {
        metric: "a b",
        ..ping("web-1", 1_000)
    };
    member.log_metric(&nameless).await.unwrap_err();
    assert!(stage.monitor.metric_names().is_empty());
    member.log_metric(&ping("web-1", 60_000)).await.unwrap();
    until("what is right is taken all the same", || {
        stage.monitor.last_metrics("ping").len() == 1
    })
    .await;
    stage.monitor.read(|log, _| log.check_invariants());
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
