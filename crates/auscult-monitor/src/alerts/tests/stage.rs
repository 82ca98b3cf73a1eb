//! A server, and targets that send heartbeats as long as they shall.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::monitor::Source;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::alerts::AlertDesk;
use crate::engine::Engine;
use crate::registry::Registry;
use crate::serve::{ReloadHandle, ServeConfig, ServeError, Server};

/// Two targets, `web` and `db`, that are down when they are silent for a second.
pub(super) const TARGETS: &str = "
targets:
- {id: web, push: {interval: 50ms}, labels: {env: prod}}
- {id: db, push: {interval: 50ms}, labels: {parent: web}}
defaults: {detector: {kind: deadline, timeout: 1s}, grace: 1h}
";

pub(super) struct Stage {
    pub(super) folder: TempDir,
    pub(super) engine: Engine,
    pub(super) alerts: AlertDesk,
    pub(super) registry: Arc<Registry>,
    pub(super) reload: ReloadHandle,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Stage {
    pub(super) async fn start(text: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), text).await
    }

    pub(super) async fn start_in(folder: TempDir, text: &str) -> Self {
        let settings = folder.path().join("settings.yml");
        fs::write(&settings, text).unwrap();
        let config = ServeConfig {
            settings: Some(settings),
            data_dir: Some(folder.path().join("data")),
            udp_bind: None,
            ..ServeConfig::ephemeral()
        };
        let server = Server::bind(config).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        Self {
            folder,
            engine: server.engine().clone(),
            alerts: server.alerts().clone(),
            registry: Arc::clone(server.registry()),
            reload: server.reload_handle(),
            stop,
            running: tokio::spawn(server.run(async {
                let _ = stopped.await;
            })),
        }
    }

    pub(super) fn settings(&self) -> &Path {
        self.folder.path()
    }

    /// Sends one heartbeat.
    pub(super) fn beat(&self, id: &str) {
        let target = id;
        let signal = None;
        let _unknown = self.engine.arrival(Source::Name { target, signal }, None);
    }

    /// Waits for something, while these targets send heartbeats.
    pub(super) async fn until(&self, alive: &[&str], holds: impl Fn() -> bool) {
        let waiting = async {
            let mut beats = tokio::time::interval(Duration::from_millis(20));
            while !holds() {
                beats.tick().await;
                alive.iter().for_each(|id| self.beat(id));
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        waited.expect("it should have happened by now");
    }

    /// Waits until what is counted is right, and tells what it was if that does not happen.
    pub(super) async fn until_counts<C: std::fmt::Debug + Copy>(
        &self,
        alive: &[&str],
        count: impl Fn() -> C,
        holds: impl Fn(C) -> bool,
    ) {
        let waiting = async {
            let mut beats = tokio::time::interval(Duration::from_millis(20));
            while !holds(count()) {
                beats.tick().await;
                alive.iter().for_each(|id| self.beat(id));
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        assert!(waited.is_ok(), "{:?}", count());
    }

    /// Waits until these targets are heard.
    pub(super) async fn up(&self, ids: &[&str]) {
        let up = |id: &&str| {
            let status = self.engine.read(|m, _| m.target(id).map(|t| t.status()));
            status == Some(auscult_core::monitor::Status::Up)
        };
        self.until(ids, || ids.iter().all(up)).await;
    }

    pub(super) async fn end(self) -> TempDir {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        self.folder
    }
}
