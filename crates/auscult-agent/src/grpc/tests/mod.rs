//! Agents that serve and speak gRPC, on loopback and free ports.

mod doors;
mod guest;
mod hostile;
mod metrics;
mod transport;

use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::swim::{Label, MemberName, Params, State};
use tonic::transport::Channel;

use super::generated::swim::dissemination_client::DisseminationClient;
use super::generated::swim::failure_detector_client::FailureDetectorClient;
use super::{DoorsConfig, Speech};
use crate::{Agent, AgentConfig, AgentHandle, Transport};

const ANYWHERE: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A member that is reached over gRPC and serves everything.
fn config(name: &str) -> AgentConfig {
    let mut params = Params::local(Label::new("test").unwrap());
    // Faster than on real networks, so that tests do not wait.
    params.probe_interval = Duration::from_millis(250);
    params.probe_timeout = Duration::from_millis(100);
    let name = MemberName::new(name).unwrap();
    let mut config = AgentConfig::new(name.clone(), ANYWHERE.into(), params);
    config.transport = Transport::Grpc;
    config.doors = Some(DoorsConfig {
        node: super::node::NodeId::of(&name).to_owned(),
        detector: None,
        dissemination: Some(ANYWHERE.into()),
        members: Vec::new(),
        sentences: Speech::Silent,
    });
    config
}

async fn start(name: &str) -> AgentHandle {
    Agent::start(config(name)).await.unwrap()
}

/// Members that know each other.
async fn group<const N: usize>(names: [&str; N]) -> [AgentHandle; N] {
    let mut agents = Vec::new();
    for name in names {
        agents.push(start(name).await);
    }
    let seed = [agents[0].address().to_string()];
    for agent in &agents[1..] {
        assert!(agent.join(&seed).await[0].outcome.is_ok());
    }
    for agent in &agents {
        until("all see all", || agent.members().live == N).await;
    }
    agents.try_into().unwrap()
}

fn state(agent: &AgentHandle, name: &str) -> Option<State> {
    agent.members().get(name).map(|member| member.state)
}

async fn channel(at: Option<SocketAddr>) -> Channel {
    let endpoint = super::endpoint(None, &at.unwrap().to_string()).unwrap();
    endpoint.connect().await.unwrap()
}

async fn detector(agent: &AgentHandle) -> FailureDetectorClient<Channel> {
    FailureDetectorClient::new(channel(agent.served().detector).await)
}

async fn disseminator(agent: &AgentHandle) -> DisseminationClient<Channel> {
    DisseminationClient::new(channel(agent.served().dissemination).await)
}

/// Waits for a condition, with a deadline.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds() {
            ticks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "in 30 s it was never so that {what}");
}
