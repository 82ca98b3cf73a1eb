//! From the names of targets to their slots: open addressing, 8 bytes an entry, no name inside.
//!
//! The caller compares the names, because they stand with the targets. Entries move only when the
//! table grows or one is removed, so a look-up in a batch can first touch all entries and then read
//! them.

use alloc::vec;
use alloc::vec::Vec;

use super::hash::HashKey;

/// The table. Invariant: an entry stands at its home or after it, with no gap between.
pub(super) struct Index {
    key: HashKey,
    entries: Vec<Entry>,
    len: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The low half of the hash.
    fingerprint: u32,
    /// [`VACANT`], or the slot.
    target: u32,
}

impl Index {
    pub(super) const fn new(key: HashKey) -> Self {
        Self {
            key,
            entries: Vec::new(),
            len: 0,
        }
    }

    #[inline]
    pub(super) fn hash(&self, name: &str) -> u64 {
        self.key.hash(name.as_bytes())
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// Reads where the look-up of `hash` will begin.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u32 {
        self.entries
            .get(home(hash, self.entries.len()))
            .map_or(0, |entry| entry.fingerprint)
    }

    /// The first slot whose fingerprint fits and of which `is` says that it is the one.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let mut at = home(hash, self.entries.len());
        loop {
            let entry = self.entries[at];
            if entry.target == VACANT {
                return None;
            }
            if entry.fingerprint == hash as u32 && is(entry.target) {
                return Some(entry.target);
            }
            at = self.after(at);
        }
    }

    /// Adds an entry, which must not be there yet. `hash_of` tells the hashes of those that are.
    pub(super) fn insert(&mut self, hash: u64, target: u32, hash_of: impl Fn(&Self, u32) -> u64) {
        if (self.len + 1) * 4 > self.entries.len() * 3 {
            self.grow(&hash_of);
        }
        self.place(hash, target);
        self.len += 1;
    }

    /// Removes an entry, which must be there.
    pub(super) fn remove(&mut self, hash: u64, target: u32, hash_of: impl Fn(&Self, u32) -> u64) {
        let mut gap = home(hash, self.entries.len());
        while self.entries[gap].target != target {
            gap = self.after(gap);
        }
        // Close the gap with entries that stand behind it but belong at or before it.
        let mut at = self.after(gap);
        while self.entries[at].target != VACANT {
            let home = home(hash_of(self, self.entries[at].target), self.entries.len());
            if self.distance(home, at) >= self.distance(gap, at) {
                self.entries[gap] = self.entries[at];
                gap = at;
            }
            at = self.after(at);
        }
        self.entries[gap] = EMPTY;
        self.len -= 1;
    }

    fn grow(&mut self, hash_of: &impl Fn(&Self, u32) -> u64) {
        let len = (self.entries.len() / 2 * 3).max(ENTRIES_MIN);
        let old = core::mem::replace(&mut self.entries, vec![EMPTY; len]);
        for entry in old.into_iter().filter(|entry| entry.target != VACANT) {
            self.place(hash_of(self, entry.target), entry.target);
        }
    }

    fn place(&mut self, hash: u64, target: u32) {
        let mut at = home(hash, self.entries.len());
        while self.entries[at].target != VACANT {
            at = self.after(at);
        }
        self.entries[at] = Entry {
            fingerprint: hash as u32,
            target,
        };
    }

    #[inline]
    const fn after(&self, at: usize) -> usize {
        if at + 1 == self.entries.len() {
            0
        } else {
            at + 1
        }
    }

    const fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.entries.len() - from
        }
    }
}

/// The high half of the hash, scaled to the table: any table size will do.
#[inline]
const fn home(hash: u64, len: usize) -> usize {
    (((hash >> 32) as u128 * len as u128) >> 32) as usize
}

const VACANT: u32 = u32::MAX;
const EMPTY: Entry = Entry {
    fingerprint: 0,
    target: VACANT,
};
const ENTRIES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::format;
    use std::string::String;

    /// The same puts and removes into a sorted map; a table without gaps answers alike.
    #[test]
    fn answers_as_a_sorted_map_does() {
        let key = HashKey::new(7);
        let mut names: Vec<String> = Vec::new();
        let mut index = Index::new(key);
        let mut twin: BTreeMap<String, u32> = BTreeMap::new();
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name = format!("target-{}", (random >> 33) % 700);
            let hash = index.hash(&name);
            let found = index.find(hash, |slot| names[slot as usize] == name);
            assert_eq!(found, twin.get(&name).copied());
            let hash_of = |index: &Index, slot: u32| index.hash(&names[slot as usize]);
            match found {
                Some(slot) => {
                    index.remove(hash, slot, hash_of);
                    twin.remove(&name);
                }
                None => {
                    let slot = names.len() as u32;
                    index.insert(hash, slot, hash_of);
                    names.push(name.clone());
                    twin.insert(name, slot);
                }
            }
            assert_eq!(index.len(), twin.len());
        }
        for (name, slot) in &twin {
            let found = index.find(index.hash(name), |slot| names[slot as usize] == *name);
            assert_eq!(found, Some(*slot));
        }
    }
}
