//! Nothing grows without a bound: no member remembers more members than there ever were, nor has
//! more news to send than there is to tell of them, and what the machine knows of itself holds
//! ([`check_invariants`](auscult_core::swim::Swim::check_invariants) panics where it does not, with
//! relays, probes and streams beyond their bounds among the reasons).
//!
//! A look takes a time that grows with the members that are remembered, so a member is looked at
//! after as many events as pay for it, at [`PAID_BY_EVENT`] members each, and at the end. In groups
//! up to that size that is after each event.

use auscult_core::bounds::{BROADCASTS_QUEUED_MAX, NEWS_QUEUED_MAX};
use auscult_core::time::Instant;

use super::{Checker, Finding, Findings};
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct BoundedMemory {
    /// By member: how much of a look its events have paid for.
    paid: Vec<usize>,
    found: Findings,
}

const NAME: &str = "bounded_memory";
/// More than the members of the groups that seeds found by themselves.
const PAID_BY_EVENT: usize = 64;

impl Checker for BoundedMemory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        let Observed::Event { observer, .. } = &observation.kind else {
            return;
        };
        if self.paid.len() < world.len() {
            self.paid.resize(world.len(), 0);
        }
        let paid = &mut self.paid[*observer];
        *paid += PAID_BY_EVENT;
        if *paid >= world.member(*observer).remembered() {
            *paid = 0;
            self.look_at(world, observation.at, *observer);
        }
    }

    fn finish(&mut self, world: &World) -> Vec<Finding> {
        for place in 0..world.len() {
            self.look_at(world, world.now(), place);
        }
        self.found.take()
    }
}

impl BoundedMemory {
    fn look_at(&mut self, world: &World, at: Instant, place: usize) {
        let swim = world.member(place);
        let (known, backlog) = (swim.remembered(), swim.backlog());
        if known > world.len() {
            let ever = world.len();
            let text =
                format!("{place} remembers {known} members, but there never were over {ever}");
            self.found.add(NAME, at, text);
        }
        // One piece of news about a member, one about its metadata, and what users tell.
        if backlog > 2 * known.min(NEWS_QUEUED_MAX) + BROADCASTS_QUEUED_MAX {
            let text = format!("{place} has {backlog} pieces of news about {known} members");
            self.found.add(NAME, at, text);
        }
        swim.check_invariants();
    }
}
