//! SWIM's experiments [SWIM 5]: a group that forms while a tenth of all datagrams is lost, and how
//! soon a crash is found.

use std::fmt;
use std::time::Duration;

use auscult_core::rng::Rng;
use auscult_core::swim::{EventKind, Params, ProbeOrder};

use super::{found, lan, or_dash, quantile, seconds};
use crate::net::{Loss, Net};
use crate::observation::{Interest, Observed, Payload};
use crate::world::{World, WorldConfig};

/// What came of groups of 17 that lose a tenth of what they receive.
#[derive(Clone, Debug, Default)]
pub struct Stability {
    /// How many groups there were.
    pub groups: u64,
    /// In how many of them all members were live for all at the end.
    pub whole: u64,
    /// How many failures were said, where nobody failed.
    pub removals: u64,
    /// How many suspicions were said.
    pub suspicions: u64,
    /// The fewest live members that anybody saw at the end of any of them.
    pub stable_least: Option<usize>,
    /// The seeds of groups in which somebody was removed.
    pub bad_seeds: Vec<u64>,
}

/// 17 members join over 80 s while a tenth of all datagrams is lost; for so long nobody fails.
#[must_use]
pub fn stability(params: &Params, seeds: std::ops::Range<u64>, span: Duration) -> Stability {
    let mut stability = Stability::default();
    for seed in seeds {
        let mut net = Net::lan();
        net.loss = Loss::Independent(0.1);
        let mut config = WorldConfig::new(params.clone(), seed);
        config.net = net;
        let mut world = World::new(config);
        world.listen(Interest::EVENTS);
        for place in 0..JOINS {
            world.add(&format!("m{place}"));
            if place > 0 {
                world.join(place, &[0]);
            }
            world.run_for(Duration::from_secs(80) / JOINS as u32);
        }
        let end = world.now().after(span);
        let mut removals = 0;
        while world.now() < end {
            world.run_for(Duration::from_secs(60));
            while let Some(observation) = world.poll_observation() {
                if let Observed::Event { event, .. } = observation.kind {
                    removals += u64::from(matches!(event.kind, EventKind::Failed { .. }));
                    let suspected = matches!(event.kind, EventKind::Suspected(_));
                    stability.suspicions += u64::from(suspected);
                }
            }
        }
        let live = world.running().map(|one| world.member(one).live());
        let least = live.min().unwrap_or(0);
        let whole = least == JOINS;
        stability.stable_least = Some(stability.stable_least.map_or(least, |so| so.min(least)));
        stability.groups += 1;
        stability.whole += u64::from(whole);
        stability.removals += removals;
        if removals > 0 || !whole {
            stability.bad_seeds.push(seed);
        }
    }
    stability
}

const JOINS: usize = 17;

impl fmt::Display for Stability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "17 members at 10 % loss: {} of {} groups whole, at least {} of 17 members stable \
             (SWIM's paper: 12), {} false removals, {} suspicions{}",
            self.whole,
            self.groups,
            self.stable_least.unwrap_or(0),
            self.removals,
            self.suspicions,
            if self.bad_seeds.is_empty() {
                String::new()
            } else {
                format!(", seeds {:?}", self.bad_seeds)
            }
        )
    }
}

/// How soon a crash is found, in probe intervals.
#[derive(Clone, Debug, Default)]
pub struct Detection {
    /// How many members there were.
    pub members: usize,
    /// From the crash to the first ping that the dead member would have had.
    pub first_ping: Vec<f64>,
    /// From the crash to the first suspicion.
    pub first_suspicion: Vec<f64>,
}

/// A member of a group crashes at a random time, so many times in groups of their own.
#[must_use]
pub fn detection(order: ProbeOrder, members: usize, crashes: u64) -> Detection {
    let mut params = lan();
    params.direct_limit = 0;
    params.order = order;
    let mut detection = Detection {
        members,
        ..Detection::default()
    };
    for seed in 0..crashes.div_ceil(CRASHES_PER_GROUP) {
        let mut world = World::new(WorldConfig::new(params.clone(), seed));
        assert!(found(&mut world, members, Duration::from_secs(120)).is_some());
        world.run_for(Duration::from_secs(20));
        let mut rng = Rng::new(seed);
        world.listen(Interest::EVENTS | Interest::SENT);
        for _ in 0..CRASHES_PER_GROUP {
            world.run_for(rng.span_below(Duration::from_secs(5)));
            one_crash(&mut world, &mut rng, &mut detection);
        }
    }
    detection
}

/// So few that the group is hardly smaller after them.
const CRASHES_PER_GROUP: u64 = 5;

fn one_crash(world: &mut World, rng: &mut Rng, detection: &mut Detection) {
    while world.poll_observation().is_some() {}
    let running: Vec<usize> = world.running().collect();
    let victim = running[rng.below(running.len() as u64) as usize];
    world.crash(victim);
    let crashed = world.now();
    world.run_for(Duration::from_secs(30));
    let (mut ping, mut suspicion) = (None, None);
    while let Some(observation) = world.poll_observation() {
        let after = seconds(crashed, observation.at);
        if let Observed::Sent { to, what, .. } = &observation.kind {
            if *to == Some(victim) && *what == Payload::Ping {
                ping = ping.or(Some(after));
            }
        } else if let Observed::Event { event, .. } = &observation.kind
            && matches!(event.kind, EventKind::Suspected(_))
        {
            suspicion = suspicion.or(Some(after));
        }
    }
    detection.first_ping.extend(ping);
    detection.first_suspicion.extend(suspicion);
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members;
        for (what, values) in [
            ("first ping", &self.first_ping),
            ("first suspicion", &self.first_suspicion),
        ] {
            let mut values = values.clone();
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            writeln!(
                f,
                "{members} members, {} crashes, {what}: mean {mean:.3}, median {}, 99 % {}, \
                 most {} periods",
                values.len(),
                or_dash(quantile(&mut values, 0.5)),
                or_dash(quantile(&mut values, 0.99)),
                or_dash(quantile(&mut values, 1.0)),
            )?;
        }
        Ok(())
    }
}
