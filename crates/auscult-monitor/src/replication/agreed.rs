//! Up to where the log is known to be agreed on, in a note beside the journal.
//!
//! After a restart, what is agreed on is told anew by whoever leads. Until then the note says up to
//! where the settings may be made again, so that a monitor that is alone shows the last ones, and
//! none that are older than those it has shown before. A transaction for each entry would make
//! every change wait for the disk a third and a fourth time. So a note is only handed to the
//! system, which keeps it when this process is killed, and synced soon after: when the machine dies
//! within that time, the last changes are shown again as soon as a leader is heard.

use std::time::Duration;

use openraft::LogId;
use openraft::type_config::TypeConfigExt as _;
use tokio::sync::watch;

use super::Group;
use super::journal::{self, ENTRIES, Item, Journal, apart};
use super::node::Node;
use crate::store::StoreError;

/// How long a note may be known to the system alone.
const SYNC_AFTER: Duration = Duration::from_millis(200);

/// How long every note is: an id takes less, the rest is blank. It fits a sector, so no half of it
/// is written.
const NOTE_BYTES: usize = 128;

/// Whether there is a note that is not on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unsynced {
    #[default]
    Nothing,
    Note,
}

impl Journal {
    /// Notes up to where the log is agreed on.
    pub(super) fn note_agreed(&self, agreed: LogId<u64>) -> Result<(), StoreError> {
        let mut bytes =
            journal::encode(&agreed).map_err(|trouble| StoreError::new(self.path(), trouble))?;
        bytes.resize(NOTE_BYTES.max(bytes.len()), b' ');
        self.file().note(&bytes)?;
        self.unsynced().send_replace(Unsynced::Note);
        Ok(())
    }

    /// Up to where the log is agreed on, as far as that is known.
    pub(super) fn agreed(&self) -> Result<Option<LogId<u64>>, StoreError> {
        // In the file where it could not be noted, and where an earlier version wrote it.
        let kept: Option<Option<LogId<u64>>> = self.item(Item::Committed)?;
        let kept = kept.flatten();
        let noted = self.file().noted()?;
        let noted = noted.and_then(|bytes| journal::decode::<LogId<u64>>(&bytes).ok());
        let Some(noted) = noted.filter(|noted| kept < Some(*noted)) else {
            return Ok(kept);
        };
        // A note says nothing of another journal, nor of entries that are in a snapshot by now.
        let is_here = self.read(|transaction| {
            let table = transaction.open_table(ENTRIES)?;
            let found = table.get(noted.index)?;
            let found: Option<openraft::Entry<Group>> = found
                .map(|bytes| journal::decode(bytes.value()))
                .transpose()?;
            Ok(found.is_some_and(|entry| entry.log_id == noted))
        })?;
        Ok(if is_here { Some(noted) } else { kept })
    }

    fn sync_agreed(&self) -> Result<(), StoreError> {
        self.unsynced().send_replace(Unsynced::Nothing);
        self.file().sync_note()
    }
}

/// Syncs notes. Ends with the task.
pub(super) async fn run(node: Node) {
    let mut unsynced: watch::Receiver<Unsynced> = node.0.journal.unsynced().subscribe();
    loop {
        let noted = unsynced.wait_for(|unsynced| *unsynced == Unsynced::Note);
        if noted.await.is_err() {
            return;
        }
        Group::sleep(SYNC_AFTER).await;
        if let Err(error) = apart(&node.0.journal, Journal::sync_agreed).await {
            tracing::debug!(%error, "up to where the settings are agreed on is not on the disk yet");
        }
    }
}
