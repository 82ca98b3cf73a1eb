//! The file that log and snapshot stand in.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use auscult_core::monitor::registry::ChangeId;
use openraft::{AnyError, EntryPayload, StorageIOError};
use parking_lot::{Mutex, MutexGuard};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::agreed::Unsynced;
use super::coming::Coming;
use super::identity::Identity;
use super::join::Past;
use super::recent::Recent;
use super::{Group, Monitor};
use crate::store::{DataFile, Disk, InFolder, InMemory, Layout, StoreError, Trouble, Work};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "settings.redb";

pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// Entries that may be under way at a time.
const RECENT: usize = 4_096;

/// JSON by name.
const STATE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");

/// What stands in the file besides the entries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    /// For whom this monitor voted last.
    Vote,
    /// Up to where the log is known to be agreed on, where that could not be noted beside the file.
    Committed,
    /// Up to where the log was shortened.
    Purged,
    /// What the snapshot covers.
    SnapshotMeta,
    /// The snapshot itself.
    Snapshot,
    /// Who this monitor is, and of which group.
    Identity,
}

impl Item {
    const fn name(self) -> &'static str {
        match self {
            Self::Vote => "vote",
            Self::Committed => "committed",
            Self::Purged => "purged",
            Self::SnapshotMeta => "snapshot_meta",
            Self::Snapshot => "snapshot",
            Self::Identity => "identity",
        }
    }
}

/// What the snapshot covers.
pub(super) type SnapshotMeta = openraft::SnapshotMeta<u64, Monitor>;

/// The open file.
#[derive(Debug)]
pub struct Journal {
    file: DataFile,
    /// What went wrong when it was last written to; nothing after it went well.
    trouble: Mutex<Option<StoreError>>,
    /// The end of the log once more, so that what was just written need not be read.
    recent: Mutex<Recent>,
    /// Kept here, as the log must know what becomes of it.
    delivery: watch::Sender<Delivery>,
    unsynced: watch::Sender<Unsynced>,
    writing: watch::Sender<Writing>,
    coming: Coming,
}

/// What is being written to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Writing {
    /// Nothing, or what takes no time.
    #[default]
    Nothing,
    /// Something that takes longer than the others may have to wait for a word of their leader.
    Much,
}

/// What becomes of a snapshot that another monitor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// None is underway, or the last one is on the disk.
    Done,
    /// It is received, or about to be written.
    Underway,
    /// The last one could not be written.
    Failed,
}

const LAYOUT: Layout<()> = Layout {
    format: 1,
    create,
    read,
};

fn create(transaction: &WriteTransaction) -> Result<(), Trouble> {
    transaction.open_table(ENTRIES)?;
    transaction.open_table(STATE)?;
    Ok(())
}

/// That every entry can be read is told here, before anything is written, and not when it is
/// needed.
fn read(transaction: &ReadTransaction) -> Result<(), Trouble> {
    for entry in transaction.open_table(ENTRIES)?.iter()? {
        let (_, bytes) = entry?;
        let _entry: openraft::Entry<Group> = decode(bytes.value())?;
    }
    Ok(())
}

impl Journal {
    /// Opens the journal in a data folder that this process has locked; it is made when it is not
    /// there.
    ///
    /// # Errors
    /// Why not, with what to do about it. State: an existing file is as it was.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::on(Box::new(InFolder::new(folder.join(FILE_NAME))))
    }

    /// A new journal in memory: it ends with the process.
    ///
    /// # Errors
    /// None but what redb may find wrong with memory. State: there is no journal.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::on(Box::new(InMemory::default()))
    }

    /// Opens the journal on a disk that nobody else uses; it is made when it is not there.
    ///
    /// # Errors
    /// As [`open`](Self::open). State: an existing file is as it was.
    pub fn on(disk: Box<dyn Disk>) -> Result<Self, StoreError> {
        let (file, ()) = DataFile::open(disk, &LAYOUT)?;
        Ok(Self {
            file,
            trouble: Mutex::default(),
            recent: Mutex::default(),
            delivery: watch::Sender::new(Delivery::Done),
            unsynced: watch::Sender::default(),
            writing: watch::Sender::default(),
            coming: Coming::default(),
        })
    }

    pub(super) const fn file(&self) -> &DataFile {
        &self.file
    }

    /// Whether the note beside the file is on the disk.
    pub(super) const fn unsynced(&self) -> &watch::Sender<Unsynced> {
        &self.unsynced
    }

    /// What is being written to the log.
    pub(super) const fn writing(&self) -> &watch::Sender<Writing> {
        &self.writing
    }

    /// A large change that is in the log, or about to be, and not applied.
    pub(super) const fn coming(&self) -> &Coming {
        &self.coming
    }

    /// What went wrong when it was last written to, if anything did.
    #[must_use]
    pub fn trouble(&self) -> Option<StoreError> {
        self.trouble.lock().clone()
    }

    /// Tells what becomes of a snapshot that another monitor sends.
    pub(super) fn tell_delivery(&self, delivery: Delivery) {
        self.delivery.send_replace(delivery);
    }

    /// Waits until a snapshot that is underway is on the disk, or cannot be written.
    pub(super) async fn delivered(&self) -> Delivery {
        let mut delivery = self.delivery.subscribe();
        let settled = delivery.wait_for(|delivery| *delivery != Delivery::Underway);
        // The sender is ours.
        settled.await.map_or(Delivery::Failed, |settled| *settled)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn write<R>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        let written = self.file.write(work);
        *self.trouble.lock() = written.as_ref().err().cloned();
        if written.is_err() {
            // What the file holds now is found out from the file.
            self.recent().clear();
        }
        written
    }

    /// The last entries of the log.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock()
    }

    pub(super) fn read<R>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        self.file.read(work)
    }

    /// Where the monitor listened for the others when it last ran.
    ///
    /// # Errors
    /// Why that cannot be read.
    pub fn raft_bind(&self) -> Result<Option<SocketAddr>, StoreError> {
        let identity: Option<Identity> = self.item(Item::Identity)?;
        Ok(identity.and_then(|identity| identity.bind))
    }

    /// What it tells of the time before this start.
    pub(super) fn past(&self) -> Result<Past, StoreError> {
        let meta: Option<SnapshotMeta> = self.item(Item::SnapshotMeta)?;
        let mut past = Past::default();
        if let Some(meta) = meta {
            past.has_settings = true;
            past.voters = meta.last_membership.membership().voter_ids().collect();
        }
        self.read(|transaction| {
            for entry in transaction.open_table(ENTRIES)?.iter()? {
                let entry: openraft::Entry<Group> = decode(entry?.1.value())?;
                match entry.payload {
                    EntryPayload::Blank => {}
                    EntryPayload::Normal(_) => past.has_settings = true,
                    EntryPayload::Membership(membership) => {
                        past.voters = membership.voter_ids().collect();
                    }
                }
            }
            Ok(past)
        })
    }

    /// Forgets everything but who this monitor is.
    pub(super) fn forget(&self) -> Result<(), StoreError> {
        self.recent().clear();
        self.write(|transaction| {
            transaction.open_table(ENTRIES)?.retain(|_, _| false)?;
            let mut state = transaction.open_table(STATE)?;
            state.retain(|name, _| name == Item::Identity.name())?;
            Ok(())
        })
    }

    /// Whether one of the last entries of the log is the change with this id.
    pub(super) fn recently(&self, id: Option<ChangeId>) -> Result<bool, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(ENTRIES)?;
            for entry in table.iter()?.rev().take(RECENT) {
                let entry: openraft::Entry<Group> = decode(entry?.1.value())?;
                if let EntryPayload::Normal(command) = entry.payload
                    && command.0.id == id
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    pub(super) fn item<T: DeserializeOwned>(&self, item: Item) -> Result<Option<T>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(STATE)?;
            let found = table.get(item.name())?;
            found.map(|bytes| decode(bytes.value())).transpose()
        })
    }

    pub(super) fn bytes(&self, item: Item) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| {
            let table = transaction.open_table(STATE)?;
            Ok(table.get(item.name())?.map(|bytes| bytes.value().to_vec()))
        })
    }
}

pub(super) fn put<T: Serialize>(
    transaction: &WriteTransaction,
    item: Item,
    value: &T,
) -> Result<(), Trouble> {
    put_bytes(transaction, item, &encode(value)?)
}

pub(super) fn put_bytes(
    transaction: &WriteTransaction,
    item: Item,
    bytes: &[u8],
) -> Result<(), Trouble> {
    transaction.open_table(STATE)?.insert(item.name(), bytes)?;
    Ok(())
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(value).map_err(|error| Trouble::from(io::Error::from(error)))
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Trouble> {
    serde_json::from_slice(bytes)
        .map_err(|error| Trouble::Torn(format!("a record is not ours: {error}")))
}

/// Runs work on the file where it holds up no event loop.
pub(super) async fn apart<R: Send + 'static>(
    journal: &Arc<Journal>,
    work: impl FnOnce(&Journal) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, AnyError> {
    let result = match journal.file.work() {
        Work::Here => work(journal),
        Work::Apart => {
            let journal = Arc::clone(journal);
            match tokio::task::spawn_blocking(move || work(&journal)).await {
                Ok(result) => result,
                // The runtime goes down, and the process with it.
                Err(error) => return Err(AnyError::new(&error)),
            }
        }
    };
    result.map_err(|error| AnyError::new(&error))
}

/// What openraft calls trouble of the disk: it stops, and says so.
pub(super) type Broken = StorageIOError<u64>;
