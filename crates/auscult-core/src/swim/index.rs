//! Where something about a member stands, by the member's id.
//!
//! A table with open addressing and steps of one: a cell is four bytes, so that a look touches one
//! line of memory. Ids follow from names, and whoever chooses names could choose such that all fall
//! into one place; the key, which nobody else knows, keeps that from being done.

use alloc::vec;
use alloc::vec::Vec;

use super::member::MemberId;
use crate::bounds::MEMBERS_MAX;
use crate::rng::mix;

/// A place of a list, for each id. The list itself knows the ids.
#[derive(Debug)]
pub(super) struct Index {
    key: u64,
    /// A power of two of them, at most two thirds of them taken.
    cells: Vec<Cell>,
    taken: usize,
}

/// A place, and half of the hash of the id that stands there; 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell(u32);

const _: () = assert!(MEMBERS_MAX <= 1 << Cell::PLACE_BITS);

impl Cell {
    const EMPTY: Self = Self(0);
    const PLACE_BITS: u32 = 16;

    const fn new(hash: u64, place: u32) -> Self {
        Self(Self::tag(hash) | place)
    }

    /// Never that of an empty cell.
    const fn tag(hash: u64) -> u32 {
        (hash as u32 | 1) << Self::PLACE_BITS
    }

    const fn place(self) -> u32 {
        self.0 & ((1 << Self::PLACE_BITS) - 1)
    }

    const fn has_tag(self, tag: u32) -> bool {
        self.0 >> Self::PLACE_BITS == tag >> Self::PLACE_BITS
    }
}

impl Index {
    pub(super) const fn new(key: u64) -> Self {
        Self {
            key,
            cells: Vec::new(),
            taken: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.taken
    }

    /// One with the same key, without places.
    pub(super) const fn emptied(&self) -> Self {
        Self::new(self.key)
    }

    /// The place of an id. `id_at` says which id stands at a place.
    pub(super) fn find(&self, id: MemberId, id_at: impl Fn(u32) -> MemberId) -> Option<u32> {
        let at = self.cell_of(id, id_at)?;
        Some(self.cells[at].place())
    }

    /// Notes the place of an id that has none yet. `id_at` must know those that have one.
    pub(super) fn insert(&mut self, id: MemberId, place: u32, id_at: impl Fn(u32) -> MemberId) {
        if 2 * self.cells.len() <= 3 * self.taken {
            self.grow(id_at);
        }
        self.taken += 1;
        self.put(id, place);
    }

    /// Forgets the place of an id. `id_at` must still know it.
    pub(super) fn remove(&mut self, id: MemberId, id_at: impl Fn(u32) -> MemberId) -> Option<u32> {
        let mut hole = self.cell_of(id, &id_at)?;
        let place = self.cells[hole].place();
        let last = self.cells.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & last;
            let cell = self.cells[at];
            if cell == Cell::EMPTY {
                break;
            }
            // What stands as far from its home as the hole does, or further, may move there.
            let home = self.home(self.hash(id_at(cell.place())));
            if (at.wrapping_sub(home) & last) >= (at.wrapping_sub(hole) & last) {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = Cell::EMPTY;
        self.taken -= 1;
        Some(place)
    }

    fn cell_of(&self, id: MemberId, id_at: impl Fn(u32) -> MemberId) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let (hash, last) = (self.hash(id), self.cells.len() - 1);
        let (tag, mut at) = (Cell::tag(hash), self.home(hash));
        while self.cells[at] != Cell::EMPTY {
            let cell = self.cells[at];
            if cell.has_tag(tag) && id_at(cell.place()) == id {
                return Some(at);
            }
            at = (at + 1) & last;
        }
        None
    }

    fn put(&mut self, id: MemberId, place: u32) {
        let (hash, last) = (self.hash(id), self.cells.len() - 1);
        let mut at = self.home(hash);
        while self.cells[at] != Cell::EMPTY {
            at = (at + 1) & last;
        }
        self.cells[at] = Cell::new(hash, place);
    }

    fn grow(&mut self, id_at: impl Fn(u32) -> MemberId) {
        let count = (2 * self.cells.len()).max(CELLS_LEAST);
        let before = core::mem::replace(&mut self.cells, vec![Cell::EMPTY; count]);
        for cell in before {
            if cell != Cell::EMPTY {
                self.put(id_at(cell.place()), cell.place());
            }
        }
    }

    const fn hash(&self, id: MemberId) -> u64 {
        mix(id.to_bits() ^ self.key)
    }

    /// Where an id stands if nothing is in its way.
    fn home(&self, hash: u64) -> usize {
        (hash >> u32::BITS) as usize & (self.cells.len() - 1)
    }
}

const CELLS_LEAST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use std::collections::BTreeMap;

    proptest! {
        /// The dumb twin: a tree.
        #[test]
        fn agrees_with_a_tree(
            steps in proptest::collection::vec((0..64_u64, any::<bool>()), 1..400),
            key in any::<u64>(),
        ) {
            let mut index = Index::new(key);
            let mut twin: BTreeMap<MemberId, u32> = BTreeMap::new();
            let id_at = |place: u32| MemberId::from_bits(u64::from(place));
            for (number, add) in steps {
                let id = MemberId::from_bits(number);
                let known = index.find(id, id_at);
                prop_assert_eq!(known, twin.get(&id).copied());
                match (known, add) {
                    (None, true) => {
                        index.insert(id, number as u32, id_at);
                        twin.insert(id, number as u32);
                    }
                    (_, true) => {}
                    (_, false) => prop_assert_eq!(index.remove(id, id_at), twin.remove(&id)),
                }
                prop_assert_eq!(index.len(), twin.len());
                for (&id, &place) in &twin {
                    prop_assert_eq!(index.find(id, id_at), Some(place));
                }
            }
        }
    }
}
