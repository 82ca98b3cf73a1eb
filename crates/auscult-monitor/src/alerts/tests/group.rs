//! Three monitors that tell as one.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::alert::{AlertView, Change, Duty};
use auscult_core::monitor::registry::{Author, Kind};
use auscult_core::monitor::{Arrival, Source, Status};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::sinks::WebSink;
use crate::alerts::AlertDesk;
use crate::engine::Engine;
use crate::peer_metrics::PeerMonitor;
use crate::registry::{Registry, Wanted};
use crate::serve::{GroupConfig, ServeConfig, ServeError, Server};
use crate::settings::documents::{Written, document};

pub(super) const MONITORS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_tells_and_another_one_when_that_one_is_gone() {
    let sink = WebSink::start().await;
    let mut group = Group::start(&sink).await;
    group.watch("web").await;
    group
        .until("up everywhere", true, || group.all_see(Status::Up))
        .await;
    group
        .until("told", false, || !sink.alerts().is_empty())
        .await;
    group
        .until("firing everywhere", false, || {
            group.count(fires) == MONITORS
        })
        .await;
    assert_eq!(sink.alerts(), ["web firing"]);

    // Somebody looks after it, and says so where it is not told.
    let teller = group.teller().expect("somebody tells");
    let other = (teller + 1) % MONITORS;
    let desk = &group.monitors[other].alerts;
    let alert = desk.read(|alerts, _| alerts.alerts().map(|alert| alert.id()).next());
    let acknowledged = desk.apply(Change::Acknowledge {
        alert: alert.expect("it fires"),
        by: "kim".into(),
        comment: "".into(),
    });
    acknowledged.expect("it fires");
    let is_acknowledged = |alert: AlertView<'_>| alert.record().acknowledged.is_some();
    group
        .until("acknowledged", false, || {
            group.count(is_acknowledged) == MONITORS
        })
        .await;

    group.silence("moving").await;
    group.end(teller).await;
    group
        .until("resolved", true, || sink.alerts().len() > 1)
        .await;
    let left = MONITORS - 1;
    group
        .until("over everywhere", true, || {
            group.count(|a| !fires(a)) == left
        })
        .await;
    assert_eq!(sink.alerts(), ["web firing", "web resolved"]);
    let keys = sink.keys();
    let name = |key: &str| key.rsplit_once('-').map(|(name, _)| name.to_owned());
    assert_eq!(name(&keys[0]), name(&keys[1]), "the same episode to both");
    while !group.monitors.is_empty() {
        group.end(0).await;
    }
}

pub(super) fn fires(alert: AlertView<'_>) -> bool {
    alert.record().fires()
}

pub(super) struct Group {
    pub(super) monitors: Vec<Monitor>,
}

pub(super) struct Monitor {
    pub(super) peers: PeerMonitor,
    engine: Engine,
    registry: Arc<Registry>,
    pub(super) alerts: AlertDesk,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
    _folder: TempDir,
}

impl Group {
    async fn start(sink: &WebSink) -> Self {
        Self::start_with(sink, ["", "", ""]).await
    }

    /// Each monitor with something of its own in its settings.
    pub(super) async fn start_with(sink: &WebSink, own: [&str; MONITORS]) -> Self {
        let mut monitors = Vec::new();
        let mut first = None;
        for number in 1..=MONITORS {
            let folder = tempfile::tempdir().unwrap();
            let settings = folder.path().join("settings.yml");
            let text = format!(
                "receivers:\n- {{name: hook, type: webhook, url: \"http://{}/\", group_wait: 0s, \
                 group_interval: 0s}}\n{}",
                sink.addr,
                own[number - 1]
            );
            fs::write(&settings, text).unwrap();
            let config = ServeConfig {
                settings: Some(settings),
                data_dir: Some(folder.path().join("data")),
                udp_bind: None,
                group: GroupConfig {
                    name: Some(format!("m{number}")),
                    raft_bind: Some(([127, 0, 0, 1], 0).into()),
                    join: first.clone().into_iter().collect(),
                    ..GroupConfig::default()
                },
                ..ServeConfig::ephemeral()
            };
            let server = Server::bind(config).await.unwrap();
            first = first.or_else(|| server.raft_addr().map(|addr| addr.to_string()));
            let (stop, stopped) = oneshot::channel();
            monitors.push(Monitor {
                peers: server.peer_metrics().clone(),
                engine: server.engine().clone(),
                registry: Arc::clone(server.registry()),
                alerts: server.alerts().clone(),
                stop,
                _folder: folder,
                running: tokio::spawn(server.run(async {
                    let _ = stopped.await;
                })),
            });
        }
        Self { monitors }
    }

    async fn watch(&self, id: &str) {
        let body = json!({
            "push": {"interval": "50ms"},
            "detector": {"kind": "deadline", "timeout": "1s"},
            "grace": "1h",
        });
        let document = document(Kind::Target, Some(id), Written::Json(&body)).unwrap();
        let author = Author::new("me");
        self.monitors[0]
            .registry
            .create(&author, document)
            .await
            .unwrap();
        let everywhere = || self.monitors.iter().all(|m| m.registry.spec(id).is_some());
        self.until("watched", false, everywhere).await;
    }

    /// A silence that one monitor is asked for holds at all of them.
    async fn silence(&self, name: &str) {
        let body = json!({
            "matchers": ["target=~other*"],
            "until": "2099-01-01T00:00:00Z",
            "comment": "moving house",
        });
        let (key, document) = document(Kind::Silence, Some(name), Written::Json(&body)).unwrap();
        let wanted = Wanted::put(key, document);
        let registry = &self.monitors[1].registry;
        registry
            .make_shared_as(&Author::new("me"), wanted)
            .await
            .unwrap();
        let holds = |monitor: &Monitor| {
            monitor
                .alerts
                .read(|alerts, _| alerts.silences().any(|it| it.name.as_str() == name))
        };
        self.until("silent everywhere", false, || {
            self.monitors.iter().all(holds)
        })
        .await;
    }

    fn all_see(&self, status: Status) -> bool {
        let sees = |monitor: &Monitor| {
            let seen = monitor
                .engine
                .read(|m, _| m.target("web").map(|t| t.status()));
            seen == Some(status)
        };
        self.monitors.iter().all(sees)
    }

    /// At how many monitors an alert is so.
    pub(super) fn count(&self, holds: impl Fn(AlertView<'_>) -> bool) -> usize {
        let such = self.monitors.iter().filter(|monitor| {
            let desk = &monitor.alerts;
            desk.read(|alerts, _| alerts.alerts().any(&holds))
        });
        such.count()
    }

    /// Who tells of the alert.
    pub(super) fn teller(&self) -> Option<usize> {
        self.monitors.iter().position(|monitor| {
            let here = |alert: AlertView<'_>| *alert.duty() == Duty::Here;
            monitor.alerts.read(|alerts, _| alerts.alerts().any(here))
        })
    }

    /// Waits for something, while the target sends heartbeats or does not.
    pub(super) async fn until(&self, what: &str, alive: bool, holds: impl Fn() -> bool) {
        let waiting = async {
            let mut beats = tokio::time::interval(Duration::from_millis(20));
            while !holds() {
                beats.tick().await;
                for monitor in self.monitors.iter().filter(|_| alive) {
                    monitor.engine.heartbeats(&[Arrival {
                        source: Source::Name {
                            target: "web",
                            signal: None,
                        },
                        received_at: monitor.engine.clock().now(),
                        sequence: None,
                        interval_hint: None,
                    }]);
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(40), waiting).await;
        assert!(waited.is_ok(), "never {what}");
    }

    pub(super) async fn end(&mut self, number: usize) {
        let monitor = self.monitors.remove(number);
        monitor.stop.send(()).unwrap();
        monitor.running.await.unwrap().unwrap();
    }
}
