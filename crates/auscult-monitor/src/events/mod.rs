//! The event log: the ring of `auscult_agent::events` with what the monitor says of its targets.

pub(crate) mod sentence;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

pub use auscult_agent::events::Gap;
use auscult_agent::events::{self, EventLog as Ring};
use auscult_core::id::TargetId;
use auscult_core::monitor::{Event, EventKind};
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::history::tap::Tap;

/// Events kept: some 4 MB, and days of a monitor whose targets are healthy.
pub const EVENTS_KEPT: usize = 10_000;

/// An event as it is kept and shown.
pub type LoggedEvent = events::LoggedEvent<Event>;

/// What a reader gets.
pub type Page = events::Page<Event>;

/// The log. Clones share one ring.
#[derive(Clone, Debug)]
pub struct EventLog {
    ring: Ring<Event>,
    scope: Arc<Scope>,
    /// Where the history takes events from, if one is kept.
    tap: Arc<OnceLock<Arc<Tap>>>,
}

/// Whose changes of status are verdicts, and whose are reports to other observers.
#[derive(Debug, Default)]
struct Scope {
    /// There are other monitors in the group.
    in_company: AtomicBool,
    /// Targets that this monitor observes alone all the same.
    alone: Mutex<BTreeSet<TargetId>>,
}

impl EventLog {
    /// An empty log that keeps [`EVENTS_KEPT`] events.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::keeping(EVENTS_KEPT, clock)
    }

    /// An empty log that keeps `kept_max` events, at least one.
    #[must_use]
    pub fn keeping(kept_max: usize, clock: Clock) -> Self {
        Self {
            ring: Ring::keeping(kept_max, clock),
            scope: Arc::default(),
            tap: Arc::default(),
        }
    }

    /// Says that other monitors observe targets with this one, from now on: its changes of status
    /// are reports then.
    pub fn set_company(&self, company: Company) {
        let in_company = company == Company::Several;
        self.scope.in_company.store(in_company, Ordering::Relaxed);
    }

    /// Says who observes a target.
    pub fn set_observed(&self, target: &TargetId, by: Company) {
        let mut alone = self.scope.alone.lock();
        match by {
            Company::Alone => alone.insert(target.clone()),
            Company::Several => alone.remove(target),
        };
    }

    /// Adds an event and wakes the readers. Writes a line to the process's log, too.
    pub fn append(&self, mut event: Event) {
        self.scope.mark(&mut event);
        let text = sentence::render(&event);
        log(&event, &text);
        let logged = self.ring.append(event.at, event, text);
        if let Some(tap) = self.tap.get() {
            tap.put(&logged);
        }
    }

    /// Says who keeps what happens. The first one does.
    pub(crate) fn set_tap(&self, tap: &Arc<Tap>) {
        // A second one would be a mistake of the program, and changes nothing.
        let _set = self.tap.set(Arc::clone(tap));
    }
}

impl Deref for EventLog {
    type Target = Ring<Event>;
    fn deref(&self) -> &Ring<Event> {
        &self.ring
    }
}

/// By how many monitors something is observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// By this one.
    Alone,
    /// By this one together with others.
    Several,
}

impl Scope {
    /// Makes a report of what is no verdict.
    fn mark(&self, event: &mut Event) {
        if !self.in_company.load(Ordering::Relaxed) {
            return;
        }
        let Some(target) = &event.target else {
            return;
        };
        if let EventKind::Transition { from, to, evidence } = &event.kind
            && !self.alone.lock().contains(target)
        {
            event.kind = EventKind::Observed {
                from: *from,
                to: *to,
                evidence: evidence.clone(),
            };
        }
    }
}

/// Verdicts are for everybody's log. That a target is watched is what was asked for, ten thousand
/// times over at the start; and a fault of the observer's own is worth waking someone for.
fn log(event: &Event, text: &str) {
    match event.kind {
        EventKind::Added
        | EventKind::Replaced
        | EventKind::Removed
        | EventKind::Observed { .. } => {
            tracing::debug!(target: "auscult::events", "{text}");
        }
        EventKind::Transition { .. }
        | EventKind::Verdict { .. }
        | EventKind::Rejoined { .. }
        | EventKind::ObserverRejoined { .. }
        | EventKind::SignalTransition { .. }
        | EventKind::FlappingStarted { .. }
        | EventKind::FlappingStopped { .. }
        | EventKind::Relearnt { .. }
        | EventKind::Membership { .. }
        | EventKind::ObserverTrustsItself { .. } => {
            tracing::info!(target: "auscult::events", "{text}");
        }
        EventKind::ObserverSuspectsItself { .. }
        | EventKind::Isolated { .. }
        | EventKind::ObserverIsolated { .. }
        | EventKind::Stalled { .. } => {
            tracing::warn!(target: "auscult::events", "{text}");
        }
    }
}
