//! A whole history from one number: how many members, which network, what goes wrong and when;
//! then everything is repaired, and all must agree. All checkers watch.

use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{Label, Params};
use auscult_core::time::Instant;

use super::{Checker, Finding, agreement, all};
use crate::clock::Step;
use crate::deed::{Crash, Deed, Memory, Place, Stall};
use crate::machine::{Birth, Machine};
use crate::member::{Power, Traffic};
use crate::net::{Bursts, Delay, Loss, Net, Reordering, unit};
use crate::observation::Interest;
use crate::ways::{Effect, Rule, Ways, Who};
use crate::world::{Wire, World, WorldConfig};

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// What the checkers found; nothing in a good machine.
    pub findings: Vec<Finding>,
    /// How many members there were.
    pub members: usize,
    /// What was done to them.
    pub deeds: usize,
    /// How long after the last deed all agreed; `None` if they did not within the bound.
    pub agreed_after: Option<Duration>,
    /// The longest time that they had for it, as [`agreement::bound`] has it.
    pub bound: Duration,
    /// What was sent.
    pub traffic: Traffic,
    /// How much virtual time passed.
    pub span: Duration,
}

/// How large a history is, where that is not left to its seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many members, at least 2.
    pub members: Option<usize>,
    /// For how long things go wrong.
    pub span: Option<Duration>,
}

/// Lives through the history that `seed` stands for, with messages in the form that `wire` says.
///
/// # Panics
/// When a machine finds itself in a state that cannot be, which is a bug of the machine.
#[must_use]
pub fn run(seed: u64, wire: Wire) -> Outcome {
    run_with(seed, wire, all(), |birth| Box::new(birth.swim()))
}

/// The same with other checkers, for a history of this size.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_sized(seed: u64, size: Size, wire: Wire, checkers: Vec<Box<dyn Checker>>) -> Outcome {
    let mut history = History::new(seed, wire, |birth| Box::new(birth.swim()));
    history.members = size
        .members
        .map_or(history.members, |members| members.max(2));
    history.span = size.span;
    history.live(checkers)
}

/// The same with other checkers, and other machines at some places or at all.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_with(
    seed: u64,
    wire: Wire,
    checkers: Vec<Box<dyn Checker>>,
    make: impl FnMut(Birth) -> Box<dyn Machine> + 'static,
) -> Outcome {
    History::new(seed, wire, make).live(checkers)
}

/// Whether a process may be started again elsewhere. If it may, two members can each know only
/// where the other one was, so all must be told to join once more in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    Never,
    Anywhere,
}

/// A world to which things happen.
struct History {
    world: World,
    rng: Rng,
    members: usize,
    /// For how long things go wrong, where the seed does not say.
    span: Option<Duration>,
    deeds: usize,
    /// Whether processes may be started again elsewhere.
    moves: Moves,
    /// Those that said goodbye stay away.
    left: Vec<usize>,
}

impl History {
    fn new(seed: u64, wire: Wire, make: impl FnMut(Birth) -> Box<dyn Machine> + 'static) -> Self {
        let mut rng = Rng::new(seed);
        // Most groups are small, as more goes wrong in them.
        let members = 2 + match rng.below(4) {
            0 => rng.below(4),
            1 | 2 => rng.below(14),
            _ => rng.below(38),
        } as usize;
        let config = WorldConfig {
            params: params(&mut rng),
            seed: rng.next_u64(),
            net: net(&mut rng),
            wire,
        };
        Self {
            world: World::with_machines(config, make),
            members,
            span: None,
            deeds: 0,
            moves: if rng.below(3) == 0 {
                Moves::Anywhere
            } else {
                Moves::Never
            },
            left: Vec::new(),
            rng,
        }
    }

    fn live(mut self, mut checkers: Vec<Box<dyn Checker>>) -> Outcome {
        let interests = checkers.iter().map(|checker| checker.interest());
        let interest = interests.fold(Interest::NONE, |sum, one| sum | one);
        self.world.listen(interest);
        self.found_group(&mut checkers);
        self.suffer(&mut checkers);
        let (agreed_after, bound) = self.recover(&mut checkers);
        let world = &self.world;
        let findings = checkers
            .iter_mut()
            .flat_map(|checker| checker.finish(world));
        Outcome {
            findings: findings.collect(),
            members: world.len(),
            deeds: self.deeds,
            agreed_after,
            bound,
            traffic: world.traffic(),
            span: world.now().since(Instant::ORIGIN),
        }
    }

    fn perform(&mut self, deed: Deed) {
        self.deeds += 1;
        self.world.perform(deed);
    }

    fn pass(&mut self, span: Duration, checkers: &mut [Box<dyn Checker>]) {
        let until = self.world.now().after(span);
        self.world.run_checked(until, checkers);
    }

    /// Everyone joins, some later than others.
    fn found_group(&mut self, checkers: &mut [Box<dyn Checker>]) {
        for place in 0..self.members {
            self.world.add(&format!("m{place}"));
            if place > 0 {
                self.join(place);
            }
            if self.rng.below(3) == 0 {
                let wait = self.rng.span_below(2 * SECOND);
                let large = self.members.div_ceil(LARGE) as u32;
                self.pass(wait / large, checkers);
            }
        }
        let wait = self.rng.span_below(20 * SECOND);
        self.pass(wait, checkers);
    }

    /// Through the first one, and another one.
    fn join(&mut self, place: usize) {
        let other = self.rng.below(self.world.len() as u64) as usize;
        let seeds = [0, other].into_iter().filter(|&seed| seed != place);
        let seeds = seeds.collect();
        let member = place;
        self.perform(Deed::Join { member, seeds });
    }

    /// Things go wrong, and some of them end.
    fn suffer(&mut self, checkers: &mut [Box<dyn Checker>]) {
        let blows = 5 + self.rng.below(20);
        let began = self.world.now();
        let mut struck = 0;
        while match self.span {
            Some(span) => self.world.now().since(began) < span,
            None => struck < blows,
        } {
            struck += 1;
            self.strike();
            let wait = match self.rng.below(3) {
                0 => SECOND,
                1 => 8 * SECOND,
                _ => 25 * SECOND,
            };
            let wait = self.rng.span_below(wait);
            self.pass(wait, checkers);
        }
    }

    fn strike(&mut self) {
        let member = self.anyone();
        match self.rng.below(17) {
            16 => {
                let key = self.either("load", "zone").to_owned();
                let value = Some(self.rng.next_u64().to_be_bytes().to_vec());
                self.perform(Deed::SetMetadata { member, key, value });
            }

            0 | 1 => {
                let crash = self.either(Crash::Process, Crash::Host);
                self.perform(Deed::Crash { member, crash });
            }
            2 | 3 => self.restart(member),
            4 | 5 => {
                let stall = self.either(Stall::Process, Stall::Messages);
                self.perform(Deed::Stall { member, stall });
            }
            6 | 7 => self.resume_all(),
            8 => {
                let each = self.rng.span_below(Duration::from_millis(50));
                self.perform(Deed::Slow { member, each });
            }
            9 => {
                let span = self.rng.span_below(10 * SECOND);
                let by = self.either(Step::Forward(span), Step::Back(span));
                self.perform(Deed::ClockStep { member, by });
            }
            10 => {
                let gained_ppm = self.rng.below(1_000_000) as i32 - 500_000;
                self.perform(Deed::ClockRate { member, gained_ppm });
            }
            11 => {
                // The first one stays, so that there is somebody to join through.
                if member != 0 && self.rng.below(2) == 0 && self.running(member) {
                    self.left.push(member);
                    self.perform(Deed::Leave { member });
                }
            }
            12 => self.perform(Deed::Heal),
            _ => {
                let rule = self.rule();
                self.perform(Deed::Impose { rule });
            }
        }
    }

    fn rule(&mut self) -> Rule {
        let (some, others) = self.halves();
        let rule = match self.rng.below(6) {
            0 => Rule::partition(vec![some, others]),
            1 => Rule::one_way(some, others),
            2 => Rule::one_way(Who::these([self.anyone()]), Who::Everybody),
            3 => Rule::one_way(Who::Everybody, Who::these([self.anyone()])),
            4 => {
                let loss = loss(&mut self.rng, 0.9);
                Rule::steady(Ways::Of(some), Effect::Loss(loss))
            }
            _ => {
                let median = self.rng.span_below(Duration::from_millis(300));
                let sigma = unit(&mut self.rng);
                let delay = Delay::LogNormal { median, sigma };
                Rule::steady(Ways::Between(some, others), Effect::Delay(delay))
            }
        };
        if self.rng.below(4) == 0 {
            let (on, off) = (
                self.rng.span_below(20 * SECOND),
                self.rng.span_below(20 * SECOND),
            );
            return rule.flipping(on.max(SECOND), off);
        }
        rule
    }

    /// Each member on one side or on the other one.
    fn halves(&mut self) -> (Who, Who) {
        let share = 1 + self.rng.below(4);
        let sides: Vec<bool> = (0..self.members)
            .map(|_| self.rng.below(8) < share)
            .collect();
        let side = |wanted| Who::these((0..sides.len()).filter(|&place| sides[place] == wanted));
        (side(true), side(false))
    }

    fn anyone(&mut self) -> usize {
        self.rng.below(self.members as u64) as usize
    }

    fn either<T>(&mut self, one: T, other: T) -> T {
        if self.rng.below(2) == 0 { one } else { other }
    }

    fn running(&self, member: usize) -> bool {
        self.world.power(member) == Power::Runs
    }

    fn restart(&mut self, member: usize) {
        if self.left.contains(&member) {
            return;
        }
        let memory = self.either(Memory::Kept, Memory::Lost);
        let place = match (self.moves, self.rng.below(4)) {
            (Moves::Anywhere, 0) => Place::OtherPort,
            (Moves::Anywhere, 1) => Place::OtherHost,
            (Moves::Anywhere | Moves::Never, _) => Place::Same,
        };
        self.perform(Deed::Restart {
            member,
            memory,
            place,
        });
        self.join(member);
    }

    fn resume_all(&mut self) {
        for member in 0..self.members {
            if let Power::Stalls(_) = self.world.power(member) {
                self.perform(Deed::Resume { member });
            }
        }
    }

    /// Everything is repaired; says how long they took to agree, and how long they had.
    fn recover(&mut self, checkers: &mut [Box<dyn Checker>]) -> (Option<Duration>, Duration) {
        self.world.set_net(Net::lan());
        self.perform(Deed::Heal);
        for member in 0..self.members {
            self.perform(Deed::Slow {
                member,
                each: Duration::ZERO,
            });
            let gained_ppm = 0;
            self.perform(Deed::ClockRate { member, gained_ppm });
        }
        self.resume_all();
        for member in 0..self.members {
            let off = matches!(self.world.power(member), Power::Off(_));
            if off && (member == 0 || self.rng.below(2) == 0) {
                self.restart(member);
            }
        }
        if self.moves == Moves::Anywhere {
            for member in 1..self.members {
                if self.running(member) {
                    self.join(member);
                }
            }
        }
        // Clocks that were set back catch up, and goodbyes are said.
        self.pass(10 * SECOND, checkers);
        let calm: Instant = self.world.now();
        let running = self.world.running().count();
        let first = self.world.member(0).config().params().clone();
        let bound = agreement::bound(&first, running, self.members - running);
        let mut agreed_at = None;
        while self.world.now() < calm.after(bound) {
            self.pass(SECOND, checkers);
            if !self.world.agreed() {
                agreed_at = None;
            } else if agreed_at.is_none() {
                agreed_at = Some(self.world.now());
            }
            let large = self.members > LARGE;
            if large && agreed_at.is_some_and(|at| self.world.now() >= at.after(SETTLED)) {
                break;
            }
        }
        (agreed_at.map(|at| at.since(calm)), bound)
    }
}

fn params(rng: &mut Rng) -> Params {
    let Ok(label) = Label::new("seeds") else {
        panic!("the label is none");
    };
    let mut params = match rng.below(4) {
        0 => Params::local(label),
        1 => Params::wan(label),
        _ => Params::lan(label),
    };
    params.direct_limit = match rng.below(4) {
        0 => params.direct_limit,
        1 => 2 + rng.below(20) as usize,
        _ => 0,
    };
    params
}

fn net(rng: &mut Rng) -> Net {
    let mut net = match rng.below(4) {
        0 => Net::wan(),
        _ => Net::lan(),
    };
    if rng.below(2) == 0 {
        net.loss = loss(rng, 0.1);
    }
    if rng.below(3) == 0 {
        net.duplication = unit(rng) / 5.0;
    }
    if rng.below(3) == 0 {
        net.reordering = Some(Reordering {
            fraction: unit(rng) / 5.0,
            by: rng.span_below(Duration::from_millis(100)),
        });
    }
    net
}

fn loss(rng: &mut Rng, most: f64) -> Loss {
    if rng.below(2) == 0 {
        return Loss::Independent(unit(rng) * most);
    }
    Loss::Bursts(Bursts {
        good: rng.span_below(10 * SECOND).max(SECOND),
        bad: rng.span_below(3 * SECOND).max(SECOND / 10),
        good_loss: 0.0,
        bad_loss: unit(rng) * most,
    })
}

const SECOND: Duration = Duration::from_secs(1);
/// Groups beyond that join as fast as one of this size, and need not go on to the end of the bound,
/// which is hours for them, once they have agreed for some time.
const LARGE: usize = 100;
const SETTLED: Duration = Duration::from_secs(60);
