//! One monitor's part of its group.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use auscult_core::monitor::registry::{Change, ChangeId, Outcome, Registry, Revision};
use auscult_core::rng::Rng;
use futures_util::future::BoxFuture;
use openraft::error::{InitializeError, RaftError};
use openraft::{Raft, SnapshotPolicy};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::contact::{Contact, Moment};
use super::identity::{Identity, NoGroup};
use super::journal::{self, Journal};
use super::letters::Colleague;
use super::log::Log;
use super::machine::Machine;
use super::peers::Peers;
use super::rpc::Network;
use super::{Group, Monitor, agreed, beat, campaign, join, repair};
use crate::shared::{Age, ChangeError, MonitorId, SettingsStore, StoreStatus};
use crate::store::StoreError;

/// What a monitor is told of itself and of its group when it starts.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its name and addresses, as the others shall know them. What is empty is as it was before.
    pub monitor: Monitor,
    /// Where it listens for the others: remembered for a start that does not say so again.
    pub raft_bind: Option<SocketAddr>,
    /// Its id, where it has none yet; otherwise by chance.
    pub id: Option<MonitorId>,
    /// Where to reach monitors of the group that it shall join, if it has no group yet. Without
    /// any it begins a group of its own.
    pub join: Vec<String>,
    /// What it does where none of those has a group.
    pub no_group: NoGroup,
    /// Decides what is left to chance; as random as a clock and a process can make it.
    pub seed: u64,
    /// How long things may take.
    pub timing: Timing,
    /// After how many entries of the log a snapshot is made and the log shortened.
    pub snapshot_after: u64,
}

impl NodeConfig {
    /// A monitor with usual figures.
    #[must_use]
    pub const fn new(monitor: Monitor, seed: u64) -> Self {
        Self {
            monitor,
            raft_bind: None,
            id: None,
            join: Vec::new(),
            no_group: NoGroup::Wait,
            seed,
            timing: Timing::LAN,
            snapshot_after: 1_000,
        }
    }
}

/// How long things may take in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader says that it is there.
    pub heartbeat: Duration,
    /// How long a leader that is not heard is left in office.
    pub lease: Duration,
    /// Over how long campaigns are spread by chance, so that two seldom coincide.
    pub stagger: Duration,
    /// How long a change waits until there is a leader.
    pub patience: Duration,
    /// How long a change may take.
    pub change: Duration,
}

impl Timing {
    /// A network of one site: a new leader about a second after the last one died, and none because
    /// a machine was busy for half of that.
    pub const LAN: Self = Self {
        heartbeat: Duration::from_millis(150),
        lease: Duration::from_millis(750),
        stagger: Duration::from_millis(300),
        patience: Duration::from_secs(3),
        change: Duration::from_secs(10),
    };
}

/// Why a monitor cannot take part in its group. State: nothing was changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Its journal cannot be used.
    Store(StoreError),
    /// The journal's contents contradict each other.
    Log(String),
    /// It shall join others, and has settings that would be lost.
    HasSettings(PathBuf),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Log(text) => write!(f, "the log of the shared settings cannot be used: {text}"),
            Self::HasSettings(path) => write!(
                f,
                "{} holds settings of a monitor that is alone, which would be lost when it joins \
                 others: start it without --join, or with another --data-dir",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A monitor's part of its group. Clones are the same one; it runs until [`stop`](Self::stop).
#[derive(Clone)]
pub struct Node(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) timing: Timing,
    pub(super) snapshot_after: u64,
    pub(super) journal: Arc<Journal>,
    pub(super) machine: Machine,
    pub(super) network: Arc<dyn Network>,
    pub(super) identity: Arc<RwLock<Identity>>,
    /// Replaced when it had to stop and can go on.
    raft: RwLock<Raft<Group>>,
    pub(super) contact: Arc<Mutex<Contact>>,
    pub(super) rng: Mutex<Rng>,
    pub(super) counters: Counters,
    /// Others say that it has no vote any more.
    pub(super) removed: AtomicBool,
    /// Why the group does not take it in, as it was last told.
    pub(super) refused: Mutex<Option<String>>,
    /// Until when it takes no changes, so that another one can lead.
    pub(super) resting: Mutex<Option<Moment>>,
    /// Held while the group is changed through this monitor.
    pub(super) roster: tokio::sync::Mutex<()>,
    /// Held while openraft is replaced.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// Takes the letters of other observers.
    pub(super) colleague: OnceLock<Arc<dyn Colleague>>,
    revisions: watch::Sender<Revision>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) proposed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) no_leader: AtomicU64,
    pub(super) unclear: AtomicU64,
    pub(super) unstored: AtomicU64,
    pub(super) campaigns: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Node {
    /// Takes part in the group that the journal tells of, or begins one. Returns as soon as the
    /// settings of before can be read; who leads is found out later.
    ///
    /// # Errors
    /// What is wrong with the journal.
    pub async fn start(
        config: NodeConfig,
        journal: Journal,
        network: Arc<dyn Network>,
    ) -> Result<Self, StartError> {
        let identity = Identity::take(&journal, &config)?;
        let journal = Arc::new(journal);
        let machine = Machine::open(Arc::clone(&journal))?;
        let contact = Arc::new(Mutex::new(Contact::new()));
        let identity = Arc::new(RwLock::new(identity));
        let peers = Peers::new(&identity, &network, &contact);
        let settings = raft_config(config.timing, config.snapshot_after);
        let raft = raft(settings, peers, &journal, &machine).await?;
        let revision = machine.applied().borrow().revision;
        let node = Self(Arc::new(Inner {
            timing: config.timing,
            snapshot_after: config.snapshot_after,
            journal,
            machine,
            network,
            identity,
            raft: RwLock::new(raft),
            contact,
            rng: Mutex::new(Rng::new(config.seed)),
            counters: Counters::default(),
            removed: AtomicBool::new(false),
            colleague: OnceLock::new(),
            refused: Mutex::default(),
            resting: Mutex::default(),
            roster: tokio::sync::Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            revisions: watch::Sender::new(revision),
            tasks: Mutex::default(),
        }));
        node.found().await?;
        let mut tasks = node.0.tasks.lock();
        tasks.spawn(node.clone().tell_revisions());
        tasks.spawn(campaign::run(node.clone()));
        tasks.spawn(repair::run(node.clone()));
        tasks.spawn(agreed::run(node.clone()));
        tasks.spawn(beat::run(node.clone()));
        tasks.spawn(join::run(node.clone()));
        drop(tasks);
        Ok(node)
    }

    /// Ends everything. What was acknowledged is on the disk, and the journal is free for others.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock());
        tasks.shutdown().await;
        // It fails only when it has ended before.
        let _ended = self.raft().shutdown().await;
        // Somebody may have been stopped while a thread worked on the journal for them.
        let closed = journal::apart(&self.0.journal, |journal| {
            journal.file().close();
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::debug!(%error, "the journal is let go of a little later");
        }
    }

    /// As [`stop`](Self::stop), without waiting for the end.
    pub fn abort(&self) {
        self.0.tasks.lock().abort_all();
    }

    pub(super) fn raft(&self) -> Raft<Group> {
        self.0.raft.read().clone()
    }

    /// This monitor's id.
    #[must_use]
    pub fn id(&self) -> MonitorId {
        MonitorId(self.0.identity.read().id)
    }

    /// Begins a group where there is none and none is to be joined.
    pub(super) async fn found(&self) -> Result<(), StartError> {
        let identity = self.0.identity.read().clone();
        if identity.group.is_empty() || !identity.join.is_empty() {
            return Ok(());
        }
        let alone = BTreeMap::from([(identity.id, identity.monitor)]);
        match self.raft().initialize(alone).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(StartError::Log(error.to_string())),
        }
    }

    /// Starts openraft anew after its storage failed.
    pub(super) async fn begin_again(&self) -> Result<(), StartError> {
        let inner = &self.0;
        let peers = Peers::new(&inner.identity, &inner.network, &inner.contact);
        let settings = raft_config(inner.timing, inner.snapshot_after);
        let raft = raft(settings, peers, &inner.journal, &inner.machine).await?;
        *inner.raft.write() = raft;
        Ok(())
    }

    async fn tell_revisions(self) {
        let mut applied = self.0.machine.applied();
        while applied.changed().await.is_ok() {
            let revision = applied.borrow_and_update().revision;
            self.0.revisions.send_if_modified(|told| {
                let is_new = *told != revision;
                *told = revision;
                is_new
            });
        }
    }
}

async fn raft(
    settings: openraft::Config,
    peers: Peers,
    journal: &Arc<Journal>,
    machine: &Machine,
) -> Result<Raft<Group>, StartError> {
    let me = peers.me;
    let log = Log::new(Arc::clone(journal));
    let settings = settings
        .validate()
        .map_err(|error| StartError::Log(error.to_string()))?;
    let started = Raft::new(me, Arc::new(settings), peers, log, machine.clone());
    started.await.map_err(|error| match journal.trouble() {
        Some(trouble) => StartError::Store(trouble),
        None => StartError::Log(error.to_string()),
    })
}

fn raft_config(timing: Timing, snapshot_after: u64) -> openraft::Config {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    openraft::Config {
        cluster_name: "auscult".to_owned(),
        heartbeat_interval: millis(timing.heartbeat),
        // The time for which a vote is waited for. When to campaign is decided in `campaign`.
        election_timeout_min: millis(timing.lease) / 2,
        // The lease.
        election_timeout_max: millis(timing.lease),
        enable_elect: false,
        max_payload_entries: 64,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(snapshot_after),
        max_in_snapshot_log_to_keep: snapshot_after / 4,
        replication_lag_threshold: snapshot_after.saturating_mul(2),
        install_snapshot_timeout: 10_000,
        snapshot_max_chunk_size: 1 << 20,
        ..openraft::Config::default()
    }
}

impl SettingsStore for Node {
    fn change(&self, mut change: Change) -> BoxFuture<'_, Result<Outcome, ChangeError>> {
        if change.id.is_none() {
            let mut rng = self.0.rng.lock();
            let (high, low) = (rng.next_u64(), rng.next_u64());
            change.id = Some(ChangeId(u128::from(high) << 64 | u128::from(low)));
        }
        Box::pin(async move {
            let counters = &self.0.counters;
            count(&counters.proposed);
            let answer = self.ask_change(change).await;
            match &answer {
                Ok(_) => {}
                Err(ChangeError::Refused(_)) => count(&counters.refused),
                Err(ChangeError::NoLeader { .. } | ChangeError::Outside) => {
                    count(&counters.no_leader)
                }
                Err(ChangeError::Unclear) => count(&counters.unclear),
                Err(ChangeError::Store(_)) => count(&counters.unstored),
            }
            answer
        })
    }

    fn read(&self, look: &mut dyn FnMut(&Registry, Age)) {
        let age = self.age();
        self.0.machine.read(|registry| look(registry, age));
    }

    fn confirm(&self) -> BoxFuture<'_, Result<Revision, ChangeError>> {
        Box::pin(self.ask_confirm())
    }

    fn revisions(&self) -> watch::Receiver<Revision> {
        self.0.revisions.subscribe()
    }

    fn coming(&self) -> watch::Receiver<Option<Arc<Change>>> {
        self.0.journal.coming().subscribe()
    }

    fn status(&self) -> StoreStatus {
        self.look()
    }
}
