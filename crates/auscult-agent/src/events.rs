//! The event log: a bounded ring of what happened, with a number for each event.
//!
//! Readers read from the ring at their own pace and are woken when something is added. A slow
//! reader therefore holds nobody up; it is told how much it missed.

use std::collections::VecDeque;
use std::sync::Arc;

use auscult_core::time::Instant;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::Clock;

/// An event as it is kept and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent<E> {
    /// Its number. Numbers grow by one within a run. The first one of a run is the wall clock's
    /// microsecond at the start plus one: a reader who resumes after a restart with the number it
    /// saw last is never given other events under old numbers (unless the wall clock was set back,
    /// or a run had more than a million events a second).
    pub id: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: E,
    /// What happened, as one sentence for people.
    pub text: String,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<E> {
    /// The next events, oldest first.
    pub events: Vec<Arc<LoggedEvent<E>>>,
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
#[derive(Debug)]
pub struct EventLog<E>(Arc<Shared<E>>);

#[derive(Debug)]
struct Shared<E> {
    clock: Clock,
    /// The number that the first event of this run gets.
    first_id: u64,
    kept_max: usize,
    ring: Mutex<Ring<E>>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring<E> {
    events: VecDeque<Arc<LoggedEvent<E>>>,
    next_id: u64,
}

impl<E> EventLog<E> {
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

    /// Adds an event, wakes the readers, and gives it back as it is kept.
    pub fn append(&self, at: Instant, event: E, text: String) -> Arc<LoggedEvent<E>> {
        let at = self.0.clock.wall(at);
        let mut ring = self.0.ring.lock();
        let id = ring.next_id;
        ring.next_id += 1;
        if ring.events.len() == self.0.kept_max {
            ring.events.pop_front();
        }
        let logged = Arc::new(LoggedEvent {
            id,
            at,
            event,
            text,
        });
        ring.events.push_back(Arc::clone(&logged));
        // Under the lock, so that readers see numbers grow.
        self.0.newest.send_replace(id);
        logged
    }

    /// At most `limit` events after the one with the number `id`, oldest first; 0 stands for "from
    /// the oldest one kept".
    #[must_use]
    pub fn since(&self, id: u64, limit: usize) -> Page<E> {
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

    /// A reader of everything that happened in this run, what is no longer kept included as a
    /// number.
    #[must_use]
    pub fn read_from_start(&self) -> EventReader<E> {
        self.read_after(self.0.first_id - 1)
    }

    /// A reader of what comes after the event with the number `id`; 0 stands for "from the oldest
    /// one kept".
    #[must_use]
    pub fn read_after(&self, id: u64) -> EventReader<E> {
        EventReader {
            newest: self.subscribe(),
            log: self.clone(),
            seen: id,
            page: VecDeque::new(),
        }
    }
}

impl<E> Clone for EventLog<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Reads a log at its own pace.
#[derive(Debug)]
pub struct EventReader<E> {
    log: EventLog<E>,
    newest: watch::Receiver<u64>,
    seen: u64,
    page: VecDeque<Arc<LoggedEvent<E>>>,
}

/// What a reader of a log is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<E> {
    /// The next event.
    Event(Arc<LoggedEvent<E>>),
    /// So many events are no longer kept: the reader was too slow. Said once, before the next
    /// event that is.
    Lagged(u64),
    /// The number that the reader began with is not one of this run. Said once; the oldest event
    /// that is kept follows.
    OtherRun,
}

impl<E> EventReader<E> {
    /// The next thing, once there is one. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Reading<E> {
        loop {
            if let Some(reading) = self.try_next() {
                return reading;
            }
            // The log that this reader holds keeps the sender alive, so there is no error.
            let _changed = self.newest.changed().await;
        }
    }

    /// The next thing, if there is one.
    pub fn try_next(&mut self) -> Option<Reading<E>> {
        if let Some(event) = self.page.pop_front() {
            self.seen = event.id;
            return Some(Reading::Event(event));
        }
        self.newest.mark_unchanged();
        let page = self.log.since(self.seen, READ_AT_ONCE);
        self.page = page.events.into();
        let before = |event: &Arc<LoggedEvent<E>>| event.id - 1;
        match page.gap {
            Gap::None => self.page.pop_front().map(|event| {
                self.seen = event.id;
                Reading::Event(event)
            }),
            Gap::Missed(count) => {
                self.seen = self.page.front().map_or(self.seen + count, before);
                Some(Reading::Lagged(count))
            }
            Gap::OtherRun => {
                let newest = || self.log.newest_id();
                self.seen = self.page.front().map_or_else(newest, before);
                Some(Reading::OtherRun)
            }
        }
    }
}

/// Events that a reader takes from the ring at a time.
const READ_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let log = log(3);
        let before = log.newest_id();
        assert_eq!(ids(&log.since(before, 10)), [0; 0]);
        for number in 0..5 {
            add(&log, number);
        }
        let page = log.since(before, 10);
        assert_eq!(page.gap, Gap::Missed(2));
        assert_eq!(ids(&page), [before + 3, before + 4, before + 5]);
        assert_eq!(log.oldest_id(), Some(before + 3));

        let page = log.since(before + 3, 1);
        assert_eq!((page.gap, ids(&page)), (Gap::None, vec![before + 4]));
        assert_eq!(ids(&log.since(before + 5, 10)), [0; 0]);
        assert_eq!(log.since(0, 10).gap, Gap::None, "0 asks for what is kept");
    }

    #[test]
    fn a_number_of_another_run_is_told_from_one_of_this() {
        let log = log(3);
        add(&log, 1);
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
        let log = log(3);
        let mut reader = log.subscribe();
        assert!(!reader.has_changed().unwrap());
        add(&log, 1);
        assert!(reader.has_changed().unwrap());
        assert_eq!(*reader.borrow_and_update(), log.newest_id());
    }

    #[test]
    fn numbers_are_exact_in_a_page_of_javascript() {
        assert!(log(3).newest_id() < 1 << 53);
    }

    #[test]
    fn a_reader_gets_each_event_once_and_one_word_of_what_it_missed() {
        let log = log(3);
        let mut reader = log.read_after(log.newest_id());
        assert!(read(&mut reader).is_empty());
        add(&log, 1);
        assert_eq!(read(&mut reader), ["1"]);
        (2..10).for_each(|number| add(&log, number));
        assert_eq!(read(&mut reader), ["lagged 5", "7", "8", "9"]);
        assert!(read(&mut reader).is_empty());

        let mut foreign = log.read_after(7);
        assert_eq!(read(&mut foreign), ["other run", "7", "8", "9"]);
        let mut all = log.read_after(0);
        assert_eq!(read(&mut all), ["7", "8", "9"]);
    }

    fn log(kept_max: usize) -> EventLog<u32> {
        EventLog::keeping(kept_max, Clock::new())
    }

    fn add(log: &EventLog<u32>, number: u32) {
        log.append(Instant::ORIGIN, number, String::new());
    }

    fn ids(page: &Page<u32>) -> Vec<u64> {
        page.events.iter().map(|event| event.id).collect()
    }

    fn read(reader: &mut EventReader<u32>) -> Vec<String> {
        std::iter::from_fn(|| reader.try_next())
            .map(|reading| match reading {
                Reading::Event(event) => event.event.to_string(),
                Reading::Lagged(count) => format!("lagged {count}"),
                Reading::OtherRun => "other run".into(),
            })
            .collect()
    }
}
