//! Following what the monitors share: it becomes live in its order, whatever it inherits from.

use super::*;
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
