//! The end of the log in memory. What was just written is wanted several times at once: to be sent
//! to each other monitor, and to be applied. A change of many settings takes long to read.

use std::collections::VecDeque;
use std::ops::{Bound, Range};

use openraft::Entry;

use super::Group;

/// Entries kept at most: those that are under way in a busy group.
const ENTRIES_MAX: usize = 256;

/// What the kept ones may measure in the log; the newest is kept whatever it measures. Their
/// documents are those of the registry, once they are applied.
const BYTES_MAX: usize = 4 << 20;

/// The last entries of the log, without a gap up to its end.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Each with its size in the log.
    entries: VecDeque<(Entry<Group>, usize)>,
    bytes: usize,
}

impl Recent {
    /// Takes entries that were written at the end of the log.
    pub(super) fn add(&mut self, entries: impl Iterator<Item = (Entry<Group>, usize)>) {
        for (entry, bytes) in entries {
            if self.end() != Some(entry.log_id.index) {
                self.clear();
            }
            self.bytes += bytes;
            self.entries.push_back((entry, bytes));
        }
        while self.entries.len() > ENTRIES_MAX || (self.bytes > BYTES_MAX && self.entries.len() > 1)
        {
            self.drop_first();
        }
    }

    /// The entries from one to another, if all of them are here.
    pub(super) fn range(&self, (from, to): (Bound<u64>, Bound<u64>)) -> Option<Vec<Entry<Group>>> {
        let from = match from {
            Bound::Included(from) => from,
            Bound::Excluded(from) => from + 1,
            Bound::Unbounded => return None,
        };
        let to = match to {
            Bound::Included(to) => to + 1,
            Bound::Excluded(to) => to,
            Bound::Unbounded => return None,
        };
        let is_here = self.end().is_some_and(|end| to <= end);
        is_here.then(|| self.some(from..to, usize::MAX)).flatten()
    }

    /// The first entries of a range, as many as measure no more than this together, or one.
    pub(super) fn some(&self, range: Range<u64>, bytes_max: usize) -> Option<Vec<Entry<Group>>> {
        let (first, end) = (self.entries.front()?.0.log_id.index, self.end()?);
        if range.start < first || range.start >= end {
            return None;
        }
        let skipped = usize::try_from(range.start - first).ok()?;
        let count = usize::try_from(range.end.min(end).saturating_sub(range.start)).ok()?;
        let mut sum = 0;
        let entries = self.entries.range(skipped..skipped + count);
        let fitting = entries.take_while(|(_, bytes)| {
            let is_first = sum == 0;
            sum += bytes;
            is_first || sum <= bytes_max
        });
        Some(fitting.map(|(entry, _)| entry.clone()).collect())
    }

    /// Forgets entries from this one on.
    pub(super) fn truncate(&mut self, from: u64) {
        while self
            .entries
            .back()
            .is_some_and(|(it, _)| it.log_id.index >= from)
        {
            let last = self.entries.pop_back();
            self.bytes -= last.map_or(0, |(_, bytes)| bytes);
        }
    }

    /// Forgets entries up to this one.
    pub(super) fn purge(&mut self, to: u64) {
        while self
            .entries
            .front()
            .is_some_and(|(it, _)| it.log_id.index <= to)
        {
            self.drop_first();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// The index behind the last entry.
    fn end(&self) -> Option<u64> {
        self.entries.back().map(|(entry, _)| entry.log_id.index + 1)
    }

    fn drop_first(&mut self) {
        let first = self.entries.pop_front();
        self.bytes -= first.map_or(0, |(_, bytes)| bytes);
    }
}

#[cfg(test)]
mod tests {
    use openraft::{CommittedLeaderId, EntryPayload, LogId};

    use super::*;

    fn entry(index: u64) -> Entry<Group> {
        Entry {
            log_id: LogId::new(CommittedLeaderId::new(1, 1), index),
            payload: EntryPayload::Blank,
        }
    }

    fn indexes(entries: Option<Vec<Entry<Group>>>) -> Option<Vec<u64>> {
        let index = |entry: Entry<Group>| entry.log_id.index;
        Some(entries?.into_iter().map(index).collect())
    }

    #[test]
    fn the_end_of_the_log_is_given_whole_or_left_to_the_file() {
        let mut recent = Recent::default();
        assert_eq!(indexes(recent.some(1..2, 10)), None);
        recent.add((5..10).map(|index| (entry(index), 10)));
        assert_eq!(indexes(recent.some(5..8, 100)), Some(vec![5, 6, 7]));
        assert_eq!(indexes(recent.some(6..10, 20)), Some(vec![6, 7]));
        assert_eq!(
            indexes(recent.some(6..10, 1)),
            Some(vec![6]),
            "one at least"
        );
        assert_eq!(
            indexes(recent.some(4..8, 100)),
            None,
            "the file has the first"
        );
        assert_eq!(indexes(recent.some(10..11, 100)), None);
        let to = |end| (Bound::Included(7), Bound::Excluded(end));
        assert_eq!(indexes(recent.range(to(10))), Some(vec![7, 8, 9]));
        assert_eq!(
            indexes(recent.range(to(11))),
            None,
            "one may be in the file"
        );
        recent.truncate(9);
        recent.purge(5);
        assert_eq!(indexes(recent.range(to(9))), Some(vec![7, 8]));
        assert_eq!(indexes(recent.range(to(10))), None);
        assert_eq!(indexes(recent.some(5..8, 100)), None);
        recent.add([(entry(20), 10)].into_iter());
        assert_eq!(indexes(recent.some(8..9, 100)), None, "there was a gap");
        assert_eq!(indexes(recent.some(20..21, 100)), Some(vec![20]));
    }

    #[test]
    fn what_is_large_pushes_out_what_is_older_but_stays_itself() {
        let mut recent = Recent::default();
        recent.add([(entry(1), 10), (entry(2), 2 * BYTES_MAX)].into_iter());
        assert_eq!(indexes(recent.some(1..3, 100)), None);
        assert_eq!(indexes(recent.some(2..3, 100)), Some(vec![2]));
        recent.add((3..900).map(|index| (entry(index), 1)));
        assert_eq!(recent.entries.len(), ENTRIES_MAX);
        assert_eq!(recent.bytes, ENTRIES_MAX);
    }
}
