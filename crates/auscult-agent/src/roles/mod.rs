//! Roles for programs that want heartbeats without a group: a [`Pulser`] answers, a
//! [`Coordinator`] asks and tells who fails, a [`FullNode`] does both and may gossip besides.
//!
//! They speak the messages of `core::swim`, so that any member is a pulser: a question is a ping,
//! the answer its ack. A full node that gossips is a member of a group like any other. Nothing is
//! sealed: whoever has keys to share has a group, and needs an [`Agent`].

mod pulses;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::bounds::MEMBERSHIP_DATAGRAM_BYTES_MAX;
use auscult_core::swim::{Body, Label, MemberId, MemberName, Packet, Params, Sequence};
use auscult_core::time::Instant;
use auscult_core::wire::swim::{decode_packet, encode_packet};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::config::{AgentConfig, StartError};
use crate::events::{EventLog, EventReader};
use crate::handle::{Agent, AgentHandle, unpredictable};
use crate::join::JoinResult;
use crate::keys::KeyRing;
use crate::layers::Layers;
use crate::udp::Udp;
use pulses::{Chore, Pulses};

pub use pulses::{AddRefusal, PULSERS_MAX, Pace, PulseState, PulseStatus};

/// Whom a role talks with.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its label: others are not answered.
    pub label: Label,
    /// The keys that seal what is said; none: nothing is sealed. All must have them, or none.
    pub keys: Option<KeyRing>,
}

/// Nothing is sealed.
impl From<Label> for Cluster {
    fn from(label: Label) -> Self {
        Self { label, keys: None }
    }
}

/// Answers those who ask whether it is alive. Stops when it is dropped.
#[derive(Clone, Debug)]
pub struct Pulser(AgentHandle);

impl Pulser {
    /// Answers at this address from now on, whoever asks with the cluster's label and keys.
    ///
    /// # Errors
    /// Why it cannot. State: nothing was started.
    pub async fn start(bind: SocketAddr, cluster: impl Into<Cluster>) -> Result<Self, StartError> {
        // A name of its own even where the port is yet to be chosen.
        let name = format!("pulser-{:016x}", unpredictable());
        start_member(&name, bind, cluster.into()).await.map(Self)
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers nobody any more.
    pub async fn stop(self) {
        self.0.shutdown().await;
    }
}

async fn start_member(
    name: &str,
    bind: SocketAddr,
    cluster: Cluster,
) -> Result<AgentHandle, StartError> {
    let name = MemberName::new(name).map_err(StartError::Name)?;
    let mut config = AgentConfig::new(name, bind, Params::lan(cluster.label));
    config.keys = cluster.keys;
    Agent::start(config).await
}

/// That a pulser is dead, or alive again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What is known of it: [`PulseState::Dead`], or [`PulseState::Alive`] when it is back.
    pub status: PulseStatus,
    /// Where the members are that suspect it too, when the node gossips.
    pub gossip: Vec<SocketAddr>,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PulseStatus {
            address,
            state,
            attempts,
            ..
        } = self.status;
        match state {
            PulseState::Dead => write!(f, "pulser {address} is dead after {attempts} attempts"),
            PulseState::Alive | PulseState::Pending | PulseState::Suspect => {
                write!(f, "pulser {address} is {}", state.as_str())
            }
        }
    }
}

/// Asks pulsers whether they are alive. Stops when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Coordinator(Arc<Asking>);

/// Ends the task along with the coordinator.
#[derive(Debug)]
struct Asking {
    desk: Arc<Desk>,
    task: AbortHandle,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task and the handles share; locked for a moment, never while waiting.
struct Desk {
    clock: Clock,
    pulses: Mutex<Pulses>,
    changed: Notify,
    notices: EventLog<Notice>,
    witnesses: Witnesses,
}

/// Says who else suspects the pulser at an address.
type Witnesses = Box<dyn Fn(SocketAddr) -> Vec<SocketAddr> + Send + Sync>;

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("pulses", &self.pulses)
            .finish_non_exhaustive()
    }
}

impl Coordinator {
    /// Asks from this address (port 0: a free one). Where the cluster has keys, the first question
    /// to a pulser only makes acquaintance, and the next one is answered. Of notices, the newest
    /// `capacity` are kept for the reader, at least one; one that is too slow is told how many it
    /// missed, and holds up nobody.
    ///
    /// # Errors
    /// Why it cannot. State: nothing was started.
    pub async fn start(
        bind: SocketAddr,
        cluster: impl Into<Cluster>,
        capacity: usize,
    ) -> Result<(Self, EventReader<Notice>), StartError> {
        Self::start_with(bind, cluster.into(), capacity, Box::new(|_| Vec::new())).await
    }

    #[expect(
        clippy::unused_async,
        reason = "a coordinator starts inside a runtime, and the compiler says so"
    )]
    async fn start_with(
        bind: SocketAddr,
        cluster: Cluster,
        capacity: usize,
        witnesses: Witnesses,
    ) -> Result<(Self, EventReader<Notice>), StartError> {
        let Cluster { label, keys } = cluster;
        let layers = Layers::of(&label, keys)?;
        let udp = Udp::bind(bind).map_err(|source| StartError::Bind {
            socket: "UDP",
            address: bind,
            source,
        })?;
        let clock = Clock::new();
        let desk = Arc::new(Desk {
            pulses: Mutex::new(Pulses::new(unpredictable())),
            changed: Notify::new(),
            notices: EventLog::keeping(capacity, clock.clone()),
            witnesses,
            clock,
        });
        let reader = desk.notices.read_from_start();
        let asker = Asker {
            udp,
            layers,
            label,
            id: MemberId::from_bits(unpredictable()),
            desk: Arc::clone(&desk),
            body: Vec::new(),
            datagram: Vec::new(),
        };
        let task = tokio::spawn(asker.run()).abort_handle();
        Ok((Self(Arc::new(Asking { desk, task })), reader))
    }

    /// Watches one more pulser.
    ///
    /// # Errors
    /// Why not. State: unchanged.
    pub fn add(&self, address: SocketAddr, pace: Pace) -> Result<(), AddRefusal> {
        self.change(|pulses, now| pulses.add(now, address, pace))
    }

    /// Watches a pulser no longer. Says what was known of it, if it was watched.
    pub fn remove(&self, address: SocketAddr) -> Option<PulseStatus> {
        self.change(|pulses, _| pulses.remove(address))
    }

    /// Asks nobody any more, until [`start_all`](Self::start_all). What is known stays.
    pub fn stop_all(&self) {
        self.change(|pulses, _| pulses.stop());
    }

    /// Asks all again.
    pub fn start_all(&self) {
        self.change(Pulses::start);
    }

    /// What is known of one pulser; `None` when it is not watched.
    #[must_use]
    pub fn status(&self, address: SocketAddr) -> Option<PulseStatus> {
        self.0.desk.pulses.lock().status(address)
    }

    /// What is known of all, in the order of their addresses.
    #[must_use]
    pub fn status_all(&self) -> Vec<PulseStatus> {
        self.0.desk.pulses.lock().all()
    }

    /// The notices: for further readers.
    #[must_use]
    pub fn notices(&self) -> &EventLog<Notice> {
        &self.0.desk.notices
    }

    /// The clock by which moments are told.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.desk.clock
    }

    fn change<R>(&self, change: impl FnOnce(&mut Pulses, Instant) -> R) -> R {
        let desk = &self.0.desk;
        let result = change(&mut desk.pulses.lock(), desk.clock.now());
        desk.changed.notify_one();
        result
    }
}

/// The task of a coordinator.
struct Asker {
    udp: Udp,
    layers: Layers,
    label: Label,
    /// Stands for a member that there is not.
    id: MemberId,
    desk: Arc<Desk>,
    body: Vec<u8>,
    datagram: Vec<u8>,
}

impl Asker {
    async fn run(mut self) {
        loop {
            let next = self.desk.pulses.lock().next();
            let next = self.desk.clock.std(next.unwrap_or(Instant::FAR_FUTURE));
            tokio::select! {
                () = self.desk.changed.notified() => {}
                _ = self.udp.readable() => {}
                () = tokio::time::sleep_until(next.into()) => {}
            }
            self.turn();
        }
    }

    /// What was answered is read before silence is judged.
    fn turn(&mut self) {
        let now = self.desk.clock.now();
        let due = self.desk.pulses.lock().next();
        let late = due.map_or(Duration::ZERO, |due| now.since(due));
        self.receive(now);
        if late > STALL_TOLERANCE {
            self.desk.pulses.lock().postpone(late);
        }
        for _ in 0..CHORES_PER_TURN_MAX {
            let chore = self.desk.pulses.lock().chore(now);
            match chore {
                Some(Chore::Ask(address, sequence)) => self.ask(now, address, sequence),
                Some(Chore::Tell(status)) => self.tell(now, status),
                None => break,
            }
        }
    }

    fn receive(&mut self, now: Instant) {
        let mut buffer = [0; MEMBERSHIP_DATAGRAM_BYTES_MAX + 1];
        for _ in 0..CHORES_PER_TURN_MAX {
            let (bytes, from) = match self.udp.try_receive(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => continue,
            };
            let received = &mut buffer[..bytes];
            let body = self.layers.unwrap(now, from, received, &mut self.datagram);
            let packet = body
                .ok()
                .flatten()
                .and_then(|body| decode_packet(body).ok());
            if !self.datagram.is_empty() {
                // What the seal wants to know before it opens what comes from there.
                let _sent = self.udp.try_send(&self.datagram, from);
            }
            if let Some(packet) = packet.filter(|packet| packet.label == self.label.tag())
                && let Body::Ack { sequence, .. } = packet.body
            {
                let back = self.desk.pulses.lock().answer(now, from, sequence);
                if let Some(status) = back {
                    self.tell(now, status);
                }
            }
        }
    }

    fn ask(&mut self, now: Instant, to: SocketAddr, sequence: Sequence) {
        let packet = Packet {
            label: self.label.tag(),
            from: self.id,
            body: Body::Ping { sequence, round: 0 },
            updates: Vec::new(),
            metadata: Vec::new(),
            broadcasts: Vec::new(),
        };
        self.body.clear();
        encode_packet(&packet, &mut self.body);
        self.layers.wrap(now, to, &self.body, &mut self.datagram);
        // What the kernel does not take is not answered, and that is what counts.
        let _sent = self.udp.try_send(&self.datagram, to);
    }

    fn tell(&self, now: Instant, status: PulseStatus) {
        let gossip = (self.desk.witnesses)(status.address);
        let notice = Notice { status, gossip };
        let text = notice.to_string();
        self.desk.notices.append(now, notice, text);
    }
}

/// A pulser and a coordinator, and a member of a group if it is to gossip.
#[derive(Debug)]
pub struct FullNode {
    name: String,
    cluster: Cluster,
    member: Arc<Mutex<AgentHandle>>,
    coordinator: Coordinator,
    gossips: tokio::sync::Mutex<Gossips>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gossips {
    On,
    Off,
}

impl FullNode {
    /// Answers at this address, and asks from the same IP address. See [`Coordinator::start`].
    ///
    /// # Errors
    /// Why it cannot. State: nothing was started.
    pub async fn start(
        name: &str,
        bind: SocketAddr,
        cluster: impl Into<Cluster>,
        capacity: usize,
    ) -> Result<(Self, EventReader<Notice>), StartError> {
        let cluster = cluster.into();
        let member = start_member(name, bind, cluster.clone()).await?;
        let member = Arc::new(Mutex::new(member));
        let asked = Arc::clone(&member);
        let witnesses: Witnesses = Box::new(move |address| witnesses(&asked.lock(), address));
        let from = SocketAddr::new(bind.ip(), 0);
        let (coordinator, reader) =
            Coordinator::start_with(from, cluster.clone(), capacity, witnesses).await?;
        let node = Self {
            name: name.to_owned(),
            cluster,
            member,
            coordinator,
            gossips: tokio::sync::Mutex::new(Gossips::Off),
        };
        Ok((node, reader))
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.member.lock().address()
    }

    /// The part that asks.
    #[must_use]
    pub const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The part that answers and gossips: members, events, metadata, broadcasts.
    #[must_use]
    pub fn member(&self) -> AgentHandle {
        self.member.lock().clone()
    }

    /// Joins a group with the nodes that are watched: whoever finds one of them failed tells all
    /// others. Those added later are joined by calling this again.
    pub async fn gossip(&self) -> Vec<JoinResult> {
        let mut gossips = self.gossips.lock().await;
        *gossips = Gossips::On;
        let watched = self.coordinator.status_all();
        let seeds = watched.iter().map(|status| status.address.to_string());
        let seeds: Vec<String> = seeds.take(GOSSIP_SEEDS_MAX).collect();
        let member = self.member();
        member.join(&seeds).await
    }

    /// Leaves the group, and goes on to answer and ask.
    ///
    /// # Errors
    /// Why it cannot answer any more. State: it left; call it again to try again.
    pub async fn stop_gossip(&self) -> Result<(), StartError> {
        let mut gossips = self.gossips.lock().await;
        if *gossips == Gossips::Off {
            return Ok(());
        }
        let member = self.member();
        let address = member.address();
        member.leave().await;
        let cluster = self.cluster.clone();
        let fresh = start_member(&self.name, address, cluster).await?;
        *self.member.lock() = fresh;
        *gossips = Gossips::Off;
        Ok(())
    }

    /// Stops everything, without a word to the group.
    pub async fn shutdown(self) {
        self.coordinator.stop_all();
        self.member().shutdown().await;
    }
}

/// Where the members are that suspect the one at this address, as far as the group knows.
fn witnesses(member: &AgentHandle, address: SocketAddr) -> Vec<SocketAddr> {
    use auscult_core::swim::EventKind;
    let members = member.members();
    let Some(accused) = members
        .members
        .iter()
        .find(|known| known.address == address)
    else {
        return Vec::new();
    };
    let log = member.events().since(0, usize::MAX).events;
    let events = log.iter().rev();
    let about = events
        .filter_map(|logged| logged.event.of_member())
        .filter(|event| event.member == accused.name);
    let mut accusations = about.filter_map(|event| {
        if let EventKind::Suspected(accusation) | EventKind::Failed { accusation, .. } = &event.kind
        {
            Some(accusation)
        } else {
            None
        }
    });
    let accusers = accusations
        .next()
        .map(|accusation| accusation.accusers.iter());
    let known = accusers.into_iter().flatten();
    known
        .filter_map(|accuser| Some(members.by_id(accuser.id)?.address))
        .collect()
}

/// Later than that, the process did not run, and nobody is blamed for it.
const STALL_TOLERANCE: Duration = Duration::from_millis(250);
const CHORES_PER_TURN_MAX: usize = 1_024;
/// As many as the machine asks at a time.
const GOSSIP_SEEDS_MAX: usize = auscult_core::bounds::SEEDS_MAX;
