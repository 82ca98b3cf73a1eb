//! A large change on its way: told of when it reaches the log, so that whoever makes it live gets
//! it ready while it is written down and agreed on.

use std::sync::Arc;

use auscult_core::monitor::registry::{Change, ChangeId};
use openraft::{Entry, EntryPayload};
use tokio::sync::watch;

use super::{Group, large};

/// What is in the log, or about to be, and neither applied nor given up.
#[derive(Debug, Default)]
pub(super) struct Coming(watch::Sender<Option<Arc<Change>>>);

impl Coming {
    /// Follows it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Arc<Change>>> {
        self.0.subscribe()
    }

    /// Tells of the last change among entries that are large.
    pub(super) fn expect(&self, entries: &[Entry<Group>]) {
        if !large::is_large(entries) {
            return;
        }
        let change = entries.iter().rev().find_map(|entry| match &entry.payload {
            EntryPayload::Normal(command) => Some(Arc::clone(&command.0)),
            EntryPayload::Blank | EntryPayload::Membership(_) => None,
        });
        self.0.send_replace(change);
    }

    /// A change is applied.
    pub(super) fn applied(&self, id: Option<ChangeId>) {
        let is_it = |change: &Arc<Change>| change.id == id;
        self.0.send_if_modified(|coming| {
            let comes = coming.as_ref().is_some_and(is_it);
            if comes {
                *coming = None;
            }
            comes
        });
    }

    /// What was written down, or was to be, may never be applied.
    pub(super) fn give_up(&self) {
        self.0.send_if_modified(|coming| coming.take().is_some());
    }
}

#[cfg(test)]
mod tests {
    use auscult_core::monitor::registry::{Author, Document, Edit, Expect, Key, Kind, WallMillis};
    use openraft::{CommittedLeaderId, LogId};

    use super::*;

    fn entry(id: u128, bytes: usize) -> Entry<Group> {
        let change = Change {
            id: Some(ChangeId(id)),
            author: Author::new("ana"),
            at: WallMillis(0),
            edits: (0..bytes.div_ceil(1 << 10))
                .map(|number| Edit::Put {
                    key: Key::new(Kind::Target, &format!("t{number}")).unwrap(),
                    document: Document::new(&"x".repeat(1 << 10), []).unwrap(),
                    expect: Expect::Anything,
                })
                .collect(),
        };
        Entry {
            log_id: LogId::new(CommittedLeaderId::new(1, 1), 1),
            payload: EntryPayload::Normal(change.into()),
        }
    }

    fn id(coming: &Coming) -> Option<u128> {
        let told = coming.subscribe().borrow().clone();
        told.and_then(|change| change.id).map(|id| id.0)
    }

    #[test]
    fn a_large_change_is_told_of_until_it_is_applied_or_given_up() {
        let coming = Coming::default();
        coming.expect(&[entry(1, 1 << 10)]);
        assert_eq!(id(&coming), None, "what is small is soon made ready");
        coming.expect(&[entry(2, 1 << 20)]);
        assert_eq!(id(&coming), Some(2));
        coming.expect(&[entry(3, 1 << 10)]);
        coming.applied(Some(ChangeId(3)));
        coming.applied(None);
        assert_eq!(id(&coming), Some(2), "it is another one that was applied");
        coming.applied(Some(ChangeId(2)));
        assert_eq!(id(&coming), None);
        coming.expect(&[entry(4, 1 << 20)]);
        coming.give_up();
        assert_eq!(id(&coming), None);
    }
}
