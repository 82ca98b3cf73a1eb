//! What is made ready of a large change before it is decided.

use std::time::Duration;

use auscult_core::monitor::registry::{
    Change as SharedChange, ChangeId, Edit, Expect, Revision, WallMillis,
};

use super::super::ready::Ready;
use super::*;

const MANY: usize = 1_000;

fn put(kind: SettingKind, name: &str, body: &serde_json::Value) -> Edit {
    let (key, document) = document(kind, Some(name), Written::Json(body)).unwrap();
    Edit::Put {
        key,
        document,
        expect: Expect::Anything,
    }
}

fn change(id: u128, edits: Vec<Edit>) -> Arc<SharedChange> {
    Arc::new(SharedChange {
        id: Some(ChangeId(id)),
        author: Author::new("elsewhere"),
        at: WallMillis(0),
        edits,
    })
}

/// A group and its targets, in one change.
fn many(id: u128) -> Arc<SharedChange> {
    let url = "http://127.0.0.1:9/";
    let target = |index: usize| {
        let body = json!({"url": url, "group": "g"});
        put(SettingKind::Target, &format!("t{index:04}"), &body)
    };
    let group = put(SettingKind::Group, "g", &json!({}));
    let targets = (0..MANY).map(target);
    change(id, std::iter::once(group).chain(targets).collect())
}

impl Stage {
    async fn until(&self, what: &str, holds: impl Fn(&Registry) -> bool) {
        let held = async {
            while !holds(&self.registry) {
                tokio::task::yield_now().await;
            }
        };
        let held = tokio::time::timeout(Duration::from_secs(20), held).await;
        held.unwrap_or_else(|_| panic!("{what}"));
    }

    async fn foresee(&self, change: &Arc<SharedChange>) {
        self.shared.expect(Some(Arc::clone(change)));
        let is_ready = |registry: &Registry| registry.foreseen.lock().is_of(change.id);
        self.until("it is made ready", is_ready).await;
    }

    /// What was made ready of a target, whatever it inherits.
    fn foreseen(&self, change: &SharedChange, id: &str) -> Option<Ready> {
        let (key, document) = change.edits.iter().find_map(|edit| match edit {
            Edit::Put { key, document, .. } if key.name() == id => Some((key, document)),
            Edit::Put { .. } | Edit::Delete { .. } => None,
        })?;
        let mut inheritance = self.registry.followed.lock().inheritance().clone();
        inheritance
            .set_group("g", Some("{\"name\":\"g\"}"))
            .unwrap();
        let foreseen = self.registry.foreseen.lock();
        foreseen.find(&inheritance, key, document).cloned()
    }

    async fn decide(&self, change: &Arc<SharedChange>) {
        self.shared.change((**change).clone()).await.unwrap();
        self.shared.expect(None);
        let live = |registry: &Registry| {
            let mut revision = Revision::NONE;
            registry
                .shared
                .read(&mut |shared, _| revision = shared.revision());
            registry.live() == revision
        };
        self.until("it is live", live).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_ready_before_is_what_becomes_live() {
    let stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    let (stopper, stop) = crate::api::Stop::channel();
    let task = tokio::spawn(Arc::clone(&stage.registry).follow(stop));
    let many = many(1);
    stage.foresee(&many).await;
    assert_eq!(stage.ids(), [""; 0], "nothing is live before it is decided");
    let ready = stage.foreseen(&many, "t0007").unwrap();
    stage.decide(&many).await;
    assert_eq!(stage.ids().len(), MANY);
    let live = stage.registry.spec("t0007").unwrap();
    assert!(Arc::ptr_eq(&live, &ready.spec), "it was not made again");
    let forgotten = |registry: &Registry| !registry.foreseen.lock().is_of(many.id);
    stage.until("it is forgotten", forgotten).await;
    stopper.stop();
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_inherits_something_else_by_then_is_made_ready_again() {
    let stage = Stage::with_file("defaults: {interval: 9s}\n");
    stage.registry.reload().unwrap();
    let (stopper, stop) = crate::api::Stop::channel();
    let task = tokio::spawn(Arc::clone(&stage.registry).follow(stop));
    let many = many(1);
    stage.foresee(&many).await;
    let defaults = put(
        SettingKind::Defaults,
        "defaults",
        &json!({"interval": "7s"}),
    );
    stage
        .shared
        .change((*change(2, vec![defaults])).clone())
        .await
        .unwrap();
    stage.decide(&many).await;
    let spec = stage.registry.spec("t0999").unwrap();
    let interval = spec.signals[0].source.interval();
    assert_eq!(interval, Some(Duration::from_secs(7)));
    stopper.stop();
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_thrown_away() {
    let stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    let (stopper, stop) = crate::api::Stop::channel();
    let task = tokio::spawn(Arc::clone(&stage.registry).follow(stop));
    let many = many(1);
    stage.foresee(&many).await;
    stage.shared.expect(None);
    let forgotten = |registry: &Registry| !registry.foreseen.lock().is_of(many.id);
    stage.until("it is forgotten", forgotten).await;
    assert_eq!(stage.ids(), [""; 0]);
    stopper.stop();
    task.await.unwrap();
}
