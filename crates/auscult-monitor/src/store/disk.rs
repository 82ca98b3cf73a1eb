//! What a data file stands on: a folder, memory, or what a test puts in their place.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use redb::{Builder, Database, DatabaseError, StorageBackend};

/// A place for one data file.
pub trait Disk: fmt::Debug + Send + Sync {
    /// What messages call it.
    fn path(&self) -> &Path;

    /// Its bytes, where there is such a file.
    ///
    /// # Errors
    /// What the system says. State: unchanged.
    fn bytes(&self) -> io::Result<Option<Vec<u8>>>;

    /// Opens the file that is there.
    ///
    /// # Errors
    /// What redb says. State: unchanged.
    fn open(&self) -> Result<Database, DatabaseError>;

    /// Opens a new, empty file that does not stand in its place yet.
    ///
    /// # Errors
    /// What redb says. State: the file that stands in its place is as it was.
    fn draft(&self) -> Result<Database, DatabaseError>;

    /// Puts the closed draft in its place. A crash leaves all of it there or nothing.
    ///
    /// # Errors
    /// What the system says. State: the draft may be in its place or not.
    fn publish(&self) -> io::Result<()>;

    /// Keeps a note beside the file, over the one before; notes are all of one length. It outlives
    /// this process as soon as this returns, and the machine from the next
    /// [`sync_note`](Self::sync_note) on.
    ///
    /// # Errors
    /// What the system says. State: the note may be torn.
    fn note(&self, bytes: &[u8]) -> io::Result<()>;

    /// The last note, where there is one.
    ///
    /// # Errors
    /// What the system says. State: unchanged.
    fn noted(&self) -> io::Result<Option<Vec<u8>>>;

    /// Has the last note outlive the machine.
    ///
    /// # Errors
    /// What the system says. State: the note may not outlive the machine.
    fn sync_note(&self) -> io::Result<()>;

    /// Where work on the file is done.
    fn work(&self) -> Work {
        Work::Apart
    }
}

/// Where work on a data file is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// On a thread that may wait for the disk.
    Apart,
    /// On the thread that asks for it: a simulation, in which everything happens in one order.
    Here,
}

/// What redb may keep of a file in memory. What is read often is kept by whoever reads it; redb's
/// own gigabyte would come to hold everything once more.
const CACHE_BYTES: usize = 4 << 20;

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// A file in a folder.
#[derive(Debug)]
pub(crate) struct InFolder {
    path: PathBuf,
    draft: PathBuf,
    beside: PathBuf,
    /// Open once there was something to note.
    note: Mutex<Option<File>>,
}

impl InFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        let with = |end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self {
            draft: with(".new"),
            beside: with(".note"),
            path,
            note: Mutex::default(),
        }
    }

    /// What is in the folder is on the disk when the folder is.
    fn sync_folder(&self) -> io::Result<()> {
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn bytes_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Disk for InFolder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        bytes_of(&self.path)
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        builder().open(&self.path)
    }

    /// Under another name, so that no crash leaves half a file behind.
    fn draft(&self) -> Result<Database, DatabaseError> {
        match fs::remove_file(&self.draft) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DatabaseError::Storage(error.into())),
        }
        builder().create(&self.draft)
    }

    fn publish(&self) -> io::Result<()> {
        fs::rename(&self.draft, &self.path)?;
        self.sync_folder()
    }

    fn note(&self, bytes: &[u8]) -> io::Result<()> {
        let mut note = self.note.lock();
        let mut file = match note.take() {
            Some(file) => file,
            None => {
                let file = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&self.beside)?;
                // It may be new.
                self.sync_folder()?;
                file
            }
        };
        file.rewind()?;
        file.write_all(bytes)?;
        *note = Some(file);
        Ok(())
    }

    fn noted(&self) -> io::Result<Option<Vec<u8>>> {
        bytes_of(&self.beside)
    }

    fn sync_note(&self) -> io::Result<()> {
        let note = self.note.lock().as_ref().map(File::try_clone).transpose()?;
        if let Some(file) = note {
            file.sync_data()?;
        }
        Ok(())
    }
}

/// A file in memory: it ends with the process.
#[derive(Debug, Default)]
pub(crate) struct InMemory {
    bytes: Arc<RwLock<Option<Vec<u8>>>>,
    note: Mutex<Option<Vec<u8>>>,
}

impl InMemory {
    fn backend(&self) -> Result<Database, DatabaseError> {
        let bytes = Arc::clone(&self.bytes);
        builder().create_with_backend(Memory(bytes))
    }
}

impl Disk for InMemory {
    fn path(&self) -> &Path {
        Path::new("memory")
    }

    fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.bytes.read().clone())
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        self.backend()
    }

    fn draft(&self) -> Result<Database, DatabaseError> {
        *self.bytes.write() = Some(Vec::new());
        self.backend()
    }

    fn publish(&self) -> io::Result<()> {
        Ok(())
    }

    fn note(&self, bytes: &[u8]) -> io::Result<()> {
        *self.note.lock() = Some(bytes.to_owned());
        Ok(())
    }

    fn noted(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.note.lock().clone())
    }

    fn sync_note(&self) -> io::Result<()> {
        Ok(())
    }
}

/// redb's own backend in memory cannot be opened a second time.
#[derive(Debug)]
struct Memory(Arc<RwLock<Option<Vec<u8>>>>);

impl Memory {
    fn with<R>(
        &self,
        offset: u64,
        length: usize,
        work: impl FnOnce(&mut [u8]) -> R,
    ) -> io::Result<R> {
        let mut bytes = self.0.write();
        let range = usize::try_from(offset).ok().and_then(|start| {
            let end = start.checked_add(length)?;
            bytes.as_mut()?.get_mut(start..end)
        });
        range
            .map(work)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.read().as_ref().map_or(0, |bytes| bytes.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(offset, out.len(), |bytes| out.copy_from_slice(bytes))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length =
            usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.0.write().get_or_insert_default().resize(length, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(offset, data.len(), |bytes| bytes.copy_from_slice(data))
    }
}
