//! The handle of a running agent.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use auscult_core::swim::{
    Answer, Config, Event, Identity, Incarnation, JoinOutcome, MemberName, Packet, Request, Swim,
};
use auscult_core::time::Instant;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::config::{AgentConfig, StartError};
use crate::counters::Counters;
use crate::driver::Driver;
use crate::events::EventLog;
use crate::join::{self, JoinResult};
use crate::layers::Layers;
use crate::members::Members;
use crate::stream::Streams;
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

/// What the driver writes and handles read.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: MemberName,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) events: EventLog<Event>,
    members: ArcSwap<Members>,
    /// Whether somebody read the snapshot since it was taken.
    members_read: AtomicBool,
    pub(crate) counters: ArcSwap<Counters>,
}

impl Shared {
    pub(crate) fn members(&self) -> Arc<Members> {
        // A hint of how fresh the next snapshot has to be, and nothing more.
        self.members_read.store(true, Ordering::Relaxed);
        self.members.load_full()
    }

    pub(crate) fn publish(&self, members: Members) {
        self.members.store(Arc::new(members));
    }

    /// Whether somebody read the snapshot since this was asked last.
    pub(crate) fn was_read(&self) -> bool {
        self.members_read.load(Ordering::Relaxed)
            && self.members_read.swap(false, Ordering::Relaxed)
    }
}

/// Runs on the driver's task.
pub(crate) type Question = Box<dyn FnOnce(&Swim, Instant) + Send>;

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
    #[expect(
        clippy::unused_async,
        reason = "an agent starts inside a runtime, and the compiler says so"
    )]
    pub async fn start(config: AgentConfig) -> Result<AgentHandle, StartError> {
        if config.bind.ip().is_unspecified() && config.advertise.is_none() {
            return Err(StartError::Advertise { bind: config.bind });
        }
        let layers = Layers::new(&config.params.label, config.keys.as_ref());
        let mut params = config.params.clone();
        params.datagram_bytes = params
            .datagram_bytes
            .saturating_sub(layers.datagram_overhead());
        let machine = Config::new(params).map_err(StartError::Params)?;
        let (udp, listener) = udp::bind(config.bind)?;
        let bound = udp.local_addr().map_err(|source| StartError::Bind {
            socket: "UDP",
            address: config.bind,
            source,
        })?;
        let mut address = config.advertise.unwrap_or(bound);
        if address.port() == 0 {
            address.set_port(bound.port());
        }
        let clock = Clock::new();
        let now = clock.now();
        let seed = config.seed.unwrap_or_else(unpredictable);
        let identity = Identity {
            name: config.name.clone(),
            address,
            incarnation: first_incarnation(&clock),
        };
        let served_time = machine.params().stream_timeout;
        let swim = Swim::new(identity, machine, seed, now);
        let shared = Arc::new(Shared {
            name: config.name,
            address,
            events: EventLog::keeping(config.events_kept, clock.clone()),
            clock,
            members: ArcSwap::from_pointee(Members::read(&swim, now, 1)),
            members_read: AtomicBool::new(false),
            counters: ArcSwap::default(),
        });
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let (streams, reports) = Streams::new(bound.ip(), config.streams_max, served_time);
        let driver = Driver {
            swim,
            udp,
            listener,
            layers,
            streams,
            reports,
            commands: receiver,
            shared: Arc::clone(&shared),
        };
        tokio::spawn(driver.run());
        if !config.join.is_empty() {
            let door = commands.downgrade();
            tokio::spawn(join::keep_joining(
                door,
                Arc::clone(&shared),
                config.join,
                seed,
            ));
        }
        Ok(AgentHandle { commands, shared })
    }
}

/// Seconds since 1970: greater than those of earlier runs, as long as the clock is not set back
/// and there is less than one suspicion a second.
fn first_incarnation(clock: &Clock) -> Incarnation {
    let seconds = u64::try_from(clock.wall_now().as_second()).unwrap_or(0);
    Incarnation::new(seconds).unwrap_or_default()
}

/// The standard library's seed of its hash maps: the system's randomness, without another crate.
fn unpredictable() -> u64 {
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

    /// All members, as they were after the last change. What changes all the time (when a member
    /// was heard, round trips) is as fresh as the last datagram, for those who read more than
    /// once.
    #[must_use]
    pub fn members(&self) -> Arc<Members> {
        self.shared.members()
    }

    /// What happened to members.
    #[must_use]
    pub fn events(&self) -> &EventLog<Event> {
        &self.shared.events
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

    /// Waits until the agent has stopped, for whatever reason.
    pub async fn stopped(&self) {
        self.commands.closed().await;
    }

    /// Reads the machine, on the driver's task and between two of its inputs.
    ///
    /// # Errors
    /// When the agent has stopped. State: unchanged.
    pub async fn view<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Swim, Instant) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (reply, result) = oneshot::channel();
        let read = Box::new(move |swim: &Swim, now: Instant| {
            let _nobody_waits = reply.send(read(swim, now));
        });
        let sent = self.commands.send(Command::Read(read)).await;
        sent.map_err(|_| Stopped)?;
        result.await.map_err(|_| Stopped)
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

/// Commands that wait for the driver; those who send more wait themselves.
const COMMANDS_MAX: usize = 32;
