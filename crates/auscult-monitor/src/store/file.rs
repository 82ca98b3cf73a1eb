//! One redb file that is never written to unless it is whole and ours.
//!
//! A file that is torn, foreign or of a later version is never written to: it is first opened as a
//! copy in memory, checked to the last page and read, and only when all of that went well is the
//! file itself touched.

use std::io;
use std::path::Path;

use parking_lot::Mutex;
use redb::backends::InMemoryBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, StorageBackend, TableDefinition, TableError,
    WriteTransaction,
};

use super::disk::{Disk, Work};
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
    disk: Box<dyn Disk>,
    /// Empty after an error of the disk, until the next change opens the file again: what a failed
    /// transaction left behind is then found out from the file itself.
    pub(super) database: Mutex<Option<Database>>,
}

impl DataFile {
    /// Opens a file, which is made when it is not there, and reads it.
    ///
    /// # Errors
    /// Why not, with what to do about it. State: an existing file is as it was.
    pub(crate) fn open<T>(
        disk: Box<dyn Disk>,
        layout: &Layout<T>,
    ) -> Result<(Self, T), StoreError> {
        let path = disk.path();
        let about = |trouble| StoreError::new(path, trouble);
        let contents = contents(&*disk, layout).map_err(about)?;
        let database = match open_file(&*disk) {
            Ok(database) => Some(database),
            // What is stored is known, so a full disk is no reason not to watch. The next change
            // tries again.
            Err(Trouble::Full) => {
                tracing::warn!(path = %path.display(), "no room: changes will be refused");
                None
            }
            Err(trouble) => return Err(about(trouble)),
        };
        let database = Mutex::new(database);
        Ok((Self { disk, database }, contents))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.disk.path()
    }

    /// Where work on it is done.
    pub(crate) fn work(&self) -> Work {
        self.disk.work()
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

    /// Keeps a note beside it, as [`Disk::note`] does.
    ///
    /// # Errors
    /// Why not. State: there may be no note any more.
    pub(crate) fn note(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.beside(self.disk.note(bytes))
    }

    /// The note beside it.
    ///
    /// # Errors
    /// Why it cannot be read. State: unchanged.
    pub(crate) fn noted(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.beside(self.disk.noted())
    }

    /// Has the note outlive the machine, as [`Disk::sync_note`] does.
    ///
    /// # Errors
    /// Why not. State: it may not.
    pub(crate) fn sync_note(&self) -> Result<(), StoreError> {
        self.beside(self.disk.sync_note())
    }

    /// Lets go of it when all that is under way is done, so that another process may open it. It
    /// is opened anew when somebody asks for something.
    pub(crate) fn close(&self) {
        *self.database.lock() = None;
    }

    fn beside<R>(&self, done: io::Result<R>) -> Result<R, StoreError> {
        done.map_err(|error| StoreError::new(self.path(), error.into()))
    }

    fn with<R>(&self, work: impl FnOnce(&Database) -> Result<R, Trouble>) -> Result<R, StoreError> {
        let mut database = self.database.lock();
        let attempt = || {
            let open = match database.take() {
                Some(open) => open,
                None => open_file(&*self.disk)?,
            };
            let result = guarded::run(|| work(&open))?;
            *database = Some(open);
            Ok(result)
        };
        attempt().map_err(|trouble| StoreError::new(self.path(), trouble))
    }
}

/// What the file holds; it is made when it is not there.
fn contents<T>(disk: &dyn Disk, layout: &Layout<T>) -> Result<T, Trouble> {
    if let Some(bytes) = disk.bytes()? {
        return rehearse(&bytes, layout);
    }
    create(disk, layout)?;
    rehearse(&disk.bytes()?.unwrap_or_default(), layout)
}

/// Puts an empty file in its place when it is complete.
fn create<T>(disk: &dyn Disk, layout: &Layout<T>) -> Result<(), Trouble> {
    let database = disk.draft()?;
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
    disk.publish()?;
    Ok(())
}

/// Opens a copy of the file in memory, checks and reads it.
pub(super) fn rehearse<T>(bytes: &[u8], layout: &Layout<T>) -> Result<T, Trouble> {
    if bytes.is_empty() {
        return Err(Trouble::Torn("it is empty".to_owned()));
    }
    let copy = InMemoryBackend::new();
    copy.set_len(bytes.len() as u64)?;
    copy.write(0, bytes)?;
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

fn open_file(disk: &dyn Disk) -> Result<Database, Trouble> {
    guarded::run(|| Ok(disk.open()?))
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
