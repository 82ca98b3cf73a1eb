//! One redb file that is never written to unless it is whole and ours.
//!
//! A file that is torn, foreign or of a later version is never written to: it is first opened as a
//! copy in memory, checked to the last page and read, and only when all of that went well is the
//! file itself touched.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use redb::backends::InMemoryBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, StorageBackend, TableDefinition, TableError,
    WriteTransaction,
};

use super::error::{StoreError, Trouble};
use super::guarded;

pub(super) const META: TableDefinition<'_, &str, &str> = TableDefinition::new("auscult");
pub(super) const META_FORMAT: &str = "format";
const META_CREATOR: &str = "creator";

/// What a file holds.
pub(crate) struct Layout<T> {
    /// The version of the contents that this code reads and writes.
    pub(crate) format: u64,
    /// Makes the tables of an empty file.
    pub(crate) create: fn(&WriteTransaction) -> Result<(), Trouble>,
    /// Reads everything.
    pub(crate) read: fn(&ReadTransaction) -> Result<T, Trouble>,
}

/// An open file. The folder that it stands in must be locked by this process.
#[derive(Debug)]
pub(crate) struct DataFile {
    path: PathBuf,
    /// Empty after an error of the disk, until the next change opens the file again: what a failed
    /// transaction left behind is then found out from the file itself.
    pub(super) database: Mutex<Option<Database>>,
}

impl DataFile {
    /// Opens a file, which is made when it is not there, and reads it.
    ///
    /// # Errors
    /// Why not, with what to do about it. State: an existing file is as it was.
    pub(crate) fn open<T>(path: &Path, layout: &Layout<T>) -> Result<(Self, T), StoreError> {
        let about = |trouble| StoreError::new(path, trouble);
        let exists = path.try_exists();
        if !exists.map_err(|error| about(Trouble::from(error)))? {
            create(path, layout).map_err(about)?;
        }
        let contents = rehearse(path, layout).map_err(about)?;
        let database = match open_file(path) {
            Ok(database) => Some(database),
            // What is stored is known, so a full disk is no reason not to watch. The next change
            // tries again.
            Err(Trouble::Full) => {
                tracing::warn!(path = %path.display(), "no room: changes will be refused");
                None
            }
            Err(trouble) => return Err(about(trouble)),
        };
        let file = Self {
            path: path.to_owned(),
            database: Mutex::new(database),
        };
        Ok((file, contents))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Changes it, all or nothing. It is on the disk when this returns, so it takes as long as the
    /// disk does: not a call for an event loop.
    ///
    /// # Errors
    /// Why not. State: nothing was changed.
    pub(crate) fn write<R>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        self.with(|database| {
            let transaction = database.begin_write()?;
            let result = work(&transaction)?;
            // The default durability: fsync before it returns.
            transaction.commit()?;
            Ok(result)
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// Why not. State: nothing was changed.
    pub(crate) fn read<R>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<R, Trouble>,
    ) -> Result<R, StoreError> {
        self.with(|database| work(&database.begin_read()?))
    }

    fn with<R>(&self, work: impl FnOnce(&Database) -> Result<R, Trouble>) -> Result<R, StoreError> {
        let mut database = self.database.lock();
        let attempt = || {
            let open = match database.take() {
                Some(open) => open,
                None => open_file(&self.path)?,
            };
            let result = guarded::run(|| work(&open))?;
            *database = Some(open);
            Ok(result)
        };
        attempt().map_err(|trouble| StoreError::new(&self.path, trouble))
    }
}

/// Makes an empty file under another name and renames it when it is complete, so that no crash
/// leaves half a file behind.
fn create<T>(path: &Path, layout: &Layout<T>) -> Result<(), Trouble> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let database = Database::create(&new)?;
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, layout.format.to_string().as_str())?;
        let creator = concat!("auscult ", env!("CARGO_PKG_VERSION"));
        meta.insert(META_CREATOR, creator)?;
    }
    (layout.create)(&transaction)?;
    transaction.commit()?;
    drop(database);
    fs::rename(&new, path)?;
    // The rename is on the disk when the folder is.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Opens a copy of the file in memory, checks and reads it.
pub(super) fn rehearse<T>(path: &Path, layout: &Layout<T>) -> Result<T, Trouble> {
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
        let transaction = database.begin_read()?;
        check_format(&transaction, layout.format)?;
        (layout.read)(&transaction)
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

fn check_format(transaction: &ReadTransaction, known: u64) -> Result<(), Trouble> {
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
    if format.parse() == Ok(known) {
        return Ok(());
    }
    let creator = meta.get(META_CREATOR)?;
    let creator = creator.as_ref().map_or("unknown", |value| value.value());
    Err(Trouble::Version {
        format: format.to_owned(),
        creator: creator.to_owned(),
    })
}
