//! Alerts and silences, in a file of their own: they are written when things are bad, and must not
//! wait for settings, nor settings for them.

use std::path::Path;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::disk::InFolder;
use super::error::{StoreError, Trouble};
use super::file::{DataFile, Layout};

/// The file's name in the data folder.
const ALERTS_NAME: &str = "alerts.redb";

const ALERTS: TableDefinition<'_, &str, &str> = TableDefinition::new("alerts");
const SILENCES: TableDefinition<'_, &str, &str> = TableDefinition::new("silences");

const LAYOUT: Layout<SavedTexts> = Layout {
    format: 1,
    create,
    read,
};

/// The file.
#[derive(Debug)]
pub struct AlertStore(DataFile);

/// Texts by name: what there was, or what is to be; `None` takes one away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedTexts {
    /// Alerts by id, each as JSON.
    pub alerts: Vec<(String, Option<String>)>,
    /// Silences by name, each as JSON.
    pub silences: Vec<(String, Option<String>)>,
}

impl AlertStore {
    /// Opens the file in a folder that this process has locked. It is made when it is not there.
    ///
    /// # Errors
    /// Why not, with what to do about it. State: an existing file is as it was.
    pub fn open(folder: &Path) -> Result<(Self, SavedTexts), StoreError> {
        let place = Box::new(InFolder::new(folder.join(ALERTS_NAME)));
        let (file, texts) = DataFile::open(place, &LAYOUT)?;
        Ok((Self(file), texts))
    }

    /// Keeps the file from being written to, as a disk does that hangs.
    #[cfg(test)]
    pub(crate) fn hang(&self) -> parking_lot::MutexGuard<'_, Option<redb::Database>> {
        self.0.database.lock()
    }

    /// Writes all of it or nothing. It is on the disk when this returns: not for an event loop.
    ///
    /// # Errors
    /// Why not. State: nothing was changed.
    pub fn write(&self, texts: &SavedTexts) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            for (table, texts) in [(ALERTS, &texts.alerts), (SILENCES, &texts.silences)] {
                let mut table = transaction.open_table(table)?;
                for (name, text) in texts {
                    match text {
                        Some(text) => table.insert(name.as_str(), text.as_str())?,
                        None => table.remove(name.as_str())?,
                    };
                }
            }
            Ok(())
        })
    }
}

fn create(transaction: &WriteTransaction) -> Result<(), Trouble> {
    transaction.open_table(ALERTS)?;
    transaction.open_table(SILENCES)?;
    Ok(())
}

fn read(transaction: &ReadTransaction) -> Result<SavedTexts, Trouble> {
    let mut texts = SavedTexts::default();
    let kept = [(ALERTS, &mut texts.alerts), (SILENCES, &mut texts.silences)];
    for (table, kept) in kept {
        for entry in transaction.open_table(table)?.iter()? {
            let (name, text) = entry?;
            kept.push((name.value().to_owned(), Some(text.value().to_owned())));
        }
    }
    Ok(texts)
}
