//! Nobody convicts a member that ran and was reachable.
//!
//! Precisely: when an observer convicts a subject, let the *case* be the time from the beginning
//! of the observer's suspicion, and before that the longest time that a probe may take (an
//! interval at the worst local health), to the verdict. It is a false conviction if all through
//! the case
//! - both ran: they did not stall, were not slow, their clocks were not set and gained or lost no
//!   more than one in a thousand;
//! - what each said to the other passed: no cut in either direction, no loss above a tenth, no
//!   extra delay above a quarter of the time for a direct probe.
//!
//! Nothing is asked of the others: whoever stalls, hears nobody, or lies on the wrong side of a
//! cut may accuse whom he likes, as long as the observer and the accused can speak. Such an
//! observer would have convicted by hearsay.

use auscult_core::swim::{Deadline, EventKind};

use super::ground::Ground;
use super::{Checker, Finding, Findings};
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct NoFalseConviction {
    ground: Ground,
    found: Findings,
}

const NAME: &str = "no_false_conviction";

impl Checker for NoFalseConviction {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        let at = observation.at;
        if let Observed::Deed(deed) = &observation.kind {
            self.ground.note(at, deed);
            return;
        }
        let Observed::Event { observer, event } = &observation.kind else {
            return;
        };
        let EventKind::Failed { accusation, .. } = &event.kind else {
            return;
        };
        let Some(subject) = world.place_of(&event.member) else {
            return;
        };
        let params = world.member(*observer).config().params();
        let known = |deadline: &Deadline| event.at.since(deadline.since);
        let age = accusation
            .deadline
            .as_ref()
            .map_or_else(Default::default, known);
        let probe = params.probe_interval * (u32::from(params.health_max) + 1);
        let since = at.before(age + probe);
        let fine = self.ground.ran_since(*observer, since)
            && self.ground.ran_since(subject, since)
            && self.ground.passed_since(params, *observer, subject, since);
        if fine {
            let accusers: Vec<_> = accusation
                .accusers
                .iter()
                .map(|by| by.name.as_ref().map_or("?", |name| name.as_str()))
                .collect();
            let text = format!(
                "{observer} convicted {subject}, accused by {accusers:?} for {age:?}, but both \
                 had run and could speak since {since}"
            );
            self.found.add(NAME, at, text);
        }
    }

    fn finish(&mut self, _: &World) -> Vec<Finding> {
        self.found.take()
    }
}
