//! The data folder: who uses it, and the files in it that are never written to unless they are
//! whole and ours.

mod alerts;
mod disk;
mod error;
mod fields;
mod file;
mod guarded;
mod readings;

use std::fs::{self, File, TryLockError};
use std::path::Path;

pub use alerts::{AlertStore, SavedTexts};
pub use disk::{Disk, Work};
pub(crate) use disk::{InFolder, InMemory};
pub use error::StoreError;
pub(crate) use error::Trouble;
pub(crate) use fields::Fields;
pub(crate) use file::{DataFile, Layout};
pub(crate) use guarded::run as guarded;
pub use readings::{ReadingStore, SavedReadings};

/// Locked by the process that uses the data folder.
const LOCK_NAME: &str = "auscult.lock";

/// A data folder that this process alone uses.
#[derive(Debug)]
pub struct Folder {
    _lock: Lock,
}

/// The lock of a data folder. It is let go of by name: a program that is just being started has
/// inherited the file for a moment, and would hold a lock that only ends with the last of those who
/// have the file.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the data folder is let go of when the file is closed");
        }
    }
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

fn lock(folder: &Path) -> Result<Lock, StoreError> {
    let path = folder.join(LOCK_NAME);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StoreError::folder(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::new(folder, Trouble::InUse)),
        Err(TryLockError::Error(error)) => Err(StoreError::folder(folder, &error)),
    }
}

#[cfg(test)]
mod tests;
