//! What was changed over the API, kept in one file of the data folder.
//!
//! Every change is one transaction, on the disk before it is answered. A file that is torn, foreign
//! or of a later version is never written to: it is first opened as a copy in memory, checked to
//! the last page and read, and only when all of that went well is the file itself touched.

mod error;
mod guarded;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use redb::backends::InMemoryBackend;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError,
};

pub use error::StoreError;
use error::Trouble;

/// The file's name in the data folder.
pub const FILE_NAME: &str = "auscult.redb";

/// Locked by the process that uses the data folder.
const LOCK_NAME: &str = "auscult.lock";

/// What a file is called until it is complete.
const NEW_NAME: &str = "auscult.redb.new";

/// The version of the file's contents that this code reads and writes.
const FORMAT: u64 = 1;

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("auscult");
const META_FORMAT: &str = "format";
const META_CREATOR: &str = "creator";
const TARGETS: TableDefinition<'_, &str, &str> = TableDefinition::new("targets");
const PAUSED: TableDefinition<'_, &str, ()> = TableDefinition::new("paused");

/// The store. One process at a time has it open.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Empty after an error of the disk, until the next change opens the file again: what a failed
    /// transaction left behind is then found out from the file itself.
    database: Mutex<Option<Database>>,
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
        let path = folder.join(FILE_NAME);
        fs::create_dir_all(folder).map_err(|error| StoreError::folder(folder, &error))?;
        let lock = lock(folder)?;
        let exists = path
            .try_exists()
            .map_err(|error| StoreError::new(&path, Trouble::from(error)))?;
        if !exists {
            create(folder, &path).map_err(|trouble| StoreError::new(&path, trouble))?;
        }
        let contents = rehearse(&path).map_err(|trouble| StoreError::new(&path, trouble))?;
        let database = match open_file(&path) {
            Ok(database) => Some(database),
            // What is stored is known, so a full disk is no reason not to watch. The next change
            // tries again.
            Err(Trouble::Full) => {
                tracing::warn!(path = %path.display(), "no room: changes over the API will be refused");
                None
            }
            Err(trouble) => return Err(StoreError::new(&path, trouble)),
        };
        let store = Self {
            path,
            database: Mutex::new(database),
            _lock: lock,
        };
        Ok((store, contents))
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes changes, all of them or none. They are on the disk when this returns, so it takes as
    /// long as the disk does: not a call for an event loop.
    ///
    /// # Errors
    /// Why not. State: none of the changes was made.
    pub fn write(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        let mut database = self.database.lock();
        let mut attempt = || {
            let open = match database.take() {
                Some(open) => open,
                None => open_file(&self.path)?,
            };
            guarded::run(|| write(&open, records))?;
            *database = Some(open);
            Ok(())
        };
        attempt().map_err(|trouble| StoreError::new(&self.path, trouble))
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

/// Makes an empty store under another name and renames it when it is complete, so that no crash
/// leaves half a store behind.
fn create(folder: &Path, path: &Path) -> Result<(), Trouble> {
    let new = folder.join(NEW_NAME);
    match fs::remove_file(&new) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let database = Database::create(&new)?;
    initialize(&database)?;
    drop(database);
    fs::rename(&new, path)?;
    // The rename is on the disk when the folder is.
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn initialize(database: &Database) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, FORMAT.to_string().as_str())?;
        let creator = concat!("auscult ", env!("CARGO_PKG_VERSION"));
        meta.insert(META_CREATOR, creator)?;
        transaction.open_table(TARGETS)?;
        transaction.open_table(PAUSED)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Opens a copy of the file in memory, checks and reads it.
fn rehearse(path: &Path) -> Result<Contents, Trouble> {
    let bytes = fs::read(path)?;
    if bytes.is_empty() {
        return Err(Trouble::Torn("it is empty".to_owned()));
    }
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, &bytes)?;
    drop(bytes);
    let outcome = guarded::run(move || {
        let mut database = Database::builder().create_with_backend(copy)?;
        if !database.check_integrity()? {
            return Err(Trouble::Torn("a checksum does not match".to_owned()));
        }
        read(&database)
    });
    outcome.map_err(|trouble| match trouble {
        // Memory does not fail to be read: it ended before the page that was looked for.
        Trouble::Io(text) | Trouble::Torn(text) => Trouble::Torn(text),
        Trouble::InUse | Trouble::Foreign(_) | Trouble::Version { .. } | Trouble::Full => trouble,
    })
}

fn open_file(path: &Path) -> Result<Database, Trouble> {
    guarded::run(|| Ok(Database::open(path)?))
}

fn read(database: &Database) -> Result<Contents, Trouble> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(
            TableError::TableDoesNotExist(_)
            | TableError::TableTypeMismatch { .. }
            | TableError::TableIsMultimap(_),
        ) => return Err(Trouble::Foreign("it was not written by auscult".to_owned())),
        Err(error) => return Err(error.into()),
    };
    let format = meta.get(META_FORMAT)?;
    let format = format.as_ref().map_or("", |value| value.value());
    if format.parse() != Ok(FORMAT) {
        let creator = meta.get(META_CREATOR)?;
        let creator = creator.as_ref().map_or("unknown", |value| value.value());
        return Err(Trouble::Version {
            format: format.to_owned(),
            creator: creator.to_owned(),
        });
    }
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

fn write(database: &Database, records: &[Record<'_>]) -> Result<(), Trouble> {
    let transaction = database.begin_write()?;
    {
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
    }
    // The default durability: fsync before it returns.
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests;
