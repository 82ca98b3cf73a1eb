//! A process that does not run for a while blames nobody, and comes back.

use std::sync::mpsc;
use std::time::Duration;

use auscult_agent::Agent;
use auscult_core::swim::{EventKind, State};

use crate::harness::{config, start, state, until};

#[test]
fn a_frozen_member_convicts_nobody_and_returns() {
    // The frozen one has a thread of its own, which nothing else needs.
    let (sender, handles) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let frozen = Agent::start(config("frozen")).await.unwrap();
            sender.send(frozen.clone()).unwrap();
            frozen.stopped().await;
        });
    });
    let frozen = handles.recv().unwrap();
    runtime().block_on(async {
        let others = [
            start("first").await,
            start("second").await,
            start("third").await,
        ];
        let seed = [others[0].address().to_string()];
        for agent in others[1..].iter().chain([&frozen]) {
            assert!(agent.join(&seed).await[0].outcome.is_ok());
        }
        until("all see all", || {
            others.iter().all(|agent| agent.members().live == 4) && frozen.members().live == 4
        })
        .await;

        let freezer = frozen.clone();
        let (thaw, thawed) = mpsc::channel();
        let freeze = tokio::spawn(async move {
            // Blocks the thread on which that agent, its timer and its sockets live.
            let block = move |_: &_, _| thawed.recv_timeout(Duration::from_secs(60));
            freezer.view(block).await
        });
        until("the others have convicted it", || {
            others
                .iter()
                .all(|agent| state(agent, "frozen") == Some(State::Dead))
        })
        .await;
        thaw.send(()).unwrap();
        freeze.await.unwrap().unwrap().unwrap();
        until("it is back everywhere", || {
            others
                .iter()
                .all(|agent| state(agent, "frozen") == Some(State::Alive))
        })
        .await;
        until("it sees all", || frozen.members().live == 4).await;
        let log = frozen.events().since(0, 1_000).events;
        let convicted = |kind: &EventKind| matches!(kind, EventKind::Failed { .. });
        assert!(
            !log.iter()
                .filter_map(|logged| logged.event.of_member())
                .any(|event| convicted(&event.kind)),
            "{log:?}"
        );
        assert_eq!(frozen.counters().swim.stalls, 1);
    });
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}
