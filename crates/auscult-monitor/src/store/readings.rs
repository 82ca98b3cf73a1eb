//! What peers published last, in a file of its own: it may be lost, and is written when nothing
//! else is.

use std::fs;
use std::path::Path;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::disk::InFolder;
use super::error::{StoreError, Trouble};
use super::file::{DataFile, Layout};

/// The file's name in the data folder.
const READINGS_NAME: &str = "peer_metrics.redb";

/// Where a damaged one goes, over the one before.
const DAMAGED_NAME: &str = "peer_metrics.redb.damaged";

/// By peer and metric.
const READINGS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("readings");

const LAYOUT: Layout<Vec<SavedReadings>> = Layout {
    format: 1,
    create,
    read,
};

/// The file.
#[derive(Debug)]
pub struct ReadingStore(DataFile);

/// The readings of one metric of one peer, as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedReadings {
    /// The peer.
    pub peer: String,
    /// The metric.
    pub metric: String,
    /// The readings; none takes them away.
    pub row: Option<Vec<u8>>,
}

impl ReadingStore {
    /// Opens the file in a folder that this process has locked. It is made when it is not there; a
    /// damaged one is put aside.
    ///
    /// # Errors
    /// Why not. State: a file that is not damaged is as it was.
    pub fn open(folder: &Path) -> Result<(Self, Vec<SavedReadings>), StoreError> {
        let path = folder.join(READINGS_NAME);
        let open = || DataFile::open(Box::new(InFolder::new(path.clone())), &LAYOUT);
        let opened = match open() {
            Err(error @ StoreError::Torn { .. }) => {
                tracing::error!("{error}; what peers published before is lost");
                fs::rename(&path, folder.join(DAMAGED_NAME))
                    .map_err(|error| StoreError::folder(folder, &error))?;
                open()
            }
            opened => opened,
        };
        let (file, saved) = opened?;
        Ok((Self(file), saved))
    }

    /// Writes all of it or nothing. It is on the disk when this returns: not for an event loop.
    ///
    /// # Errors
    /// Why not. State: nothing was changed.
    pub fn write(&self, rows: &[SavedReadings]) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            let mut table = transaction.open_table(READINGS)?;
            for saved in rows {
                let key = (saved.peer.as_str(), saved.metric.as_str());
                match &saved.row {
                    Some(row) => table.insert(key, row.as_slice())?,
                    None => table.remove(key)?,
                };
            }
            Ok(())
        })
    }
}

fn create(transaction: &WriteTransaction) -> Result<(), Trouble> {
    transaction.open_table(READINGS)?;
    Ok(())
}

fn read(transaction: &ReadTransaction) -> Result<Vec<SavedReadings>, Trouble> {
    let mut saved = Vec::new();
    for entry in transaction.open_table(READINGS)?.iter()? {
        let (key, row) = entry?;
        let (peer, metric) = key.value();
        saved.push(SavedReadings {
            peer: peer.to_owned(),
            metric: metric.to_owned(),
            row: Some(row.value().to_vec()),
        });
    }
    Ok(saved)
}
