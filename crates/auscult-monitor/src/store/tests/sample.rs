//! A data file of two tables, as small as one can be: what holds for it holds for every data file.

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::store::*;

/// The name of the file in its folder.
pub(super) const FILE_NAME: &str = "sample.redb";

const TARGETS: TableDefinition<'_, &str, &str> = TableDefinition::new("targets");
const PAUSED: TableDefinition<'_, &str, ()> = TableDefinition::new("paused");

pub(super) const LAYOUT: Layout<Contents> = Layout {
    format: 1,
    create,
    read,
};

/// Everything in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Targets by name, each as the JSON text that was stored.
    pub(super) targets: Vec<(String, String)>,
    /// The names of targets that an operator paused.
    pub(super) paused: Vec<String>,
}

/// The file, opened in a folder of its own.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) file: DataFile,
    pub(super) lock: Lock,
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
        Ok((Self { file, lock }, contents))
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
