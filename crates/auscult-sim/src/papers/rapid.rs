//! Rapid's experiments [Rapid 7]: many join at once; a hundredth of a large group is unwell, and
//! nobody else may be removed for it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{EventKind, Params};
use auscult_core::time::Instant;

use super::{found, lan, or_dash, quantile, seconds};
use crate::net::{Loss, Net};
use crate::observation::{Interest, Observed};
use crate::ways::{Effect, Rule, Ways, Who};
use crate::world::{World, WorldConfig};

/// What is wrong with a hundredth of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// They crash.
    Crash,
    /// Four fifths of what they send is lost.
    EgressLoss,
    /// What is sent to them is lost for 20 s, and arrives for 20 s, in turns.
    FlipFlop,
}

impl Trouble {
    /// Every trouble.
    pub const ALL: [Self; 3] = [Self::Crash, Self::EgressLoss, Self::FlipFlop];

    /// The name used on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::EgressLoss => "egress-loss",
            Self::FlipFlop => "flip-flop",
        }
    }
}

/// What was seen of a group in trouble.
#[derive(Clone, Debug)]
pub struct Unstable {
    /// What was wrong.
    pub trouble: Trouble,
    /// How many members there were, and how many in trouble.
    pub members: usize,
    /// How many in trouble.
    pub faulty: usize,
    /// For how long.
    pub span: Duration,
    /// Failures of healthy members, said by healthy ones.
    pub healthy_convicted: u64,
    /// Failures of healthy members, said by those in trouble.
    pub convicted_by_faulty: u64,
    /// Seconds until somebody healthy convicted each of the faulty, and until all had.
    pub first: Vec<f64>,
    /// The same until all healthy members had, once.
    pub all: Vec<f64>,
    /// For which part of the time healthy members had the same view, looked at once a second.
    pub agreed: f64,
    /// The most different views of healthy members at one time.
    pub views_max: usize,
    /// Datagrams per member and second.
    pub messages: f64,
}

/// How soon many agree that join through the first one.
#[derive(Clone, Copy, Debug)]
pub struct Bootstrap {
    /// How many members there were.
    pub members: usize,
    /// From the first one's start; `None` if they did not agree in time.
    pub agreed_after: Option<Duration>,
    /// Datagrams that were sent, by all.
    pub datagrams: u64,
}

/// So many join, all at once or `wave` of them each second.
#[must_use]
pub fn bootstrap(members: usize, wave: Option<usize>, seed: u64, limit: Duration) -> Bootstrap {
    let mut world = World::new(WorldConfig::new(lan(), seed));
    let limit = world.now().after(limit);
    let wave = wave.unwrap_or(members).max(1);
    while world.len() < members {
        for place in world.len()..members.min(world.len() + wave) {
            world.add(&format!("m{place}"));
            if place > 0 {
                world.join(place, &[0]);
            }
        }
        if world.len() < members {
            world.run_for(Duration::from_secs(1));
        }
    }
    let step = Duration::from_millis(100);
    let agreed_at = world.run_until_or(limit, step, World::agreed);
    Bootstrap {
        members,
        agreed_after: agreed_at.map(|at| at.since(Instant::ORIGIN)),
        datagrams: world.traffic().sent,
    }
}

impl fmt::Display for Bootstrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members;
        match self.agreed_after {
            Some(after) => write!(f, "{members} members that join agree after {after:?}")?,
            None => write!(f, "{members} members that join do not agree in time")?,
        }
        let each = self.datagrams as f64 / members as f64;
        writeln!(f, "; {each:.1} datagrams a member")
    }
}

/// A group in which a hundredth is in trouble for so long.
#[must_use]
pub fn unstable(params: &Params, trouble: Trouble, members: usize, span: Duration) -> Unstable {
    let mut world = World::new(WorldConfig::new(params.clone(), 1));
    assert!(found(&mut world, members, Duration::from_secs(300)).is_some());
    world.run_for(Duration::from_secs(30));
    let faulty: Vec<usize> = (0..members / 100).map(|at| at * 100 + 50).collect();
    world.listen(Interest::EVENTS);
    let began = world.now();
    afflict(&mut world, trouble, &faulty);
    let sent_before = world.traffic().sent;
    let mut seen = Seen::default();
    for _ in 0..span.as_secs() {
        world.run_for(Duration::from_secs(1));
        seen.look_at(&mut world, &faulty);
    }
    let healthy = members - faulty.len();
    let first = seen.found.values().map(|found| seconds(began, found.0));
    let all = seen.found.values().filter(|found| found.1 >= healthy);
    let sent = world.traffic().sent - sent_before;
    Unstable {
        trouble,
        members,
        faulty: faulty.len(),
        span,
        healthy_convicted: seen.at_healthy,
        convicted_by_faulty: seen.at_faulty,
        first: first.collect(),
        all: all.map(|found| seconds(began, found.2)).collect(),
        agreed: seen.agreed as f64 / span.as_secs().max(1) as f64,
        views_max: seen.views_max,
        messages: sent as f64 / members as f64 / span.as_secs_f64(),
    }
}

fn afflict(world: &mut World, trouble: Trouble, faulty: &[usize]) {
    let them = || Who::these(faulty.iter().copied());
    match trouble {
        Trouble::Crash => faulty.iter().for_each(|&member| world.crash(member)),
        Trouble::EgressLoss => {
            let ways = Ways::OneWay {
                from: them(),
                to: Who::Everybody,
            };
            let loss = Effect::Loss(Loss::Independent(0.8));
            world.impose(Rule::steady(ways, loss));
        }
        Trouble::FlipFlop => {
            let span = Duration::from_secs(20);
            world.impose(Rule::one_way(Who::Everybody, them()).flipping(span, span));
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    at_healthy: u64,
    at_faulty: u64,
    /// By faulty member: the first verdict, how many healthy ones said so, and when the last did.
    found: BTreeMap<usize, (Instant, usize, Instant)>,
    agreed: u64,
    views_max: usize,
}

impl Seen {
    fn look_at(&mut self, world: &mut World, faulty: &[usize]) {
        while let Some(observation) = world.poll_observation() {
            let Observed::Event { observer, event } = observation.kind else {
                continue;
            };
            let EventKind::Failed { .. } = event.kind else {
                continue;
            };
            let Some(subject) = world.place_of(&event.member) else {
                continue;
            };
            match (faulty.contains(&observer), faulty.contains(&subject)) {
                (false, false) => self.at_healthy += 1,
                (true, false) => self.at_faulty += 1,
                (false, true) => {
                    let at = observation.at;
                    let found = self.found.entry(subject).or_insert((at, 0, at));
                    found.1 += 1;
                    found.2 = at;
                }
                (true, true) => {}
            }
        }
        let healthy = (0..world.len()).filter(|place| !faulty.contains(place));
        let mut views: Vec<u64> = healthy
            .map(|place| world.member(place).view_digest())
            .collect();
        views.sort_unstable();
        views.dedup();
        self.agreed += u64::from(views.len() == 1);
        self.views_max = self.views_max.max(views.len());
    }
}

/// How far one failure has come, in gossip intervals.
#[derive(Clone, Debug, Default)]
pub struct Dissemination {
    /// How many members there were.
    pub members: usize,
    /// For each member and failure: the time from the first that knew to it, in gossip intervals.
    pub rounds: Vec<f64>,
}

/// News of one member, so many times: how long until each member has heard. What is measured is
/// a goodbye, as the time of a verdict is each member's own.
#[must_use]
pub fn dissemination(params: &Params, members: usize, times: u64) -> Dissemination {
    let mut config = WorldConfig::new(params.clone(), 3);
    config.net = Net::lan();
    let mut world = World::new(config);
    assert!(found(&mut world, members, Duration::from_secs(300)).is_some());
    world.run_for(Duration::from_secs(30));
    world.listen(Interest::EVENTS);
    let mut rounds = Vec::new();
    let interval = params.gossip_interval.as_secs_f64();
    for time in 0..times {
        let leaver = (time * 37 + 11) as usize % members;
        let began = world.now();
        world.leave(leaver);
        world.run_for(Duration::from_secs(20));
        while let Some(observation) = world.poll_observation() {
            if let Observed::Event { event, .. } = observation.kind
                && event.kind == EventKind::Left
            {
                rounds.push(seconds(began, observation.at) / interval);
            }
        }
    }
    Dissemination { members, rounds }
}

/// How many rounds news takes to all in the push-pull model, in the mean: each member asks another
/// one in each round, and both know afterwards what one of them knew before. 9.1 for 1,000.
#[must_use]
pub fn push_pull_rounds(members: usize) -> f64 {
    let mut rng = Rng::new(7);
    let mut rounds = 0;
    for _ in 0..PUSH_PULL_RUNS {
        let mut informed = vec![false; members];
        informed[0] = true;
        while informed.contains(&false) {
            rounds += 1;
            let before = informed.clone();
            for member in 0..members {
                let other = rng.below(members as u64 - 1) as usize;
                let other = other + usize::from(other >= member);
                if before[member] || before[other] {
                    (informed[member], informed[other]) = (true, true);
                }
            }
        }
    }
    f64::from(rounds) / f64::from(PUSH_PULL_RUNS)
}

const PUSH_PULL_RUNS: u32 = 500;

impl fmt::Display for Dissemination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rounds = self.rounds.clone();
        let (median, most) = (quantile(&mut rounds, 0.5), quantile(&mut rounds, 1.0));
        let last = quantile(&mut rounds, 0.999);
        let model = push_pull_rounds(self.members);
        writeln!(
            f,
            "{} members: news reaches half in {}, 99.9 % in {}, all in {} gossip intervals; the \
             push-pull model's mean until all know is {model:.2} rounds, and 99.9 % here is {} of \
             that",
            self.members,
            or_dash(median),
            or_dash(last),
            or_dash(most),
            or_dash(last.map(|last| last / model)),
        )
    }
}

impl fmt::Display for Unstable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut first, mut all) = (self.first.clone(), self.all.clone());
        writeln!(
            f,
            "{} of {} of {} members for {:?}: {} healthy convicted by healthy, {} by the faulty; \
             {} faulty convicted, first after {} s (median), {} by all after {} s (median); views \
             of the healthy are one in {:.1} % of the time, at most {} at a time; {:.2} messages \
             per member and second",
            self.trouble.as_str(),
            self.faulty,
            self.members,
            self.span,
            self.healthy_convicted,
            self.convicted_by_faulty,
            first.len(),
            or_dash(quantile(&mut first, 0.5)),
            all.len(),
            or_dash(quantile(&mut all, 0.5)),
            self.agreed * 100.0,
            self.views_max,
            self.messages,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As published tables of the model have it.
    #[test]
    fn the_push_pull_model_takes_as_many_rounds_as_it_is_known_to() {
        for (members, rounds) in [(16, 4.1), (55, 5.8), (128, 6.8)] {
            let found = push_pull_rounds(members);
            assert!((found - rounds).abs() < 0.15, "{members}: {found}");
        }
    }
}
