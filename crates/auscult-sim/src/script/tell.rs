//! What members say, in sentences.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use auscult_core::swim::{
    Accusation, Accuser, Event, EventKind, JoinOutcome, MemberId, Outcome, Path,
};
use auscult_core::time::Instant;

use super::values::{Names, span_text};
use super::write::{deed_text, moment_text};
use crate::checker::{Checker, Finding};
use crate::deed::Deed;
use crate::observation::{Interest, Observation, Observed};
use crate::world::World;

/// Writes down what is done to a world, and if asked for what its members say: one line each. Goes
/// among the checkers, and finds nothing itself.
#[derive(Debug)]
pub struct Scribe {
    interest: Interest,
    names: Names,
    text: Rc<RefCell<String>>,
}

impl Scribe {
    /// One that writes into the text that comes with it. [`Interest::DEEDS`] and
    /// [`Interest::EVENTS`] are what it can tell of.
    #[must_use]
    pub fn new(interest: Interest) -> (Self, Rc<RefCell<String>>) {
        let text = Rc::default();
        let scribe = Self {
            interest,
            names: Names::default(),
            text: Rc::clone(&text),
        };
        (scribe, text)
    }
}

impl Checker for Scribe {
    fn name(&self) -> &'static str {
        "scribe"
    }

    fn interest(&self) -> Interest {
        self.interest
    }

    fn observe(&mut self, world: &World, observation: &Observation) {
        while self.names.len() < world.len() {
            let place = self.names.len();
            // A second one of the same name is told by its place.
            if self.names.add(world.name(place)).is_none() {
                self.names.add(&place.to_string());
            }
        }
        let at = moment_text(observation.at.since(Instant::ORIGIN));
        let line = if let Observed::Deed(deed) = &observation.kind {
            let place = if let Deed::Add { name, .. } = deed {
                world.place_of(name)
            } else {
                None
            };
            let members = place.unwrap_or(world.len());
            Some(format!("* {}", deed_text(&self.names, members, deed)))
        } else {
            sentence(world, &self.names, &observation.kind)
                .map(|(who, text)| format!("{}: {text}", self.names.of(who)))
        };
        if let Some(line) = line {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text.borrow_mut(), "{at:>9} {line}");
        }
    }

    fn finish(&mut self, _: &World) -> Vec<Finding> {
        Vec::new()
    }
}

/// What a member says; `None` for what a story does not tell.
pub(super) fn sentence(world: &World, names: &Names, kind: &Observed) -> Option<(usize, String)> {
    match kind {
        Observed::Event { observer, event } => Some((*observer, event_text(world, names, event))),
        Observed::Joined {
            member,
            seed,
            outcome,
        } => {
            let outcome = match outcome {
                JoinOutcome::Joined { members } => format!("let in, {members} members"),
                JoinOutcome::Refused(refusal) => format!("refused, {refusal}"),
                JoinOutcome::Failed(failure) => format!("failed, {}", failure.as_str()),
                JoinOutcome::Myself => "it is this member itself".into(),
                JoinOutcome::TooMany => "too many seeds".into(),
            };
            Some((*member, format!("join through {seed}: {outcome}")))
        }
        Observed::Broadcast {
            member,
            from,
            key,
            payload,
        } => {
            let key = key
                .as_ref()
                .map_or_else(String::new, |key| format!(" {key}:"));
            let payload = String::from_utf8_lossy(payload);
            Some((*member, format!("told by {from}:{key} \"{payload}\"")))
        }
        Observed::ModeChanged { member, mode } => {
            Some((*member, format!("mode {}", mode.as_str())))
        }
        Observed::Refused { member, why } => Some((*member, format!("refused: {why}"))),
        Observed::Gone { member } => Some((*member, "gone".into())),
        Observed::Persisted { .. }
        | Observed::Sent { .. }
        | Observed::Delivered { .. }
        | Observed::Dropped { .. }
        | Observed::Rejected { .. }
        | Observed::Deed(_) => None,
    }
}

fn event_text(world: &World, names: &Names, event: &Event) -> String {
    let member = &event.member;
    match &event.kind {
        EventKind::Joined {
            address,
            incarnation,
            before,
        } => {
            let before =
                before.map_or_else(String::new, |before| format!(", was {}", before.as_str()));
            format!("{member} joined ({address}, incarnation {incarnation}{before})")
        }
        EventKind::Updated {
            before,
            address,
            incarnation,
            keys,
        } => {
            if !keys.is_empty() {
                let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
                return format!("{member} changed {}", keys.join(", "));
            }
            if before == address {
                format!("{member} is in incarnation {incarnation}")
            } else {
                format!("{member} moved (from {before} to {address}, incarnation {incarnation})")
            }
        }
        EventKind::Suspected(accusation) => {
            format!(
                "{member} suspected ({})",
                accusation_text(world, names, accusation)
            )
        }
        EventKind::Refuted {
            incarnation,
            after,
            accusers,
        } => {
            let by = accusers_text(world, names, accusers);
            let after = rounded(*after);
            format!("{member} refuted (incarnation {incarnation}, after {after}, accused by {by})")
        }
        EventKind::Failed { by, accusation } => {
            let by = accuser_text(world, names, by);
            let accusation = accusation_text(world, names, accusation);
            format!("{member} failed (convicted by {by}; {accusation})")
        }
        EventKind::Left => format!("{member} left"),
        EventKind::Forgotten { was } => format!("{member} forgotten (was {})", was.as_str()),
        EventKind::LinkChanged { link } => {
            let (hears, heard) = (link.hears.as_str(), link.heard.as_str());
            format!("link with {member} (from it {hears}, to it {heard})")
        }
        EventKind::NameConflict { address } => format!("{member} is at {address} too"),
        other => format!("{member} {}", other.as_str()),
    }
}

fn accusation_text(world: &World, names: &Names, accusation: &Accusation) -> String {
    let mut text = format!(
        "accused by {}",
        accusers_text(world, names, &accusation.accusers)
    );
    for attempt in &accusation.attempts {
        let path = match attempt.path {
            Path::Direct => "direct".into(),
            Path::Relay(relay) => format!("via {}", name_of(world, names, relay)),
            Path::Stream => "stream".to_owned(),
            Path::Heartbeats { .. } => "heartbeats".to_owned(),
        };
        let outcome = match attempt.outcome {
            Outcome::Silence => "silence",
            Outcome::Nack => "nack",
            Outcome::Broken(failure) => failure.as_str(),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, ", {path} {outcome}");
    }
    if accusation.local_health > 0 {
        let _ = write!(text, ", own health {}", accusation.local_health);
    }
    if let Some(deadline) = &accusation.deadline {
        let given = rounded(deadline.at.since(deadline.since));
        let (least, most) = (rounded(deadline.least), rounded(deadline.most));
        let _ = write!(text, ", time {given} of {least}..{most}");
    }
    text
}

fn accusers_text(world: &World, names: &Names, accusers: &[Accuser]) -> String {
    let accusers = accusers.iter();
    let accusers: Vec<String> = accusers
        .map(|one| accuser_text(world, names, one))
        .collect();
    accusers.join(" ")
}

fn accuser_text(world: &World, names: &Names, accuser: &Accuser) -> String {
    match &accuser.name {
        Some(name) => name.as_str().to_owned(),
        None => name_of(world, names, accuser.id),
    }
}

fn name_of(world: &World, names: &Names, id: MemberId) -> String {
    let place = (0..world.len()).find(|&place| world.name(place).id() == id);
    place.map_or_else(|| format!("{id:?}"), |place| names.of(place))
}

/// Milliseconds are enough for people.
fn rounded(span: Duration) -> String {
    span_text(Duration::from_millis(span.as_millis() as u64))
}
