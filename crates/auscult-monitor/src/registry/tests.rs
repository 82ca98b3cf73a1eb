//! What is watched, changed from the file, the API and heartbeats.

mod following;
mod foreseen;
mod founding;

use super::memory::Memory;
use super::*;
use crate::check::RunnerConfig;
use crate::clock::Clock;
use crate::events::EventLog;
use crate::settings::documents::{Written, document};
use auscult_core::monitor::registry::{Author, Document, Key as SettingKey, Kind as SettingKind};
use auscult_core::monitor::{EventKind, MonitorConfig, Status, Told};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

#[test]
fn a_reload_keeps_what_stays_and_changes_the_rest() {
    let stage = Stage::with_file(
        "targets:\n- {id: a, push: {}}\n- {id: b, push: {}}\n- {id: c, push: {}}\n",
    );
    let reloaded = stage.registry.reload().unwrap();
    assert_eq!((reloaded.added, reloaded.unchanged), (3, 0));
    stage.hear("a");
    stage.hear("b");
    stage.write("targets:\n- {id: a, push: {}}\n- {id: b, push: {}, labels: {team: x}}\n- {id: d, push: {}}\n");
    let expected = Reloaded {
        added: 1,
        changed: 1,
        removed: 1,
        unchanged: 1,
    };
    assert_eq!(stage.registry.reload().unwrap(), expected);
    assert_eq!(stage.ids(), ["a", "b", "d"]);
    for id in ["a", "b"] {
        assert_eq!(stage.status(id), Some(Status::Up), "{id} keeps its history");
    }
    assert_eq!(
        stage.registry.origin("d"),
        Some(Origin::File { line: Some(4) })
    );
    let again = stage.registry.reload().unwrap();
    assert_eq!(again.unchanged, 3);
    assert_eq!((again.added, again.changed, again.removed), (0, 0, 0));
}

#[test]
fn a_bad_file_changes_nothing_and_is_counted() {
    let stage = Stage::with_file("targets:\n- {id: a, push: {}}\n");
    stage.registry.reload().unwrap();
    let key_file = "heartbeats: {key_file: there-is-none}\ntargets: []\n";
    for bad in ["targets: {", "targets:\n- {id: b, puhs: {}}\n", key_file] {
        stage.write(bad);
        let error = stage.registry.reload().unwrap_err().to_string();
        assert!(!error.is_empty());
        assert_eq!(stage.ids(), ["a"], "{bad}");
    }
    fs::remove_file(stage.folder.path().join("settings.yml")).unwrap();
    assert!(stage.registry.reload().is_err());
    assert_eq!(stage.ids(), ["a"]);
    let status = stage.registry.reload_status();
    assert_eq!(
        (status.succeeded, status.failed, status.last_succeeded),
        (1, 4, false)
    );
    assert!(status.last_success.is_some());
}

#[tokio::test]
async fn what_the_api_changed_is_there_after_a_restart() {
    let mut stage = Stage::with_file("targets:\n- {id: a, push: {}}\n");
    stage.registry.reload().unwrap();
    let spec = stage.create("b", "1s").await.unwrap();
    stage.create("c", "1s").await.unwrap();
    stage.registry.pause(&me(), "a").await.unwrap();
    stage.registry.pause(&me(), "b").await.unwrap();
    stage.registry.remove(&me(), "c", None).await.unwrap();
    stage.restart();
    assert_eq!(stage.ids(), ["a", "b"]);
    assert_eq!(stage.registry.spec("b"), Some(spec));
    assert_eq!(stage.registry.origin("b"), Some(Origin::Api));
    assert_eq!((stage.paused("a"), stage.paused("b")), (true, true));
    stage.registry.resume(&me(), "b").await.unwrap();
    stage.restart();
    assert_eq!((stage.paused("a"), stage.paused("b")), (true, false));
}

#[tokio::test]
async fn the_file_wins_and_what_it_hides_comes_back() {
    let mut stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    stage.create("web", "7s").await.unwrap();
    stage.write("targets:\n- {id: web, push: {interval: 3s}}\n");
    assert_eq!(stage.registry.reload().unwrap().changed, 1);
    assert!(matches!(
        stage.registry.origin("web"),
        Some(Origin::File { .. })
    ));
    for refused in [
        stage.create("web", "1s").await.unwrap_err(),
        stage.replace("web", "1s", None).await.unwrap_err(),
        stage.registry.remove(&me(), "web", None).await.unwrap_err(),
    ] {
        let expected = matches!(refused, Refused::Exists(_) | Refused::DefinedInFile { .. });
        assert!(expected, "{refused}");
    }
    stage.restart();
    stage.write("targets: []\n");
    stage.registry.reload().unwrap();
    assert_eq!(stage.registry.origin("web"), Some(Origin::Api));
}

#[tokio::test]
async fn a_change_of_what_has_changed_is_refused() {
    let stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    let first = stage.create("web", "1s").await.unwrap();
    let (applied, second) = stage.replace("web", "2s", None).await.unwrap();
    assert_eq!(applied, Put::Replaced);
    let as_before: OnlyIf = Box::new(move |watched| watched.is_some_and(|it| it.spec == first));
    let refused = stage
        .replace("web", "3s", Some(as_before))
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::Changed(_)), "{refused}");
    assert_eq!(stage.registry.spec("web"), Some(second));
    let absent: OnlyIf = Box::new(|watched| watched.is_none());
    let (applied, _) = stage.replace("new", "1s", Some(absent)).await.unwrap();
    assert_eq!(applied, Put::Added);
    let refused = stage
        .registry
        .remove(&me(), "nobody", None)
        .await
        .unwrap_err();
    assert!(matches!(refused, Refused::NotFound(_)), "{refused}");
}

#[tokio::test]
async fn heartbeats_create_targets_within_their_bound() {
    let stage = Stage::with_file("heartbeats: {create: true, targets_max: 2}\n");
    stage.registry.reload().unwrap();
    assert!(stage.registry.is_open());
    let admit = |target, signal| {
        stage.registry.admit(&Arrival {
            source: Source::Name { target, signal },
            received_at: stage.engine.clock().now(),
            sequence: None,
            interval_hint: None,
        })
    };
    assert_eq!(admit("a", None), Admitted::Created);
    assert_eq!(admit("a", None), Admitted::Created);
    assert_eq!(admit("no name", None), Admitted::Refused);
    assert_eq!(admit("b", Some("pulse")), Admitted::Created);
    assert_eq!(admit("c", None), Admitted::Full);
    assert_eq!(&*stage.registry.spec("b").unwrap().signals[0].name, "pulse");
    assert_eq!(stage.registry.origin("a"), Some(Origin::Heartbeat));
    // The API can make such a target its own, and reloads leave them alone.
    stage.create("a", "1s").await.unwrap();
    assert_eq!(stage.registry.origin("a"), Some(Origin::Api));
    assert_eq!(stage.registry.reload().unwrap().unchanged, 2);
    stage.registry.remove(&me(), "b", None).await.unwrap();
    assert_eq!(stage.ids(), ["a"]);
}

#[tokio::test]
async fn no_more_targets_than_allowed() {
    let text = "observer: {targets_max: 2}\ntargets:\n- {id: a, push: {}}\n- {id: b, push: {}}\n";
    let stage = Stage::with_file(text);
    stage.registry.reload().unwrap();
    let refused = stage.create("c", "1s").await.unwrap_err();
    assert!(matches!(refused, Refused::Full { limit: 2 }), "{refused}");
    stage.write(&format!("{text}- {{id: c, push: {{}}}}\n"));
    let error = stage.registry.reload().unwrap_err();
    assert!(
        matches!(error, ReloadError::Refused(Refused::Full { limit: 2 })),
        "{error}"
    );
    assert_eq!(stage.ids(), ["a", "b"]);
}

#[test]
fn checks_follow_the_targets() {
    let check = |url: &str| format!("targets:\n- {{id: a, url: \"{url}\"}}\n");
    let stage = Stage::with_file(&check("http://127.0.0.1:9/x"));
    stage.registry.reload().unwrap();
    assert_eq!(stage.registry.checks.signals(), 1);
    stage.write("targets:\n- {id: a, push: {}}\n");
    stage.registry.reload().unwrap();
    assert_eq!(stage.registry.checks.signals(), 0);
    stage.write(&check("tcp://127.0.0.1:9"));
    stage.registry.reload().unwrap();
    assert_eq!(stage.registry.checks.signals(), 1);
    stage.write("targets: []\n");
    stage.registry.reload().unwrap();
    assert_eq!(stage.registry.checks.signals(), 0);
}

#[tokio::test]
async fn every_change_is_an_event() {
    let stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    stage.create("web", "1s").await.unwrap();
    stage.registry.remove(&me(), "web", None).await.unwrap();
    let page = stage.engine.events().since(0, 10);
    let kinds: Vec<_> = page
        .events
        .iter()
        .map(|logged| &logged.event.kind)
        .collect();
    assert_eq!(kinds, [&EventKind::Added, &EventKind::Removed]);
}

#[tokio::test]
async fn a_member_is_a_target_that_the_group_judges() {
    let stage = Stage::with_file("targets:\n- {id: web, push: {}}\n");
    stage.registry.reload().unwrap();
    stage.tell("b", Told::Up);
    assert_eq!(stage.ids(), ["b", "web"]);
    assert_eq!(stage.status("b"), Some(Status::Up));
    assert_eq!(stage.registry.origin("b"), Some(Origin::Membership));
    stage.tell("b", Told::Late);
    assert_eq!(stage.status("b"), Some(Status::Late));
    let refused = stage.registry.remove(&me(), "b", None).await.unwrap_err();
    assert!(matches!(refused, Refused::IsMember(_)), "{refused}");

    stage.registry.pause(&me(), "b").await.unwrap();
    stage.tell("b", Told::Down);
    assert_eq!(stage.status("b"), Some(Status::Paused));
    stage.registry.resume(&me(), "b").await.unwrap();
    assert_eq!(stage.status("b"), Some(Status::Down));
    stage.registry.forget_member("b");
    assert_eq!(stage.ids(), ["web"]);
}

#[test]
fn what_the_file_describes_hides_a_member_until_it_goes() {
    let stage = Stage::with_file("targets:\n- {id: web, push: {}}\n");
    stage.registry.reload().unwrap();
    stage.hear("web");
    stage.tell("web", Told::Down);
    assert_eq!(stage.status("web"), Some(Status::Up), "the file's own");
    stage.write("targets: []\n");
    stage.registry.reload().unwrap();
    assert_eq!(stage.status("web"), Some(Status::Down), "the group's word");
    stage.write("targets:\n- {id: web, push: {}}\n");
    stage.registry.reload().unwrap();
    stage.registry.forget_member("web");
    assert_eq!(stage.ids(), ["web"]);
}

struct Stage {
    folder: TempDir,
    file_targets: FileTargets,
    shared: Arc<Memory>,
    engine: Engine,
    registry: Arc<Registry>,
}

impl Stage {
    fn with_file(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("settings.yml"), text).unwrap();
        let shared = Arc::new(Memory::new());
        let file_targets = FileTargets::Own;
        let (engine, registry) = start(&folder, &shared, file_targets);
        Self {
            folder,
            file_targets,
            shared,
            engine,
            registry,
        }
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path().join("settings.yml"), text).unwrap();
    }

    fn restart(&mut self) {
        self.start_again();
        self.registry.reload().unwrap();
    }

    fn start_again(&mut self) {
        (self.engine, self.registry) = start(&self.folder, &self.shared, self.file_targets);
    }

    async fn create(&self, id: &str, interval: &str) -> Result<Arc<TargetSpec>, Refused> {
        self.registry.create(&me(), target(id, interval)).await
    }

    async fn replace(
        &self,
        id: &str,
        interval: &str,
        only_if: Option<OnlyIf>,
    ) -> Result<(Put, Arc<TargetSpec>), Refused> {
        self.registry
            .replace(&me(), target(id, interval), only_if)
            .await
    }

    fn hear(&self, id: &str) {
        let source = Source::Name {
            target: id,
            signal: None,
        };
        self.engine.arrival(source, None).unwrap();
    }

    fn tell(&self, id: &str, verdict: Told) {
        let word = MemberWord {
            at: self.engine.clock().now(),
            verdict,
            why: "the group says so".into(),
        };
        let id = TargetId::new(id).unwrap();
        self.registry.tell_of_member(&id, word).unwrap();
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.engine.read(|monitor, _| {
            monitor
                .targets()
                .map(|target| target.id().to_string())
                .collect()
        });
        ids.sort();
        ids
    }

    fn status(&self, id: &str) -> Option<Status> {
        self.engine
            .read(|monitor, _| monitor.target(id).map(|target| target.status()))
    }

    fn paused(&self, id: &str) -> bool {
        self.engine
            .read(|monitor, _| monitor.target(id).unwrap().paused())
    }
}

fn start(
    folder: &TempDir,
    shared: &Arc<Memory>,
    file_targets: FileTargets,
) -> (Engine, Arc<Registry>) {
    let file = folder.path().join("settings.yml");
    let observer = Settings::load(&file).map_or(MonitorConfig::server(), |it| it.observer);
    let clock = Clock::new();
    let engine = Engine::start(observer, clock.clone(), EventLog::new(clock.clone())).unwrap();
    let limits = RunnerConfig {
        threads: 1,
        sockets_max: 4,
    };
    let checks = CheckRunner::start(engine.clone(), clock, limits).unwrap();
    let shared = Arc::clone(shared) as Arc<dyn SettingsStore>;
    let registry = Registry::new(
        engine.clone(),
        Arc::new(checks),
        shared,
        Some(file),
        file_targets,
    );
    (engine, Arc::new(registry))
}

fn me() -> Author {
    Author::new("me")
}

fn target(id: &str, interval: &str) -> (SettingKey, Document) {
    let body = json!({"push": {"interval": interval}});
    document(SettingKind::Target, Some(id), Written::Json(&body)).unwrap()
}
