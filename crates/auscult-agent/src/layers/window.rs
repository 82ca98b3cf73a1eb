//! The last counters that arrived from a sender, so that none is taken twice.

/// How far behind the newest counter one may be and still be told from a copy. A sender counts all
/// that it sends to anybody, so this is more than a second at a thousand datagrams in a second, and
/// many minutes of a quiet cluster.
pub const WINDOW_COUNTERS: u32 = 1_024;

const WORDS: usize = WINDOW_COUNTERS as usize / 64;

/// One bit for each of the last [`WINDOW_COUNTERS`] counters up to the newest.
///
/// Invariant: the bit of a counter in the window is set exactly when it was marked.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    newest: u32,
    bits: [u64; WORDS],
}

impl Window {
    /// A window whose first counter has just arrived; all before it count as arrived, too.
    pub(crate) const fn beginning_at(counter: u32) -> Self {
        Self {
            newest: counter,
            bits: [u64::MAX; WORDS],
        }
    }

    /// Whether this counter has not arrived yet and is not too old to tell.
    pub(crate) const fn is_fresh(&self, counter: u32) -> bool {
        if counter > self.newest {
            return true;
        }
        let (word, bit) = place(counter);
        self.newest - counter < WINDOW_COUNTERS && self.bits[word] & bit == 0
    }

    /// Remembers that a fresh counter arrived in something that is proven to be the sender's.
    pub(crate) fn mark(&mut self, counter: u32) {
        debug_assert!(self.is_fresh(counter), "{counter} is marked twice");
        if counter > self.newest {
            self.advance(counter);
        }
        let (word, bit) = place(counter);
        self.bits[word] |= bit;
    }

    fn advance(&mut self, counter: u32) {
        let steps = counter - self.newest;
        if steps >= WINDOW_COUNTERS {
            self.bits = [0; WORDS];
        } else {
            for skipped in 1..=steps {
                let (word, bit) = place(self.newest + skipped);
                self.bits[word] &= !bit;
            }
        }
        self.newest = counter;
    }
}

const fn place(counter: u32) -> (usize, u64) {
    let index = counter % WINDOW_COUNTERS;
    (index as usize / 64, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Remembers everything.
    struct Twin {
        first: u32,
        seen: BTreeSet<u32>,
    }

    impl Twin {
        fn is_fresh(&self, counter: u32) -> bool {
            let newest = self.seen.last().copied().unwrap_or(self.first);
            counter > self.first
                && !self.seen.contains(&counter)
                && (counter > newest || newest - counter < WINDOW_COUNTERS)
        }
    }

    proptest! {
        #[test]
        fn a_window_tells_what_a_memory_of_everything_tells(
            first in prop_oneof![0..5_000_u32, Just(u32::MAX - 3_000)],
            steps in prop::collection::vec((0..1_400_u32, -1_100..1_i64), 1..200),
        ) {
            let mut window = Window::beginning_at(first);
            let mut twin = Twin { first, seen: BTreeSet::from([first]) };
            let mut at = i64::from(first);
            for (ahead, back) in steps {
                at += i64::from(ahead) / 7;
                let Ok(counter) = u32::try_from((at + back).max(0)) else { continue };
                prop_assert_eq!(window.is_fresh(counter), twin.is_fresh(counter), "{}", counter);
                if twin.is_fresh(counter) {
                    window.mark(counter);
                    twin.seen.insert(counter);
                }
                prop_assert!(!window.is_fresh(counter));
            }
        }
    }

    #[test]
    fn a_jump_forgets_what_is_behind_it() {
        let mut window = Window::beginning_at(7);
        window.mark(9);
        window.mark(7 + 5 * WINDOW_COUNTERS);
        assert!(!window.is_fresh(8), "too old to tell");
        assert!(window.is_fresh(8 + 4 * WINDOW_COUNTERS));
        assert!(!window.is_fresh(7 + 4 * WINDOW_COUNTERS), "one too old");
    }
}
