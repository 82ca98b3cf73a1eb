//! A group of members in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::rng::{Rng, mix};
use auscult_core::swim::{
    Config, ExchangeId, Identity, Incarnation, MemberName, Params, Swim, Ticket,
};
use auscult_core::time::Instant;

use crate::checker::Checker;
use crate::clock::Clock;
use crate::deed::{Crash, Deed, Memory, Place, RuleId, Stall};
use crate::machine::{Birth, Machine};
use crate::member::{Member, Parcel, Power, Traffic};
use crate::net::{Net, Weather};
use crate::observation::{Interest, Observation, Observed};
use crate::queue::Queue;
use crate::ways::Rule;

/// What a world is made from.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// How members behave that are added without parameters of their own.
    pub params: Params,
    /// Decides everything that happens by chance.
    pub seed: u64,
    /// The network.
    pub net: Net,
    /// Whether messages are turned into bytes on their way.
    pub wire: Wire,
}

impl WorldConfig {
    /// A machine room ([`Net::lan`]) with typed messages.
    #[must_use]
    pub const fn new(params: Params, seed: u64) -> Self {
        Self {
            params,
            seed,
            net: Net::lan(),
            wire: Wire::Typed,
        }
    }
}

/// Whether messages are turned into bytes on their way. What happens is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// They are handed over as they are: fast.
    Typed,
    /// Datagrams are encoded to count their bytes.
    Measured,
    /// They are encoded, and decoded again by the one who takes them.
    Codec,
}

/// Makes the machine that runs at a place.
type Make = Box<dyn FnMut(Birth) -> Box<dyn Machine>>;

/// A group of members in virtual time, in one thread: the same seed and the same deeds give the
/// same course of events, to the byte.
///
/// Members are named by their places: the first one added has 0. A method that is given the place
/// of a member that was never added panics.
pub struct World {
    pub(crate) now: Instant,
    pub(crate) members: Vec<Member>,
    pub(crate) net: Net,
    pub(crate) wire: Wire,
    pub(crate) rules: Vec<Imposed>,
    pub(crate) rng: Rng,
    pub(crate) queue: Queue<Job>,
    /// Who waits for the answer on a stream.
    pub(crate) streams: BTreeMap<Ticket, Waiting>,
    pub(crate) tickets: u64,
    pub(crate) interest: Interest,
    pub(crate) observations: VecDeque<Observation>,
    config: Config,
    seed: u64,
    make: Make,
    rules_imposed: u32,
}

/// A rule that holds.
#[derive(Debug)]
pub(crate) struct Imposed {
    pub(crate) id: RuleId,
    pub(crate) rule: Rule,
    pub(crate) since: Instant,
    /// By sender.
    pub(crate) weather: Vec<Option<Weather>>,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) member: usize,
    pub(crate) life: u32,
    pub(crate) exchange: ExchangeId,
}

/// What is still to happen.
#[derive(Debug)]
pub(crate) enum Job {
    /// A machine may want to be called.
    Wake(usize),
    /// Something arrives.
    Arrive(usize, Parcel),
    /// A slow member is done with the first thing of its inbox.
    Done { member: usize, life: u32 },
}

impl World {
    /// A world without members, at the time 0.
    ///
    /// # Panics
    /// If the parameters are not valid.
    #[must_use]
    pub fn new(config: WorldConfig) -> Self {
        Self::with_machines(config, |birth| Box::new(birth.swim()))
    }

    /// The same with other machines at some places or at all.
    ///
    /// # Panics
    /// If the parameters are not valid.
    #[must_use]
    pub fn with_machines(
        config: WorldConfig,
        make: impl FnMut(Birth) -> Box<dyn Machine> + 'static,
    ) -> Self {
        Self {
            now: Instant::ORIGIN,
            members: Vec::new(),
            net: config.net,
            wire: config.wire,
            rules: Vec::new(),
            rng: Rng::new(mix(config.seed)),
            queue: Queue::new(),
            streams: BTreeMap::new(),
            tickets: 0,
            interest: Interest::NONE,
            observations: VecDeque::new(),
            config: valid(config.params),
            seed: config.seed,
            make: Box::new(make),
            rules_imposed: 0,
        }
    }

    /// Starts a member that knows nobody; says its place.
    ///
    /// # Panics
    /// If the name is none, or there are [`MEMBERS_MAX`](auscult_core::bounds::MEMBERS_MAX).
    pub fn add(&mut self, name: &str) -> usize {
        self.perform(Deed::Add { name: named(name) });
        self.members.len() - 1
    }

    /// The same with parameters of its own, for example another label.
    ///
    /// # Panics
    /// As [`add`](Self::add), and if the parameters are not valid.
    pub fn add_with(&mut self, name: &str, params: Params) -> usize {
        let name = named(name);
        self.note(Interest::DEEDS, || {
            Observed::Deed(Deed::Add { name: name.clone() })
        });
        self.start(name, valid(params))
    }

    /// Starts members named `m0`, `m1`, ..., all of which join through the first one at once.
    /// Says their places.
    ///
    /// # Panics
    /// As [`add`](Self::add).
    pub fn add_many(&mut self, count: usize) -> std::ops::Range<usize> {
        let first = self.members.len();
        for place in first..first + count {
            self.add(&format!("m{place}"));
            if place > first {
                self.join(place, &[first]);
            }
        }
        first..first + count
    }

    /// Does something to the world.
    ///
    /// # Panics
    /// If there is no such member.
    pub fn perform(&mut self, deed: Deed) {
        self.note(Interest::DEEDS, || Observed::Deed(deed.clone()));
        let now = self.now;
        match deed {
            Deed::Add { name } => {
                let config = self.config.clone();
                self.start(name, config);
            }
            Deed::Join { member, seeds } => {
                let seeds = seeds.iter().map(|&seed| self.address(seed)).collect();
                self.arrive(member, Parcel::Join(seeds));
            }
            Deed::Leave { member } => self.arrive(member, Parcel::Leave),
            Deed::Crash { member, crash } => self.end_process(member, crash),
            Deed::Restart {
                member,
                memory,
                place,
            } => self.start_again(member, memory, place),
            Deed::Stall { member, stall } => {
                if self.members[member].runs() {
                    self.members[member].power = Power::Stalls(stall);
                }
            }
            Deed::Resume { member } => self.go_on(member),
            Deed::Slow { member, each } => self.members[member].each = each,
            Deed::ClockRate { member, gained_ppm } => {
                self.members[member].clock.set_rate(now, gained_ppm);
                self.arm(member);
            }
            Deed::ClockStep { member, by } => {
                self.members[member].clock.step(now, by);
                self.arm(member);
            }
            Deed::Impose { rule } => {
                let id = RuleId(self.rules_imposed);
                self.rules_imposed += 1;
                self.rules.push(Imposed {
                    id,
                    rule,
                    since: now,
                    weather: Vec::new(),
                });
            }
            Deed::Lift { rule } => self.rules.retain(|imposed| imposed.id != rule),
            Deed::Heal => self.rules.clear(),
        }
    }

    fn start(&mut self, name: MemberName, config: Config) -> usize {
        let place = self.members.len();
        let address = address_of(place, 0, PORT);
        let birth = self.birth(
            place,
            0,
            &name,
            address,
            Incarnation::FIRST,
            &config,
            self.now,
        );
        let machine = (self.make)(birth);
        self.members.push(Member {
            name,
            address,
            config,
            machine,
            power: Power::Runs,
            life: 0,
            clock: Clock::new(),
            wake: Instant::FAR_FUTURE,
            armed: Instant::FAR_FUTURE,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            each: Duration::ZERO,
            busy: false,
            kept: None,
            weather: None,
            traffic: Traffic::default(),
        });
        self.arm(place);
        place
    }

    #[expect(clippy::too_many_arguments, reason = "a birth is made of all these")]
    fn birth(
        &self,
        place: usize,
        life: u32,
        name: &MemberName,
        address: SocketAddr,
        incarnation: Incarnation,
        config: &Config,
        now: Instant,
    ) -> Birth {
        let process = (place as u64) << 32 | u64::from(life);
        Birth {
            place,
            identity: Identity {
                name: name.clone(),
                address,
                incarnation,
            },
            config: config.clone(),
            seed: mix(self.seed ^ mix(process)),
            now,
        }
    }

    pub(crate) fn end_process(&mut self, place: usize, crash: Crash) {
        let member = &mut self.members[place];
        member.power = Power::Off(crash);
        member.clear();
    }

    fn start_again(&mut self, place: usize, memory: Memory, listens: Place) {
        let old = &self.members[place];
        let incarnation = match memory {
            Memory::Kept => old.kept.map_or(Incarnation::FIRST, Incarnation::next),
            Memory::Lost => Incarnation::FIRST,
        };
        let (host, port) = host_and_port(old.address);
        let address = match listens {
            Place::Same => old.address,
            Place::OtherPort => address_of(place, host, port.wrapping_add(1).max(1)),
            Place::OtherHost => address_of(place, host.wrapping_add(1), port),
        };
        let (name, config, life) = (old.name.clone(), old.config.clone(), old.life + 1);
        let now = old.clock.local(self.now);
        let birth = self.birth(place, life, &name, address, incarnation, &config, now);
        let machine = (self.make)(birth);
        let member = &mut self.members[place];
        member.clear();
        member.machine = machine;
        member.address = address;
        member.life = life;
        member.power = Power::Runs;
        self.arm(place);
    }

    pub(crate) fn note(&mut self, kind: Interest, make: impl FnOnce() -> Observed) {
        if self.interest.has(kind) {
            self.observations.push_back(Observation {
                at: self.now,
                kind: make(),
            });
        }
    }
}

/// What is done to members, in short.
impl World {
    /// A member joins through others.
    pub fn join(&mut self, member: usize, seeds: &[usize]) {
        let seeds = seeds.to_vec();
        self.perform(Deed::Join { member, seeds });
    }

    /// A member leaves, and its process ends.
    pub fn leave(&mut self, member: usize) {
        self.perform(Deed::Leave { member });
    }

    /// A member's process is killed; its host refuses connections.
    pub fn crash(&mut self, member: usize) {
        let crash = Crash::Process;
        self.perform(Deed::Crash { member, crash });
    }

    /// A member's process is started once more.
    pub fn restart(&mut self, member: usize, memory: Memory, place: Place) {
        self.perform(Deed::Restart {
            member,
            memory,
            place,
        });
    }

    /// A member stops.
    pub fn stall(&mut self, member: usize, stall: Stall) {
        self.perform(Deed::Stall { member, stall });
    }

    /// A member that stopped goes on.
    pub fn resume(&mut self, member: usize) {
        self.perform(Deed::Resume { member });
    }

    /// A rule begins to hold.
    pub fn impose(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.rules_imposed);
        self.perform(Deed::Impose { rule });
        id
    }

    /// A rule holds no more.
    pub fn lift(&mut self, rule: RuleId) {
        self.perform(Deed::Lift { rule });
    }

    /// No rule holds any more.
    pub fn heal(&mut self) {
        self.perform(Deed::Heal);
    }

    /// The network is another one from now on.
    pub fn set_net(&mut self, net: Net) {
        self.net = net;
    }

    /// Calls something else of a member's machine with the time on its clock, and lets the world
    /// take what it says. `None` if the process does not run.
    pub fn call<R>(
        &mut self,
        member: usize,
        call: impl FnOnce(&mut dyn Machine, Instant) -> R,
    ) -> Option<R> {
        if !self.members[member].runs() {
            return None;
        }
        let found = &mut self.members[member];
        let result = call(found.machine.as_mut(), found.clock.local(self.now));
        self.listen_to(member);
        Some(result)
    }
}

/// Time.
impl World {
    /// The time of the world.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Lets happen what is due up to and at `until`.
    pub fn run_until(&mut self, until: Instant) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now.after(span));
    }

    /// Lets time pass until something holds, which is looked at as often as `every` says; when it
    /// did. `None` if it did not hold at `until` either.
    pub fn run_until_or(
        &mut self,
        until: Instant,
        every: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Option<Instant> {
        loop {
            if holds(self) {
                return Some(self.now);
            }
            if self.now >= until {
                return None;
            }
            self.run_until(until.min(self.now.after(every)));
        }
    }

    /// Lets time pass while checkers watch. Call [`listen`](Self::listen) with their interests
    /// first; [`finish`](Checker::finish) is left to the caller.
    pub fn run_checked(&mut self, until: Instant, checkers: &mut [Box<dyn Checker>]) {
        loop {
            while let Some(observation) = self.observations.pop_front() {
                for checker in checkers.iter_mut() {
                    if checker.interest().has(observation.kind.interest()) {
                        checker.observe(self, &observation);
                    }
                }
            }
            if !self.step(until) && self.observations.is_empty() {
                break;
            }
        }
        self.now = self.now.max(until);
    }

    /// From now on these observations are made; nothing is by default.
    pub fn listen(&mut self, interest: Interest) {
        self.interest = interest;
    }

    /// The oldest observation that was not taken yet. They are kept until they are.
    pub fn poll_observation(&mut self) -> Option<Observation> {
        self.observations.pop_front()
    }
}

/// What is the case.
impl World {
    /// How many members were ever added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether none was ever added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The seed that decides everything that happens by chance.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// A member, to be asked what it knows. One that has ended says what it knew.
    #[must_use]
    pub fn member(&self, place: usize) -> &Swim {
        self.members[place].machine.swim()
    }

    /// The name of a member.
    #[must_use]
    pub fn name(&self, place: usize) -> &MemberName {
        &self.members[place].name
    }

    /// Where a member listens, or did.
    #[must_use]
    pub fn address(&self, place: usize) -> SocketAddr {
        self.members[place].address
    }

    /// The first member with this name.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Option<usize> {
        let mut members = self.members.iter();
        members.position(|member| member.name.as_str() == name)
    }

    /// Whether a member's process runs.
    #[must_use]
    pub fn power(&self, place: usize) -> Power {
        self.members[place].power
    }

    /// How many processes ran at this place before the one there.
    #[must_use]
    pub fn life(&self, place: usize) -> u32 {
        self.members[place].life
    }

    /// The time on a member's clock.
    #[must_use]
    pub fn clock(&self, place: usize) -> Instant {
        self.members[place].clock.local(self.now)
    }

    /// The members whose processes run, by their places.
    pub fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(|&place| self.members[place].runs())
    }

    /// Whether no rule that holds now cuts the way from the one to the other.
    #[must_use]
    pub fn is_open(&self, from: usize, to: usize) -> bool {
        let mut rules = self.rules.iter();
        !rules.any(|imposed| {
            let rule = &imposed.rule;
            rule.effect == crate::ways::Effect::Cut && rule.holds(imposed.since, self.now, from, to)
        })
    }

    /// The rules that were imposed and not lifted, the oldest first.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        self.rules.iter().map(|imposed| (imposed.id, &imposed.rule))
    }

    /// Whether all members that run have the same view: all of them are live, and nobody else.
    #[must_use]
    pub fn agreed(&self) -> bool {
        let count = self.running().count();
        let mut running = self.running().map(|place| self.member(place));
        let Some(first) = running.next() else {
            return true;
        };
        first.live() == count
            && running.all(|one| one.live() == count && one.view_digest() == first.view_digest())
    }

    /// What was counted at one place.
    #[must_use]
    pub fn traffic_of(&self, place: usize) -> Traffic {
        self.members[place].traffic
    }

    /// What was counted everywhere.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let all = self.members.iter().map(|member| member.traffic);
        all.fold(Traffic::default(), |sum, one| Traffic {
            sent: sum.sent + one.sent,
            bytes: sum.bytes + one.bytes,
            delivered: sum.delivered + one.delivered,
            dropped: sum.dropped + one.dropped,
            streams: sum.streams + one.streams,
        })
    }

    /// Things that are still to happen: messages on their way, and machines that will be called.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("seed", &self.seed)
            .field("members", &self.members)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Who is asked at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// This member.
    Member(usize),
    /// Nobody any more, but the member's host answers that.
    Host(usize),
    /// Nobody.
    Nobody,
}

impl World {
    pub(crate) fn listener(&self, address: SocketAddr) -> Listener {
        let SocketAddr::V4(v4) = address else {
            return Listener::Nobody;
        };
        let [NET, _, high, low] = v4.ip().octets() else {
            return Listener::Nobody;
        };
        let place = usize::from(u16::from_be_bytes([high, low]));
        match self.members.get(place) {
            Some(member) if member.address == address => Listener::Member(place),
            Some(member) if member.address.ip() == address.ip() => Listener::Host(place),
            Some(_) | None => Listener::Nobody,
        }
    }
}

/// The first byte of every address; the second one is the host, the others are the place.
const NET: u8 = 10;
const PORT: u16 = 7946;

fn address_of(place: usize, host: u8, port: u16) -> SocketAddr {
    let Ok(place) = u16::try_from(place) else {
        panic!("a world has at most 65,536 members");
    };
    let [high, low] = place.to_be_bytes();
    SocketAddr::from(([NET, host, high, low], port))
}

fn host_and_port(address: SocketAddr) -> (u8, u16) {
    match address {
        SocketAddr::V4(v4) => (v4.ip().octets()[1], v4.port()),
        SocketAddr::V6(v6) => (0, v6.port()),
    }
}

fn valid(params: Params) -> Config {
    match Config::new(params) {
        Ok(config) => config,
        Err(violations) => panic!("the parameters are not valid: {violations:?}"),
    }
}

fn named(name: &str) -> MemberName {
    match MemberName::new(name) {
        Ok(name) => name,
        Err(error) => panic!("{name:?} is no name: {error}"),
    }
}
