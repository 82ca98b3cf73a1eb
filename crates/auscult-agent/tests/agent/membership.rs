//! What members learn of each other.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use auscult_agent::events::Reading;
use auscult_agent::{Agent, AgentHandle, JoinFailure, Members, Refused};
use auscult_core::swim::{
    BroadcastRefusal, EventKind, Label, Mode, Refusal, State, StreamFailure, WatchRefusal,
};

use crate::harness::{config, soon, start, state, until};

#[tokio::test]
async fn two_members_find_each_other_and_one_leaves() {
    let first = start("first").await;
    let second = start("second").await;
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

/// Whoever gets an answer looks at the members next: what it sees is what there is at the moment
/// at which the answer wakes it.
#[tokio::test]
async fn the_snapshot_shows_what_was_answered() {
    let [first, second] = [start("first").await, start("second").await];
    let seed = [first.address().to_string()];
    let (results, seen) = looking(&second, second.join(&seed)).await;
    assert_eq!(results[0].outcome, Ok(2));
    assert!(seen.get("first").is_some(), "{seen:?}");
    let (changed, seen) = looking(&second, second.set_metadata("zone", Some(b"a"))).await;
    assert_eq!(changed, Ok(()));
    assert_eq!(seen.me().map(|me| me.metadata_version), Some(1));
}

/// An answer, and the members as they were when it came.
async fn looking<T>(agent: &AgentHandle, asked: impl Future<Output = T>) -> (T, Arc<Members>) {
    let look = Arc::new(Look {
        agent: agent.clone(),
        seen: Mutex::default(),
    });
    let waker = Waker::from(Arc::clone(&look));
    let mut asked = pin!(asked);
    let mut last = agent.members();
    loop {
        if let Poll::Ready(answer) = asked.as_mut().poll(&mut Context::from_waker(&waker)) {
            return (answer, last);
        }
        until("somebody answers", || look.seen.lock().unwrap().is_some()).await;
        last = look.seen.lock().unwrap().take().unwrap_or(last);
    }
}

struct Look {
    agent: AgentHandle,
    seen: Mutex<Option<Arc<Members>>>,
}

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        *self.seen.lock().unwrap() = Some(self.agent.members());
    }
}

#[tokio::test]
async fn a_member_that_stops_without_a_word_is_found_out() {
    let [first, second, third] = [
        start("first").await,
        start("second").await,
        start("third").await,
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
    let first = start("first").await;
    let mut other = config("second");
    other.params.label = Label::new("other").unwrap();
    let second = Agent::start(other).await.unwrap();
    let results = second.join(&[first.address().to_string()]).await;
    assert_eq!(
        results[0].outcome,
        Err(JoinFailure::Refused(Refusal::Label))
    );
    assert_eq!((first.members().live, second.members().live), (1, 1));
}

#[tokio::test]
async fn metadata_and_broadcasts_reach_the_others() {
    let first = start("first").await;
    let second = start("second").await;
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
    let Reading::Event(broadcast) = soon(heard.next()).await else {
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

#[tokio::test]
async fn each_seed_has_its_own_result() {
    let first = start("first").await;
    let second = start("second").await;
    let third = start("third").await;
    let gone = third.address();
    third.shutdown().await;
    let seeds = [
        first.address().to_string(),
        gone.to_string(),
        second.address().to_string(),
        "nowhere.invalid:7946".into(),
        format!("localhost:{}", first.address().port()),
    ];
    let results = second.join(&seeds).await;
    let outcomes: Vec<_> = results.iter().map(|result| &result.outcome).collect();
    assert_eq!(outcomes[0], &Ok(2));
    let unreachable = JoinFailure::Silent(StreamFailure::Unreachable);
    assert_eq!(outcomes[1], &Err(unreachable));
    assert_eq!(outcomes[2], &Err(JoinFailure::Myself));
    assert!(matches!(outcomes[3], Err(JoinFailure::Unresolved(_))));
    // Whichever address of localhost comes first, the other one is tried too.
    assert!(outcomes[4].is_ok(), "{results:?}");
}

#[tokio::test]
async fn a_seed_that_begins_later_is_asked_until_it_answers() {
    let first = start("first").await;
    let address = first.address();
    first.shutdown().await;
    let mut late = config("second");
    late.join = vec![address.to_string()];
    let second = Agent::start(late).await.unwrap();
    until("the first try has failed", || {
        second.counters().streams_unanswered > 0
    })
    .await;
    let mut again = config("first");
    again.bind = address;
    let first = Agent::start(again).await.unwrap();
    until("they have met", || first.members().live == 2).await;
}

#[tokio::test]
async fn a_slow_reader_of_events_is_told_once_how_much_it_missed() {
    let mut small = config("first");
    small.events_kept = 2;
    let first = Agent::start(small).await.unwrap();
    let mut reader = first.events().read_after(first.events().newest_id());
    for name in ["second", "third", "fourth", "fifth", "sixth"] {
        let other = start(name).await;
        other.join(&[first.address().to_string()]).await;
        other.leave().await;
    }
    until("all is in the log", || first.events().appended() >= 10).await;
    assert!(matches!(soon(reader.next()).await, Reading::Lagged(missed) if missed >= 8));
    let Reading::Event(event) = soon(reader.next()).await else {
        panic!("an event follows");
    };
    assert!(event.id > 0 && !event.text.is_empty());
    assert!(matches!(
        event.event.of_member().unwrap().kind,
        EventKind::Joined { .. } | EventKind::Left
    ));
}

#[tokio::test]
async fn the_last_handle_takes_the_agent_along() {
    let first = start("first").await;
    let address = first.address();
    let second = first.clone();
    drop(first);
    assert!(second.view(|swim, _| swim.live()).await.is_ok());
    drop(second);
    let mut again = config("again");
    again.bind = address;
    // The sockets are closed as soon as the task has noticed.
    let started = async {
        loop {
            match Agent::start(again.clone()).await {
                Ok(agent) => break agent,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let started = tokio::time::timeout(std::time::Duration::from_secs(10), started).await;
    assert_eq!(started.unwrap().address(), address);
}

#[tokio::test]
async fn why_an_agent_cannot_start_is_said_in_words() {
    let first = start("first").await;
    let mut taken = config("second");
    taken.bind = first.address();
    let mut everywhere = config("second");
    everywhere.bind = "0.0.0.0:0".parse().unwrap();
    let mut elsewhere = config("second");
    elsewhere.bind = "192.0.2.1:0".parse().unwrap();
    let mut absurd = config("second");
    absurd.params.gossip_fanout = 0;
    for (config, expected) in [
        (taken, "is in use by another process"),
        (everywhere, "say which one others reach it at"),
        (elsewhere, "192.0.2.1 is no address of this machine"),
        (absurd, "gossip_fanout: 0 must be from 1 to 16"),
    ] {
        let error = Agent::start(config).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn heartbeats_are_sent_while_they_are_wanted() {
    let first = start("first").await;
    let second = start("second").await;
    second.join(&[first.address().to_string()]).await;
    until("they have met", || first.members().live == 2).await;
    assert_eq!(first.mode(), Mode::Direct);
    let level = || {
        first
            .members()
            .get("second")
            .and_then(|member| member.level)
    };
    until("its heartbeats are judged", || level().is_some()).await;

    for agent in [&first, &second] {
        agent.set_direct_limit(0).await.unwrap();
    }
    until("they probe", || first.mode() == Mode::Gossip).await;
    assert_eq!(
        first.watch("nobody").await,
        Err(Refused::Refused(WatchRefusal::Unknown))
    );
    first.watch("second").await.unwrap();
    assert!(first.members().get("second").unwrap().watched);
    until("its heartbeats are judged again", || level().is_some()).await;
    first.unwatch("second").await.unwrap();
    assert!(!first.members().get("second").unwrap().watched);
    assert_eq!(state(&first, "second"), Some(State::Alive));
}
