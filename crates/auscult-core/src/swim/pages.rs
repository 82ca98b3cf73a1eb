//! A list in pages, which never moves and has no room that is not used but for a page: what stands
//! in one that grows in place is copied again and again, and in a process with many of them the
//! holes that those leave behind are a sixth of all memory.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Places for things, each empty or not.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Box<[Option<T>; PAGE]>>,
    /// Places that were ever taken.
    len: usize,
}

/// Places of one page: 2 KiB for what takes a line of memory.
const PAGE: usize = 32;

impl<T> Pages<T> {
    pub(super) const fn new() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
        }
    }

    /// Places that were ever taken, the empty ones included.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?[at % PAGE].as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.pages.get_mut(at / PAGE)?[at % PAGE].as_mut()
    }

    /// Takes the place after the last one.
    pub(super) fn push(&mut self, thing: T) {
        if self.len == self.pages.len() * PAGE {
            self.pages.push(Box::new([const { None }; PAGE]));
        }
        self.len += 1;
        self.set(self.len - 1, Some(thing));
    }

    /// Fills or empties a place.
    ///
    /// # Panics
    /// For a place beyond the last one.
    pub(super) fn set(&mut self, at: usize, thing: Option<T>) {
        self.pages[at / PAGE][at % PAGE] = thing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        /// The dumb twin: a list.
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec(any::<(bool, u8)>(), 0..200)) {
            let mut pages = Pages::new();
            let mut twin: Vec<Option<u8>> = Vec::new();
            for (push, number) in steps {
                if push || twin.is_empty() {
                    pages.push(number);
                    twin.push(Some(number));
                } else {
                    let at = number as usize % twin.len();
                    let thing = (number < 128).then_some(number);
                    pages.set(at, thing);
                    twin[at] = thing;
                }
                prop_assert_eq!(pages.len(), twin.len());
                for at in 0..twin.len() + 40 {
                    let expected = twin.get(at).copied().flatten();
                    prop_assert_eq!(pages.get(at).copied(), expected);
                    prop_assert_eq!(pages.get_mut(at).copied(), expected);
                }
            }
        }
    }
}
