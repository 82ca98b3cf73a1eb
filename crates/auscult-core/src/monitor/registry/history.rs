//! The last changes, in short.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::change::{Action, Author, Key, Revision, WallMillis};
use crate::bounds::{EDITS_PER_HISTORY_ENTRY_MAX, HISTORY_ENTRIES_MAX};

/// One change: who changed what, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which change.
    pub revision: Revision,
    /// Who made it.
    pub author: Author,
    /// When.
    pub at: WallMillis,
    /// What became of which setting: the first [`EDITS_PER_HISTORY_ENTRY_MAX`] by kind and name.
    pub edits: Vec<(Key, Action)>,
    /// How many more there were.
    pub more: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<Entry>);

impl History {
    pub(super) fn push<'a>(
        &mut self,
        revision: Revision,
        author: &Author,
        at: WallMillis,
        edits: impl ExactSizeIterator<Item = (&'a Key, Action)>,
    ) {
        let more = edits.len().saturating_sub(EDITS_PER_HISTORY_ENTRY_MAX);
        let edits = edits.take(EDITS_PER_HISTORY_ENTRY_MAX);
        let entry = Entry {
            revision,
            author: author.clone(),
            at,
            edits: edits.map(|(key, action)| (key.clone(), action)).collect(),
            more,
        };
        if self.0.len() == HISTORY_ENTRIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(super) fn after(&self, revision: Revision) -> impl Iterator<Item = &Entry> {
        let first = self.0.partition_point(|entry| entry.revision <= revision);
        self.0.range(first..)
    }
}

impl FromIterator<Entry> for History {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
