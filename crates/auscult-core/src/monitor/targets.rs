//! The targets: names, labels, and the status that the events tell of.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::flap::Flap;
use super::hash::HashKey;
use super::index::Index;
use super::signals::NONE;
use super::status::Status;
use super::target::Labels;
use crate::id::TargetId;
use crate::time::Instant;

/// What a heartbeat reads of a target: its name and where its signals stand.
pub(super) struct Head {
    /// Nothing where the slot is free.
    id: Option<TargetId>,
    /// The slot of its first signal.
    pub(super) first: u32,
    pub(super) status: Status,
    pub(super) judging: Judging,
}

/// What is read when something changes.
#[derive(Clone, Copy)]
pub(super) struct Course {
    pub(super) added_at: Instant,
    /// Since when it has its status.
    pub(super) since: Instant,
    pub(super) transitions: u32,
    /// How often its status changed lately, as of `since`.
    pub(super) flap: Flap,
}

/// Whether a target is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judging {
    Running,
    /// An operator does not want it.
    Paused,
    /// It is left to others.
    Resting,
}

/// All targets, by slot and by name.
pub(super) struct Targets {
    heads: Vec<Head>,
    courses: Vec<Course>,
    /// Of those that have some.
    labels: BTreeMap<u32, Labels>,
    /// Those that are flapping.
    flapping: BTreeSet<u32>,
    index: Index,
    free: Vec<u32>,
}

impl Targets {
    pub(super) const fn new(key: HashKey) -> Self {
        Self {
            heads: Vec::new(),
            courses: Vec::new(),
            labels: BTreeMap::new(),
            flapping: BTreeSet::new(),
            index: Index::new(key),
            free: Vec::new(),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.index.len()
    }

    /// Slots, free ones included.
    pub(super) const fn slots(&self) -> usize {
        self.heads.len()
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Head> {
        self.heads
            .get(slot as usize)
            .filter(|head| head.id.is_some())
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(&mut Head, &mut Course)> {
        let head = self.heads.get_mut(slot as usize)?;
        let course = self.courses.get_mut(slot as usize)?;
        head.id.is_some().then_some((head, course))
    }

    pub(super) fn course(&self, slot: u32) -> Course {
        self.courses[slot as usize]
    }

    #[inline]
    pub(super) fn id(&self, slot: u32) -> Option<&TargetId> {
        self.heads.get(slot as usize)?.id.as_ref()
    }

    pub(super) fn labels(&self, slot: u32) -> &Labels {
        self.labels.get(&slot).unwrap_or(&NO_LABELS)
    }

    pub(super) fn set_labels(&mut self, slot: u32, labels: Labels) {
        if labels.is_empty() {
            self.labels.remove(&slot);
        } else {
            self.labels.insert(slot, labels);
        }
    }

    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// The names, the pointers to them, and the index.
    pub(super) fn id_bytes(&self) -> usize {
        let names = self.heads.iter().flat_map(|head| &head.id);
        let names: usize = names.map(|id| id.len()).sum();
        names + self.heads.capacity() * size_of::<Option<TargetId>>() + self.index.bytes()
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        self.find_hashed(self.index.hash(name), name)
    }

    #[inline]
    pub(super) fn find_hashed(&self, hash: u64, name: &str) -> Option<u32> {
        self.index
            .find(hash, |slot| self.id(slot).is_some_and(|id| &**id == name))
    }

    /// Adds a target without signals, whose name must be new.
    pub(super) fn add(&mut self, id: TargetId, labels: Labels, now: Instant) -> u32 {
        let hash = self.index.hash(&id);
        let head = Head {
            id: Some(id),
            first: NONE,
            status: Status::Unknown,
            judging: Judging::Running,
        };
        let course = Course {
            added_at: now,
            since: now,
            transitions: 0,
            flap: Flap::default(),
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.heads[slot as usize] = head;
                self.courses[slot as usize] = course;
                slot
            }
            None => {
                self.heads.push(head);
                self.courses.push(course);
                (self.heads.len() - 1) as u32
            }
        };
        self.set_labels(slot, labels);
        let heads = &self.heads;
        self.index
            .insert(hash, slot, |index, slot| hash_of(heads, index, slot));
        slot
    }

    /// Frees a slot.
    pub(super) fn remove(&mut self, slot: u32) {
        let hash = hash_of(&self.heads, &self.index, slot);
        let heads = &self.heads;
        self.index
            .remove(hash, slot, |index, slot| hash_of(heads, index, slot));
        self.labels.remove(&slot);
        self.flapping.remove(&slot);
        self.free.push(slot);
        self.heads[slot as usize].id = None;
    }

    pub(super) fn is_flapping(&self, slot: u32) -> bool {
        self.flapping.contains(&slot)
    }

    pub(super) fn start_flapping(&mut self, slot: u32) {
        self.flapping.insert(slot);
    }

    pub(super) fn stop_flapping(&mut self, slot: u32) {
        self.flapping.remove(&slot);
    }

    pub(super) fn flapping(&self) -> usize {
        self.flapping.len()
    }
}

fn hash_of(heads: &[Head], index: &Index, slot: u32) -> u64 {
    let id = heads[slot as usize].id.as_ref();
    id.map_or(0, |id| index.hash(id))
}

static NO_LABELS: Labels = Labels::new();

const _: () = assert!(size_of::<Head>() <= 24 && size_of::<Course>() <= 24);
