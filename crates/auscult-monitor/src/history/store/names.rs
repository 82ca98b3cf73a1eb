//! Targets by number: a row names its target in four bytes.

use std::collections::{BTreeMap, BTreeSet};

use auscult_core::id::TargetId;

/// Targets of which something is kept, watched or not: what they cost in memory stays below
/// 100 MB.
pub(in super::super) const TARGETS_MAX: usize = 262_144;

/// Who has which number. A target that is watched again has the number that it had.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: BTreeMap<Box<str>, u32>,
    /// Those that no file has yet.
    unwritten: BTreeSet<u32>,
    next: u32,
}

impl Names {
    /// Knows a name that stands in the file.
    pub(super) fn know(&mut self, name: &str, number: u32) {
        self.numbers.insert(name.into(), number);
        self.next = self.next.max(number.saturating_add(1));
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The number of a target, and whether no file has it yet.
    pub(super) fn number_for(&mut self, target: &TargetId) -> Option<(u32, bool)> {
        if let Some(&number) = self.numbers.get(target.as_str()) {
            return Some((number, self.unwritten.remove(&number)));
        }
        if self.numbers.len() >= TARGETS_MAX {
            return None;
        }
        let number = self.next;
        self.next = self.next.checked_add(1)?;
        self.numbers.insert(target.as_str().into(), number);
        Some((number, true))
    }

    /// Goes on with what another file has. Names that it lacks keep their numbers if nobody has
    /// them there, and have to be written.
    pub(super) fn take_over(&mut self, mut file: Self) {
        for (name, number) in std::mem::take(&mut self.numbers) {
            if file.numbers.contains_key(&name) {
                continue;
            }
            file.unwritten.insert(number);
            file.next = file.next.max(number.saturating_add(1));
            file.numbers.insert(name, number);
        }
        *self = file;
    }

    /// Forgets names of which nothing is kept any more.
    pub(super) fn forget(&mut self, names: &[Box<str>]) {
        for name in names {
            self.numbers.remove(name);
        }
    }
}
