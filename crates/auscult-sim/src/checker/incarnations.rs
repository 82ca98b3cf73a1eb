//! Incarnations never fall: not that of a member in the eyes of another one, until its record is
//! forgotten, and not a member's own while its process runs. And only the member itself raises
//! its own: nobody is in an incarnation that it has not declared, so nobody contradicts, joins or
//! moves in another one's name.

use std::collections::BTreeMap;

use auscult_core::swim::{EventKind, Incarnation, MemberName};
use auscult_core::time::Instant;

use super::{Checker, Finding, Findings};
use crate::deed::Deed;
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Incarnations {
    /// The greatest that each member ever declared, by its name.
    declared: BTreeMap<MemberName, Incarnation>,
    /// What each process declared last.
    own: BTreeMap<usize, Incarnation>,
    /// By observer and subject.
    seen: BTreeMap<usize, BTreeMap<MemberName, Incarnation>>,
    found: Findings,
}

const NAME: &str = "incarnations";

impl Checker for Incarnations {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        let at = observation.at;
        if let Observed::Deed(deed) = &observation.kind {
            if let Deed::Add { name, .. } = deed {
                // The deed is noted before the member is there; all begin with the first one.
                self.declare(name, Incarnation::FIRST);
            } else if let Deed::Restart { member, .. } = deed {
                self.seen.remove(member);
                let born_in = world.member(*member).me().incarnation();
                self.own.insert(*member, born_in);
                self.declare(world.name(*member), born_in);
            }
        } else if let Observed::Persisted {
            member,
            incarnation,
        } = &observation.kind
        {
            self.declare(world.name(*member), *incarnation);
            let before = self.own.insert(*member, *incarnation);
            if let Some(before) = before.filter(|before| before > incarnation) {
                let text = format!("{member} declared {incarnation} after {before}");
                self.found.add(NAME, at, text);
            }
        } else if let Observed::Event { observer, event } = &observation.kind {
            self.take(at, *observer, &event.member, &event.kind);
        }
    }

    fn finish(&mut self, _: &World) -> Vec<Finding> {
        self.found.take()
    }
}

impl Incarnations {
    fn declare(&mut self, name: &MemberName, incarnation: Incarnation) {
        let declared = self.declared.entry(name.clone()).or_default();
        *declared = incarnation.max(*declared);
    }

    fn take(&mut self, at: Instant, observer: usize, subject: &MemberName, kind: &EventKind) {
        let seen = self.seen.entry(observer).or_default();
        if let EventKind::Forgotten { .. } = kind {
            seen.remove(subject);
        }
        let Some(incarnation) = incarnation_of(kind) else {
            return;
        };
        let declared = self.declared.get(subject).copied().unwrap_or_default();
        if incarnation > declared {
            let text = format!(
                "{observer} says {} of {subject} in incarnation {incarnation}, \
                 but it never went beyond {declared}",
                kind.as_str()
            );
            self.found.add(NAME, at, text);
        }
        if let Some(before) = seen.insert(subject.clone(), incarnation)
            && before > incarnation
        {
            let text = format!(
                "{observer} says {} of {subject} in incarnation {incarnation} after {before}",
                kind.as_str()
            );
            self.found.add(NAME, at, text);
        }
    }
}

/// In which incarnation the event says that somebody is or was.
fn incarnation_of(kind: &EventKind) -> Option<Incarnation> {
    if let EventKind::Suspected(accusation) | EventKind::Failed { accusation, .. } = kind {
        return Some(accusation.incarnation);
    }
    if let EventKind::Joined { incarnation, .. }
    | EventKind::Updated { incarnation, .. }
    | EventKind::Refuted { incarnation, .. } = kind
    {
        return Some(*incarnation);
    }
    None
}
