//! What is written together.

use std::collections::BTreeMap;

use auscult_core::history::{Resolution, Rollup};
use auscult_core::id::TargetId;

/// Roll-ups that wait for a disk that takes none: half an hour of 1,000 targets, some 20 MB.
pub(super) const ROLLUPS_WAITING_MAX: usize = 180_000;

/// Changes that wait for a disk that takes none: some 40 MB.
pub(super) const CHANGES_WAITING_MAX: usize = 131_072;

/// What is written together, all of it or nothing.
#[derive(Debug)]
pub(super) struct Batch {
    /// Targets that have no number on the disk yet.
    pub(super) names: Vec<(TargetId, u32)>,
    /// Changes as rows.
    pub(super) changes: Vec<ChangeRow>,
    /// Roll-ups of the finest length, by their beginning and target. They are added to what stands
    /// there.
    pub(super) rollups: BTreeMap<(u64, u32), Rollup>,
    /// Their length.
    pub(super) finest: Resolution,
}

/// A change as it is written.
#[derive(Debug)]
pub(super) struct ChangeRow {
    pub(super) target: u32,
    pub(super) at_nanos: u64,
    pub(super) id: u64,
    pub(super) row: Vec<u8>,
}

impl Batch {
    /// Nothing yet.
    pub(super) fn new(finest: Resolution) -> Self {
        Self {
            names: Vec::new(),
            changes: Vec::new(),
            rollups: BTreeMap::new(),
            finest,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.changes.is_empty() && self.rollups.is_empty()
    }

    /// Adds a roll-up of the finest length.
    pub(super) fn add(&mut self, start_ms: u64, target: u32, rollup: &Rollup) {
        self.rollups
            .entry((start_ms, target))
            .or_default()
            .add(rollup);
    }

    /// Forgets the oldest of what is beyond its bound, and says how much that was: changes, and
    /// roll-ups.
    pub(super) fn shed(&mut self) -> (u64, u64) {
        let changes = self.changes.len().saturating_sub(CHANGES_WAITING_MAX);
        self.changes.drain(..changes);
        let mut rollups = 0;
        while self.rollups.len() > ROLLUPS_WAITING_MAX {
            self.rollups.pop_first();
            rollups += 1;
        }
        (changes as u64, rollups)
    }
}
