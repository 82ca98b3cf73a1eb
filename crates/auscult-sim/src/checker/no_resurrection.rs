//! Who was convicted, or said goodbye, comes back with a greater incarnation only: old news of a
//! member must not wake the dead. It ends with the record, which is kept as long as the
//! parameters say; forgetting earlier counts as waking.

use std::collections::BTreeMap;

use auscult_core::swim::{Event, EventKind, Incarnation, MemberName, State};
use auscult_core::time::Instant;

use super::{Checker, Finding, Findings};
use crate::deed::Deed;
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct NoResurrection {
    /// By observer and subject: in which incarnation it went, and when, by the observer's clock.
    gone: BTreeMap<usize, BTreeMap<MemberName, (Incarnation, Instant)>>,
    found: Findings,
}

const NAME: &str = "no_resurrection";

impl Checker for NoResurrection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        if let Observed::Deed(Deed::Restart { member, .. }) = &observation.kind {
            self.gone.remove(member);
        } else if let Observed::Event { observer, event } = &observation.kind {
            self.take(world, observation.at, *observer, event);
        }
    }

    fn finish(&mut self, _: &World) -> Vec<Finding> {
        self.found.take()
    }
}

impl NoResurrection {
    fn take(&mut self, world: &World, at: Instant, observer: usize, event: &Event) {
        let (subject, local, kind) = (&event.member, event.at, &event.kind);
        let gone = self.gone.entry(observer).or_default();
        if let EventKind::Failed { accusation, .. } = kind {
            gone.insert(subject.clone(), (accusation.incarnation, local));
        } else if let EventKind::Left = kind {
            // The event does not say in which incarnation; the table does, if it still holds.
            let view = world.member(observer).member(subject.as_str());
            if let Some(view) = view.filter(|view| view.state() == State::Left) {
                gone.insert(subject.clone(), (view.incarnation(), local));
            }
        } else if let EventKind::Joined { incarnation, .. }
        | EventKind::Refuted { incarnation, .. } = kind
        {
            let incarnation = *incarnation;
            if let Some((last, _)) = gone.remove(subject)
                && incarnation <= last
            {
                let text = format!(
                    "{observer} takes {subject} for alive in incarnation {incarnation}, \
                     in which it was gone ({last})"
                );
                self.found.add(NAME, at, text);
            }
        } else if let EventKind::Forgotten { was } = kind {
            let params = world.member(observer).config().params();
            let kept = match was {
                State::Left => params.left_retention,
                State::Alive | State::Suspect | State::Dead => params.dead_retention,
            };
            if let Some((_, since)) = gone.remove(subject)
                && local.since(since) < kept
            {
                let text = format!("{observer} forgot {subject} before {kept:?} were over");
                self.found.add(NAME, at, text);
            }
        }
    }
}
