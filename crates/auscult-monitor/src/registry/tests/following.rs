//! Following what the monitors share: it becomes live in its order, whatever it inherits from.

use super::*;
use auscult_core::monitor::observers::{Liveness, MonitorName, Observers, ObserversConfig, Seat};
use auscult_core::monitor::registry::{Change as SharedChange, Edit, Expect, Revision, WallMillis};

impl Stage {
    /// Another monitor makes a change.
    async fn elsewhere(&self, edits: Vec<Edit>) {
        let change = SharedChange {
            id: None,
            author: Author::new("elsewhere"),
            at: WallMillis(0),
            edits,
        };
        self.shared.change(change).await.unwrap();
    }

    fn interval(&self, id: &str) -> Option<u64> {
        let spec = self.registry.spec(id)?;
        spec.signals[0].source.interval().map(|it| it.as_secs())
    }
}

fn put(kind: SettingKind, name: &str, body: &serde_json::Value) -> Edit {
    let (key, document) = document(kind, Some(name), Written::Json(body)).unwrap();
    Edit::Put {
        key,
        document,
        expect: Expect::Anything,
    }
}

#[tokio::test]
async fn what_is_inherited_is_live_when_it_changes() {
    let stage = Stage::with_file("defaults: {interval: 9s}\n");
    stage.registry.reload().unwrap();
    let url = "http://127.0.0.1:9/";
    stage
        .elsewhere(vec![
            put(SettingKind::Group, "g", &json!({})),
            put(SettingKind::Target, "a", &json!({"url": url, "group": "g"})),
            put(SettingKind::Target, "b", &json!({"url": url})),
        ])
        .await;
    stage.registry.catch_up();
    assert_eq!(
        (stage.interval("a"), stage.interval("b")),
        (Some(9), Some(9))
    );
    stage
        .elsewhere(vec![put(
            SettingKind::Defaults,
            "defaults",
            &json!({"interval": "7s"}),
        )])
        .await;
    stage.registry.catch_up();
    assert_eq!(
        (stage.interval("a"), stage.interval("b")),
        (Some(7), Some(7))
    );
    let group = json!({"defaults": {"interval": "5s"}});
    stage
        .elsewhere(vec![put(SettingKind::Group, "g", &group)])
        .await;
    assert_eq!(stage.registry.catch_up(), Revision::new(3));
    assert_eq!(
        (stage.interval("a"), stage.interval("b")),
        (Some(5), Some(7))
    );
    let gone = Edit::Delete {
        key: SettingKey::new(SettingKind::Defaults, "defaults").unwrap(),
        expect: Expect::Anything,
    };
    stage.elsewhere(vec![gone]).await;
    stage.write("defaults: {interval: 11s}\n");
    stage.registry.reload().unwrap();
    assert_eq!(
        (stage.interval("a"), stage.interval("b")),
        (Some(5), Some(11))
    );
}

#[tokio::test]
async fn more_than_the_history_names_is_followed_all_the_same() {
    let mut stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    stage.create("first", "1s").await.unwrap();
    let target = |index: usize| {
        let body = json!({"push": {"interval": format!("{}s", index % 5 + 1)}});
        put(SettingKind::Target, &format!("t{index:03}"), &body)
    };
    stage.elsewhere((0..300).map(target).collect()).await;
    stage.registry.catch_up();
    assert_eq!(stage.ids().len(), 301);
    let gone = |index: usize| Edit::Delete {
        key: SettingKey::new(SettingKind::Target, &format!("t{index:03}")).unwrap(),
        expect: Expect::Something,
    };
    stage.elsewhere((0..299).map(gone).collect()).await;
    stage.registry.catch_up();
    assert_eq!(stage.ids(), ["first", "t299"]);
    stage.restart();
    assert_eq!(stage.ids(), ["first", "t299"], "from nothing, too");
}

#[tokio::test]
async fn the_task_follows_whoever_made_the_change() {
    let stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    let (stopper, stop) = crate::api::Stop::channel();
    let task = tokio::spawn(Arc::clone(&stage.registry).follow(stop));
    let body = json!({"push": {}});
    stage
        .elsewhere(vec![put(SettingKind::Target, "a", &body)])
        .await;
    let live = async {
        while stage.registry.live() < Revision::new(1) {
            tokio::task::yield_now().await;
        }
    };
    let deadline = std::time::Duration::from_secs(10);
    tokio::time::timeout(deadline, live).await.unwrap();
    assert_eq!(stage.ids(), ["a"]);
    stopper.stop();
    task.await.unwrap();
}

/// Who observes what where each target has one observer of these.
fn one_of(names: &[&str]) -> Lineup {
    let name = |name: &str| MonitorName::new(name).unwrap();
    let now = auscult_core::time::Instant::ORIGIN;
    let config = ObserversConfig {
        observers: 1,
        ..ObserversConfig::server()
    };
    let mut machine = Observers::new(config, name(names[0]), 0, now);
    let seats = names.iter().map(|it| Seat {
        name: name(it),
        liveness: Liveness::Live,
    });
    machine.set_roster(now, &seats.collect::<Vec<_>>());
    machine.lineup()
}

#[tokio::test]
async fn what_others_observe_is_neither_checked_nor_judged_here() {
    let stage = Stage::with_file("targets:\n- {id: own, url: \"http://127.0.0.1:9/\"}\n");
    stage.registry.reload().unwrap();
    let ids: Vec<String> = (0..20).map(|n| format!("t{n:02}")).collect();
    let body = json!({"url": "http://127.0.0.1:9/", "interval": "1h"});
    let put_all = || {
        let puts = ids.iter().map(|id| put(SettingKind::Target, id, &body));
        puts.collect::<Vec<_>>()
    };
    stage.elsewhere(put_all()).await;
    stage.registry.catch_up();
    assert_eq!(stage.registry.checks.signals(), 21, "alone it checks all");

    let lineup = one_of(&["m1", "m2"]);
    let mine: Vec<&String> = ids.iter().filter(|id| lineup.rank(id).is_some()).collect();
    assert!(!mine.is_empty() && mine.len() < ids.len(), "{mine:?}");
    let rests = |id: &str| {
        let engine = &stage.engine;
        engine.read(|monitor, _| monitor.target(id).unwrap().rests())
    };
    stage.registry.set_lineup(Some(lineup.clone()));
    for id in &ids {
        let handed = stage.registry.hand(id);
        let left = !mine.contains(&id);
        assert_eq!(handed == Handed::Over, left, "{id}");
        assert_eq!(rests(id), left, "{id}");
        assert_eq!(stage.registry.hand(id), Handed::AsBefore, "{id}");
    }
    assert!(!rests("own"), "what the file says is this monitor's affair");
    assert_eq!(stage.registry.checks.signals(), mine.len() + 1);

    // Those that come later, are replaced, paused or resumed, stay where they belong.
    let other = json!({"url": "http://127.0.0.1:9/", "interval": "2h"});
    let theirs = ids.iter().find(|id| !mine.contains(id)).unwrap();
    let late = (0..).map(|n| format!("late-{n}"));
    let late = late
        .into_iter()
        .find(|id| lineup.rank(id).is_none())
        .unwrap();
    stage
        .elsewhere(vec![
            put(SettingKind::Target, theirs, &other),
            put(SettingKind::Target, &late, &other),
        ])
        .await;
    stage.registry.catch_up();
    assert!(rests(theirs) && rests(&late));
    stage.registry.pause(&me(), theirs).await.unwrap();
    assert!(stage.paused(theirs));
    stage.registry.resume(&me(), theirs).await.unwrap();
    assert!(rests(theirs));
    assert_eq!(stage.registry.checks.signals(), mine.len() + 1);

    // The other one is gone.
    stage.registry.set_lineup(Some(one_of(&["m1"])));
    for id in ids.iter().chain([&late]) {
        stage.registry.hand(id);
        assert!(!rests(id), "{id}");
    }
    assert_eq!(stage.registry.checks.signals(), 22);
}

#[tokio::test]
async fn how_many_observe_comes_from_the_shared_defaults_or_the_file() {
    let stage = Stage::with_file("defaults: {observers: 5}\n");
    assert_eq!(stage.registry.observers(), 3);
    stage.registry.reload().unwrap();
    assert_eq!(stage.registry.observers(), 5);
    let all = json!({"observers": "all"});
    stage
        .elsewhere(vec![put(SettingKind::Defaults, "defaults", &all)])
        .await;
    stage.registry.catch_up();
    assert_eq!(stage.registry.observers(), usize::MAX);
    for wrong in [json!(0), json!("some"), json!(65), json!("3")] {
        let body = json!({ "observers": wrong });
        let read = document(SettingKind::Defaults, None, Written::Json(&body));
        assert!(read.is_err(), "{body}");
    }
    let group = json!({"defaults": {"observers": 1}});
    let read = document(SettingKind::Group, Some("g"), Written::Json(&group));
    assert!(read.is_err(), "it concerns all targets alike");
}
