//! Agents at free ports of loopback, and waiting for what must come.

use std::time::Duration;

use auscult_agent::{Agent, AgentConfig, AgentHandle};
use auscult_core::swim::{Label, MemberName, Params, State};

/// An agent of the cluster `test`, as [`config`] says.
pub(crate) async fn start(name: &str) -> AgentHandle {
    Agent::start(config(name)).await.unwrap()
}

/// A member of the cluster `test` at a free port.
pub(crate) fn config(name: &str) -> AgentConfig {
    let params = Params::local(Label::new("test").unwrap());
    let name = MemberName::new(name).unwrap();
    AgentConfig::new(name, ([127, 0, 0, 1], 0).into(), params)
}

/// What an agent says of a member.
pub(crate) fn state(agent: &AgentHandle, name: &str) -> Option<State> {
    agent.members().get(name).map(|member| member.state)
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let deadline = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds() {
            ticks.tick().await;
        }
    });
    assert!(deadline.await.is_ok(), "not in time: {what}");
}

/// What must come, with a deadline.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let deadline = tokio::time::timeout(Duration::from_secs(30), what);
    deadline.await.expect("it comes in time")
}
