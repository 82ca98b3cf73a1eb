//! The handle of a running agent.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
#[cfg(feature = "grpc")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use auscult_core::swim::{
    Answer, BroadcastRefusal, Config, Identity, Incarnation, JoinOutcome, Key, MemberName,
    MetadataRefusal, Mode, Packet, Request, Swim, WatchRefusal,
};
use auscult_core::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::config::{AgentConfig, StartError, Transport};
use crate::counters::Counters;
use crate::driver::Driver;
use crate::event::AgentEvent;
use crate::events::EventLog;
#[cfg(feature = "grpc")]
use crate::grpc;
use crate::join::{self, JoinResult};
use crate::keys::Keys;
use crate::layers::Layers;
use crate::links::Links;
use crate::members::Members;
use crate::metric::MetricCounters;
use crate::record::Opened;
use crate::stream::{Opener, Streams};
use crate::udp;

/// Starts agents.
#[derive(Debug)]
pub struct Agent(());

/// A running agent. Clones are handles of the same one. When the last one is dropped, the agent
/// stops without a word, as if its process had been killed; [`leave`](Self::leave) says goodbye.
#[derive(Clone, Debug)]
pub struct AgentHandle {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    keys: Option<Arc<Keys>>,
    links: Arc<Links>,
}

/// The agent has stopped, so nothing can be asked of it. State: unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the agent has stopped")
    }
}

impl std::error::Error for Stopped {}

/// Why an agent stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It said goodbye.
    Left,
    /// It was shut down, or nobody held a handle any more, or its runtime was.
    Shutdown,
    /// Another process that runs at this address has the member's name, and this one came second.
    /// No goodbye was said, as it would have been that of the other one. It needs a name of its
    /// own to be started again.
    NameLost(SocketAddr),
    /// A fault of this program: an invariant does not hold, and it says so with this text. What
    /// the machine would do next is not to be trusted, so it does nothing, and its sockets are
    /// closed: the others find out, as if the process had died. It is not started again here, as
    /// whoever embeds it must learn of it.
    Fault(Arc<str>),
}

/// Why something was not done. State: unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused<R> {
    /// The machine did not take it.
    Refused(R),
    /// The agent has stopped.
    Stopped,
}

impl<R: fmt::Display> fmt::Display for Refused<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Stopped => Stopped.fmt(f),
        }
    }
}

impl<R: std::error::Error> std::error::Error for Refused<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => refusal.source(),
            Self::Stopped => None,
        }
    }
}

/// What a member's user told all members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Who.
    pub from: MemberName,
    /// What it is about.
    pub key: Option<Key>,
    /// What it says.
    pub payload: Vec<u8>,
}

/// What the driver writes and handles read.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: MemberName,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    /// Tells this run from others of the same member.
    run: u64,
    pub(crate) events: EventLog<AgentEvent>,
    pub(crate) broadcasts: EventLog<Broadcast>,
    members: ArcSwap<Members>,
    /// Whether somebody read the snapshot since it was taken.
    members_read: AtomicBool,
    pub(crate) counters: ArcSwap<Counters>,
    pub(crate) metrics: MetricCounters,
    /// Why it stopped; the driver's task holds the other end.
    ending: watch::Receiver<Option<Ending>>,
    /// Where the services of the demonstrator are served.
    #[cfg(feature = "grpc")]
    pub(crate) served: OnceLock<grpc::Served>,
}

impl Shared {
    /// What is there at the start, and the driver's end of why it stopped.
    fn new(
        swim: &Swim,
        now: Instant,
        clock: Clock,
        events_kept: usize,
    ) -> (Arc<Self>, watch::Sender<Option<Ending>>) {
        let (ended, ending) = watch::channel(None);
        let me = swim.me();
        let shared = Self {
            name: me.name().clone(),
            address: me.address(),
            run: u64::try_from(clock.wall_now().as_microsecond()).unwrap_or(0),
            events: EventLog::keeping(events_kept, clock.clone()),
            broadcasts: EventLog::keeping(BROADCASTS_KEPT, clock.clone()),
            clock,
            members: ArcSwap::from_pointee(Members::read(swim, now, &Members::none())),
            members_read: AtomicBool::new(false),
            counters: ArcSwap::default(),
            metrics: MetricCounters::default(),
            ending,
            #[cfg(feature = "grpc")]
            served: OnceLock::new(),
        };
        (Arc::new(shared), ended)
    }

    pub(crate) fn members(&self) -> Arc<Members> {
        // A hint of how fresh the next snapshot has to be, and nothing more.
        self.members_read.store(true, Ordering::Relaxed);
        self.members.load_full()
    }

    /// The snapshot, for the one who takes the next one.
    pub(crate) fn published(&self) -> Arc<Members> {
        self.members.load_full()
    }

    pub(crate) fn publish(&self, members: Arc<Members>) {
        self.members.store(members);
    }

    /// Whether somebody read the snapshot since this was asked last.
    pub(crate) fn was_read(&self) -> bool {
        self.members_read.load(Ordering::Relaxed)
            && self.members_read.swap(false, Ordering::Relaxed)
    }
}

/// Runs on the driver's task, and changes nothing.
pub(crate) type Question = Box<dyn FnOnce(&Swim, Instant) + Send>;

/// Runs on the driver's task.
pub(crate) type Change = Box<dyn FnOnce(&mut Swim, Instant) -> Reply + Send>;

/// Answers whoever asked.
pub(crate) type Reply = Box<dyn FnOnce() + Send>;

/// What handles ask of the driver.
pub(crate) enum Command {
    Join {
        address: SocketAddr,
        reply: oneshot::Sender<JoinOutcome>,
    },
    Leave {
        done: oneshot::Sender<()>,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
    /// Anything that the machine is asked.
    Read(Question),
    /// Anything that the machine is told.
    Change(Change),
    /// A datagram that another transport brought.
    Packet {
        from: SocketAddr,
        packet: Packet,
    },
    /// A request that another transport brought.
    Request {
        from: SocketAddr,
        request: Request,
        reply: oneshot::Sender<Answer>,
    },
}

impl Agent {
    /// Starts an agent on the current tokio runtime, which must have IO and time enabled. Its
    /// sockets are open when this returns.
    ///
    /// # Errors
    /// Why it cannot start. State: nothing was started.
    pub async fn start(config: AgentConfig) -> Result<AgentHandle, StartError> {
        if config.bind.ip().is_unspecified() && config.advertise.is_none() {
            return Err(StartError::Advertise { bind: config.bind });
        }
        let layers = Layers::of(&config.params.label, config.keys.clone())?;
        let machine = machine(&config, &layers)?;
        #[cfg(feature = "grpc")]
        let mut doors = grpc::Bound::open(&config)?;
        let (carrier, bound) = open(
            &config,
            #[cfg(feature = "grpc")]
            &mut doors,
        )?;
        let address = reached_at(&config, bound);
        let clock = Clock::new();
        let now = clock.now();
        let seed = config.seed.unwrap_or_else(unpredictable);
        let mut incarnation = first_incarnation(&clock);
        let opened = open_record(&config, incarnation).await?;
        let mut join = config.join;
        if let Some(opened) = &opened {
            incarnation = opened.incarnation();
            let known = opened.others().map(|address| address.to_string());
            join.extend(known.take(KNOWN_SEEDS_MAX));
        }
        let identity = Identity {
            name: config.name.clone(),
            address,
            incarnation,
        };
        let swim = Swim::new(identity, machine, seed, now);
        let (shared, ended) = Shared::new(&swim, now, clock, config.events_kept);
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let opener = Opener::new(carrier.dialler(bound.ip()), layers.ring().cloned());
        let keys = Keys::of(&opener, &shared);
        let links = Links::of(&config.params.label, &opener, &shared);
        let (streams, reports) = Streams::new(
            opener,
            keys.clone(),
            Arc::clone(&links),
            config.streams_max,
            config.params.stream_timeout,
        );
        let handle = AgentHandle {
            commands,
            shared: Arc::clone(&shared),
            keys,
            links,
        };
        let driver = Driver {
            swim,
            carrier,
            layers,
            streams,
            reports,
            commands: receiver,
            recorder: opened.map(|opened| opened.keep(shared.members.load_full())),
            shared: Arc::clone(&shared),
            #[cfg(feature = "grpc")]
            sentences: doors.sentences(),
            #[cfg(feature = "grpc")]
            doors: doors.serve(&handle, &config.params.label)?,
        };
        tokio::spawn(driver.run_until_it_ends(ended));
        if !join.is_empty() {
            let door = handle.commands.downgrade();
            tokio::spawn(join::keep_joining(door, Arc::clone(&shared), join, seed));
        }
        Ok(handle)
    }
}

/// Reads the snapshot, away from the runtime's thread: disks can be slow.
async fn open_record(
    config: &AgentConfig,
    first: Incarnation,
) -> Result<Option<Opened>, StartError> {
    let Some(path) = config.snapshot.clone() else {
        return Ok(None);
    };
    let (name, label) = (config.name.clone(), config.params.label.clone());
    let opened = spawn_blocking(move || Opened::open(&path, &name, &label, first)).await;
    match opened {
        Ok(opened) => opened.map(Some).map_err(StartError::Record),
        Err(thrown) => panic::resume_unwind(thrown.into_panic()),
    }
}

/// What the machine is to do, in datagrams that leave room for what the layers add.
fn machine(config: &AgentConfig, layers: &Layers) -> Result<Config, StartError> {
    let mut params = config.params.clone();
    let room = params.datagram_bytes;
    params.datagram_bytes = room.saturating_sub(layers.datagram_overhead());
    Config::new(params).map_err(StartError::Params)
}

/// Where others reach an agent that listens there.
fn reached_at(config: &AgentConfig, bound: SocketAddr) -> SocketAddr {
    let mut address = config.advertise.unwrap_or(bound);
    if address.port() == 0 {
        address.set_port(bound.port());
    }
    address
}

/// Opens what carries the messages, and tells where it listens.
fn open(
    config: &AgentConfig,
    #[cfg(feature = "grpc")] doors: &mut grpc::Bound,
) -> Result<(Carrier, SocketAddr), StartError> {
    match config.transport {
        Transport::Sockets => sockets(config.bind),
        #[cfg(feature = "grpc")]
        Transport::Grpc => {
            let (link, bound) = doors.link(config.bind)?;
            Ok((Carrier::Grpc(link), bound))
        }
    }
}

/// Opens a datagram socket and a listener at one port.
fn sockets(at: SocketAddr) -> Result<(Carrier, SocketAddr), StartError> {
    let (udp, listener) = udp::bind(at)?;
    let bound = udp.local_addr().map_err(|source| StartError::Bind {
        socket: "UDP",
        address: at,
        source,
    })?;
    Ok((Carrier::Sockets { udp, listener }, bound))
}

/// Seconds since 1970: greater than those of earlier runs, as long as the clock is not set back
/// and there is less than one suspicion a second.
fn first_incarnation(clock: &Clock) -> Incarnation {
    let seconds = u64::try_from(clock.wall_now().as_second()).unwrap_or(0);
    Incarnation::new(seconds).unwrap_or_default()
}

/// The standard library's seed of its hash maps: the system's randomness, without another crate.
pub(crate) fn unpredictable() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

impl AgentHandle {
    /// The name of the member.
    #[must_use]
    pub fn name(&self) -> &MemberName {
        &self.shared.name
    }

    /// Where others reach it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The clock by which moments in snapshots and events are told.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// A number that differs between the runs of this member.
    pub(crate) fn run(&self) -> u64 {
        self.shared.run
    }

    pub(crate) fn metric_counters(&self) -> &MetricCounters {
        &self.shared.metrics
    }

    /// All members, as they were after the last change. What changes all the time (when a member
    /// was heard, round trips) is as fresh as the last datagram, for those who read more than
    /// once.
    #[must_use]
    pub fn members(&self) -> Arc<Members> {
        self.shared.members()
    }

    /// How failures are found now: by direct heartbeats, or by probes and gossip.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.shared.published().mode
    }

    /// Up to so many live members, this member sends heartbeats to all; 0: never, `usize::MAX`:
    /// always. No member is lost or suspected for the change.
    ///
    /// # Errors
    /// When the agent has stopped. State: unchanged.
    pub async fn set_direct_limit(&self, limit: usize) -> Result<(), Stopped> {
        let set = move |swim: &mut Swim, now| -> Result<(), Infallible> {
            swim.set_direct_limit(now, limit);
            Ok(())
        };
        match self.change(set).await {
            Ok(()) => Ok(()),
            Err(Refused::Stopped) => Err(Stopped),
            Err(Refused::Refused(never)) => match never {},
        }
    }

    /// What happened to members, and what an operator should know of this one.
    #[must_use]
    pub fn events(&self) -> &EventLog<AgentEvent> {
        &self.shared.events
    }

    /// What users of other members told all.
    #[must_use]
    pub fn broadcasts(&self) -> &EventLog<Broadcast> {
        &self.shared.broadcasts
    }

    /// The keys of the cluster; `None` for an agent that has none.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_deref()
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// What was counted, as it was after the last batch of inputs.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.shared.counters.load_full()
    }

    /// Asks these to be let in, each a `host:port`. A name is resolved now, and its addresses are
    /// asked one after the other until one lets us in. Results are in the order of the seeds.
    pub async fn join(&self, seeds: &[String]) -> Vec<JoinResult> {
        join::join(&self.commands.downgrade(), seeds).await
    }

    /// Says goodbye and stops. Returns when it was said as often as news is.
    pub async fn leave(&self) {
        let (done, waits) = oneshot::channel();
        if self.commands.send(Command::Leave { done }).await.is_ok() {
            let _stopped_anyway = waits.await;
        }
    }

    /// Stops without a word; others will find out. The sockets are closed when this returns.
    pub async fn shutdown(self) {
        let (done, waits) = oneshot::channel();
        let command = Command::Shutdown { done };
        if self.commands.send(command).await.is_ok() {
            let _stopped_anyway = waits.await;
        }
    }

    /// Where the services of `api/swim.proto` are served, as far as they are.
    #[cfg(feature = "grpc")]
    #[must_use]
    pub fn served(&self) -> grpc::Served {
        self.shared.served.get().copied().unwrap_or_default()
    }

    #[cfg(feature = "grpc")]
    pub(crate) fn set_served(&self, served: grpc::Served) {
        self.shared.served.get_or_init(|| served);
    }

    /// A handle that does not keep the agent running.
    #[cfg(feature = "grpc")]
    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle {
            commands: self.commands.downgrade(),
            shared: Arc::clone(&self.shared),
            keys: self.keys.clone(),
            links: Arc::clone(&self.links),
        }
    }

    /// Waits until the agent has stopped, and tells why.
    pub async fn stopped(&self) -> Ending {
        let mut ending = self.shared.ending.clone();
        match ending.wait_for(Option::is_some).await {
            Ok(ending) => ending.clone().unwrap_or(Ending::Shutdown),
            // The task went with its runtime.
            Err(_) => Ending::Shutdown,
        }
    }

    /// Reads the machine, on the driver's task and between two of its inputs.
    ///
    /// # Errors
    /// When the agent has stopped. State: unchanged.
    ///
    /// # Panics
    /// When `read` does: it panics here, and the agent goes on.
    pub async fn view<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Swim, Instant) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, result) = oneshot::channel();
        let read = Box::new(move |swim: &Swim, now: Instant| {
            // The machine is only looked at, so whatever the closure leaves behind is its own.
            let read = AssertUnwindSafe(|| read(swim, now));
            let _nobody_waits = reply.send(panic::catch_unwind(read));
        });
        let sent = self.commands.send(Command::Read(read)).await;
        sent.map_err(|_| Stopped)?;
        match result.await.map_err(|_| Stopped)? {
            Ok(value) => Ok(value),
            Err(thrown) => panic::resume_unwind(thrown),
        }
    }

    /// Tells the users of all members something. With a key, it takes the place of what this
    /// member said with the same key before.
    ///
    /// # Errors
    /// Why it is not sent. State: nothing was queued.
    pub async fn broadcast(
        &self,
        key: Option<&str>,
        payload: &[u8],
    ) -> Result<(), Refused<BroadcastRefusal>> {
        let (key, payload) = (key.map(str::to_owned), payload.to_vec());
        self.change(move |swim, now| swim.broadcast(now, key.as_deref(), &payload))
            .await
    }

    /// Sets a key of this member's metadata, or removes it with `None`. All members are told.
    ///
    /// # Errors
    /// Why it is not set. State: unchanged.
    pub async fn set_metadata(
        &self,
        key: &str,
        value: Option<&[u8]>,
    ) -> Result<(), Refused<MetadataRefusal>> {
        let (key, value) = (key.to_owned(), value.map(<[u8]>::to_vec));
        self.change(move |swim, now| swim.set_metadata(now, &key, value.as_deref()))
            .await
    }

    /// Asks a member for direct heartbeats, whatever the size of the group, until
    /// [`unwatch`](Self::unwatch).
    ///
    /// # Errors
    /// Why it is not watched. State: unchanged.
    pub async fn watch(&self, peer: &str) -> Result<(), Refused<WatchRefusal>> {
        let peer = peer.to_owned();
        self.change(move |swim, now| swim.watch(now, &peer)).await
    }

    /// No longer asks for a member's heartbeats. Nothing happens where they are not asked for.
    ///
    /// # Errors
    /// When the agent has stopped. State: unchanged.
    pub async fn unwatch(&self, peer: &str) -> Result<(), Stopped> {
        let peer = peer.to_owned();
        let unwatch = move |swim: &mut Swim, now| -> Result<(), Infallible> {
            swim.unwatch(now, &peer);
            Ok(())
        };
        match self.change(unwatch).await {
            Ok(()) => Ok(()),
            Err(Refused::Stopped) => Err(Stopped),
            Err(Refused::Refused(never)) => match never {},
        }
    }

    /// Tells the machine something, on the driver's task.
    async fn change<E: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Swim, Instant) -> Result<(), E> + Send + 'static,
    ) -> Result<(), Refused<E>> {
        let (reply, result) = oneshot::channel();
        let change = Box::new(move |swim: &mut Swim, now: Instant| -> Reply {
            let changed = change(swim, now);
            Box::new(move || {
                let _nobody_waits = reply.send(changed);
            })
        });
        let sent = self.commands.send(Command::Change(change)).await;
        sent.map_err(|_| Refused::Stopped)?;
        let result = result.await.map_err(|_| Refused::Stopped)?;
        result.map_err(Refused::Refused)
    }

    /// Hands in a datagram that another transport brought, as if a socket had.
    ///
    /// # Errors
    /// When the agent has stopped. State: unchanged.
    pub async fn take_packet(&self, from: SocketAddr, packet: Packet) -> Result<(), Stopped> {
        let command = Command::Packet { from, packet };
        self.commands.send(command).await.map_err(|_| Stopped)
    }

    /// Hands in a request that another transport brought, and waits for the machine's answer.
    ///
    /// # Errors
    /// When the agent has stopped. State: unchanged.
    pub async fn take_request(
        &self,
        from: SocketAddr,
        request: Request,
    ) -> Result<Answer, Stopped> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Request {
            from,
            request,
            reply,
        };
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// Members of the run before that are asked besides the seeds.
const KNOWN_SEEDS_MAX: usize = 8;
/// Broadcasts kept for readers: 350 kB at most, with datagrams of 1,400 bytes.
const BROADCASTS_KEPT: usize = 256;
/// A handle that does not keep the agent running.
#[cfg(feature = "grpc")]
#[derive(Clone, Debug)]
pub(crate) struct WeakHandle {
    commands: mpsc::WeakSender<Command>,
    shared: Arc<Shared>,
    keys: Option<Arc<Keys>>,
    links: Arc<Links>,
}

#[cfg(feature = "grpc")]
impl WeakHandle {
    /// A handle, while the agent has others.
    pub(crate) fn upgrade(&self) -> Option<AgentHandle> {
        Some(AgentHandle {
            commands: self.commands.upgrade()?,
            shared: Arc::clone(&self.shared),
            keys: self.keys.clone(),
            links: Arc::clone(&self.links),
        })
    }
}

/// Commands that wait for the driver; those who send more wait themselves.
const COMMANDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use auscult_core::swim::{Label, Params};

    use super::*;

    #[tokio::test]
    async fn a_fault_ends_the_agent_and_says_why() {
        let agent = start().await;
        let broken = Command::Change(Box::new(|_, _| panic!("an invariant is {}", "broken")));
        assert!(agent.commands.send(broken).await.is_ok());
        let fault = Ending::Fault("an invariant is broken".into());
        assert_eq!(agent.stopped().await, fault);
        assert_eq!(agent.stopped().await, fault, "also to who asks later");
        assert_eq!(agent.view(|_, _| ()).await, Err(Stopped));
        let again = sockets(agent.address());
        assert!(again.is_ok(), "its sockets are closed: {:?}", again.err());
    }

    #[tokio::test]
    async fn a_closure_that_panics_does_so_where_it_came_from() {
        let agent = start().await;
        let reader = agent.clone();
        let read = tokio::spawn(async move { reader.view(|_, _| panic!("not mine")).await });
        assert!(read.await.is_err_and(|error| error.is_panic()));
        assert_eq!(agent.view(|swim, _| swim.live()).await, Ok(1));
        agent.leave().await;
        assert_eq!(agent.stopped().await, Ending::Left);
    }

    async fn start() -> AgentHandle {
        let params = Params::local(Label::new("test").unwrap());
        let name = MemberName::new("first").unwrap();
        let config = AgentConfig::new(name, ([127, 0, 0, 1], 0).into(), params);
        Agent::start(config).await.unwrap()
    }
}
