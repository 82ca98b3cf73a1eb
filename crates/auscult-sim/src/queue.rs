//! What is still to happen, in the order of its moments; what is due at the same moment happens in
//! the order in which it was planned, so that a seed means one course of events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use auscult_core::time::Instant;

/// Things with their moments. The heap holds small keys; the things themselves, which are large,
/// stay where they are.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    keys: BinaryHeap<Reverse<Key>>,
    things: Vec<Option<T>>,
    free: Vec<u32>,
    planned: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Instant,
    order: u64,
    thing: u32,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self {
            keys: BinaryHeap::new(),
            things: Vec::new(),
            free: Vec::new(),
            planned: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Instant, thing: T) {
        let place = if let Some(place) = self.free.pop() {
            self.things[place as usize] = Some(thing);
            place
        } else {
            self.things.push(Some(thing));
            // Four thousand million things at a time do not fit into memory.
            (self.things.len() - 1) as u32
        };
        let order = self.planned;
        self.planned += 1;
        self.keys.push(Reverse(Key {
            at,
            order,
            thing: place,
        }));
    }

    /// The next thing, if its moment is not after `until`.
    pub(crate) fn pop(&mut self, until: Instant) -> Option<(Instant, T)> {
        let &Reverse(key) = self.keys.peek()?;
        if key.at > until {
            return None;
        }
        self.keys.pop();
        let thing = self.things[key.thing as usize].take()?;
        self.free.push(key.thing);
        Some((key.at, thing))
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auscult_core::rng::Rng;

    /// Against a list that is sorted anew each time.
    #[test]
    fn gives_things_in_the_order_of_moments_and_then_of_planning() {
        let mut rng = Rng::new(3);
        let mut queue = Queue::new();
        let mut twin: Vec<(Instant, usize)> = Vec::new();
        for thing in 0..2_000 {
            let at = Instant::from_nanos(rng.below(50));
            queue.push(at, thing);
            twin.push((at, thing));
            twin.sort_by_key(|&(at, _)| at);
            if rng.below(3) == 0 {
                assert_eq!(queue.pop(Instant::FAR_FUTURE), Some(twin.remove(0)));
            }
            assert_eq!(queue.len(), twin.len());
        }
        while let Some(found) = queue.pop(Instant::FAR_FUTURE) {
            assert_eq!(found, twin.remove(0));
        }
        assert!(twin.is_empty());
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
