//! What is done to a world: members come and go, stop and go on, and the network gets better and
//! worse.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use auscult_core::rng::mix;
use auscult_core::swim::{Config, Identity, Incarnation, Label, MemberName, Params};
use auscult_core::time::Instant;

use crate::address::{PORT, address_of, host_and_port};
use crate::clock::Clock;
use crate::deed::{Crash, Deed, Memory, Place, RuleId, Stall};
use crate::machine::{Birth, Machine};
use crate::member::{Member, Parcel, Power, Traffic};
use crate::net::Net;
use crate::observation::{Interest, Observed};
use crate::ways::Rule;
use crate::workers::Workers;
use crate::world::{Imposed, World, valid};

impl World {
    /// Starts a member that knows nobody; says its place.
    ///
    /// # Panics
    /// If the name is none, or there are [`MEMBERS_MAX`](auscult_core::bounds::MEMBERS_MAX).
    pub fn add(&mut self, name: &str) -> usize {
        let name = named(name);
        self.perform(Deed::Add { name, label: None });
        self.members.len() - 1
    }

    /// The same with parameters of its own, for example another label.
    ///
    /// # Panics
    /// As [`add`](Self::add), and if the parameters are not valid.
    pub fn add_with(&mut self, name: &str, params: Params) -> usize {
        let name = named(name);
        let label = Some(params.label.clone());
        self.note(Interest::DEEDS, || {
            let name = name.clone();
            Observed::Deed(Deed::Add { name, label })
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
            Deed::Add { name, label } => {
                let config = self.config_with(label);
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
            Deed::SetMetadata { member, .. }
            | Deed::Broadcast { member, .. }
            | Deed::Watch { member, .. }
            | Deed::Unwatch { member, .. }
            | Deed::SetDirectLimit { member, .. } => self.ask_machine(member, deed),
            Deed::Impose { rule } => self.begin_rule(rule),
            Deed::Lift { rule } => self.rules.retain(|imposed| imposed.id != rule),
            Deed::Heal => self.rules.clear(),
        }
    }

    fn config_with(&self, label: Option<Label>) -> Config {
        let params = self.config.params();
        match label {
            Some(label) => valid(Params {
                label,
                ..params.clone()
            }),
            None => self.config.clone(),
        }
    }

    fn begin_rule(&mut self, rule: Rule) {
        let id = RuleId(self.rules_imposed);
        self.rules_imposed += 1;
        self.rules.push(Imposed {
            id,
            rule,
            since: self.now,
            weather: Vec::new(),
        });
    }

    /// What a member's user asks for. A process that does not run is not asked.
    fn ask_machine(&mut self, member: usize, deed: Deed) {
        let name_of = |world: &Self, peer: usize| world.members[peer].name.clone();
        let done = match deed {
            Deed::SetMetadata { key, value, .. } => self.call(member, |machine, now| {
                let swim = machine.swim_mut();
                let set = swim.set_metadata(now, &key, value.as_deref());
                set.map_err(|refusal| refusal.to_string())
            }),
            Deed::Broadcast { key, payload, .. } => self.call(member, |machine, now| {
                let swim = machine.swim_mut();
                let said = swim.broadcast(now, key.as_deref(), &payload);
                said.map_err(|refusal| refusal.to_string())
            }),
            Deed::Watch { peer, .. } => {
                let peer = name_of(self, peer);
                self.call(member, |machine, now| {
                    let watched = machine.swim_mut().watch(now, &peer);
                    watched.map_err(|refusal| refusal.to_string())
                })
            }
            Deed::Unwatch { peer, .. } => {
                let peer = name_of(self, peer);
                self.call(member, |machine, now| {
                    machine.swim_mut().unwatch(now, &peer);
                    Ok(())
                })
            }
            Deed::SetDirectLimit { limit, .. } => self.call(member, |machine, now| {
                machine.swim_mut().set_direct_limit(now, limit);
                Ok(())
            }),
            Deed::Add { .. }
            | Deed::Join { .. }
            | Deed::Leave { .. }
            | Deed::Crash { .. }
            | Deed::Restart { .. }
            | Deed::Stall { .. }
            | Deed::Resume { .. }
            | Deed::Slow { .. }
            | Deed::ClockRate { .. }
            | Deed::ClockStep { .. }
            | Deed::Impose { .. }
            | Deed::Lift { .. }
            | Deed::Heal => None,
        };
        if let Some(Err(why)) = done {
            self.note(Interest::EVENTS, || Observed::Refused { member, why });
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
        self.places.entry(name.clone()).or_insert(place);
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
            workers: Workers::One,
            busy: false,
            kept: Incarnation::FIRST,
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
            Memory::Kept => old.kept.next(),
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
        member.kept = incarnation;
        member.power = Power::Runs;
        self.arm(place);
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

    /// A member divides its work like this from now on.
    pub fn set_workers(&mut self, member: usize, workers: Workers) {
        self.members[member].workers = workers;
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

fn named(name: &str) -> MemberName {
    match MemberName::new(name) {
        Ok(name) => name,
        Err(error) => panic!("{name:?} is no name: {error}"),
    }
}
