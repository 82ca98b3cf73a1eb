//! What was changed over the API, kept in one file of the data folder.
//!
//! Every change is one transaction, on the disk before it is answered.

mod disk;
mod error;
mod file;
mod guarded;

use std::fs::{self, File, TryLockError};
use std::path::Path;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

pub use disk::{Disk, Work};
pub(crate) use disk::{InFolder, InMemory};
pub use error::StoreError;
pub(crate) use error::Trouble;
pub(crate) use file::{DataFile, Layout};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "auscult.redb";

/// Locked by the process that uses the data folder.
const LOCK_NAME: &str = "auscult.lock";

const TARGETS: TableDefinition<'_, &str, &str> = TableDefinition::new("targets");
const PAUSED: TableDefinition<'_, &str, ()> = TableDefinition::new("paused");

const LAYOUT: Layout<Contents> = Layout {
    format: 1,
    create,
    read,
};

/// The store. One process at a time has it open.
#[derive(Debug)]
pub struct Store {
    file: DataFile,
    _lock: File,
}

/// Everything in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Targets by name, each as the JSON text that was stored.
    pub targets: Vec<(String, String)>,
    /// The names of targets that an operator paused.
    pub paused: Vec<String>,
}

/// One change of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Stores a target under its name, in place of the one there.
    Put {
        /// Its name.
        id: &'a str,
        /// The target as JSON.
        json: &'a str,
    },
    /// Forgets a target, and that it was paused.
    Remove(&'a str),
    /// Remembers that a target is paused.
    Pause(&'a str),
    /// Forgets that a target is paused.
    Resume(&'a str),
}

impl Store {
    /// Opens the store in a folder; both are made when they are not there.
    ///
    /// # Errors
    /// Why not, with what to do about it. State: an existing file is as it was.
    pub fn open(folder: &Path) -> Result<(Self, Contents), StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::folder(folder, &error))?;
        let lock = lock(folder)?;
        let (file, contents) =
            DataFile::open(Box::new(InFolder::new(folder.join(FILE_NAME))), &LAYOUT)?;
        Ok((Self { file, _lock: lock }, contents))
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes changes, all of them or none. They are on the disk when this returns, so it takes as
    /// long as the disk does: not a call for an event loop.
    ///
    /// # Errors
    /// Why not. State: none of the changes was made.
    pub fn write(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        self.file.write(|transaction| write(transaction, records))
    }
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_NAME);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StoreError::folder(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::new(folder, Trouble::InUse)),
        Err(TryLockError::Error(error)) => Err(StoreError::folder(folder, &error)),
    }
}

fn create(transaction: &WriteTransaction) -> Result<(), Trouble> {
    transaction.open_table(TARGETS)?;
    transaction.open_table(PAUSED)?;
    Ok(())
}

fn read(transaction: &ReadTransaction) -> Result<Contents, Trouble> {
    let mut contents = Contents::default();
    for entry in transaction.open_table(TARGETS)?.iter()? {
        let (id, json) = entry?;
        let entry = (id.value().to_owned(), json.value().to_owned());
        contents.targets.push(entry);
    }
    for entry in transaction.open_table(PAUSED)?.iter()? {
        contents.paused.push(entry?.0.value().to_owned());
    }
    Ok(contents)
}

fn write(transaction: &WriteTransaction, records: &[Record<'_>]) -> Result<(), Trouble> {
    let mut targets = transaction.open_table(TARGETS)?;
    let mut paused = transaction.open_table(PAUSED)?;
    for record in records {
        match *record {
            Record::Put { id, json } => {
                targets.insert(id, json)?;
            }
            Record::Remove(id) => {
                targets.remove(id)?;
                paused.remove(id)?;
            }
            Record::Pause(id) => {
                paused.insert(id, ())?;
            }
            Record::Resume(id) => {
                paused.remove(id)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
