//! What a member takes along over a restart.

use auscult_agent::Agent;
use auscult_core::swim::{Body, Label, MemberName, Packet, State, Update};

use crate::harness::{config, start, state, until};

#[tokio::test]
async fn a_restart_finds_the_others_and_overrides_what_was_said_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = start("first").await;
    let mut remembering = config("second");
    remembering.snapshot = Some(folder.path().join("second"));
    let second = Agent::start(remembering.clone()).await.unwrap();
    second.join(&[first.address().to_string()]).await;
    until("first sees it", || {
        state(&first, "second") == Some(State::Alive)
    })
    .await;
    let before = first.members().get("second").unwrap().clone();
    second.shutdown().await;
    until("it is dead", || {
        state(&first, "second") == Some(State::Dead)
    })
    .await;

    // Nobody tells it where to go.
    let again = Agent::start(remembering.clone()).await.unwrap();
    assert_ne!(again.address(), before.address);
    until("it is back", || {
        state(&first, "second") == Some(State::Alive)
    })
    .await;
    let after = first.members().get("second").unwrap().clone();
    assert_eq!(after.address, again.address());
    assert!(after.incarnation > before.incarnation);
    assert_eq!(again.counters().record_errors, 0);
}

/// What the earlier run said last did not reach the disk before it was killed.
#[tokio::test]
async fn a_restart_overrides_also_what_the_disk_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("second");
    let first = start("first").await;
    let mut remembering = config("second");
    remembering.snapshot = Some(path.clone());
    remembering.join = vec![first.address().to_string()];
    let second = Agent::start(remembering.clone()).await.unwrap();
    let at_start = std::fs::read(&path).unwrap();
    let me = || second.members().me().unwrap().incarnation;
    let began = me();
    until("first sees it", || state(&first, "second").is_some()).await;

    // Somebody says that it is dead, and it contradicts.
    let id = |name: &str| MemberName::new(name).unwrap().id();
    let label = Label::new("test").unwrap().tag();
    let mut accusation = Packet::bare(label, id("first"), Body::Gossip);
    accusation.updates.push(Update::Dead {
        member: id("second"),
        incarnation: began,
        by: id("first"),
    });
    second
        .take_packet(first.address(), accusation)
        .await
        .unwrap();
    until("it contradicts", || me() > began).await;
    let said = me();
    until("first hears it", || {
        first.members().get("second").unwrap().incarnation == said
    })
    .await;
    second.shutdown().await;

    std::fs::write(&path, at_start).unwrap();
    let again = Agent::start(remembering).await.unwrap();
    assert!(again.members().me().unwrap().incarnation > said);
}

#[tokio::test]
async fn what_is_no_snapshot_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "my notes\n").unwrap();
    let mut careless = config("first");
    careless.snapshot = Some(path.clone());
    let error = Agent::start(careless).await.unwrap_err().to_string();
    assert!(error.ends_with("is no snapshot of a member"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes\n");
}

#[tokio::test]
async fn a_folder_that_vanishes_is_counted_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut remembering = config("first");
    remembering.snapshot = Some(folder.path().join("first"));
    let first = Agent::start(remembering).await.unwrap();
    drop(folder);
    let second = start("second").await;
    let joined = second.join(&[first.address().to_string()]).await;
    assert!(joined[0].outcome.is_ok());
    until("it is counted", || first.counters().record_errors > 0).await;
    assert_eq!(state(&first, "second"), Some(State::Alive));
}
