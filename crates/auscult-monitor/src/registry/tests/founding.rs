//! The file that a group begins with.

use super::*;
use crate::registry::memory::Mood;
use crate::settings::documents::Sheet;
use auscult_core::monitor::registry::Revision;

const FILE: &str = "
defaults: {interval: 2s}
groups:
- {name: web, labels: {team: shop}, targets: [{id: shop, url: 'http://127.0.0.1:9/'}]}
targets:
- {id: backup, push: {}, group: jobs}
- {id: db, push: {}}
servers:
- {id: 10, url: 'http://127.0.0.1:9/heartbeat', monitor: {threshold: 8.0}}
observer: {targets_max: 50}
heartbeats: {create: true}
";

#[tokio::test]
async fn a_group_begins_with_what_the_file_watches() {
    let stage = of_group(FILE);
    stage.registry.reload().unwrap();
    assert_eq!(stage.ids(), [""; 0], "the file is nothing of its own");
    let sheet = stage.sheet();
    // The four targets, the two groups that they name, and the defaults.
    assert_eq!(stage.registry.begin_with(sheet.clone()).await.unwrap(), 7);
    assert_eq!(stage.ids(), ["10", "backup", "db", "shop"]);
    let interval = |id: &str| {
        stage.registry.spec(id).unwrap().signals[0]
            .source
            .interval()
    };
    assert_eq!(interval("shop").map(|it| it.as_secs()), Some(2));
    let shop = stage.registry.spec("shop").unwrap();
    let team = shop.labels.iter().find(|(name, _)| &***name == "team");
    assert_eq!(team.map(|(_, value)| &**value), Some("shop"));
    let seed = stage.registry.spec("10").unwrap();
    assert_eq!(seed.signals[0].config.down().get(), 8.0);
    for id in ["10", "backup", "db", "shop"] {
        assert_eq!(stage.registry.origin(id), Some(Origin::Api), "{id}");
    }
    assert_eq!(stage.registry.begin_with(sheet).await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_unclear_is_done_again_and_undoes_nothing() {
    let mut stage = of_group(FILE);
    stage.registry.reload().unwrap();
    stage.shared.set_mood(Mood::NoLeader);
    let early = stage.registry.begin_with(stage.sheet()).await.unwrap_err();
    assert!(matches!(early, Refused::NoLeader { .. }), "{early}");
    stage.shared.set_mood(Mood::Loses);
    let broken = stage.registry.begin_with(stage.sheet()).await.unwrap_err();
    assert!(matches!(broken, Refused::Unclear), "{broken}");
    stage.shared.set_mood(Mood::Decides);
    // Meanwhile somebody goes on with what is there.
    stage.registry.catch_up();
    stage.replace("shop", "9s", None).await.unwrap();
    stage.registry.remove(&me(), "db", None).await.unwrap();
    stage.restart();
    stage.registry.begin_with(stage.sheet()).await.unwrap();
    assert_eq!(stage.ids(), ["10", "backup", "shop"], "what was deleted");
    let shop = stage.registry.spec("shop").unwrap();
    assert_eq!(
        shop.signals[0].source.interval().map(|it| it.as_secs()),
        Some(9)
    );
    assert_eq!(stage.registry.live(), Revision::new(3));
}

#[tokio::test]
async fn what_is_shared_already_stays_as_it_is() {
    let stage = of_group(FILE);
    stage.registry.reload().unwrap();
    stage.create("db", "7s").await.unwrap();
    assert_eq!(stage.registry.begin_with(stage.sheet()).await.unwrap(), 6);
    let db = stage.registry.spec("db").unwrap();
    assert_eq!(
        db.signals[0].source.interval().map(|it| it.as_secs()),
        Some(7)
    );
}

fn of_group(text: &str) -> Stage {
    let mut stage = Stage::with_file(text);
    stage.file_targets = FileTargets::OfGroup;
    stage.start_again();
    stage
}

impl Stage {
    fn sheet(&self) -> Sheet {
        Sheet::of_settings_file(&self.folder.path().join("settings.yml")).unwrap()
    }
}
