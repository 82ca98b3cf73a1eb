//! The replicated log.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{
    AnyError, Entry, LogId, OptionalSend, RaftLogId as _, RaftLogReader, StorageError, Vote,
};
use redb::ReadableTable as _;

use super::Group;
use super::journal::{
    self, Broken, Delivery, ENTRIES, Item, Journal, SnapshotMeta, Writing, apart,
};
use super::large;

/// The log of one monitor. Clones share the file.
#[derive(Clone, Debug)]
pub struct Log(Arc<Journal>);

impl Log {
    /// The log in this file.
    #[must_use]
    pub const fn new(journal: Arc<Journal>) -> Self {
        Self(journal)
    }

    async fn put_item<T: serde::Serialize>(&self, item: Item, value: &T) -> Result<(), AnyError> {
        let bytes = journal::encode(value);
        apart(&self.0, move |file| {
            file.write(|transaction| journal::put_bytes(transaction, item, &bytes?))
        })
        .await
    }

    async fn item<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        item: Item,
    ) -> Result<Option<T>, AnyError> {
        apart(&self.0, move |file| file.item(item)).await
    }
}

impl RaftLogReader<Group> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<Group>>, StorageError<u64>> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        if let Some(entries) = self.0.recent().range(bounds) {
            return Ok(entries);
        }
        let read = apart(&self.0, move |file| {
            file.read(|transaction| {
                let table = transaction.open_table(ENTRIES)?;
                let entries = table.range::<u64>(bounds)?;
                entries
                    .map(|entry| journal::decode(entry?.1.value()))
                    .collect()
            })
        });
        Ok(read.await.map_err(Broken::read_logs)?)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry<Group>>, StorageError<u64>> {
        if let Some(entries) = self.0.recent().some(start..end, BYTES_AT_ONCE) {
            return Ok(entries);
        }
        let read = apart(&self.0, move |file| {
            file.read(|transaction| {
                let table = transaction.open_table(ENTRIES)?;
                let (mut entries, mut bytes) = (Vec::new(), 0);
                for entry in table.range(start..end)? {
                    let (_, entry) = entry?;
                    bytes += entry.value().len();
                    if bytes > BYTES_AT_ONCE && !entries.is_empty() {
                        break;
                    }
                    entries.push(journal::decode(entry.value())?);
                }
                Ok(entries)
            })
        });
        Ok(read.await.map_err(Broken::read_logs)?)
    }
}

/// What one message to another monitor carries, if it is more than one entry.
const BYTES_AT_ONCE: usize = 4 << 20;

impl RaftLogStorage<Group> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Group>, StorageError<u64>> {
        let read = apart(&self.0, move |file| {
            let purged: Option<LogId<u64>> = file.item(Item::Purged)?;
            let last: Option<Entry<Group>> = file.read(|transaction| {
                let table = transaction.open_table(ENTRIES)?;
                let last = table.last()?;
                last.map(|(_, bytes)| journal::decode(bytes.value()))
                    .transpose()
            })?;
            Ok((purged, last))
        });
        let (last_purged_log_id, last) = read.await.map_err(Broken::read_logs)?;
        let last_log_id = last.map(|entry| *entry.get_log_id()).or(last_purged_log_id);
        Ok(LogState {
            last_purged_log_id,
            last_log_id,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        Ok(self
            .put_item(Item::Vote, vote)
            .await
            .map_err(Broken::write_vote)?)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        Ok(self.item(Item::Vote).await.map_err(Broken::read_vote)?)
    }

    async fn save_committed(
        &mut self,
        committed: Option<LogId<u64>>,
    ) -> Result<(), StorageError<u64>> {
        let Some(agreed) = committed else {
            return Ok(());
        };
        let noted = apart(&self.0, move |file| file.note_agreed(agreed)).await;
        match noted {
            Ok(()) => Ok(()),
            Err(_) => {
                let saved = self.put_item(Item::Committed, &committed).await;
                Ok(saved.map_err(Broken::write)?)
            }
        }
    }

    async fn read_committed(&mut self) -> Result<Option<LogId<u64>>, StorageError<u64>> {
        Ok(apart(&self.0, Journal::agreed)
            .await
            .map_err(Broken::read)?)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Group>,
    ) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<Group>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry<Group>> = entries.into_iter().collect();
        if large::is_large(&entries) {
            self.0.writing().send_replace(Writing::Much);
        }
        self.0.coming().expect(&entries);
        let written = apart(&self.0, move |file| {
            file.write(|transaction| {
                let mut table = transaction.open_table(ENTRIES)?;
                let mut sizes = Vec::with_capacity(entries.len());
                for entry in &entries {
                    let bytes = journal::encode(entry)?;
                    table.insert(entry.log_id.index, bytes.as_slice())?;
                    sizes.push(bytes.len());
                }
                Ok(sizes)
            })
            .map(|sizes| file.recent().add(entries.into_iter().zip(sizes)))
        });
        let written = written.await;
        self.0.writing().send_replace(Writing::Nothing);
        if written.is_err() {
            self.0.coming().give_up();
        }
        written.map_err(Broken::write_logs)?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        self.0.coming().give_up();
        let written = apart(&self.0, move |file| {
            file.write(|transaction| {
                let mut table = transaction.open_table(ENTRIES)?;
                table.retain_in(log_id.index.., |_, _| false)?;
                Ok(())
            })
            .inspect(|()| file.recent().truncate(log_id.index))
        });
        Ok(written.await.map_err(Broken::write_logs)?)
    }

    /// openraft asks for it as soon as it has another monitor's snapshot in hand, which may not be
    /// on the disk yet: without the log and without the snapshot there would be nothing to start
    /// from after a crash. So the log waits for the snapshot.
    async fn purge(&mut self, log_id: LogId<u64>) -> Result<(), StorageError<u64>> {
        let kept: Option<SnapshotMeta> =
            self.item(Item::SnapshotMeta).await.map_err(Broken::read)?;
        let covered = kept.and_then(|meta| meta.last_log_id);
        if covered < Some(log_id) && self.0.delivered().await == Delivery::Failed {
            let text = "the snapshot that the log would be shortened for is not kept";
            return Err(Broken::write_logs(AnyError::error(text)).into());
        }
        let written = apart(&self.0, move |file| {
            file.write(|transaction| {
                journal::put(transaction, Item::Purged, &log_id)?;
                let mut table = transaction.open_table(ENTRIES)?;
                table.retain_in(..=log_id.index, |_, _| false)?;
                Ok(())
            })
            .inspect(|()| file.recent().purge(log_id.index))
        });
        Ok(written.await.map_err(Broken::write_logs)?)
    }
}
