//! The targets: names, labels, and the status that the events tell of.

use alloc::vec::Vec;

use super::flap::Flap;
use super::hash::HashKey;
use super::index::Index;
use super::status::Status;
use super::target::Labels;
use crate::id::TargetId;
use crate::time::Instant;

/// One target.
pub(super) struct Record {
    pub(super) id: TargetId,
    pub(super) labels: Labels,
    pub(super) added_at: Instant,
    /// Since when it has its status.
    pub(super) since: Instant,
    pub(super) transitions: u64,
    /// How often its status changed lately, as of `since`.
    pub(super) flap: Flap,
    /// The slot of its first signal.
    pub(super) first: u32,
    pub(super) status: Status,
    pub(super) judging: Judging,
}

/// Whether an operator wants a target judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judging {
    Running,
    Paused,
}

/// All targets, by slot and by name.
pub(super) struct Targets {
    records: Vec<Option<Record>>,
    index: Index,
    free: Vec<u32>,
}

impl Targets {
    pub(super) const fn new(key: HashKey) -> Self {
        Self {
            records: Vec::new(),
            index: Index::new(key),
            free: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.index.len()
    }

    /// Slots, free ones included.
    pub(super) const fn slots(&self) -> usize {
        self.records.len()
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Record> {
        self.records.get(slot as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Record> {
        self.records.get_mut(slot as usize)?.as_mut()
    }

    #[inline]
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.find_hashed(self.index.hash(name), name)
    }

    #[inline]
    pub(super) fn find_hashed(&self, hash: u64, name: &str) -> Option<u32> {
        self.index.find(hash, |slot| self.has_name(slot, name))
    }

    #[inline]
    pub(super) fn has_name(&self, slot: u32, name: &str) -> bool {
        self.get(slot).is_some_and(|record| &*record.id == name)
    }

    /// Adds a target, whose name must be new.
    pub(super) fn add(&mut self, record: Record) -> u32 {
        let hash = self.index.hash(&record.id);
        let slot = match self.free.pop() {
            Some(slot) => {
                self.records[slot as usize] = Some(record);
                slot
            }
            None => {
                self.records.push(Some(record));
                (self.records.len() - 1) as u32
            }
        };
        let records = &self.records;
        self.index
            .insert(hash, slot, |index, slot| hash_of(records, index, slot));
        slot
    }

    /// Takes a target out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Record> {
        let hash = hash_of(&self.records, &self.index, slot);
        let records = &self.records;
        self.index
            .remove(hash, slot, |index, slot| hash_of(records, index, slot));
        self.free.push(slot);
        self.records[slot as usize].take()
    }
}

fn hash_of(records: &[Option<Record>], index: &Index, slot: u32) -> u64 {
    let record = records[slot as usize].as_ref();
    record.map_or(0, |record| index.hash(&record.id))
}
