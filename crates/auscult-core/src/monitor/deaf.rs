//! When the process could not listen: no silence counts for that time.

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Instant;

/// The last times in which nobody listened.
///
/// Invariant: in order, without overlap, none empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Deaf {
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    since: Instant,
    until: Instant,
}

impl Deaf {
    /// Nobody listened from `since` to `until`. Times come in order.
    pub(super) fn add(&mut self, since: Instant, until: Instant) {
        if let Some(last) = self.spans.last_mut()
            && since <= last.until
        {
            last.until = last.until.max(until);
            return;
        }
        if self.spans.len() == SPANS_MAX {
            self.spans.remove(0);
        }
        self.spans.push(Span { since, until });
    }

    /// Whether some of the time after `from` was deaf.
    #[inline]
    pub(super) fn since(&self, from: Instant) -> bool {
        self.spans.last().is_some_and(|last| last.until > from)
    }

    /// How much of a time was deaf.
    pub(super) fn overlap(&self, from: Instant, to: Instant) -> Duration {
        let overlaps = self.spans.iter().map(|span| {
            let (since, until) = (span.since.max(from), span.until.min(to));
            until.since(since)
        });
        overlaps.sum()
    }

    /// Moves the end of a silence that began at `from` and was to last until `due` so that it lasts
    /// as long without the deaf time.
    #[inline]
    pub(super) fn extend(&self, from: Instant, due: Instant) -> Instant {
        if self.since(from) {
            self.extend_by_spans(from, due)
        } else {
            due
        }
    }

    #[cold]
    fn extend_by_spans(&self, from: Instant, mut due: Instant) -> Instant {
        for span in self.spans.iter().filter(|span| span.until > from) {
            let since = span.since.max(from);
            if since >= due {
                break;
            }
            due = due.after(span.until.since(since));
        }
        due
    }

    /// The moment that a detector which knows nothing of deaf times must be asked about, so that it
    /// tells the level at `now` after a silence since `from`.
    #[inline]
    pub(super) fn heard_time(&self, from: Instant, now: Instant) -> Instant {
        if self.since(from) {
            now.before(self.overlap(from, now))
        } else {
            now
        }
    }

    /// Proves the invariant.
    pub(super) fn check_invariants(&self) {
        assert!(self.spans.iter().all(|span| span.since < span.until));
        assert!(self.spans.is_sorted_by(|one, next| one.until < next.since));
        assert!(self.spans.len() <= SPANS_MAX);
    }
}

/// Whether verdicts fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// They do.
    Listening,
    /// The process did not run, and what was queued meanwhile is being read.
    Draining {
        /// When it was last known to run.
        since: Instant,
        /// When it ran again.
        until: Instant,
        /// Until when to wait for the end of the reading.
        answer_by: Instant,
    },
}

/// Deaf times that are kept. A signal silent through more of them in a row is down long since.
const SPANS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn deaf(spans: &[(u64, u64)]) -> Deaf {
        let mut deaf = Deaf::default();
        for &(since, until) in spans {
            deaf.add(at(since), at(until));
        }
        deaf.check_invariants();
        deaf
    }

    #[test]
    fn spans_that_touch_are_one() {
        let deaf = deaf(&[(10, 20), (20, 30), (40, 50)]);
        assert_eq!(deaf.spans.len(), 2);
        assert_eq!(deaf.overlap(at(0), at(45)), Duration::from_millis(25));
        assert_eq!(deaf.overlap(at(15), at(18)), Duration::from_millis(3));
    }

    #[test]
    fn an_extended_silence_is_as_long_without_the_deaf_time() {
        let deaf = deaf(&[(10, 20), (25, 45)]);
        // From 5, a silence of 10: 5 before the first gap, 5 between the gaps, and the end is open.
        assert_eq!(deaf.extend(at(5), at(15)), at(25));
        assert_eq!(deaf.extend(at(5), at(16)), at(46));
        assert_eq!(deaf.extend(at(12), at(13)), at(21));
        assert_eq!(deaf.extend(at(50), at(60)), at(60));
        for (from, due) in [(5, 15), (5, 16), (12, 13), (0, 9), (0, 99)] {
            let extended = deaf.extend(at(from), at(due));
            assert_eq!(deaf.heard_time(at(from), extended), at(due));
        }
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut deaf = Deaf::default();
        for n in 0..40 {
            deaf.add(at(n * 10), at(n * 10 + 1));
        }
        deaf.check_invariants();
        assert_eq!(deaf.overlap(at(0), at(1_000)), Duration::from_millis(16));
    }
}
