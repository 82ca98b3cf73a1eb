//! A whole server in one process: everything is bound first, then started, and ended in an orderly
//! way.

mod shared;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auscult_agent::AgentHandle;
use tokio::net::TcpListener;
use tokio::task::JoinError;

use crate::alerts::AlertDesk;
use crate::api::{self, ApiParts, ApiState, ConnectionCounters, ConnectionLimits, Stop, Stopper};
use crate::check::{CheckRunner, RunnerConfig};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::etcd::NoAccess;
use crate::events::EventLog;
use crate::history::History;
use crate::ingest::udp::BoundUdp;
use crate::ingest::{Admission, UdpReceiver};
use crate::membership::{self, MembershipError, MembershipFlags};
use crate::observers::Observatory;
use crate::peer_metrics::PeerMonitor;
use crate::registry::{Registry, ReloadError, Reloaded};
use crate::replication::{Node, StartError};
use crate::settings::Settings;
use crate::settings::documents::Sheet;
use crate::shared::SettingsStore;
use crate::store::{AlertStore, Folder, ReadingStore, SavedReadings, SavedTexts, StoreError};
use shared::SharedSettings;

pub use shared::GroupConfig;

/// How long the end of the server may take. What does not end by itself in that time is ended.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// How long saying goodbye to the group may take.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// What a server reads once, at its start.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Where HTTP is served; port 0 takes a free one.
    pub http_bind: SocketAddr,
    /// Where heartbeats are taken over UDP, if they are; port 0 takes a free one.
    pub udp_bind: Option<SocketAddr>,
    /// The settings file. Without one, targets are added over the API.
    pub settings: Option<PathBuf>,
    /// Where changes made over the API are kept. Without one, they are lost at the end.
    pub data_dir: Option<PathBuf>,
    /// How it takes part in a group of several monitors.
    pub group: GroupConfig,
    /// What is said of the group beside the settings.
    pub member: MembershipFlags,
}

impl ServeConfig {
    /// Everything on free ports of this host, and nothing kept.
    #[must_use]
    pub fn ephemeral() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            http_bind: any,
            udp_bind: Some(any),
            settings: None,
            data_dir: None,
            group: GroupConfig::default(),
            member: MembershipFlags::default(),
        }
    }
}

/// Why a server could not start. State: nothing was changed, and nothing runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// An address cannot be used.
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The flag that names it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The settings cannot be used.
    Settings(ReloadError),
    /// The data folder cannot be used.
    Store(StoreError),
    /// Others do not reach it where it listens for them, and no other address was named.
    Unspecified(SocketAddr),
    /// The shared settings cannot be used.
    Shared(StartError),
    /// The etcd that keeps the shared settings cannot be entered.
    Etcd(NoAccess),
    /// It cannot become a member of its group.
    Membership(MembershipError),
    /// The system has no thread or socket for us.
    System(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { addr, flag, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "{addr} is in use by another process; stop it, or choose another address with {flag}"
                )
            }
            Self::Bind { addr, flag, source } => {
                write!(
                    f,
                    "{addr} cannot be used: {source}; choose another address with {flag}"
                )
            }
            Self::Settings(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Unspecified(addr) => write!(
                f,
                "{addr} is no address at which other monitors reach this one; name one with \
                 --raft-advertise, for example --raft-advertise 10.0.0.1:{}",
                addr.port()
            ),
            Self::Shared(error) => error.fmt(f),
            Self::Etcd(error) => error.fmt(f),
            Self::Membership(error) => error.fmt(f),
            Self::System(error) => write!(f, "the system refused what a server needs: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<MembershipError> for ServeError {
    fn from(error: MembershipError) -> Self {
        Self::Membership(error)
    }
}

impl From<NoAccess> for ServeError {
    fn from(error: NoAccess) -> Self {
        Self::Etcd(error)
    }
}

impl From<StartError> for ServeError {
    fn from(error: StartError) -> Self {
        Self::Shared(error)
    }
}

impl From<StoreError> for ServeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ReloadError> for ServeError {
    fn from(error: ReloadError) -> Self {
        Self::Settings(error)
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<JoinError> for ServeError {
    fn from(error: JoinError) -> Self {
        Self::System(io::Error::other(error))
    }
}

/// A server that has its sockets, its settings and its store, and does not run yet.
pub struct Server {
    http: TcpListener,
    udp: Option<BoundUdp>,
    http_addr: SocketAddr,
    udp_addr: Option<SocketAddr>,
    engine: Engine,
    checks: Arc<CheckRunner>,
    registry: Arc<Registry>,
    settings: Settings,
    stopper: Stopper,
    stop: Stop,
    agent: Option<AgentHandle>,
    shared: SharedSettings,
    first_settings: Option<Sheet>,
    _folder: Option<Folder>,
    alerts: AlertDesk,
    peer_metrics: PeerMonitor,
    history: Option<History>,
}

/// Makes a running server read its settings file again.
#[derive(Clone)]
pub struct ReloadHandle(Arc<Registry>);

impl ReloadHandle {
    /// Reads the settings file and makes it so.
    ///
    /// # Errors
    /// Why not. State: the settings before are in force.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let registry = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || registry.reload()).await {
            Ok(outcome) => outcome,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Server {
    /// Binds the addresses, opens the store and reads the settings.
    ///
    /// # Errors
    /// What is missing. Nothing is left behind but an empty data folder.
    pub async fn bind(config: ServeConfig) -> Result<Self, ServeError> {
        let ServeConfig {
            http_bind,
            udp_bind,
            settings,
            data_dir,
            group,
            member,
        } = config;
        let bind_error = |addr, flag| move |source| ServeError::Bind { addr, flag, source };
        // Read first: a mistake in the file should be told even where the port is taken.
        let file = settings;
        let settings = load(file.clone()).await?;
        let http = TcpListener::bind(http_bind).await;
        let http = http.map_err(bind_error(http_bind, "--http-bind"))?;
        let udp = udp_bind.map(|addr| BoundUdp::bind(addr).map_err(bind_error(addr, "--udp-bind")));
        let udp = udp.transpose()?;
        let agent = match member.over(settings.membership.clone()) {
            Some(group) => Some(membership::start(&group).await?),
            None => None,
        };
        let kept = open_folder(data_dir.clone()).await?;
        let shared = SharedSettings::start(data_dir.clone(), http.local_addr()?, group).await?;
        let clock = Clock::new();
        let events = EventLog::new(clock.clone());
        let engine = Engine::start(settings.observer.clone(), clock.clone(), events)?;
        let checks = CheckRunner::start(engine.clone(), clock, RunnerConfig::detect());
        let checks = checks.map(Arc::new)?;
        let first_settings = shared.first_settings(file.as_ref()).await?;
        let (store, file_targets) = (shared.store(), shared.file_targets());
        let registry = Registry::new(
            engine.clone(),
            Arc::clone(&checks),
            store,
            file,
            file_targets,
        );
        let alerts = AlertDesk::sharing(
            engine.clock().clone(),
            &settings.alerts,
            &*shared.store(),
            kept.alerts,
        );
        let peer_config = settings.peer_metrics.config.clone();
        let peer_metrics = PeerMonitor::start(peer_config, engine.clock().clone());
        if let Some(opened) = kept.readings {
            peer_metrics.keep_in(opened);
        }
        let (stopper, stop) = Stop::channel();
        Ok(Self {
            alerts,
            peer_metrics,
            history: data_dir.as_deref().map(|path| History::new(path, &engine)),
            http_addr: http.local_addr()?,
            udp_addr: udp.as_ref().map(BoundUdp::local_addr).transpose()?,
            http,
            udp,
            engine,
            checks,
            registry: Arc::new(registry),
            settings,
            stopper,
            stop,
            agent,
            shared,
            first_settings,
            _folder: kept.folder,
        })
    }

    /// Where HTTP is served.
    #[must_use]
    pub const fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where heartbeats are taken over UDP, if they are.
    #[must_use]
    pub const fn udp_addr(&self) -> Option<SocketAddr> {
        self.udp_addr
    }

    /// The agent that makes it a member of a group, if it is one.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentHandle> {
        self.agent.as_ref()
    }

    /// What decides what people are told.
    #[must_use]
    pub const fn alerts(&self) -> &AlertDesk {
        &self.alerts
    }

    /// What keeps the metrics of peers.
    #[must_use]
    pub const fn peer_metrics(&self) -> &PeerMonitor {
        &self.peer_metrics
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is watched.
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Where other monitors reach it, if they do.
    #[must_use]
    pub const fn raft_addr(&self) -> Option<SocketAddr> {
        self.shared.raft_addr()
    }

    /// Its part of the group that keeps the shared settings, if etcd does not.
    #[must_use]
    pub const fn node(&self) -> Option<&Node> {
        self.shared.node()
    }

    /// The settings that it shares with the other monitors of its group.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn SettingsStore> {
        self.shared.store()
    }

    /// Something to reload the settings with while the server runs.
    #[must_use]
    pub fn reload_handle(&self) -> ReloadHandle {
        ReloadHandle(Arc::clone(&self.registry))
    }

    /// Starts what follows events: whoever observes together with others, who is told of them, what
    /// is kept of them, and the members that are targets.
    fn start_followers(&self) -> io::Result<Option<Observatory>> {
        if let Some(history) = &self.history {
            let checks = Arc::clone(&self.checks);
            history.start(self.engine.clone(), checks, Arc::clone(&self.registry))?;
        }
        let (shared, registry) = (&self.shared, Arc::clone(&self.registry));
        let observatory = shared.observe(&self.engine, &registry, &self.agent, &self.stop);
        self.alerts.start(
            self.engine.clone(),
            registry,
            observatory.clone(),
            self.stop.clone(),
        );
        let registry = Arc::clone(&self.registry);
        let agent = self.agent.clone();
        self.peer_metrics.follow(
            &self.alerts,
            registry,
            agent,
            observatory.clone(),
            &self.stop,
        );
        if let Some(agent) = &self.agent {
            let registry = Arc::clone(&self.registry);
            tokio::spawn(membership::follow(
                agent.clone(),
                registry,
                self.stop.clone(),
            ));
        }
        Ok(observatory)
    }

    /// Runs until `shutdown`, and then ends within 5 s: no new connections, no more checks, streams
    /// closed, requests under way answered, queued heartbeats read.
    ///
    /// # Errors
    /// Why it could not start.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let registry = Arc::clone(&self.registry);
        let settings = std::mem::take(&mut self.settings);
        tokio::task::spawn_blocking(move || registry.take(settings)).await??;
        let observatory = self.start_followers()?;
        let first = self.first_settings.take();
        self.shared.follow(&self.registry, first, &self.stop);
        let admission = Arc::clone(&self.registry) as Arc<dyn Admission>;
        let key = self.registry.key();
        let receiver = |udp| UdpReceiver::start(udp, self.engine.clone(), admission, key);
        let receiver = self.udp.map(receiver).transpose()?.map(Arc::new);
        if let Some(receiver) = &receiver {
            self.engine.add_drain_source(receiver.drain_source());
        }
        let connections = Arc::new(ConnectionCounters::default());
        let state = ApiState::new(ApiParts {
            engine: self.engine.clone(),
            registry: Arc::clone(&self.registry),
            checks: Arc::clone(&self.checks),
            udp: receiver.clone(),
            stop: self.stop.clone(),
            connections: Arc::clone(&connections),
            agent: self.agent.clone(),
            node: self.shared.node().cloned(),
            observatory,
            alerts: self.alerts.clone(),
            peer_metrics: self.peer_metrics.clone(),
            history: self.history.clone(),
        });
        let limits = ConnectionLimits::default();
        let served = api::serve(
            self.http,
            api::router(state),
            limits,
            connections,
            self.stop,
        );
        let served = tokio::spawn(served);
        tracing::info!(http = %self.http_addr, udp = ?self.udp_addr, "ready");

        shutdown.await;
        tracing::info!("ending");
        self.stopper.stop();
        let (checks, engine, agent, shared) = (self.checks, self.engine, self.agent, self.shared);
        let (alerts, peer_metrics, history) = (self.alerts, self.peer_metrics, self.history);
        let end = async {
            if let Some(agent) = agent {
                // Whoever is not heard in that time is found out by the others.
                let _silent = tokio::time::timeout(LEAVE_MAX, agent.leave()).await;
            }
            checks.shutdown().await;
            engine.clear_drain_sources();
            if let Some(receiver) = receiver {
                let _ended = tokio::task::spawn_blocking(move || receiver.stop()).await;
            }
            let _ended = served.await;
            peer_metrics.shutdown().await;
            alerts.stop().await;
            History::end(history).await;
            shared.stop().await;
        };
        if tokio::time::timeout(SHUTDOWN_MAX, end).await.is_err() {
            tracing::warn!("not everything ended in time, and was ended");
        }
        tracing::info!("ended");
        Ok(())
    }
}

/// What is kept over restarts: nothing, without a data folder.
#[derive(Default)]
struct OpenFolder {
    /// Holds the lock.
    folder: Option<Folder>,
    alerts: Option<(AlertStore, SavedTexts)>,
    /// Or why they cannot be.
    readings: Option<Result<(ReadingStore, Vec<SavedReadings>), StoreError>>,
}

/// Locks the data folder, if there is one, and opens what it has of alerts and of what peers
/// published.
async fn open_folder(path: Option<PathBuf>) -> Result<OpenFolder, ServeError> {
    let Some(path) = path else {
        return Ok(OpenFolder::default());
    };
    let opened = tokio::task::spawn_blocking(move || {
        let folder = Folder::open(&path)?;
        // The folder is locked by now.
        let alerts = AlertStore::open(&path)?;
        // What peers said before is no reason not to watch.
        let readings = ReadingStore::open(&path)
            .inspect_err(|error| tracing::error!("what peers publish is not kept: {error}"));
        Ok::<_, StoreError>(OpenFolder {
            folder: Some(folder),
            alerts: Some(alerts),
            readings: Some(readings),
        })
    });
    Ok(opened.await??)
}

async fn load(file: Option<PathBuf>) -> Result<Settings, ServeError> {
    let Some(path) = file else {
        return Ok(Settings::default());
    };
    // A slow disk, or a pipe that nobody writes to, must not hold up a request to stop.
    let loaded = tokio::task::spawn_blocking(move || Settings::load(&path));
    Ok(loaded.await?.map_err(ReloadError::Settings)?)
}

#[cfg(test)]
mod tests;
