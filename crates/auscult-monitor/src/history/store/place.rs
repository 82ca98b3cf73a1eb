//! Where the file stands, and how long it may become.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};

/// The file's name in the data folder.
const FILE_NAME: &str = "history.redb";

/// What a damaged one is called.
const DAMAGED_NAME: &str = "history.redb.damaged";

/// Pages kept in memory: the newest rows of 10,000 targets, and the way to the others.
const CACHE_BYTES: usize = 32 << 20;

/// A place for the file.
pub(in super::super) trait Place: Debug + Send + Sync {
    /// What messages call it.
    fn path(&self) -> &Path;

    /// Opens the file, which is made when it is not there.
    ///
    /// # Errors
    /// What redb says. State: an existing file is as it was.
    fn open(&self) -> Result<Database, DatabaseError>;

    /// How long it is.
    fn bytes(&self) -> u64;

    /// Says how long it may become. It does not grow beyond that: the disk counts as full.
    fn set_bytes_max(&self, bytes: u64);

    /// Moves it out of the way.
    ///
    /// # Errors
    /// What the system says.
    fn put_aside(&self) -> io::Result<()>;
}

/// The file in a data folder.
#[derive(Debug)]
pub(in super::super) struct InFolder {
    path: PathBuf,
    bytes_max: Arc<AtomicU64>,
}

impl InFolder {
    pub(in super::super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE_NAME),
            bytes_max: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }
}

impl Place for InFolder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        let opened = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path);
        let file = opened.map_err(|error| DatabaseError::Storage(error.into()))?;
        let bounded = Bounded {
            file: FileBackend::new(file)?,
            bytes_max: Arc::clone(&self.bytes_max),
        };
        builder().create_with_backend(bounded)
    }

    fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    fn set_bytes_max(&self, bytes: u64) {
        self.bytes_max.store(bytes, Ordering::Relaxed);
    }

    fn put_aside(&self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_file_name(DAMAGED_NAME))
    }
}

/// How every place opens its database.
pub(in super::super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// A file that grows only so far.
#[derive(Debug)]
struct Bounded {
    file: FileBackend,
    bytes_max: Arc<AtomicU64>,
}

impl StorageBackend for Bounded {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let grows = length > self.file.len()?;
        if grows && length > self.bytes_max.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
