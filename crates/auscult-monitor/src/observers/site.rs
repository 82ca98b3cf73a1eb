//! Observing in the group that shares the settings: over its network, with an agent of its own to
//! know who lives.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use auscult_agent::http::stop::Stop;
use auscult_agent::{Agent, AgentConfig, AgentHandle};
use auscult_core::monitor::observers::{Liveness, MonitorName, ObserversConfig, Seat};
use auscult_core::swim::{Label, MemberName, Params, State};
use tokio::net::lookup_host;

use super::{Circle, Group, Observatory, Parts, Post, Targets};
use crate::engine::Engine;
use crate::shared::Monitor;

/// How far the agent's port is from that of the group, so that one number describes both.
const AGENT_PORT_OFFSET: u16 = 100;

/// How often it is looked whether the group has monitors that the agent does not know.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long saying goodbye may take.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// What is needed to observe in a group.
pub struct Site {
    /// The monitors that share the settings.
    pub circle: Arc<dyn Circle>,
    /// Where its agent is to listen; see [`agent_addr`].
    pub agent_bind: SocketAddr,
    /// The agent of the settings, where they have one: then it is used.
    pub agent: Option<AgentHandle>,
    /// What judges here.
    pub engine: Engine,
    /// What is watched.
    pub targets: Arc<dyn Targets>,
    /// How to observe.
    pub config: ObserversConfig,
    /// Ends it.
    pub stop: Stop,
}

/// Where the agent of a monitor listens: beside where the group reaches it, 100 ports higher; or at
/// any free port, where that one is taken.
///
/// # Errors
/// The system has no free port.
pub fn agent_addr(raft: SocketAddr) -> std::io::Result<SocketAddr> {
    if let Some(port) = raft.port().checked_add(AGENT_PORT_OFFSET) {
        let wanted = SocketAddr::new(raft.ip(), port);
        if UdpSocket::bind(wanted).is_ok() && TcpListener::bind(wanted).is_ok() {
            return Ok(wanted);
        }
        tracing::warn!(%wanted, "the port for the agent of the group is taken; another one is used");
    }
    UdpSocket::bind(SocketAddr::new(raft.ip(), 0))?.local_addr()
}

/// Begins to observe with the other monitors of the group, whenever there are any. None where the
/// name of this monitor cannot be that of an observer.
#[must_use]
pub fn observe(site: Site) -> Option<Observatory> {
    let Site {
        circle,
        agent_bind,
        agent,
        engine,
        targets,
        config,
        stop,
    } = site;
    let name = circle.me().name;
    let name = match MonitorName::new(&name) {
        Ok(name) => name,
        Err(error) => {
            tracing::error!(
                "this monitor observes alone: its name, {name:?}, cannot be that of an observer \
                 ({error}); give it another one with --name"
            );
            return None;
        }
    };
    let group = Arc::new(SharedGroup {
        circle: Arc::clone(&circle),
        agent: ArcSwapOption::new(agent.clone().map(Arc::new)),
    });
    let observatory = Observatory::start(Parts {
        config,
        name,
        engine,
        targets,
        group: Arc::clone(&group) as Arc<dyn Group>,
        post: Arc::clone(&circle) as Arc<dyn Post>,
        stop: stop.clone(),
    });
    circle.set_colleague(Arc::new(observatory.clone()));
    if agent.is_none() {
        tokio::spawn(group.keep_agent(agent_bind, stop));
    }
    Some(observatory)
}

/// The monitors that share the settings, alive as the agent says.
struct SharedGroup {
    circle: Arc<dyn Circle>,
    agent: ArcSwapOption<AgentHandle>,
}

impl Group for SharedGroup {
    fn seats(&self) -> Vec<Seat> {
        // Before there is an agent, nobody is heard, but the group is known.
        let agent = self.agent.load();
        let members = agent.as_ref().map(|agent| agent.members());
        let is_live = |name: &str| {
            let mut members = members.iter().flat_map(|members| &members.members);
            let found = members.find(|it| *it.name == *name);
            found.is_some_and(|member| match member.state {
                State::Alive | State::Suspect => true,
                State::Dead | State::Left => false,
            })
        };
        let monitors = self.circle.monitors().into_iter();
        let seats = monitors.filter_map(|monitor| {
            let name = MonitorName::new(&monitor.name).ok()?;
            let liveness = match is_live(&name) {
                true => Liveness::Live,
                false => Liveness::Gone,
            };
            Some(Seat { name, liveness })
        });
        seats.collect()
    }
}

impl SharedGroup {
    /// Runs an agent as soon as there is a group of several, and lets it know all of them.
    async fn keep_agent(self: Arc<Self>, bind: SocketAddr, stop: Stop) {
        let mut complained = false;
        loop {
            let (label, me) = (self.circle.label(), self.circle.me());
            let monitors = self.circle.monitors().into_iter();
            let others: BTreeMap<String, String> = monitors
                .filter(|monitor| monitor.name != me.name && !monitor.agent.is_empty())
                .map(|monitor| (monitor.name, monitor.agent))
                .collect();
            match self.agent.load_full() {
                None if others.is_empty() || label.is_empty() => {}
                None => match start(&me, &label, bind, &others).await {
                    Ok(agent) => self.agent.store(Some(Arc::new(agent))),
                    Err(text) if complained => tracing::debug!("{text}"),
                    Err(text) => {
                        complained = true;
                        tracing::error!("other monitors cannot be observed with: {text}");
                    }
                },
                Some(agent) => {
                    let unknown = unknown(&agent, others);
                    if !unknown.is_empty() {
                        let _joined = agent.join(&unknown).await;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.clone().stopped() => break,
            }
        }
        if let Some(agent) = self.agent.load_full() {
            let _silent = tokio::time::timeout(LEAVE_MAX, agent.leave()).await;
        }
    }
}

/// Addresses of agents that this one has never heard of.
fn unknown(agent: &AgentHandle, mut others: BTreeMap<String, String>) -> Vec<String> {
    for member in &agent.members().members {
        others.remove(&*member.name);
    }
    others.into_values().collect()
}

async fn start(
    me: &Monitor,
    group: &str,
    bind: SocketAddr,
    others: &BTreeMap<String, String>,
) -> Result<AgentHandle, String> {
    let member = MemberName::new(&me.name).map_err(|error| error.to_string())?;
    let label = Label::new(group).map_err(|error| error.to_string())?;
    let mut config = AgentConfig::new(member, bind, Params::lan(label));
    if bind.ip().is_unspecified() {
        let found = lookup_host(&me.agent).await;
        let found = found.map_err(|error| format!("{} is not found: {error}", me.agent))?;
        config.advertise = found
            .into_iter()
            .find(|addr| addr.is_ipv4() == bind.is_ipv4());
    }
    config.join = others.values().cloned().collect();
    let started = Agent::start(config).await;
    started.map_err(|error| error.to_string())
}
