//! A group of members in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::rng::{Rng, mix};
use auscult_core::swim::{Config, ExchangeId, MemberName, Output, Params, Swim, Ticket};
use auscult_core::time::Instant;

use crate::checker::Checker;
use crate::deed::RuleId;
use crate::machine::{Birth, Machine};
use crate::member::{Member, Power, Traffic};
use crate::net::{Net, Weather};
use crate::observation::{Interest, Observation, Observed};
use crate::parcels::{ParcelId, Parcels};
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
    /// The first place of each name.
    pub(crate) places: BTreeMap<MemberName, usize>,
    pub(crate) net: Net,
    pub(crate) wire: Wire,
    pub(crate) rules: Vec<Imposed>,
    pub(crate) rng: Rng,
    pub(crate) queue: Queue<Job>,
    pub(crate) parcels: Parcels,
    /// Lent to each machine while it is called; empty else.
    pub(crate) outputs: VecDeque<Output>,
    /// Who waits for the answer on a stream.
    pub(crate) streams: BTreeMap<Ticket, Waiting>,
    pub(crate) tickets: u64,
    pub(crate) interest: Interest,
    pub(crate) observations: VecDeque<Observation>,
    pub(crate) config: Config,
    pub(crate) seed: u64,
    pub(crate) make: Make,
    pub(crate) rules_imposed: u32,
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

/// What is still to happen. Members are named by their places, of which there are at most 65,536.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    /// A machine may want to be called.
    Wake(u32),
    /// Something arrives.
    Arrive { to: u32, parcel: ParcelId },
    /// A slow member is done with the first thing of its inbox.
    Done { member: u32, life: u32 },
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
            places: BTreeMap::new(),
            net: config.net,
            wire: config.wire,
            rules: Vec::new(),
            rng: Rng::new(mix(config.seed)),
            queue: Queue::new(),
            parcels: Parcels::default(),
            outputs: VecDeque::new(),
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

    pub(crate) fn note(&mut self, kind: Interest, make: impl FnOnce() -> Observed) {
        if self.interest.has(kind) {
            self.observations.push_back(Observation {
                at: self.now,
                kind: make(),
            });
        }
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
        self.places.get(name).copied()
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

    /// Whether a member's process runs.
    #[must_use]
    pub fn is_running(&self, place: usize) -> bool {
        self.members[place].runs()
    }

    /// Whether all members that run have the same view, cluster by cluster: all of them are live,
    /// and nobody else.
    #[must_use]
    pub fn agreed(&self) -> bool {
        self.first_to_disagree().is_none()
    }

    /// The first member that runs and does not [agree](Self::agreed) with the others of its
    /// cluster.
    #[must_use]
    pub fn first_to_disagree(&self) -> Option<usize> {
        let label = |place: usize| &self.members[place].config.params().label;
        // One of each cluster, and how many of it run. Clusters are few.
        let mut clusters: Vec<(usize, usize)> = Vec::new();
        for place in self.running() {
            let mut known = clusters.iter_mut();
            match known.find(|(first, _)| label(*first) == label(place)) {
                Some((_, count)) => *count += 1,
                None => clusters.push((place, 1)),
            }
        }
        clusters.into_iter().find_map(|(first, count)| {
            let digest = self.member(first).view_digest();
            let mut members = self.running().filter(|&place| label(place) == label(first));
            members.find(|&place| {
                let member = self.member(place);
                member.live() != count || member.view_digest() != digest
            })
        })
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

pub(crate) fn valid(params: Params) -> Config {
    match Config::new(params) {
        Ok(config) => config,
        Err(violations) => panic!("the parameters are not valid: {violations:?}"),
    }
}
