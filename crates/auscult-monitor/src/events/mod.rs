//! The event log: a bounded ring of what happened, with a number for each event.
//!
//! Readers read from the ring at their own pace and are woken when something is added. A slow
//! reader therefore holds nobody up; it is told how much it missed.

pub(crate) mod sentence;

use std::collections::VecDeque;
use std::sync::Arc;

use auscult_core::monitor::{Event, EventKind};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::Clock;

/// Events kept: some 4 MB, and days of a monitor whose targets are healthy.
pub const EVENTS_KEPT: usize = 10_000;

/// An event as it is kept and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// Its number. Numbers grow by one within a run. The first one of a run is the wall clock's
    /// microsecond at the start plus one: a reader who resumes after a restart with the number it
    /// saw last is never given other events under old numbers (unless the wall clock was set back,
    /// or a run had more than a million events a second).
    pub id: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// What happened, as one sentence for people.
    pub text: String,
}

/// What a reader gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The next events, oldest first.
    pub events: Vec<Arc<LoggedEvent>>,
    /// What the reader missed before them.
    pub gap: Gap,
}

/// What lies between the event that a reader saw last and the next one it gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gap {
    /// Nothing.
    #[default]
    None,
    /// That many events, which are no longer kept.
    Missed(u64),
    /// The number is not one of this run, so nobody knows.
    OtherRun,
}

/// The log. Clones share one ring.
#[derive(Clone, Debug)]
pub struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// The number that the first event of this run gets.
    first_id: u64,
    kept_max: usize,
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<LoggedEvent>>,
    next_id: u64,
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
        let started = u64::try_from(clock.wall_now().as_microsecond()).unwrap_or(0);
        let first_id = started + 1;
        Self(Arc::new(Shared {
            clock,
            first_id,
            kept_max: kept_max.max(1),
            ring: Mutex::new(Ring {
                events: VecDeque::new(),
                next_id: first_id,
            }),
            newest: watch::Sender::new(first_id - 1),
        }))
    }

    /// Adds an event and wakes the readers. Writes a line to the process's log, too.
    pub fn append(&self, event: Event) {
        let at = self.0.clock.wall(event.at);
        let text = sentence::render(&event);
        log(&event, &text);
        let mut ring = self.0.ring.lock();
        let id = ring.next_id;
        ring.next_id += 1;
        if ring.events.len() == self.0.kept_max {
            ring.events.pop_front();
        }
        ring.events.push_back(Arc::new(LoggedEvent {
            id,
            at,
            event,
            text,
        }));
        // Under the lock, so that readers see numbers grow.
        self.0.newest.send_replace(id);
    }

    /// At most `limit` events after the one with the number `id`, oldest first; 0 stands for "from
    /// the oldest one kept".
    #[must_use]
    pub fn since(&self, id: u64, limit: usize) -> Page {
        let ring = self.0.ring.lock();
        let oldest = ring.events.front().map_or(ring.next_id, |event| event.id);
        let (skip, gap) = if id == 0 {
            (0, Gap::None)
        } else if id >= ring.next_id || id + 1 < self.0.first_id {
            (0, Gap::OtherRun)
        } else if id + 1 < oldest {
            (0, Gap::Missed(oldest - id - 1))
        } else {
            (id + 1 - oldest, Gap::None)
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let events = ring.events.iter().skip(skip).take(limit).cloned().collect();
        Page { events, gap }
    }

    /// The number of the oldest event kept.
    #[must_use]
    pub fn oldest_id(&self) -> Option<u64> {
        self.0.ring.lock().events.front().map(|event| event.id)
    }

    /// The number of the newest event, or the one before the first when nothing happened yet: what
    /// to give to [`since`](Self::since) to be told of what comes from now on.
    #[must_use]
    pub fn newest_id(&self) -> u64 {
        self.0.ring.lock().next_id - 1
    }

    /// How many events this run had.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.0.ring.lock().next_id - self.0.first_id
    }

    /// Something to wait on: it changes whenever an event is added, and holds the newest number.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
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
        | EventKind::ObserverTrustsItself { .. } => {
            tracing::info!(target: "auscult::events", "{text}");
        }
        EventKind::ObserverSuspectsItself { .. } | EventKind::Stalled { .. } => {
            tracing::warn!(target: "auscult::events", "{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_core::id::TargetId;
    use auscult_core::time::Instant;

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let log = EventLog::keeping(3, Clock::new());
        let before = log.newest_id();
        assert_eq!(log.since(before, 10), Page::default());
        for _ in 0..5 {
            log.append(added());
        }
        let page = log.since(before, 10);
        assert_eq!(page.gap, Gap::Missed(2));
        assert_eq!(ids(&page), [before + 3, before + 4, before + 5]);
        assert_eq!(log.oldest_id(), Some(before + 3));

        let page = log.since(before + 3, 1);
        assert_eq!((page.gap, ids(&page)), (Gap::None, vec![before + 4]));
        assert_eq!(log.since(before + 5, 10), Page::default());
        assert_eq!(log.since(0, 10).gap, Gap::None, "0 asks for what is kept");
    }

    #[test]
    fn a_number_of_another_run_is_told_from_one_of_this() {
        let log = EventLog::keeping(3, Clock::new());
        log.append(added());
        let newest = log.newest_id();
        for foreign in [1, newest - 2, newest + 1, u64::MAX] {
            let page = log.since(foreign, 10);
            assert_eq!(
                (page.gap, page.events.len()),
                (Gap::OtherRun, 1),
                "{foreign}"
            );
        }
    }

    #[test]
    fn readers_are_woken() {
        let log = EventLog::new(Clock::new());
        let mut reader = log.subscribe();
        assert!(!reader.has_changed().unwrap());
        log.append(added());
        assert!(reader.has_changed().unwrap());
        assert_eq!(*reader.borrow_and_update(), log.newest_id());
    }

    #[test]
    fn numbers_are_exact_in_a_page_of_javascript() {
        let log = EventLog::new(Clock::new());
        assert!(log.newest_id() < 1 << 53);
    }

    fn ids(page: &Page) -> Vec<u64> {
        page.events.iter().map(|event| event.id).collect()
    }

    fn added() -> Event {
        Event {
            at: Instant::ORIGIN,
            target: TargetId::new("web").ok(),
            kind: EventKind::Added,
        }
    }
}
