//! Members that talk over gRPC alone.

use auscult_core::swim::State;

use super::{config, group, start, state, until};
use crate::grpc::Tls;
use crate::links::{LinkError, LinkRow, collect};
use crate::{Agent, JoinFailure, StartError};

#[tokio::test]
async fn members_find_each_other_and_the_one_that_is_killed() {
    let [first, second, third] = group(["node1", "node2", "node3"]).await;
    third.shutdown().await;
    for agent in [&first, &second] {
        until("it is dead", || state(agent, "node3") == Some(State::Dead)).await;
        assert_eq!(agent.members().live, 2);
    }
    first.leave().await;
    until("it left", || state(&second, "node1") == Some(State::Left)).await;
}

#[tokio::test]
async fn links_are_told_by_all() {
    let [first, _second, third] = group(["node1", "node2", "node3"]).await;
    let rows = collect(&first).await;
    let told = |row: &LinkRow| row.links.clone().map(|links| links.len());
    assert!(rows.iter().map(told).eq([Ok(2); 3]), "{rows:?}");
    third.shutdown().await;
    let rows = collect(&first).await;
    let unanswered = Err(LinkError::Unanswered);
    assert!(
        rows.iter().map(told).eq([Ok(2), Ok(2), unanswered]),
        "{rows:?}"
    );
}

#[tokio::test]
async fn a_member_that_comes_back_is_taken_again() {
    let [first, second] = group(["node1", "node2"]).await;
    let at = second.address();
    second.shutdown().await;
    until("it is dead", || state(&first, "node2") == Some(State::Dead)).await;
    let mut again = config("node2");
    again.bind = at;
    again.join = vec![first.address().to_string()];
    let second = Agent::start(again).await.unwrap();
    until("both are alive", || {
        first.members().live == 2 && second.members().live == 2
    })
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = start("node1").await;
    let mut second = config("node2");
    second.doors.as_mut().unwrap().dissemination = first.served().dissemination;
    let refused = Agent::start(second).await;
    assert!(matches!(
        &refused,
        Err(StartError::Bind { address, .. }) if Some(*address) == first.served().dissemination
    ));
}

/// An authority, and a certificate of it for loopback.
fn authority() -> impl Fn() -> Tls {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, key);
    move || {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let params = rcgen::CertificateParams::new(names).unwrap();
        let own = params.signed_by(&key, &issuer).unwrap();
        Tls::new(
            own.pem().as_bytes(),
            key.serialize_pem().as_bytes(),
            certificate.as_bytes(),
        )
    }
}

#[tokio::test]
async fn with_certificates_only_those_of_one_authority_are_heard() {
    let (ours, others) = (authority(), authority());
    let with = |name: &str, tls: Option<Tls>| {
        let mut config = config(name);
        config.tls = tls;
        Agent::start(config)
    };
    let first = with("node1", Some(ours())).await.unwrap();
    let seed = [first.address().to_string()];
    let second = with("node2", Some(ours())).await.unwrap();
    assert_eq!(second.join(&seed).await[0].outcome, Ok(2));
    for stranger in [Some(others()), None] {
        let stranger = with("node3", stranger).await.unwrap();
        let outcome = &stranger.join(&seed).await[0].outcome;
        assert!(
            matches!(outcome, Err(JoinFailure::Silent(_))),
            "{outcome:?}"
        );
    }
    assert_eq!((first.members().live, second.members().live), (2, 2));
    let nonsense = Tls::new(b"no", b"PEM", b"at all");
    let refused = with("node4", Some(nonsense)).await;
    assert!(matches!(refused, Err(StartError::Tls(_))), "{refused:?}");
}
