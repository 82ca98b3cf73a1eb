//! After the last fault everyone agrees: all processes that run have the same view, in which all
//! of them are live and nobody else is.
//!
//! # The bound
//! It follows from the parameters and from how many members run (`r`) and do not (`c`), with
//! `n = r + c`. Four things happen, at worst one after the other.
//! 1. *Who is thought dead is found.* Once in a `heal_interval` each member asks one of those that
//!    it thinks dead, at random. Between two parts of the group, somebody asks one of at most
//!    `c + 1`, of whom one runs. The probability that none of `k` such questions finds it is
//!    `(1 - 1/(c + 1))^k`; it is below a millionth after `ln(10^6) (c + 1)` of them, which is
//!    at most `14 (c + 1) + 1` intervals.
//! 2. *Who is dead is found.* A member takes at most two rounds of its order, `2 n` periods, until
//!    it has probed everyone, and a period is at most `1 + health_max` intervals. A probe takes at
//!    most one more period; then the suspicion takes its longest time.
//! 3. *Everyone is told.* At the latest by comparing views: a member that sees another view does
//!    so after three probes, over a stream that may time out once. In each such time a view reaches
//!    twice as many, so `log2(n) + 1` of them are enough; then once more for the incarnations
//!    with which they contradict.
//! 4. *Clocks that were set back* are waited for by the caller: the bound counts from when all
//!    clocks go on.
//!
//! The usual time is far below it, as all this happens side by side, and health is good;
//! `docs/simulator.md` has both.

use std::time::Duration;

use auscult_core::swim::Params;
use auscult_core::time::Instant;

use super::{Checker, Finding, Findings};
use crate::clock::Step;
use crate::deed::Deed;
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self). Found only in worlds that go on for as long as the [`bound`] after the
/// last deed.
#[derive(Debug, Default)]
pub struct Agreement {
    /// When the last deed was done, and its consequences for clocks were over.
    calm_since: Instant,
    found: Findings,
}

const NAME: &str = "agreement";

impl Checker for Agreement {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::DEEDS
    }

    fn observe(&mut self, _: &World, observation: &Observation) {
        let Observed::Deed(deed) = &observation.kind else {
            return;
        };
        let mut calm = observation.at;
        if let Deed::ClockStep {
            by: Step::Back(by), ..
        } = deed
        {
            calm = calm.after(*by);
        }
        self.calm_since = self.calm_since.max(calm);
    }

    fn finish(&mut self, world: &World) -> Vec<Finding> {
        let running: Vec<usize> = world.running().collect();
        let Some(&first) = running.first() else {
            return Vec::new();
        };
        let params = world.member(first).config().params();
        let bound = bound(params, running.len(), world.len() - running.len());
        if world.now() >= self.calm_since.after(bound) && !world.agreed() {
            let text = format!(
                "no agreement {bound:?} after the last deed: {}",
                differences(world, &running)
            );
            self.found.add(NAME, world.now(), text);
        }
        self.found.take()
    }
}

/// The longest time to agreement after the last fault, for a group of which so many run and so
/// many do not. See the [module](self).
#[must_use]
pub fn bound(params: &Params, running: usize, off: usize) -> Duration {
    let members = (running + off) as u32;
    let find_living = params.heal_interval * (14 * (off as u32 + 1) + 1);
    let period = params.probe_interval * (u32::from(params.health_max) + 1);
    let suspicion = longest_suspicion(params, running + off);
    let find_dead = period * (2 * members + 1) + suspicion;
    let compare = period * 3 + params.stream_timeout;
    let tell = compare * (members.ilog2() + 1) * 2;
    find_living + find_dead + tell
}

/// The longest time that a suspect has: alpha log10(n) intervals, times beta.
fn longest_suspicion(params: &Params, members: usize) -> Duration {
    let logarithm = (members as f64).log10().max(1.0);
    let least = params.probe_interval.mul_f64(logarithm) * params.suspicion_multiplier;
    least * params.suspicion_max_multiplier
}

/// Who sees what that is not so.
fn differences(world: &World, running: &[usize]) -> String {
    let mut said = Vec::new();
    for &observer in running {
        let swim = world.member(observer);
        for place in 0..world.len() {
            let view = swim.member(world.name(place));
            let live = view.is_some_and(|view| view.state().is_live());
            if live != running.contains(&place) {
                let state = view.map_or("unknown", |view| view.state().as_str());
                said.push(format!("{observer} has {place} as {state}"));
            }
        }
    }
    if said.is_empty() {
        return "incarnations differ".to_owned();
    }
    said.truncate(6);
    said.join(", ")
}
