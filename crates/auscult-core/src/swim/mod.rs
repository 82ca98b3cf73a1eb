//! The membership machine: who is in the group, who failed, and who says so [SWIM] [LG].
//!
//! # Use
//! 1. Build a [`Swim`] with a name, an address and the label of the cluster, and join through seeds
//!    with [`Input::Join`].
//! 2. Give it what happens with [`Swim::handle`]: datagrams, requests over streams, answers, or
//!    only that time passed. The native codec (`wire::swim`) turns bytes into what it takes.
//! 3. Take what it has to say with [`Swim::poll_output`] until there is nothing more.
//! 4. Ask [`Swim::poll_timeout`] when to call again, and do so then with [`Input::Tick`].
//!
//! `now` never goes backwards for the machine: an earlier one counts as the last one seen.
//!
//! # A period
//! Once in a [`probe_interval`](Params::probe_interval) one member is pinged. If it does not
//! answer within the time that its round trips suggest, others are asked to ask it, and a stream
//! is tried; if nothing comes of that, it is suspected. A suspect that hears of it contradicts
//! with a greater incarnation; one that does not is dead when its time is over. That counts for
//! others where the suspicion was known; elsewhere it is one more suspicion. Who was asked how
//! stands in the event ([`Accusation`]).
//!
//! A ping says in which round the sender is. With [`ProbeOrder::Shared`] that gives everybody the
//! same order, so that each member is probed by exactly one other per round; the ack says what
//! view the other one has, and while that differs, each member takes an order of its own.
//!
//! # Heartbeats
//! While the group is small everyone also sends heartbeats to everyone, and judges by them: see
//! [`direct`], which also tells of [`Swim::watch`].
//!
//! # News
//! What changes is told in the datagrams that are sent anyway, and in some more while there is
//! news. Nothing is sent, and no timer runs, for news when there is none. Members whose views
//! still differ after some probes compare all they know over a stream ([`Request::Sync`]).
//!
//! # What members tell of themselves
//! Each member has a map of keys and values that only it changes ([`Swim::set_metadata`], and
//! [`metadata`] for its rules). A change is news of its key; what a member missed it asks for over
//! a stream. Acks show whether copies are the same, so in the end all have the same. What is worth
//! telling once, and not worth keeping, goes to all as a broadcast ([`Swim::broadcast`], and
//! [`broadcast`] for what is promised).
//!
//! # When the observer is at fault
//! Called later than it asked by more than [`stall_tolerance`](Params::stall_tolerance), the
//! machine takes it that the process did not run: every deadline of others moves by that time.
//! Members that miss answers grow patient, for themselves and with others (local health [LG]).
//!
//! # One name, two processes
//! The one that came second gives the name up and is gone; [`Swim::name_lost_to`] says why.
//!
//! # Healing
//! Dead members, and seeds that are no members, are asked now and then for as long as they are
//! remembered. One that answers is told that it was dead, contradicts, and both sides compare all
//! they know: what was dead there is suspect here, and has its time to contradict.

pub mod broadcast;
mod catch_up;
pub mod config;
mod counters;
pub mod direct;
pub mod event;
mod exchanges;
mod flapping;
mod gossip;
mod health;
mod index;
pub mod input;
mod invariants;
mod links;
pub mod member;
mod members;
pub mod message;
pub mod metadata;
mod namesake;
mod news;
mod order;
mod pages;
mod probes;
mod probing;
mod relays;
mod round_trip;
mod suspicion;
mod sync;
pub mod view;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::rng::{Rng, mix};
use crate::time::Instant;
use broadcast::Broadcasts;
use catch_up::MetadataAsk;
use direct::Direct;
use exchanges::Exchanges;
use flapping::Flapping;
use gossip::Queue;
use health::Health;
use links::Links;
use members::{ME, Members, Slot};
use namesake::{Moves, Namesake};
use probes::Probes;
use relays::Relays;
use suspicion::Suspicions;
use sync::Seed;

pub use broadcast::{Broadcast, BroadcastRefusal};
pub use config::{
    Buddy, Config, FirstGossip, Params, ProbeOrder, StreamProbe, SuspicionRule, Timing, Violation,
};
pub use counters::Counters;
pub use direct::{Mode, WatchRefusal};
pub use event::{
    Accusation, Accuser, Attempt, Deadline, Direction, Event, EventKind, JoinOutcome, Link,
    Outcome, Output, Path, Reject,
};
pub use input::{ExchangeId, Input, StreamFailure, Ticket, Wake, Wakes};
pub use member::{Claim, Incarnation, Label, LabelTag, MemberId, MemberName, State};
pub use message::{
    Answer, Asker, Body, Hearsay, Pace, Packet, Proof, Record, Refusal, Request, Sequence, Update,
    ViewTag, Want,
};
pub use metadata::{Delta, Item, Key, MetadataNews, MetadataRefusal, MetadataTag, Stamp};
pub use round_trip::RoundTrip;
pub use view::MemberView;

/// Who a member is, as it tells others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: MemberName,
    /// Where others reach it.
    pub address: SocketAddr,
    /// One more than what [`Output::Persist`] said last in an earlier run, or the seconds since
    /// 1970.
    pub incarnation: Incarnation,
}

/// A member of a group. See the [module](self) for its use.
///
/// What is looked at in each call stands first, and together.
#[derive(Debug)]
#[repr(C)]
pub struct Swim {
    /// The time of the last call.
    now: Instant,
    wake: Option<(Instant, Wake)>,
    /// What is left undone.
    held: Wakes,
    config: Config,
    me: MemberId,
    rng: Rng,
    gossip_at: Option<Instant>,
    sync_at: Instant,
    heal_at: Instant,
    outputs: VecDeque<Output>,
    tag: LabelTag,
    stage: Stage,
    health: Health,
    /// Probes in a row that showed a view other than ours.
    disagreements: u32,
    /// How many pieces of news were dropped when views were compared last.
    news_dropped_at_sync: u64,
    /// Probes in a row that showed other metadata than ours, though the view is the same.
    metadata_disagreements: u32,
    probes: Probes,
    members: Members,
    suspicions: Suspicions,
    /// When the records of members that are gone are forgotten.
    reap: BTreeSet<(Instant, Slot)>,
    relays: Relays,
    exchanges: Exchanges,
    links: Links,
    direct: Direct,
    counters: Counters,
    /// News about members.
    queue: Queue<Update>,
    /// News about their metadata.
    metadata_news: Queue<MetadataNews>,
    /// What users of members tell all.
    broadcasts: Broadcasts,
    /// Streams on which metadata is asked for.
    metadata_asks: Vec<MetadataAsk>,
    /// How long it took suspects to contradict.
    refutations: RoundTrip,
    /// Who contradicted lately.
    flapping: Flapping,
    seeds: Vec<Seed>,
    namesake: Namesake,
    moves: Moves,
    gossiped_at: Instant,
}

/// Where a member is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// It says goodbye.
    Leaving,
    Gone,
}

impl Swim {
    /// A member that knows nobody. The seed decides whom it asks and when, and nothing else.
    #[must_use]
    pub fn new(identity: Identity, config: Config, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let params = config.params();
        let mut members = Members::new(mix(seed ^ INDEX_SALT));
        let me = identity.name.id();
        let record = Record {
            name: identity.name,
            address: identity.address,
            claim: Claim::new(identity.incarnation, State::Alive),
            metadata: Stamp {
                epoch: identity.incarnation,
                version: 0,
            },
        };
        // The first member of an empty table is always taken.
        let _slot = members.add(record, now);
        let probes = Probes::new(params, &mut rng, now);
        let direct = Direct::new(params, &mut rng);
        Self {
            now,
            me,
            tag: params.label.tag(),
            stage: Stage::Running,
            members,
            health: Health::new(params.health_max),
            suspicions: Suspicions::default(),
            queue: Queue::new(mix(seed ^ INDEX_SALT)),
            metadata_news: Queue::new(mix(seed ^ INDEX_SALT)),
            metadata_asks: Vec::new(),
            broadcasts: Broadcasts::default(),
            refutations: RoundTrip::default(),
            flapping: Flapping::default(),
            probes,
            direct,
            links: Links::default(),
            relays: Relays::default(),
            exchanges: Exchanges::default(),
            seeds: Vec::new(),
            disagreements: 0,
            news_dropped_at_sync: 0,
            metadata_disagreements: 0,
            namesake: Namesake::new(now),
            moves: Moves::default(),
            gossip_at: None,
            gossiped_at: Instant::ORIGIN,
            sync_at: now.after(params.sync_interval + rng.span_below(params.sync_interval)),
            heal_at: now.after(rng.span_below(params.heal_interval)),
            reap: BTreeSet::new(),
            wake: Some((now, Wake::Period)),
            held: Wakes::NONE,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            config,
            rng,
        }
    }

    /// Takes what happened. What is not taken becomes [`Output::Rejected`].
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.begin(now);
        if self.stage != Stage::Gone {
            self.take(input);
        }
        self.end();
    }

    /// The next thing to say, in the order in which they happened.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() {
            if self.outputs.capacity() > OUTPUTS_KEPT {
                self.outputs = VecDeque::new();
            }
            // The next one takes the memory that was touched just now.
            self.outputs.clear();
        }
        output
    }

    /// Exchanges what the machine has to say for another list, which should be empty. A shell with
    /// many machines gives each the same one before it calls it, and takes it back when there is
    /// nothing more to say: it is in the processor's memory still, and a list for each is not.
    pub const fn swap_outputs(&mut self, outputs: &mut VecDeque<Output>) {
        core::mem::swap(&mut self.outputs, outputs);
    }

    /// When to call again, and why; `None` once the member is gone.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.wake
    }

    /// What it leaves undone.
    #[must_use]
    pub const fn held(&self) -> Wakes {
        self.held
    }

    /// Leaves undone from now on what it is to do for one of these reasons; what is due by then is
    /// done at the first call after it is held no more. This is for a process that divides its
    /// work among workers, when one of them has to wait: those that the simulator blocks as
    /// [LG 5.1] did. Our agent has one, which waits for nothing.
    pub fn hold(&mut self, wakes: Wakes) {
        self.held = wakes;
        self.wake = self.next_chore();
    }

    fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Tick => {}
            Input::Packet { from, packet } => self.take_packet(from, packet),
            Input::Request {
                from,
                ticket,
                request,
            } => self.take_request(from, ticket, request),
            Input::Answered { exchange, answer } => self.take_answer(exchange, answer),
            Input::Failed { exchange, failure } => self.take_failure(exchange, failure),
            Input::Join { seeds } => self.join(seeds),
            Input::Leave => self.leave(),
            Input::Moved { address } => self.move_to(address),
        }
    }

    /// What every call begins with: time passes, and a stall is noticed.
    fn begin(&mut self, now: Instant) {
        if now < self.now {
            self.counters.clock_regressions += 1;
            return;
        }
        if let Some((at, why)) = self.wake
            && at <= now
        {
            self.counters.count_wake(why);
            let late = now.since(at);
            if late > self.config.params().stall_tolerance {
                self.excuse(now, late);
            }
        }
        self.now = now;
    }

    /// The process did not run for so long, so nobody else is to blame for that time.
    fn excuse(&mut self, now: Instant, late: Duration) {
        self.counters.stalls += 1;
        self.health.worse(1);
        self.suspicions.postpone(late);
        self.probes.postpone(late);
        self.exchanges.postpone(late);
        self.direct.excuse(now);
        self.links.clear();
    }

    /// What every call ends with: everything that is due by now is done.
    fn end(&mut self) {
        loop {
            self.follow_mode();
            self.wake = self.next_chore();
            match self.wake {
                Some((at, why)) if at <= self.now => self.do_chore(why),
                Some(_) | None => break,
            }
        }
    }

    /// What is to be done next.
    fn next_chore(&self) -> Option<(Instant, Wake)> {
        match self.stage {
            Stage::Running => {}
            Stage::Leaving => {
                let gossip = self.gossip_at.filter(|_| !self.held.has(Wake::Gossip));
                return gossip.map(|at| (at, Wake::Gossip));
            }
            Stage::Gone => return None,
        }
        let mut next: Option<(Instant, Wake)> = None;
        let mut consider = |candidate: Option<(Instant, Wake)>| {
            if let Some((at, why)) = candidate
                && next.is_none_or(|(earliest, _)| at < earliest)
                && !self.held.has(why)
            {
                next = candidate;
            }
        };
        // A probe that ends with its period is decided in it.
        consider(self.probes.next());
        consider(Some((self.probes.next_period, Wake::Period)));
        consider(self.relays.next().map(|at| (at, Wake::Relay)));
        consider(self.suspicions.next().map(|(at, _)| (at, Wake::Suspicion)));
        consider(self.gossip_at.map(|at| (at, Wake::Gossip)));
        consider(Some((self.sync_at, Wake::Sync)));
        consider(Some((self.heal_at, Wake::Heal)));
        consider(self.reap.first().map(|&(at, _)| (at, Wake::Reap)));
        consider(self.exchanges.next().map(|at| (at, Wake::Exchange)));
        consider(self.links.next().map(|at| (at, Wake::Link)));
        consider(
            self.direct
                .next_heartbeats()
                .map(|at| (at, Wake::Heartbeat)),
        );
        consider(self.direct.next_silence().map(|at| (at, Wake::Silence)));
        consider(self.direct.next_watch().map(|at| (at, Wake::Watch)));
        next
    }

    fn do_chore(&mut self, why: Wake) {
        match why {
            Wake::Period => self.begin_period(),
            Wake::Indirect => self.ask_others(),
            Wake::Verdict => self.decide_probes(),
            Wake::Relay => self.give_up_relays(),
            Wake::Suspicion => self.convict(),
            Wake::Gossip => self.gossip(),
            Wake::Sync => self.sync_with_any(),
            Wake::Heal => self.heal(),
            Wake::Reap => self.forget(),
            Wake::Exchange => self.give_up_exchanges(),
            Wake::Heartbeat => self.send_heartbeats(),
            Wake::Silence => self.judge_silences(),
            Wake::Watch => self.ask_for_heartbeats(),
            Wake::Link => self.check_links(),
        }
    }

    /// Sends a datagram: `first` if there is one, and as much news as fits besides.
    fn send(&mut self, to: SocketAddr, body: Body, first: Option<Update>) {
        self.send_with(to, body, first);
    }

    /// Sends a datagram: these updates, which must fit, and as much news as fits besides.
    fn send_with(&mut self, to: SocketAddr, body: Body, updates: impl IntoIterator<Item = Update>) {
        let mut packet = Packet::bare(self.tag, self.me, body);
        packet.updates.extend(updates);
        if self.gossip_at.is_some() {
            self.pack(to, &mut packet);
        }
        self.outputs.push_back(Output::Send { to, packet });
    }

    fn say(&mut self, slot: Slot, kind: EventKind) {
        let event = Event {
            at: self.now,
            member: self.members.entry(slot).name.clone(),
            kind,
        };
        self.outputs.push_back(Output::Event(event));
    }

    fn reject(&mut self, from: SocketAddr, reason: Reject) {
        self.counters.count_rejected(reason);
        self.outputs.push_back(Output::Rejected { from, reason });
    }

    /// What this member says of itself.
    fn introduction(&self) -> Update {
        let me = self.members.entry(ME);
        let incarnation = me.claim().incarnation;
        match me.claim().state {
            State::Alive | State::Suspect | State::Dead => Update::Alive {
                name: me.name.clone(),
                address: self.members.address(ME),
                incarnation,
            },
            State::Left => Update::Left {
                member: me.id,
                incarnation,
            },
        }
    }
}

/// Room for what is said in a day like any other. What a burst took, as when a whole group is heard
/// of at once, is given back.
const OUTPUTS_KEPT: usize = 64;

/// Sets the key of the table of members apart from the random numbers that the seed gives.
const INDEX_SALT: u64 = 0x5ca1_ab1e_0ddb_a115;

#[cfg(test)]
mod tests;
