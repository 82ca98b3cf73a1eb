//! Heartbeats without a group, and with one.

use std::net::SocketAddr;
use std::time::Duration;

use auscult_agent::events::Reading;
use auscult_agent::keys::{Key, KeyRing};
use auscult_agent::roles::{AddRefusal, Cluster, Coordinator, FullNode, Pace, PulseState, Pulser};
use auscult_core::swim::Label;
use tokio::net::UdpSocket;

use crate::harness::{soon, until};

const PACE: Pace = Pace {
    max_retry: 3,
    delay: Duration::from_millis(100),
};

#[tokio::test]
async fn a_pulser_that_stops_is_told_of_and_is_back_when_it_returns() {
    let pulser = Pulser::start(free(), label()).await.unwrap();
    let address = pulser.address();
    let (coordinator, mut notices) = Coordinator::start(free(), label(), 8).await.unwrap();
    coordinator.add(address, PACE).unwrap();
    let twice = coordinator.add(address, PACE);
    assert_eq!(twice, Err(AddRefusal::Duplicate(address)));
    let is = |state| coordinator.status(address).unwrap().state == state;
    until("it answers", || is(PulseState::Alive)).await;
    let status = coordinator.status_all()[0];
    assert!(status.first_heard.is_some() && status.round_trip.is_some());

    pulser.stop().await;
    let Reading::Event(notice) = soon(notices.next()).await else {
        panic!("one notice");
    };
    assert_eq!(notice.event.status.state, PulseState::Dead);
    assert_eq!(notice.event.status.attempts, 3);
    assert!(is(PulseState::Dead));

    let _back = Pulser::start(address, label()).await.unwrap();
    let Reading::Event(notice) = soon(notices.next()).await else {
        panic!("another notice");
    };
    assert_eq!(notice.event.status.state, PulseState::Alive);
    assert!(coordinator.remove(address).is_some());
    assert_eq!(coordinator.status(address), None);
}

#[tokio::test]
async fn roles_with_keys_hear_each_other_and_nobody_else() {
    let with = |byte| Cluster {
        label: label(),
        keys: Some(KeyRing::new(Key::new([byte; 32]))),
    };
    let pulser = Pulser::start(free(), with(1)).await.unwrap();
    let (coordinator, mut notices) = Coordinator::start(free(), with(1), 8).await.unwrap();
    coordinator.add(pulser.address(), PACE).unwrap();
    let state = || coordinator.status(pulser.address()).unwrap().state;
    until("it answers", || state() == PulseState::Alive).await;
    assert_eq!(notices.try_next(), None, "getting acquainted is no failure");

    for stranger in [with(2), label().into()] {
        let (coordinator, mut notices) = Coordinator::start(free(), stranger, 8).await.unwrap();
        coordinator.add(pulser.address(), PACE).unwrap();
        let Reading::Event(notice) = soon(notices.next()).await else {
            panic!("one notice");
        };
        assert_eq!(notice.event.status.state, PulseState::Dead);
    }
}

#[tokio::test]
async fn one_that_takes_what_is_sent_and_says_nothing_is_dead() {
    let deaf = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (coordinator, mut notices) = Coordinator::start(free(), label(), 8).await.unwrap();
    coordinator.add(deaf.local_addr().unwrap(), PACE).unwrap();
    let Reading::Event(notice) = soon(notices.next()).await else {
        panic!("one notice");
    };
    assert_eq!(notice.event.status.state, PulseState::Dead);
    assert_eq!(notice.event.status.first_heard, None);
}

#[tokio::test]
async fn notices_that_nobody_reads_hold_up_nobody() {
    let (coordinator, mut notices) = Coordinator::start(free(), label(), 2).await.unwrap();
    let deaf = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    // One socket hears them all: loopback is a whole network.
    let addresses: Vec<SocketAddr> = (1..=10).map(|n| ([127, 0, 7, n], port).into()).collect();
    for &address in &addresses {
        coordinator.add(address, PACE).unwrap();
    }
    let dead =
        |&address: &SocketAddr| coordinator.status(address).unwrap().state == PulseState::Dead;
    until("all are dead", || addresses.iter().all(dead)).await;
    assert_eq!(coordinator.notices().appended(), 10);
    assert_eq!(soon(notices.next()).await, Reading::Lagged(8));
    assert!(matches!(soon(notices.next()).await, Reading::Event(_)));
}

#[tokio::test]
async fn who_is_stopped_asks_nobody() {
    let pulser = Pulser::start(free(), label()).await.unwrap();
    let (coordinator, _notices) = Coordinator::start(free(), label(), 2).await.unwrap();
    coordinator.add(pulser.address(), PACE).unwrap();
    let heard = || coordinator.status(pulser.address()).unwrap().last_heard;
    until("it answers", || heard().is_some()).await;
    coordinator.stop_all();
    let last = heard();
    let quiet = tokio::time::timeout(PACE.delay * 5, std::future::pending::<()>()).await;
    assert!(quiet.is_err());
    assert_eq!(heard(), last);
    coordinator.start_all();
    until("it is asked again", || heard() > last).await;
}

#[tokio::test]
async fn full_nodes_watch_each_other_and_gossip_when_told() {
    let (first, mut notices) = full_node("first").await;
    let (second, _) = full_node("second").await;
    let (third, _) = full_node("third").await;
    for node in [&first, &second] {
        let others = [&first, &second, &third];
        for other in others
            .iter()
            .filter(|other| other.address() != node.address())
        {
            node.coordinator().add(other.address(), PACE).unwrap();
        }
        assert!(
            node.gossip()
                .await
                .iter()
                .all(|result| result.outcome.is_ok())
        );
    }
    let live = |node: &FullNode| node.member().members().live;
    until("all are one group", || {
        [&first, &second, &third].iter().all(|node| live(node) == 3)
    })
    .await;

    second.stop_gossip().await.unwrap();
    until("it left the group", || live(&first) == 2).await;
    let alive = || {
        let status = first.coordinator().status(second.address());
        status.unwrap().state == PulseState::Alive
    };
    until("it answers all the same", alive).await;

    let gone = third.address();
    third.shutdown().await;
    loop {
        let Reading::Event(notice) = soon(notices.next()).await else {
            panic!("a notice");
        };
        if notice.event.status.address == gone {
            assert_eq!(notice.event.status.state, PulseState::Dead);
            break;
        }
    }
}

async fn full_node(
    name: &str,
) -> (
    FullNode,
    auscult_agent::events::EventReader<auscult_agent::roles::Notice>,
) {
    FullNode::start(name, free(), label(), 8).await.unwrap()
}

fn free() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn label() -> Label {
    Label::new("pulse").unwrap()
}
