//! The signals: what a heartbeat touches, packed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::input::SignalKey;
use super::status::{Failure, Status};
use crate::detector::DetectorState;
use crate::time::Instant;

/// One signal. A million of them are the machine's memory, so nothing rare stands here. Aligned so
/// that none lies in three lines of the cache.
#[derive(Clone, Debug)]
#[repr(align(32))]
pub(super) struct Record {
    pub(super) state: DetectorState,
    /// Arrivals that were taken.
    pub(super) arrivals: u64,
    /// The slot of its target.
    pub(super) target: u32,
    /// Its name and configuration.
    pub(super) kind: u32,
    /// Told from earlier signals in the same slot.
    pub(super) generation: u32,
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
    /// For an operator.
    Paused,
}

impl Standing {
    pub(super) const fn status(self) -> Status {
        match self {
            Self::Vacant | Self::Paused => Status::Paused,
            Self::Awaited | Self::Held => Status::Unknown,
            Self::Up => Status::Up,
            Self::Late => Status::Late,
            Self::Down => Status::Down,
        }
    }
}

/// All signals, by slot.
pub(super) struct Signals {
    pub(super) records: Vec<Record>,
    /// The next signal of the same target, or [`NONE`].
    siblings: Vec<u32>,
    /// Failed checks since the last arrival.
    failures: BTreeMap<u32, (Instant, Failure)>,
    free: Vec<u32>,
}

impl Signals {
    pub(super) const fn new() -> Self {
        Self {
            records: Vec::new(),
            siblings: Vec::new(),
            failures: BTreeMap::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Puts a signal into a free slot, or into a new one behind all others.
    pub(super) fn add(&mut self, target: u32, kind: u32, state: DetectorState) -> u32 {
        let record = Record {
            state,
            arrivals: 0,
            target,
            kind,
            generation: 0,
            standing: Standing::Awaited,
            streak: 0,
            outages: 0,
            failed: false,
        };
        if let Some(slot) = self.free.pop() {
            let place = &mut self.records[slot as usize];
            let generation = place.generation;
            *place = record;
            place.generation = generation;
            return slot;
        }
        self.records.push(record);
        self.siblings.push(NONE);
        (self.records.len() - 1) as u32
    }

    /// Frees the slot. Its key stands for nothing from now on.
    pub(super) fn remove(&mut self, slot: u32, empty: DetectorState) {
        self.forget_failure(slot);
        self.siblings[slot as usize] = NONE;
        let record = &mut self.records[slot as usize];
        record.state = empty;
        record.standing = Standing::Vacant;
        record.generation = record.generation.wrapping_add(1);
        self.free.push(slot);
    }

    #[inline]
    pub(super) fn key(&self, slot: u32) -> SignalKey {
        SignalKey {
            slot,
            generation: self.records[slot as usize].generation,
        }
    }

    /// The slot that a key stands for.
    #[inline]
    pub(super) fn resolve(&self, key: SignalKey) -> Option<u32> {
        let record = self.records.get(key.slot as usize)?;
        let same = record.generation == key.generation && record.standing != Standing::Vacant;
        same.then_some(key.slot)
    }

    /// The signals of a target from its first one on.
    pub(super) fn chain(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let begin = (first != NONE).then_some(first);
        core::iter::successors(begin, |&slot| {
            let next = self.siblings[slot as usize];
            (next != NONE).then_some(next)
        })
    }

    /// Makes these the signals of one target, in this order, and returns the first.
    pub(super) fn join(&mut self, slots: &[u32]) -> u32 {
        for pair in slots.windows(2) {
            self.siblings[pair[0] as usize] = pair[1];
        }
        if let Some(&last) = slots.last() {
            self.siblings[last as usize] = NONE;
        }
        slots.first().copied().unwrap_or(NONE)
    }

    pub(super) fn is_alone(&self, first: u32) -> bool {
        self.siblings[first as usize] == NONE
    }

    pub(super) fn fail(&mut self, slot: u32, at: Instant, failure: Failure) {
        self.records[slot as usize].failed = true;
        self.failures.insert(slot, (at, failure));
    }

    pub(super) fn forget_failure(&mut self, slot: u32) {
        self.records[slot as usize].failed = false;
        self.failures.remove(&slot);
    }

    pub(super) fn failure(&self, slot: u32) -> Option<(Instant, Failure)> {
        self.failures.get(&slot).copied()
    }
}

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

const _: () = assert!(size_of::<Record>() <= 96);
