//! Writes the old store, as the version did that had it: for tests of what is done with such files.

use redb::WriteTransaction;

use super::*;

/// The old store, as it was written.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) file: DataFile,
    _lock: File,
}

/// One change of what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
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
    pub(super) fn open(folder: &Path) -> Result<(Self, Contents), StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::folder(folder, &error))?;
        let lock = lock(folder)?;
        let (file, contents) =
            DataFile::open(Box::new(InFolder::new(folder.join(FILE_NAME))), &LAYOUT)?;
        Ok((Self { file, _lock: lock }, contents))
    }

    /// Where the store is.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes changes, all of them or none. They are on the disk when this returns, so it takes as
    /// long as the disk does: not a call for an event loop.
    ///
    /// # Errors
    /// Why not. State: none of the changes was made.
    pub(super) fn write(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        self.file.write(|transaction| write(transaction, records))
    }
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
