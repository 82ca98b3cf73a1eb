//! Agents with real sockets on loopback.
#![expect(
    clippy::unwrap_used,
    reason = "what a harness does not find is a failed test"
)]

use std::time::Duration;

use auscult_agent::events::Reading;
use auscult_agent::{Agent, AgentConfig, AgentHandle, JoinFailure, Refused};
use auscult_core::swim::{BroadcastRefusal, Label, MemberName, Params, Refusal, State};

#[tokio::test]
async fn two_members_find_each_other_and_one_leaves() {
    let first = start("first", "test").await;
    let second = start("second", "test").await;
    let results = second.join(&[first.address().to_string()]).await;
    assert_eq!(results[0].outcome, Ok(2));
    until("first sees second", || {
        state(&first, "second") == Some(State::Alive)
    })
    .await;
    second.leave().await;
    until("first sees it leave", || {
        state(&first, "second") == Some(State::Left)
    })
    .await;
    second.stopped().await;
}

#[tokio::test]
async fn a_member_that_stops_without_a_word_is_found_out() {
    let [first, second, third] = [
        start("first", "test").await,
        start("second", "test").await,
        start("third", "test").await,
    ];
    let seed = [first.address().to_string()];
    for joining in [&second, &third] {
        assert!(joining.join(&seed).await[0].outcome.is_ok());
    }
    for agent in [&first, &second, &third] {
        until("all see all", || agent.members().live == 3).await;
    }
    third.shutdown().await;
    for agent in [&first, &second] {
        until("it is dead", || state(agent, "third") == Some(State::Dead)).await;
    }
}

#[tokio::test]
async fn another_cluster_is_refused_by_name() {
    let first = start("first", "test").await;
    let second = start("second", "other").await;
    let results = second.join(&[first.address().to_string()]).await;
    assert_eq!(
        results[0].outcome,
        Err(JoinFailure::Refused(Refusal::Label))
    );
    assert_eq!((first.members().live, second.members().live), (1, 1));
}

#[tokio::test]
async fn metadata_and_broadcasts_reach_the_others() {
    let first = start("first", "test").await;
    let second = start("second", "test").await;
    let mut heard = first
        .broadcasts()
        .read_after(first.broadcasts().newest_id());
    second.join(&[first.address().to_string()]).await;
    second.set_metadata("role", Some(b"db")).await.unwrap();
    let role = || {
        let members = first.members();
        let items = members.get("second").map(|member| member.metadata.to_vec());
        items.is_some_and(|items| items == [("role".to_owned(), b"db".to_vec())])
    };
    until("first knows the role", role).await;

    second.broadcast(Some("deploy"), b"v7").await.unwrap();
    let Reading::Event(broadcast) = heard.next().await else {
        panic!("one broadcast, and none before it");
    };
    assert_eq!(broadcast.event.from.as_str(), "second");
    assert_eq!(broadcast.event.payload, b"v7");
    let refused = second.broadcast(None, &[0; 2_000]).await;
    assert!(matches!(
        refused,
        Err(Refused::Refused(BroadcastRefusal::TooLong { .. }))
    ));
}

async fn start(name: &str, label: &str) -> AgentHandle {
    let params = Params::local(Label::new(label).unwrap());
    let name = MemberName::new(name).unwrap();
    let config = AgentConfig::new(name, ([127, 0, 0, 1], 0).into(), params);
    Agent::start(config).await.unwrap()
}

fn state(agent: &AgentHandle, name: &str) -> Option<State> {
    agent.members().get(name).map(|member| member.state)
}

/// Waits for a condition, with a deadline.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let deadline = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds() {
            ticks.tick().await;
        }
    });
    assert!(deadline.await.is_ok(), "not in time: {what}");
}
