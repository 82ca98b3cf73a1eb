//! What an earlier version left, taken over once. The file beside this one was written by it: four
//! targets in two groups, one of them paused, one in the form of seed 000.

use super::*;
use crate::registry::memory::Mood;
use auscult_core::monitor::registry::Revision;

const OLD: &[u8] = include_bytes!("auscult.redb");

#[tokio::test]
async fn the_old_store_is_taken_over_once() {
    let stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    let folder = old_folder();
    assert_eq!(stage.registry.import(folder.path()).await.unwrap(), 7);
    assert_eq!(stage.ids(), ["10", "backup", "db", "shop"]);
    assert!(stage.paused("backup") && !stage.paused("shop"));
    let shop = stage.registry.spec("shop").unwrap();
    let body = serde_json::to_value(&*shop).unwrap();
    assert_eq!(body["signals"][0]["url"], "http://127.0.0.1:9/health");
    assert_eq!(
        (&body["group"], &body["labels"]["team"]),
        (&json!("web"), &json!("shop"))
    );
    let seed = stage.registry.spec("10").unwrap();
    assert_eq!(
        (seed.signals[0].config.down().get(), &*seed.server_name),
        (8.0, "server10")
    );
    assert!(!folder.path().join("auscult.redb").exists());
    assert!(folder.path().join("auscult.redb.imported").exists());
    assert_eq!(stage.registry.import(folder.path()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_interrupted_import_is_repeated_and_undoes_nothing() {
    let mut stage = Stage::with_file("targets: []\n");
    stage.registry.reload().unwrap();
    let folder = old_folder();
    stage.shared.set_mood(Mood::NoLeader);
    let early = stage.registry.import(folder.path()).await.unwrap_err();
    assert!(matches!(early, Refused::NoLeader { .. }), "{early}");
    stage.shared.set_mood(Mood::Loses);
    let broken = stage.registry.import(folder.path()).await.unwrap_err();
    assert!(matches!(broken, Refused::Unclear), "{broken}");
    assert!(folder.path().join("auscult.redb").exists());
    stage.shared.set_mood(Mood::Decides);
    // Meanwhile somebody goes on with what was taken over.
    stage.replace("shop", "9s", None).await.unwrap();
    stage.registry.remove(&me(), "db", None).await.unwrap();
    stage.restart();
    stage.registry.import(folder.path()).await.unwrap();
    assert_eq!(
        stage.ids(),
        ["10", "backup", "shop"],
        "what was deleted stays so"
    );
    let shop = stage.registry.spec("shop").unwrap();
    assert_eq!(
        shop.signals[0].source.interval().map(|it| it.as_secs()),
        Some(9)
    );
    assert_eq!(stage.registry.live(), Revision::new(3));
    assert!(!folder.path().join("auscult.redb").exists());
}

/// A data folder as the earlier version left it.
fn old_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("auscult.redb"), OLD).unwrap();
    folder
}
