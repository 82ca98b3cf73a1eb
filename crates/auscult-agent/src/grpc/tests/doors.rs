//! What programs that are no members may ask and say.

use auscult_core::swim::{EventKind, State};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::{channel, config, detector, disseminator, group, start, state, until};
use crate::grpc::generated::swim::{
    DisseminationRequest, IndirectPingRequest, JoinRequest, MembershipUpdateRequest, PingRequest,
};
use crate::keys::{Key, KeyRing};
use crate::{Agent, AgentHandle, Transport};

#[tokio::test]
async fn a_ping_is_answered_by_whom_it_is_meant_for() {
    let [first, second] = group(["node1", "node2"]).await;
    let mut client = detector(&first).await;
    let addresses = [first.address().to_string(), second.address().to_string()];
    let cases = [
        ("1", true),
        ("node1", true),
        (addresses[0].as_str(), true),
        ("what a name server knows by another name", true),
        ("2", false),
        (addresses[1].as_str(), false),
    ];
    for (target, expected) in cases {
        let request = PingRequest {
            sender_id: "9".into(),
            target_id: target.into(),
        };
        let answer = client.ping(request).await.unwrap().into_inner();
        assert_eq!(answer.is_alive, expected, "{target}");
    }
}

#[tokio::test]
async fn an_indirect_ping_goes_through_those_who_are_named() {
    let [first, second, third] = group(["node1", "node2", "node3"]).await;
    let mut client = detector(&first).await;
    let mut ask = async |target: &str, proxies: &[&AgentHandle]| {
        let request = IndirectPingRequest {
            requester_id: "9".into(),
            target_id: target.into(),
            proxy_nodes: proxies
                .iter()
                .map(|agent| agent.address().to_string())
                .collect(),
        };
        let answer = client.indirect_ping(request).await;
        answer.map(|answer| answer.into_inner().success)
    };
    let target = third.address().to_string();
    assert!(ask(&target, &[]).await.unwrap());
    assert!(ask(&target, &[&first]).await.unwrap());
    assert!(ask(&target, &[&second]).await.unwrap());
    let nobody = ask("127.0.0.1:1", &[]).await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
    third.shutdown().await;
    assert!(!ask(&target, &[&first, &second]).await.unwrap());
    assert!(!ask(&target, &[&second]).await.unwrap());
}

/// Nobody is removed by a call: the member contradicts, and everybody hears of it.
#[tokio::test]
async fn who_is_said_to_have_failed_and_is_well_contradicts() {
    let [first, second, _third] = group(["node1", "node2", "node3"]).await;
    let incarnation = |agent: &AgentHandle| {
        let members = agent.members();
        members.get("node2").unwrap().incarnation
    };
    let mut caller = disseminator(&first).await;
    for (sender, failed) in [("3", "2"), ("nobody", &*second.address().to_string())] {
        let before = incarnation(&first);
        for _ in 0..5 {
            let request = DisseminationRequest {
                sender_id: sender.into(),
                failed_node_id: failed.into(),
            };
            let answer = caller.disseminate(request).await.unwrap();
            assert!(answer.into_inner().success);
        }
        until("it contradicts", || incarnation(&first) > before).await;
        until("it is alive", || {
            state(&first, "node2") == Some(State::Alive)
        })
        .await;
    }
    let request = MembershipUpdateRequest {
        failed_node_id: "node2".into(),
    };
    let before = incarnation(&first);
    let answer = detector(&first).await.update_membership(request).await;
    assert!(answer.unwrap().into_inner().success);
    until("it contradicts", || incarnation(&first) > before).await;
    let events = first.events().since(0, 1_000).events;
    let told = || events.iter().filter_map(|logged| logged.event.of_member());
    let kinds = || told().map(|event| &event.kind);
    let suspected = |kind: &EventKind| matches!(kind, EventKind::Suspected(_));
    let failed = |kind: &EventKind| matches!(kind, EventKind::Failed { .. });
    assert!(kinds().any(suspected) && !kinds().any(failed));
}

/// The member that is asked is itself the accused one.
#[tokio::test]
async fn a_member_that_is_told_of_its_own_failure_contradicts() {
    let agent = start("node1").await;
    let incarnation = || agent.members().me().unwrap().incarnation;
    let before = incarnation();
    let request = DisseminationRequest {
        sender_id: "2".into(),
        failed_node_id: "1".into(),
    };
    let answer = disseminator(&agent).await.disseminate(request).await;
    assert!(answer.unwrap().into_inner().success);
    until("it contradicts", || incarnation() > before).await;
}

#[tokio::test]
async fn who_nobody_knows_cannot_fail() {
    let agent = start("node1").await;
    for failed in ["2", "", "127.0.0.1:1", "no such host:1"] {
        let request = DisseminationRequest {
            sender_id: "1".into(),
            failed_node_id: failed.into(),
        };
        let answer = disseminator(&agent).await.disseminate(request).await;
        assert!(!answer.unwrap().into_inner().success, "{failed}");
    }
}

/// Where members seal what they say, nobody who shows nothing changes anything.
#[tokio::test]
async fn sealed_members_take_no_ones_word() {
    let key = Key::generate().unwrap();
    let sealed = |name: &str| {
        let mut config = config(name);
        config.keys = Some(KeyRing::new(key.clone()));
        Agent::start(config)
    };
    let first = sealed("node1").await.unwrap();
    let second = sealed("node2").await.unwrap();
    let seed = [first.address().to_string()];
    assert_eq!(second.join(&seed).await[0].outcome, Ok(2));
    until("both see both", || first.members().live == 2).await;
    let (mut door, mut asks) = (disseminator(&first).await, detector(&first).await);
    let refused = [
        door.disseminate(DisseminationRequest {
            sender_id: "1".into(),
            failed_node_id: "2".into(),
        })
        .await
        .unwrap_err(),
        door.join(JoinRequest {
            new_node_id: "6".into(),
            new_node_address: "127.0.0.1:1".into(),
        })
        .await
        .unwrap_err(),
        asks.update_membership(MembershipUpdateRequest {
            failed_node_id: "2".into(),
        })
        .await
        .unwrap_err(),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }
    assert_eq!(state(&first, "node2"), Some(State::Alive));
    let ping = PingRequest {
        sender_id: "6".into(),
        target_id: "1".into(),
    };
    assert!(asks.ping(ping).await.unwrap().into_inner().is_alive);
}

/// Members that talk over sockets tell each other where they serve gRPC.
#[tokio::test]
async fn members_on_sockets_are_reached_where_they_say() {
    let on_sockets = |name: &str| {
        let mut config = config(name);
        config.transport = Transport::Sockets;
        config.doors.as_mut().unwrap().detector = Some(super::ANYWHERE.into());
        Agent::start(config)
    };
    let first = on_sockets("node1").await.unwrap();
    let second = on_sockets("node2").await.unwrap();
    let seed = [first.address().to_string()];
    assert_eq!(second.join(&seed).await[0].outcome, Ok(2));
    let at = second.served().detector.unwrap().to_string();
    until("it is told", || {
        let members = first.members();
        let member = members.get("node2");
        member.is_some_and(|member| !member.metadata.is_empty())
    })
    .await;
    let mut asks = detector(&first).await;
    for target in [&*at, "2"] {
        let question = IndirectPingRequest {
            requester_id: "9".into(),
            target_id: target.to_owned(),
            proxy_nodes: Vec::new(),
        };
        let answer = asks.indirect_ping(question).await.unwrap();
        assert!(answer.into_inner().success, "{target}");
    }
    let mut door = disseminator(&first).await;
    let list = door.join(JoinRequest {
        new_node_id: "6".into(),
        new_node_address: "127.0.0.1:1".into(),
    });
    assert!(list.await.unwrap().into_inner().membership.contains(&at));
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_others_are_served() {
    let agent = start("node1").await;
    let mut client = detector(&agent).await;
    let request = |length: usize| PingRequest {
        sender_id: "x".repeat(length),
        target_id: "1".into(),
    };
    let refused = client.ping(request(1 << 20)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    assert!(client.ping(request(1)).await.unwrap().into_inner().is_alive);
}

#[tokio::test]
async fn the_services_are_well_and_say_what_they_are() {
    let agent = start("node1").await;
    let served = agent.served();
    for (at, service) in [
        (served.detector, "swim.FailureDetector"),
        (served.detector, "auscult.v1.Transport"),
        (served.dissemination, "swim.Dissemination"),
    ] {
        let channel = channel(at).await;
        for asked in ["", service] {
            let request = HealthCheckRequest {
                service: asked.to_owned(),
            };
            let answer = HealthClient::new(channel.clone()).check(request).await;
            let status = answer.unwrap().into_inner().status();
            assert_eq!(status, ServingStatus::Serving, "{asked}");
        }
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::FileContainingSymbol(service.to_owned())),
        };
        let requests = futures_util::stream::iter([request]);
        let answers = ServerReflectionClient::new(channel)
            .server_reflection_info(requests)
            .await;
        let answer = answers.unwrap().into_inner().message().await.unwrap();
        let described = answer.and_then(|answer| answer.message_response);
        assert!(
            matches!(described, Some(MessageResponse::FileDescriptorResponse(_))),
            "{service}: {described:?}"
        );
    }
}
