//! Who the peers are: those that the settings name, and the members of the group.

use std::collections::BTreeSet;
use std::sync::Arc;

use auscult_agent::AgentHandle;
use auscult_agent::http::stop::Stop;
use auscult_core::id::TargetId;
use auscult_core::swim::State;
use auscult_core::time::Instant;

use tokio::sync::watch;

use super::PeerMonitor;
use crate::registry::Registry;
use crate::settings::PeerMetricSettings;

/// Says who the peers are, and keeps that as settings and members are, until `stop`. `remembered`
/// are those that an earlier process told of: they stay for a retention, as their group may not be
/// known here yet.
pub(crate) fn start(
    monitor: PeerMonitor,
    registry: Arc<Registry>,
    agent: Option<AgentHandle>,
    remembered: BTreeSet<TargetId>,
    stop: Stop,
) {
    let taken = registry.taken();
    let settings = registry.settings();
    monitor.configure(settings.peer_metrics.config.clone());
    let mut peers = Peers::new(&monitor, &settings.peer_metrics, remembered);
    if let Some(agent) = &agent {
        peers.take_members(agent);
    }
    // Before anybody publishes, or peers that are known would be refused.
    peers.tell(&monitor);
    tokio::spawn(follow(monitor, registry, taken, agent, peers, stop));
}

async fn follow(
    monitor: PeerMonitor,
    registry: Arc<Registry>,
    mut taken: watch::Receiver<()>,
    agent: Option<AgentHandle>,
    mut peers: Peers,
    stop: Stop,
) {
    let mut members = agent.as_ref().map(|agent| agent.events().subscribe());
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        if let Some(agent) = &agent {
            peers.take_members(agent);
        }
        peers.tell(&monitor);
        let regrouped = async {
            match &mut members {
                // The handle keeps the sender alive, so there is no error; when the agent has
                // ended, the members of before go on being judged.
                Some(members) => drop(members.changed().await),
                None => std::future::pending().await,
            }
        };
        let forgotten = async {
            match peers.forget_at {
                Some(at) => tokio::time::sleep_until(monitor.clock().std(at).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut stopped => return,
            () = regrouped => {}
            () = forgotten => peers.forget_remembered(),
            changed = taken.changed() => {
                if changed.is_err() {
                    return;
                }
                let settings = registry.settings();
                monitor.configure(settings.peer_metrics.config.clone());
                peers.named.clone_from(&settings.peer_metrics.peers);
            }
        }
    }
}

/// Where peers come from.
struct Peers {
    named: BTreeSet<TargetId>,
    members: BTreeSet<TargetId>,
    remembered: BTreeSet<TargetId>,
    /// When those are forgotten, unless they came by then.
    forget_at: Option<Instant>,
    /// What the machine was told last.
    told: Option<Vec<TargetId>>,
}

impl Peers {
    fn new(
        monitor: &PeerMonitor,
        settings: &PeerMetricSettings,
        remembered: BTreeSet<TargetId>,
    ) -> Self {
        let retention = settings.config.params().retention;
        let forget_at = monitor.clock().now().after(retention);
        Self {
            named: settings.peers.clone(),
            members: BTreeSet::new(),
            forget_at: (!remembered.is_empty()).then_some(forget_at),
            remembered,
            told: None,
        }
    }

    /// One that has failed is a peer until the group forgets it, else its alert would be over when
    /// it has just died. One that left is none.
    fn take_members(&mut self, agent: &AgentHandle) {
        let members = agent.members();
        let members = members.members.iter();
        let present = members.filter(|member| match member.state {
            State::Alive | State::Suspect | State::Dead => true,
            State::Left => false,
        });
        self.members = present
            .filter_map(|member| TargetId::new(member.name.as_str()).ok())
            .collect();
    }

    fn forget_remembered(&mut self) {
        self.remembered.clear();
        self.forget_at = None;
    }

    fn tell(&mut self, monitor: &PeerMonitor) {
        let known = self.named.iter().chain(&self.members);
        let all: BTreeSet<&TargetId> = known.chain(&self.remembered).collect();
        let all: Vec<TargetId> = all.into_iter().cloned().collect();
        if self.told.as_ref() != Some(&all) {
            monitor.set_peers(&all);
            self.told = Some(all);
        }
    }
}
