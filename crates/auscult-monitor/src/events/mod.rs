//! The event log: the ring of `auscult_agent::events` with what the monitor says of its targets.

pub(crate) mod sentence;

use std::ops::Deref;

pub use auscult_agent::events::Gap;
use auscult_agent::events::{self, EventLog as Ring};
use auscult_core::monitor::{Event, EventKind};

use crate::clock::Clock;

/// Events kept: some 4 MB, and days of a monitor whose targets are healthy.
pub const EVENTS_KEPT: usize = 10_000;

/// An event as it is kept and shown.
pub type LoggedEvent = events::LoggedEvent<Event>;

/// What a reader gets.
pub type Page = events::Page<Event>;

/// The log. Clones share one ring.
#[derive(Clone, Debug)]
pub struct EventLog(Ring<Event>);

impl EventLog {
    /// An empty log that keeps [`EVENTS_KEPT`] events.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::keeping(EVENTS_KEPT, clock)
    }

    /// An empty log that keeps `kept_max` events, at least one.
    #[must_use]
    pub fn keeping(kept_max: usize, clock: Clock) -> Self {
        Self(Ring::keeping(kept_max, clock))
    }

    /// Adds an event and wakes the readers. Writes a line to the process's log, too.
    pub fn append(&self, event: Event) {
        let text = sentence::render(&event);
        log(&event, &text);
        self.0.append(event.at, event, text);
    }
}

impl Deref for EventLog {
    type Target = Ring<Event>;
    fn deref(&self) -> &Ring<Event> {
        &self.0
    }
}

/// Verdicts are for everybody's log. That a target is watched is what was asked for, ten thousand
/// times over at the start; and a fault of the observer's own is worth waking someone for.
fn log(event: &Event, text: &str) {
    match event.kind {
        EventKind::Added | EventKind::Replaced | EventKind::Removed => {
            tracing::debug!(target: "auscult::events", "{text}");
        }
        EventKind::Transition { .. }
        | EventKind::SignalTransition { .. }
        | EventKind::FlappingStarted { .. }
        | EventKind::FlappingStopped { .. }
        | EventKind::Relearnt { .. }
        | EventKind::Membership { .. }
        | EventKind::ObserverTrustsItself { .. } => {
            tracing::info!(target: "auscult::events", "{text}");
        }
        EventKind::ObserverSuspectsItself { .. } | EventKind::Stalled { .. } => {
            tracing::warn!(target: "auscult::events", "{text}");
        }
    }
}
