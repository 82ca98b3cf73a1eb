//! Clusters with keys: joining, changing the keys of all, and those who do not have them.

use std::sync::Arc;

use auscult_agent::keys::{
    ControlError, Key, KeyCommand, KeyOutcome, KeyReport, KeyRing, KeyVerdict, Plain, SharedRing,
    control,
};
use auscult_agent::layers::LayerReject;
use auscult_agent::{Agent, AgentHandle, JoinFailure};
use auscult_core::swim::{Label, Refusal, State};
use tempfile::TempDir;

use crate::harness::{config, start, state, until};

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

async fn with(name: &str, ring: KeyRing) -> AgentHandle {
    let mut config = config(name);
    config.keys = Some(ring);
    Agent::start(config).await.unwrap()
}

/// Three members with one key, each in a file of its own.
async fn cluster(folder: &TempDir) -> [AgentHandle; 3] {
    let member = async |name: &str| {
        let ring = KeyRing::new(key(1)).kept_in(&folder.path().join(name));
        ring.save().unwrap();
        with(name, ring).await
    };
    let agents = [member("a").await, member("b").await, member("c").await];
    let seed = [agents[0].address().to_string()];
    for agent in &agents[1..] {
        assert!(agent.join(&seed).await[0].outcome.is_ok());
    }
    all_see(&agents, 3).await;
    agents
}

async fn all_see(agents: &[AgentHandle], live: usize) {
    for agent in agents {
        until("all see all", || agent.members().live == live).await;
    }
}

fn outcomes(report: &KeyReport) -> Vec<(&str, KeyOutcome)> {
    let members = report.members.iter();
    members
        .map(|one| (one.name.as_str(), one.outcome))
        .collect()
}

fn rejected(agent: &AgentHandle, reason: LayerReject) -> u64 {
    agent.counters().layer_rejected(reason)
}

#[tokio::test]
async fn the_keys_of_all_change_and_nobody_is_suspected() {
    let folder = tempfile::tempdir().unwrap();
    let agents = cluster(&folder).await;
    let keys = agents[1].keys().unwrap();
    let (old, new) = (key(1).id(), key(2).id());

    let early = keys.promote(new).await;
    assert_eq!(early.verdict, KeyVerdict::NotInstalled);
    assert!(
        outcomes(&early)
            .iter()
            .all(|one| one.1 == KeyOutcome::Withheld)
    );

    let installed = keys.install(key(2)).await;
    assert_eq!(installed.verdict, KeyVerdict::Done);
    assert_eq!(
        outcomes(&installed),
        [
            ("a", KeyOutcome::Done),
            ("b", KeyOutcome::Done),
            ("c", KeyOutcome::Done)
        ]
    );
    let again = agents[2].keys().unwrap().install(key(2)).await;
    assert!(
        outcomes(&again)
            .iter()
            .all(|one| one.1 == KeyOutcome::Already)
    );

    assert_eq!(keys.remove(old).await.verdict, KeyVerdict::InUse);
    assert_eq!(keys.promote(new).await.verdict, KeyVerdict::Done);
    // Some traffic under the new key.
    let sent = agents[0].counters().datagrams_sent;
    until("they go on", || {
        agents[0].counters().datagrams_sent > sent + 5
    })
    .await;
    assert_eq!(keys.remove(old).await.verdict, KeyVerdict::Done);

    let status = agents[0].keys().unwrap().status().await;
    assert!(
        status.members.iter().all(|one| one.ids == [new]),
        "{status:?}"
    );
    for (agent, name) in agents.iter().zip(["a", "b", "c"]) {
        let kept = KeyRing::load(&folder.path().join(name)).unwrap();
        assert_eq!(
            kept.ids().collect::<Vec<_>>(),
            [new],
            "a restart changes nothing"
        );
        assert_eq!(rejected(agent, LayerReject::UnknownKey), 0);
        assert_eq!(rejected(agent, LayerReject::Seal), 0);
        assert_eq!(agent.members().live, 3);
        assert!(agent.counters().swim.suspicions == 0, "{name} suspects");
    }
}

#[tokio::test]
async fn a_step_waits_for_those_who_live_and_not_for_the_dead() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = cluster(&folder).await;
    let keys = a.keys().unwrap();
    assert_eq!(keys.install(key(2)).await.verdict, KeyVerdict::Done);
    c.shutdown().await;
    // Not yet known to be dead: nobody can tell whether it is ready.
    let early = keys.promote(key(2).id()).await;
    if state(&a, "c") == Some(State::Alive) {
        assert_eq!(early.verdict, KeyVerdict::Unknown);
        assert_eq!(early.members[2].outcome, KeyOutcome::Unreachable);
    }
    for agent in [&a, &b] {
        until("c is dead", || state(agent, "c") == Some(State::Dead)).await;
    }
    let used = keys.promote(key(2).id()).await;
    assert_eq!(used.verdict, KeyVerdict::Done, "{used:?}");
    assert_eq!(outcomes(&used)[2], ("c", KeyOutcome::Absent));
    assert_eq!(keys.remove(key(1).id()).await.verdict, KeyVerdict::Done);

    // It comes back with the ring that it had when the old key was the primary one.
    let ring = KeyRing::new(key(1));
    let back = with("c", ring).await;
    let seed = [a.address().to_string()];
    let refused = &back.join(&seed).await[0].outcome;
    assert_eq!(*refused, Err(JoinFailure::Refused(Refusal::UnknownKey)));
    until("a counts it", || rejected(&a, LayerReject::UnknownKey) > 0).await;
    assert_eq!(state(&a, "c"), Some(State::Dead));
    back.shutdown().await;

    // With the file of another member it is let in.
    let ring = KeyRing::load(&folder.path().join("a")).unwrap();
    let back = with("c", ring).await;
    assert!(back.join(&seed).await[0].outcome.is_ok());
    until("c is back", || state(&b, "c") == Some(State::Alive)).await;
}

#[tokio::test]
async fn who_has_no_key_is_told_so_and_who_has_one_too() {
    let sealed = with("sealed", KeyRing::new(key(1))).await;
    let plain = start("plain").await;
    let to_sealed = plain.join(&[sealed.address().to_string()]).await;
    assert_eq!(
        to_sealed[0].outcome,
        Err(JoinFailure::Refused(Refusal::Sealed))
    );
    let to_plain = sealed.join(&[plain.address().to_string()]).await;
    assert_eq!(
        to_plain[0].outcome,
        Err(JoinFailure::Refused(Refusal::Plain))
    );
    until("it is counted", || {
        rejected(&sealed, LayerReject::Plain) > 0
    })
    .await;
    assert_eq!((plain.members().live, sealed.members().live), (1, 1));
    assert!(plain.keys().is_none());
}

#[tokio::test]
async fn a_running_cluster_gets_its_first_key() {
    let plain = start("a").await;
    let accepting = || KeyRing::new(key(1)).with_plain(Plain::Accepted);
    let first = with("b", accepting()).await;
    let seed = [plain.address().to_string()];
    assert!(first.join(&seed).await[0].outcome.is_ok());
    let agents = [plain, first];
    all_see(&agents, 2).await;
    let [plain, first] = agents;
    // The member without a key gets one, at its old name.
    plain.leave().await;
    let second = with("a", accepting()).await;
    let seed = [first.address().to_string()];
    assert!(second.join(&seed).await[0].outcome.is_ok());
    // And one that takes nothing plain joins them.
    let strict = with("c", KeyRing::new(key(1))).await;
    assert!(strict.join(&seed).await[0].outcome.is_ok());
    let agents = [first, second, strict];
    all_see(&agents, 3).await;
    let status = agents[2].keys().unwrap().status().await;
    assert_eq!(status.verdict, KeyVerdict::Done, "{status:?}");
}

#[tokio::test]
async fn somebody_with_the_key_commands_through_one_member() {
    let folder = tempfile::tempdir().unwrap();
    let agents = cluster(&folder).await;
    let ring = |byte, label| {
        let label = Label::new(label).unwrap();
        Arc::new(SharedRing::new(label, KeyRing::new(key(byte))))
    };
    let command = KeyCommand::Install(key(2));
    let report = control(agents[0].address(), ring(1, "test"), &command)
        .await
        .unwrap();
    assert_eq!(
        (report.verdict, report.members.len()),
        (KeyVerdict::Done, 3)
    );

    let stranger = control(agents[0].address(), ring(9, "test"), &KeyCommand::List).await;
    assert_eq!(stranger, Err(ControlError::Refused(Refusal::UnknownKey)));
    let elsewhere = control(agents[0].address(), ring(1, "prod"), &KeyCommand::List).await;
    assert_eq!(elsewhere, Err(ControlError::Unreachable));
    let keyless = start("keyless").await;
    let refused = control(keyless.address(), ring(1, "test"), &KeyCommand::List).await;
    assert_eq!(refused, Err(ControlError::Refused(Refusal::Plain)));
}

#[tokio::test]
async fn a_key_that_cannot_be_written_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::new(key(1)).kept_in(&folder.path().join("gone").join("key"));
    let agent = with("a", ring).await;
    let report = agent.keys().unwrap().install(key(2)).await;
    assert_eq!(report.verdict, KeyVerdict::Incomplete);
    assert_eq!(outcomes(&report), [("a", KeyOutcome::Unsaved)]);
    assert_eq!(agent.keys().unwrap().ring().keys().len(), 1);
}
