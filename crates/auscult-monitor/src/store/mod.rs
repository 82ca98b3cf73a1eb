//! The data folder: who uses it, the files in it that are never written to unless they are whole
//! and ours, and what an earlier version left there.

mod alerts;
mod disk;
mod error;
mod file;
mod guarded;

use std::fs::{self, File, TryLockError};
use std::path::Path;

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

pub use alerts::{AlertStore, SavedTexts};
pub use disk::{Disk, Work};
pub(crate) use disk::{InFolder, InMemory};
pub use error::StoreError;
pub(crate) use error::Trouble;
pub(crate) use file::{DataFile, Layout};
pub(crate) use guarded::run as guarded;

/// The name of the old store in the data folder.
pub const FILE_NAME: &str = "auscult.redb";

/// Its name when it was taken over.
const RETIRED_NAME: &str = "auscult.redb.imported";

/// Locked by the process that uses the data folder.
const LOCK_NAME: &str = "auscult.lock";

const TARGETS: TableDefinition<'_, &str, &str> = TableDefinition::new("targets");
const PAUSED: TableDefinition<'_, &str, ()> = TableDefinition::new("paused");

const LAYOUT: Layout<Contents> = Layout {
    format: 1,
    create,
    read,
};

/// A data folder that this process alone uses.
#[derive(Debug)]
pub struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes a folder this process's own, until the value is dropped; it is made when it is not
    /// there.
    ///
    /// # Errors
    /// Why not, with what to do about it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::folder(folder, &error))?;
        let lock = lock(folder)?;
        Ok(Self { _lock: lock })
    }
}

/// The file in which an earlier version kept what was changed over its API.
#[derive(Debug)]
pub struct OldStore {
    file: DataFile,
}

/// Everything in the old store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Targets by name, each as the JSON text that was stored.
    pub targets: Vec<(String, String)>,
    /// The names of targets that an operator paused.
    pub paused: Vec<String>,
}

impl OldStore {
    /// Opens the old store in a folder, if there is one. The folder must be this process's own.
    ///
    /// # Errors
    /// Why not, with what to do about it. State: an existing file is as it was.
    pub fn open(folder: &Path) -> Result<Option<(Self, Contents)>, StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let (file, contents) = DataFile::open(Box::new(InFolder::new(path)), &LAYOUT)?;
        Ok(Some((Self { file }, contents)))
    }

    /// Gives the file a name under which it is not found again.
    ///
    /// # Errors
    /// Why not. State: the file is as it was.
    pub fn retire(self) -> Result<(), StoreError> {
        let path = self.file.path().to_owned();
        drop(self.file);
        let retired = path.with_file_name(RETIRED_NAME);
        fs::rename(&path, retired).map_err(|error| StoreError::folder(&path, &error))
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

#[cfg(test)]
mod writer;

#[cfg(test)]
mod tests;
