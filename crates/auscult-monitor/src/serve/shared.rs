//! The monitor's part of its group, started and ended with the server.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::AgentHandle;
use auscult_agent::http::connections::{ConnectionCounters, ConnectionLimits, serve};
use auscult_agent::http::stop::{Stop, Stopper};
use auscult_core::monitor::observers::ObserversConfig;
use auscult_core::monitor::registry::Revision;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

use super::ServeError;
use crate::engine::Engine;
use crate::etcd;
use crate::observers::{Circle, GroupPost, Observatory, Site, Targets, agent_addr, observe};
use crate::registry::{FileTargets, Refused, Registry, ReloadError};
use crate::replication::http::{Calls, HttpNetwork, routes};
use crate::replication::{Callee, Founding, Journal, Network, NoGroup, Nobody, Node, NodeConfig};
use crate::settings::documents::Sheet;
use crate::shared::{Monitor, SettingsStore};

/// How long to wait until sharing what the settings file says is tried again.
const FOUND_AGAIN: Duration = Duration::from_millis(200);

/// How a monitor takes part in a group of several.
#[derive(Clone, Debug, Default)]
pub struct GroupConfig {
    /// Its name; without one, the one of before, or its address.
    pub name: Option<String>,
    /// Where the others of its group reach it. Without an address, the one of before; without one
    /// before either, nobody reaches it.
    pub raft_bind: Option<SocketAddr>,
    /// That address as the others have to call it, where it is another one.
    pub raft_advertise: Option<String>,
    /// Monitors of the group that it shall join, if it belongs to none yet: where others of a group
    /// reach them, or where clients do.
    pub join: Vec<String>,
    /// What it does where none of those has a group.
    pub no_group: NoGroup,
    /// Where the settings are kept instead, for those who run an etcd already. Then nobody is
    /// joined: the others are found there. Without an address to bind, any free port of the address
    /// of HTTP is taken.
    pub etcd: Option<etcd::Place>,
    /// How that etcd is entered.
    pub etcd_access: etcd::Access,
}

/// Threads that the group has to itself. Beside a change of a hundred thousand targets, which
/// keeps every other thread busy, a leader has to be heard several times a second.
const THREADS: usize = 2;

/// Ends with its owner.
pub(super) struct SharedSettings {
    store: Arc<dyn SettingsStore>,
    /// The group that keeps them, if etcd does not.
    node: Option<Node>,
    etcd: Option<Arc<etcd::Store>>,
    /// The monitors that share them.
    circle: Option<Arc<dyn Circle>>,
    raft_addr: Option<SocketAddr>,
    agent_addr: Option<SocketAddr>,
    stopper: Stopper,
    /// What the group runs on.
    threads: Threads,
}

/// A runtime that may be dropped anywhere.
#[derive(Default)]
struct Threads(Option<Runtime>);

impl Threads {
    /// With what has them do something.
    fn start() -> io::Result<(Self, Handle)> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("auscult-group");
        let runtime = builder.enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok((Self(Some(runtime)), handle))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl SharedSettings {
    /// The folder, if there is one, must be locked by this process.
    pub(super) async fn start(
        folder: Option<PathBuf>,
        http: SocketAddr,
        group: GroupConfig,
    ) -> Result<Self, ServeError> {
        let (threads, handle) = Threads::start()?;
        let started = handle.spawn(Self::start_here(folder, http, group));
        let mut shared = started.await??;
        shared.threads = threads;
        Ok(shared)
    }

    async fn start_here(
        folder: Option<PathBuf>,
        http: SocketAddr,
        group: GroupConfig,
    ) -> Result<Self, ServeError> {
        if let Some(place) = group.etcd.clone() {
            return Self::in_etcd(place, group, http, folder).await;
        }
        let opened = tokio::task::spawn_blocking(move || match folder {
            Some(folder) => Journal::open(&folder),
            None => Journal::in_memory(),
        });
        let journal = opened.await??;
        let bind = match group.raft_bind {
            Some(bind) => Some(bind),
            None => journal.raft_bind()?,
        };
        let (stopper, stop) = Stop::channel();
        let listener = match bind {
            Some(addr) => {
                let bound = TcpListener::bind(addr).await;
                let flag = "--raft-bind";
                Some(bound.map_err(|source| ServeError::Bind { addr, flag, source })?)
            }
            None => None,
        };
        let raft_addr = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let agent_addr = raft_addr.map(agent_addr).transpose()?;
        let monitor = advertised(&group, raft_addr, agent_addr, http)?;
        let config = NodeConfig {
            join: group.join,
            no_group: group.no_group,
            raft_bind: raft_addr,
            ..NodeConfig::new(monitor, seed()?)
        };
        let network: Arc<dyn Network> = match raft_addr {
            Some(_) => Arc::new(HttpNetwork::default()),
            None => Arc::new(Nobody),
        };
        let node = Node::start(config, journal, network).await?;
        if let Some(listener) = listener {
            serve_others(listener, Arc::new(node.clone()), stop);
        }
        Ok(Self {
            store: Arc::new(node.clone()),
            circle: Some(Arc::new(GroupPost(node.clone()))),
            node: Some(node),
            etcd: None,
            raft_addr,
            agent_addr,
            stopper,
            threads: Threads::default(),
        })
    }

    async fn in_etcd(
        place: etcd::Place,
        mut group: GroupConfig,
        http: SocketAddr,
        folder: Option<PathBuf>,
    ) -> Result<Self, ServeError> {
        let access = group.etcd_access.clone();
        let flag = "--raft-bind";
        let addr = (group.raft_bind).unwrap_or_else(|| SocketAddr::new(http.ip(), 0));
        let listener = TcpListener::bind(addr).await;
        let listener = listener.map_err(|source| ServeError::Bind { addr, flag, source })?;
        let raft = listener.local_addr()?;
        let agent = agent_addr(raft)?;
        if raft.ip().is_unspecified() && group.raft_advertise.is_none() {
            let way = place.way_there().await;
            group.raft_advertise = way.map(|ip| SocketAddr::new(ip, raft.port()).to_string());
        }
        let mut monitor = match advertised(&group, Some(raft), Some(agent), http) {
            Ok(monitor) => monitor,
            Err(error) => {
                // etcd may be found later; to watch alone is better than not at all.
                tracing::error!("this monitor observes alone: {error}");
                advertised(&group, None, None, http)?
            }
        };
        if monitor.name.is_empty() {
            // The other port may be another one at every start, and a name is for good.
            monitor.name.clone_from(&monitor.http);
        }
        let store = Arc::new(etcd::Store::start(etcd::StoreConfig {
            place,
            access,
            monitor,
            id: None,
            seed: seed()?,
            timing: etcd::Timing::LAN,
            folder,
        })?);
        let (stopper, stop) = Stop::channel();
        let neighbours = Arc::new(store.neighbours(Arc::new(HttpNetwork::default())));
        serve_others(listener, Arc::clone(&neighbours) as Arc<dyn Callee>, stop);
        Ok(Self {
            store: Arc::clone(&store) as Arc<dyn SettingsStore>,
            node: None,
            etcd: Some(store),
            circle: Some(neighbours),
            raft_addr: Some(raft),
            agent_addr: Some(agent),
            stopper,
            threads: Threads::default(),
        })
    }

    pub(super) fn store(&self) -> Arc<dyn SettingsStore> {
        Arc::clone(&self.store)
    }

    pub(super) const fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    pub(super) const fn raft_addr(&self) -> Option<SocketAddr> {
        self.raft_addr
    }

    /// Observes with the other monitors of the group, where others can reach this one. The agent of
    /// the settings says who lives, if they have one, and else one of this monitor's own.
    pub(super) fn observe(
        &self,
        engine: &Engine,
        registry: &Arc<Registry>,
        agent: &Option<AgentHandle>,
        stop: &Stop,
    ) -> Option<Observatory> {
        observe(Site {
            circle: Arc::clone(self.circle.as_ref()?),
            agent_bind: self.agent_addr?,
            agent: agent.clone(),
            engine: engine.clone(),
            targets: Arc::clone(registry) as Arc<dyn Targets>,
            config: ObserversConfig::server(),
            stop: stop.clone(),
        })
    }

    /// What becomes of the targets of the settings file.
    pub(super) const fn file_targets(&self) -> FileTargets {
        match self.raft_addr {
            Some(_) => FileTargets::OfGroup,
            None => FileTargets::Own,
        }
    }

    /// What the group begins with, if this monitor begins it or may yet.
    pub(super) async fn first_settings(
        &self,
        file: Option<&PathBuf>,
    ) -> Result<Option<Sheet>, ServeError> {
        let Some(file) = file.cloned() else {
            return Ok(None);
        };
        let begun = (self.node.as_ref()).is_some_and(|node| node.founding() == Founding::Settled);
        if self.file_targets() == FileTargets::Own || begun {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || Sheet::of_settings_file(&file));
        Ok(Some(read.await?.map_err(ReloadError::Settings)?))
    }

    /// Makes live what the settings say that monitors share, beginning with `first`.
    pub(super) fn follow(&self, registry: &Arc<Registry>, first: Option<Sheet>, stop: &Stop) {
        tokio::spawn(Arc::clone(registry).follow(stop.clone()));
        if let Some(sheet) = first {
            let (node, registry, stop) = (self.node.clone(), Arc::clone(registry), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = found(node, registry, sheet) => {}
                    () = stop.stopped() => {}
                }
            });
        }
    }

    pub(super) async fn stop(&self) {
        if let Some(node) = &self.node {
            node.stop().await;
        }
        if let Some(etcd) = &self.etcd {
            etcd.leave().await;
        }
        self.stopper.stop();
    }
}

impl Drop for SharedSettings {
    fn drop(&mut self) {
        if let Some(node) = &self.node {
            node.abort();
        }
    }
}

/// Answers the other monitors until `stop`.
fn serve_others(listener: TcpListener, callee: Arc<dyn Callee>, stop: Stop) {
    let calls = Calls::new();
    calls.answer(callee);
    let counters = Arc::new(ConnectionCounters::default());
    let limits = ConnectionLimits::default();
    tokio::spawn(serve(listener, routes(calls), limits, counters, stop));
}

/// The monitor as the others shall know it.
fn advertised(
    group: &GroupConfig,
    raft: Option<SocketAddr>,
    agent: Option<SocketAddr>,
    http: SocketAddr,
) -> Result<Monitor, ServeError> {
    let raft = match (&group.raft_advertise, raft) {
        (Some(name), _) => name.clone(),
        (None, Some(addr)) if addr.ip().is_unspecified() => {
            return Err(ServeError::Unspecified(addr));
        }
        (None, Some(addr)) => addr.to_string(),
        (None, None) => String::new(),
    };
    // Where the group reaches it, its clients do as well.
    let host = match raft.rsplit_once(':') {
        Some((host, _)) if http.ip().is_unspecified() => host.to_owned(),
        Some(_) | None => host_of(http.ip()),
    };
    let agent = match (raft.rsplit_once(':'), agent) {
        (Some((host, _)), Some(agent)) => format!("{host}:{}", agent.port()),
        (None, _) | (_, None) => String::new(),
    };
    Ok(Monitor {
        name: group.name.clone().unwrap_or_default(),
        http: format!("{host}:{}", http.port()),
        raft,
        agent,
    })
}

fn host_of(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Shares what the settings file says that the group begins with, however long it takes until the
/// group can decide; nothing, where another monitor began the group.
async fn found(node: Option<Node>, registry: Arc<Registry>, sheet: Sheet) {
    let mut told = false;
    loop {
        match founding(node.as_ref(), &registry).await {
            Founding::Settled => return,
            Founding::Open => {}
            Founding::Owed => match registry.begin_with(sheet.clone()).await {
                Ok(settings) => {
                    tracing::info!(settings, "the group begins with the settings file");
                    if let Some(node) = &node {
                        node.settle_founding().await;
                    }
                    return;
                }
                Err(Refused::NoLeader { .. } | Refused::Unclear) => {}
                Err(refused) if !told => {
                    told = true;
                    tracing::error!("the group does not begin with the settings file: {refused}");
                }
                Err(_) => {}
            },
        }
        tokio::time::sleep(FOUND_AGAIN).await;
    }
}

/// What the settings file is to the group. Of those who meet in etcd nobody began it: whoever finds
/// no settings there brings the first.
async fn founding(node: Option<&Node>, registry: &Registry) -> Founding {
    let Some(node) = node else {
        return match registry.shared().confirm().await {
            Ok(revision) if revision == Revision::NONE => Founding::Owed,
            Ok(_) => Founding::Settled,
            Err(_) => Founding::Open,
        };
    };
    node.founding()
}

/// Different at every start, so that no id is given twice.
fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}
