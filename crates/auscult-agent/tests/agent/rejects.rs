//! What an agent tells its operator of messages that it does not take.

use std::net::SocketAddr;

use auscult_agent::keys::{Key, KeyRing};
use auscult_agent::layers::LayerReject;
use auscult_agent::{Agent, AgentConfig, AgentEvent, AgentHandle, RejectReason, Rejection};
use auscult_core::swim::{Body, Label, MemberName, Mode, Packet, Reject};

use crate::harness::{config, start, until};

fn rejections(agent: &AgentHandle) -> Vec<Rejection> {
    let log = agent.events().since(0, 1_000).events;
    let mut rejections = Vec::new();
    for logged in log {
        if let AgentEvent::Rejected(rejection) = &logged.event {
            rejections.push(*rejection);
        }
    }
    rejections
}

#[tokio::test]
async fn a_member_with_another_key_is_an_event_however_often_it_tries() {
    let ring = |byte| KeyRing::new(Key::new([byte; 32]));
    let with = |name: &str, byte| AgentConfig {
        keys: Some(ring(byte)),
        ..config(name)
    };
    let first = Agent::start(with("first", 1)).await.unwrap();
    let stranger = Agent::start(with("stranger", 2)).await.unwrap();
    let seeds = [first.address().to_string()];
    for _ in 0..3 {
        assert!(stranger.join(&seeds).await[0].outcome.is_err());
    }
    let counted = || first.counters().layer_rejected(LayerReject::UnknownKey);
    until("all are counted", || counted() >= 3).await;
    let said = rejections(&first);
    let reason = RejectReason::Layer(LayerReject::UnknownKey);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((said[0].reason, said[0].count), (reason, 1));
}

#[tokio::test]
async fn a_member_of_another_cluster_is_an_event() {
    let first = start("first").await;
    let from: SocketAddr = ([127, 0, 0, 1], 9).into();
    let other = Label::new("other").unwrap().tag();
    let id = MemberName::new("second").unwrap().id();
    for _ in 0..3 {
        let packet = Packet::bare(other, id, Body::Gossip);
        first.take_packet(from, packet).await.unwrap();
    }
    let counted = || first.counters().swim.rejected(Reject::Label);
    until("all are counted", || counted() == 3).await;
    let expected = Rejection {
        reason: RejectReason::Machine(Reject::Label),
        from: Some(from),
        count: 1,
    };
    assert_eq!(rejections(&first), [expected]);
}

#[tokio::test]
async fn a_change_of_mode_is_an_event() {
    let first = start("first").await;
    let second = start("second").await;
    second.join(&[first.address().to_string()]).await;
    first.set_direct_limit(0).await.unwrap();
    until("it is gossip", || first.mode() == Mode::Gossip).await;
    let log = first.events().since(0, 1_000).events;
    let mut changed = None;
    for logged in &log {
        if let AgentEvent::ModeChanged { mode, members } = &logged.event {
            changed = Some((*mode, *members, &*logged.text));
        }
    }
    let text = "gossip from now on, among 2 live members";
    assert_eq!(changed, Some((Mode::Gossip, 2, text)));
}
