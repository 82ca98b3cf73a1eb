//! What is still to happen, in the order of its moments; what is due at the same moment happens in
//! the order in which it was planned, so that a seed means one course of events.
//!
//! A calendar [Brown 1988]: each page holds what is due in one stretch of time, in any order, and
//! goes into a small heap when its stretch comes. What is due after the last page waits in
//! a heap of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use auscult_core::time::Instant;

/// Things with their moments. They are moved about, so they should be small.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// All that is due before the page after `today`.
    due: BinaryHeap<Reverse<Planned<T>>>,
    pages: Vec<Vec<Planned<T>>>,
    /// A bit for each page on which there is something.
    written: [u64; PAGES / 64],
    /// The number of the page that became `due` last; it stands at its remainder by [`PAGES`].
    today: u64,
    later: BinaryHeap<Reverse<Planned<T>>>,
    planned: u64,
    len: usize,
    turned: bool,
}

#[derive(Clone, Copy, Debug)]
struct Planned<T> {
    at: Instant,
    order: u64,
    thing: T,
}

impl<T> Planned<T> {
    const fn key(&self) -> (Instant, u64) {
        (self.at, self.order)
    }
}

impl<T> PartialEq for Planned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Planned<T> {}

impl<T> PartialOrd for Planned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Planned<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            due: BinaryHeap::new(),
            pages: (0..PAGES).map(|_| Vec::new()).collect(),
            written: [0; PAGES / 64],
            today: 0,
            later: BinaryHeap::new(),
            planned: 0,
            len: 0,
            turned: false,
        }
    }

    pub(crate) fn push(&mut self, at: Instant, thing: T) {
        let order = self.planned;
        self.planned += 1;
        self.len += 1;
        self.file(Planned { at, order, thing });
    }

    /// The next thing, if its moment is not after `until`.
    pub(crate) fn pop(&mut self, until: Instant) -> Option<(Instant, T)> {
        while self.due.is_empty() {
            self.turn_to(page_of(until))?;
        }
        if self.due.peek()?.0.at > until {
            return None;
        }
        let Reverse(planned) = self.due.pop()?;
        self.len -= 1;
        Some((planned.at, planned.thing))
    }

    /// What became due together, once for each page.
    pub(crate) fn turned(&mut self) -> Option<impl Iterator<Item = &T>> {
        let turned = std::mem::take(&mut self.turned);
        turned.then(|| self.due.iter().map(|planned| &planned.0.thing))
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn file(&mut self, planned: Planned<T>) {
        let page = page_of(planned.at);
        if page <= self.today {
            self.due.push(Reverse(planned));
        } else if page < self.today + PAGES as u64 {
            let place = (page % PAGES as u64) as usize;
            self.written[place / 64] |= 1 << (place % 64);
            self.pages[place].push(planned);
        } else {
            self.later.push(Reverse(planned));
        }
    }

    /// Goes on to the next page on which there is something, if it is not after `last`; or as far
    /// as what is due later can be filed.
    fn turn_to(&mut self, last: u64) -> Option<()> {
        let page = match (self.next_written(), self.later.peek()) {
            (Some(page), _) => page,
            (None, Some(Reverse(planned))) => page_of(planned.at),
            (None, None) => return None,
        };
        if page > last {
            return None;
        }
        self.today = page;
        self.turned = true;
        let place = (page % PAGES as u64) as usize;
        self.written[place / 64] &= !(1 << (place % 64));
        self.due.extend(self.pages[place].drain(..).map(Reverse));
        while let Some(Reverse(planned)) = self.later.peek()
            && page_of(planned.at) < self.today + PAGES as u64
            && let Some(Reverse(planned)) = self.later.pop()
        {
            self.file(planned);
        }
        Some(())
    }

    /// The number of the next page on which there is something.
    fn next_written(&self) -> Option<u64> {
        let first = ((self.today + 1) % PAGES as u64) as usize;
        let words = self.written.len();
        for step in 0..=words {
            let word = (first / 64 + step) % words;
            let mut bits = self.written[word];
            if step == 0 {
                bits &= u64::MAX << (first % 64);
            } else if step == words {
                bits &= !(u64::MAX << (first % 64));
            }
            if bits != 0 {
                let place = word * 64 + bits.trailing_zeros() as usize;
                let ahead = (place + PAGES - first) % PAGES;
                return Some(self.today + 1 + ahead as u64);
            }
        }
        None
    }
}

/// The number of the page on which a moment stands.
const fn page_of(at: Instant) -> u64 {
    at.as_nanos() >> PAGE_BITS
}

/// A page is a millisecond: some four things that a thousand members do.
const PAGE_BITS: u32 = 20;
/// A little more than a second: a probe interval.
const PAGES: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_core::rng::Rng;
    use std::time::Duration;

    /// Against a list that is sorted anew each time.
    #[test]
    fn gives_things_in_the_order_of_moments_and_then_of_planning() {
        // Within a page, over some pages, over more than all of them.
        for spread in [50, 1 << 20, 1 << 32, 1 << 36] {
            let mut rng = Rng::new(3);
            let mut queue = Queue::new();
            let mut twin: Vec<(Instant, usize)> = Vec::new();
            let mut now = Instant::ORIGIN;
            for thing in 0..2_000 {
                let at = now.after(Duration::from_nanos(rng.below(spread)));
                queue.push(at, thing);
                twin.push((at, thing));
                twin.sort_by_key(|&(at, _)| at);
                if rng.below(3) == 0 {
                    let until = now.after(Duration::from_nanos(rng.below(spread)));
                    let expected = (twin[0].0 <= until).then(|| twin.remove(0));
                    assert_eq!(queue.pop(until), expected);
                    now = expected.map_or(until, |(at, _)| at);
                }
                assert_eq!(queue.len(), twin.len());
            }
            while let Some(found) = queue.pop(Instant::FAR_FUTURE) {
                assert_eq!(found, twin.remove(0));
            }
            assert!(twin.is_empty());
        }
    }

    #[test]
    fn what_is_not_due_stays() {
        let mut queue = Queue::new();
        queue.push(Instant::from_secs(2), 'a');
        assert_eq!(queue.pop(Instant::from_secs(1)), None);
        let second = Instant::from_secs(2);
        assert_eq!(queue.pop(second), Some((second, 'a')));
    }
}
