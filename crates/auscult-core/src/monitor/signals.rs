//! The signals: what a heartbeat touches, packed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::input::{SignalKey, Told};
use super::status::{Failure, Status};
use crate::bounds::{SIGNALS_PER_TARGET_MAX, TARGETS_MAX};
use crate::detector::DetectorState;
use crate::time::Instant;

/// What a heartbeat touches of one signal. A million of them are the machine's memory, so nothing
/// rare stands here, and each is one line of the cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Record {
    pub(super) state: DetectorState,
    /// Arrivals that were taken.
    pub(super) arrivals: u64,
    /// Its name and configuration.
    pub(super) kind: u32,
    pub(super) standing: Standing,
    /// Arrivals in a row while it is down.
    pub(super) streak: u8,
    /// Intervals in a row that were outages.
    pub(super) outages: u8,
    /// Whether a failed check since the last arrival is kept.
    pub(super) failed: bool,
}

/// What a signal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// For nothing: the slot is free.
    Vacant,
    /// For its first arrival, within its grace.
    Awaited,
    /// For the next arrival, in time.
    Up,
    /// For the next arrival, which is late.
    Late,
    /// For enough arrivals in a row.
    Down,
    /// For an arrival, or for the observer to trust itself: it would be down otherwise.
    Held,
    /// For the next word of those who judge it in place of its detector.
    Told(Told),
    /// For an operator.
    Paused,
    /// For nothing: others observe it.
    Resting,
}

impl Standing {
    pub(super) const fn status(self) -> Status {
        match self {
            Self::Vacant | Self::Paused => Status::Paused,
            Self::Awaited | Self::Held | Self::Resting => Status::Unknown,
            Self::Up => Status::Up,
            Self::Late => Status::Late,
            Self::Down => Status::Down,
            Self::Told(verdict) => verdict.status(),
        }
    }
}

/// What binds a signal to others; read when something changes.
#[derive(Clone, Copy, Debug)]
struct Bond {
    /// Tells it from earlier signals in the same slot.
    generation: u32,
    /// The next signal of the same target; after the last one the target's slot, with [`LAST`].
    next: u32,
}

/// What somebody said of a signal.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) verdict: Told,
    pub(super) why: Arc<str>,
}

/// All signals, by slot.
pub(super) struct Signals {
    pub(super) records: Vec<Record>,
    bonds: Vec<Bond>,
    /// Failed checks since the last arrival.
    failures: BTreeMap<u32, (Instant, Failure)>,
    /// What those said last who judge signals in place of their detectors.
    words: BTreeMap<u32, Words>,
    free: Vec<u32>,
}

impl Signals {
    pub(super) const fn new() -> Self {
        Self {
            records: Vec::new(),
            bonds: Vec::new(),
            failures: BTreeMap::new(),
            words: BTreeMap::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Puts a signal into a free slot, or into a new one behind all others. It is the target's only
    /// one until it is [joined](Self::join) to others.
    pub(super) fn add(&mut self, target: u32, kind: u32, state: DetectorState) -> u32 {
        let record = Record {
            state,
            arrivals: 0,
            kind,
            standing: Standing::Awaited,
            streak: 0,
            outages: 0,
            failed: false,
        };
        let next = target | LAST;
        if let Some(slot) = self.free.pop() {
            self.records[slot as usize] = record;
            self.bonds[slot as usize].next = next;
            return slot;
        }
        self.records.push(record);
        self.bonds.push(Bond {
            generation: 0,
            next,
        });
        (self.records.len() - 1) as u32
    }

    /// Frees the slot. Its key stands for nothing from now on.
    pub(super) fn remove(&mut self, slot: u32, empty: DetectorState) {
        self.forget_failure(slot);
        self.words.remove(&slot);
        let record = &mut self.records[slot as usize];
        record.state = empty;
        record.standing = Standing::Vacant;
        let bond = &mut self.bonds[slot as usize];
        bond.generation = bond.generation.wrapping_add(1);
        self.free.push(slot);
    }

    #[inline]
    pub(super) fn key(&self, slot: u32) -> SignalKey {
        SignalKey {
            slot,
            generation: self.bonds[slot as usize].generation,
        }
    }

    /// The slot that a key stands for.
    #[inline]
    pub(super) fn resolve(&self, key: SignalKey) -> Option<u32> {
        let record = self.records.get(key.slot as usize)?;
        let bond = self.bonds.get(key.slot as usize)?;
        let same = bond.generation == key.generation && record.standing != Standing::Vacant;
        same.then_some(key.slot)
    }

    /// The slot of the target that a signal belongs to.
    pub(super) fn target(&self, slot: u32) -> u32 {
        let mut next = self.bonds[slot as usize].next;
        while next & LAST == 0 {
            next = self.bonds[next as usize].next;
        }
        next & !LAST
    }

    /// The signals of a target from its first one on.
    pub(super) fn chain(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let begin = (first != NONE).then_some(first);
        core::iter::successors(begin, |&slot| {
            let next = self.bonds[slot as usize].next;
            (next & LAST == 0).then_some(next)
        })
    }

    /// Makes these the signals of one target, in this order, and returns the first.
    pub(super) fn join(&mut self, target: u32, slots: &[u32]) -> u32 {
        for pair in slots.windows(2) {
            self.bonds[pair[0] as usize].next = pair[1];
        }
        if let Some(&last) = slots.last() {
            self.bonds[last as usize].next = target | LAST;
        }
        slots.first().copied().unwrap_or(NONE)
    }

    pub(super) fn is_alone(&self, first: u32) -> bool {
        self.bonds[first as usize].next & LAST != 0
    }

    pub(super) fn fail(&mut self, slot: u32, at: Instant, failure: Failure) {
        self.records[slot as usize].failed = true;
        self.failures.insert(slot, (at, failure));
    }

    pub(super) fn forget_failure(&mut self, slot: u32) {
        self.records[slot as usize].failed = false;
        self.failures.remove(&slot);
    }

    pub(super) fn tell(&mut self, slot: u32, words: Words) {
        self.words.insert(slot, words);
    }

    pub(super) fn words(&self, slot: u32) -> Option<&Words> {
        self.words.get(&slot)
    }

    pub(super) fn failure(&self, slot: u32) -> Option<(Instant, Failure)> {
        self.failures.get(&slot).copied()
    }
}

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

/// Marks a target's slot where the slot of a signal might stand.
const LAST: u32 = 1 << 31;

const _: () = assert!(TARGETS_MAX * SIGNALS_PER_TARGET_MAX <= LAST as usize);
const _: () = assert!(size_of::<Record>() <= 64 && size_of::<Bond>() <= 8);
