//! Nothing grows without a bound: no member remembers more members than there ever were, nor has
//! more news to send than there is to tell of them, and what the machine knows of itself holds
//! ([`check_invariants`](auscult_core::swim::Swim::check_invariants) panics where it does not, with
//! relays, probes and streams beyond their bounds among the reasons).

use auscult_core::bounds::{BROADCASTS_QUEUED_MAX, NEWS_QUEUED_MAX};
use auscult_core::time::Instant;

use super::{Checker, Finding, Findings};
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct BoundedMemory {
    found: Findings,
}

const NAME: &str = "bounded_memory";

impl Checker for BoundedMemory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        if let Observed::Event { observer, .. } = &observation.kind {
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
        let (known, backlog) = (swim.members().count(), swim.backlog());
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
