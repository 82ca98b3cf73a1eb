//! What one member says of another one makes sense in its order: it joins, is suspected,
//! contradicts or fails, and is forgotten. Nobody says that a member left which did not say
//! goodbye, and nobody tells of his own death.

use std::collections::{BTreeMap, BTreeSet};

use auscult_core::swim::{EventKind, MemberName};

use super::{Checker, Finding, Findings};
use crate::deed::Deed;
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct LifeStory {
    /// By observer and subject.
    chapters: BTreeMap<usize, BTreeMap<MemberName, Chapter>>,
    /// Those that were told to leave.
    said_goodbye: BTreeSet<MemberName>,
    found: Findings,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Chapter {
    #[default]
    Unknown,
    Alive,
    Suspect,
    Gone,
}

const NAME: &str = "life_story";

impl Checker for LifeStory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn interest(&self) -> Interest {
        Interest::EVENTS | Interest::DEEDS
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        if let Observed::Deed(deed) = &observation.kind {
            if let Deed::Restart { member, .. } = deed {
                self.chapters.remove(member);
            } else if let Deed::Leave { member } = deed {
                self.said_goodbye.insert(world.name(*member).clone());
            }
            return;
        }
        let Observed::Event { observer, event } = &observation.kind else {
            return;
        };
        let subject = &event.member;
        let chapters = self.chapters.entry(*observer).or_default();
        let chapter = chapters.entry(subject.clone()).or_default();
        let before = *chapter;
        let goodbye = self.said_goodbye.contains(subject);
        let about_itself = world.name(*observer) == subject;
        match next(before, &event.kind) {
            Some(after) if (after == Chapter::Gone || after == before) || !about_itself => {
                *chapter = after;
                if about_itself && after != before || event.kind == EventKind::Left && !goodbye {
                    let kind = event.kind.as_str();
                    let text = format!("{observer} says {kind} of {subject}, which is not so");
                    self.found.add(NAME, observation.at, text);
                }
            }
            Some(_) | None => {
                let kind = event.kind.as_str();
                let text = format!("{observer} says {kind} of {subject}, which was {before:?}");
                self.found.add(NAME, observation.at, text);
            }
        }
    }

    fn finish(&mut self, _: &World) -> Vec<Finding> {
        self.found.take()
    }
}

/// What follows, if it can.
fn next(before: Chapter, kind: &EventKind) -> Option<Chapter> {
    let live = matches!(before, Chapter::Alive | Chapter::Suspect);
    let (allowed, after) = match kind {
        EventKind::Joined { .. } => (!live, Chapter::Alive),
        EventKind::Suspected(_) => (live, Chapter::Suspect),
        EventKind::Refuted { .. } => (before == Chapter::Suspect, Chapter::Alive),
        // What a member told of itself may come after its end.
        EventKind::Updated { .. } => (before != Chapter::Unknown, before),
        EventKind::Failed { .. } => (before == Chapter::Suspect, Chapter::Gone),
        EventKind::Left => (before != Chapter::Unknown, Chapter::Gone),
        EventKind::Forgotten { .. } => (before == Chapter::Gone, Chapter::Unknown),
        EventKind::LinkChanged { .. } | EventKind::NameConflict { .. } | _ => (true, before),
    };
    allowed.then_some(after)
}
