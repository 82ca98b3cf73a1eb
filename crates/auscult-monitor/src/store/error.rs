//! What can be wrong with the store, and what to do about it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of std and redb grow; new ones are shown as they print"
)]

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use redb::{DatabaseError, StorageError};

/// Why the store could not be opened or written. State: what was stored before is unchanged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The data folder cannot be made or locked.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        text: String,
    },
    /// Another process has the data folder in use.
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file is no store of ours.
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        text: String,
    },
    /// The file is damaged.
    Torn {
        /// The file.
        path: PathBuf,
        /// What shows it.
        text: String,
    },
    /// The file has a version that this program does not know.
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        format: String,
        /// The program that wrote it.
        creator: String,
    },
    /// There is no room on the disk, or in the quota.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The system could not read or write the file.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        text: String,
    },
}

/// A [`StoreError`] before it knows of which file.
#[derive(Debug)]
pub(crate) enum Trouble {
    InUse,
    Foreign(String),
    Torn(String),
    Version { format: String, creator: String },
    Full,
    Io(String),
}

impl StoreError {
    pub(super) fn folder(path: &Path, error: &io::Error) -> Self {
        Self::Folder {
            path: path.to_owned(),
            text: error.to_string(),
        }
    }

    pub(crate) fn new(path: &Path, trouble: Trouble) -> Self {
        let path = path.to_owned();
        match trouble {
            Trouble::InUse => Self::InUse { path },
            Trouble::Foreign(text) => Self::Foreign { path, text },
            Trouble::Torn(text) => Self::Torn { path, text },
            Trouble::Version { format, creator } => Self::Version {
                path,
                format,
                creator,
            },
            Trouble::Full => Self::Full { path },
            Trouble::Io(text) => Self::Io { path, text },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, text } => write!(
                f,
                "the data folder {} cannot be used: {text}; make it writable, or name another one with \
                 --datadir",
                path.display()
            ),
            Self::InUse { path } => write!(
                f,
                "the data folder {} is used by another process; stop that one, or name another folder \
                 with --datadir",
                path.display()
            ),
            Self::Foreign { path, text } => write!(
                f,
                "{} is not a store of auscult: {text}; it was left as it is, name another folder with \
                 --datadir",
                path.display()
            ),
            Self::Torn { path, text } => write!(
                f,
                "{} is damaged: {text}; it was left as it is, put a copy in its place, or move it away \
                 to start without the targets that were added over the API",
                path.display()
            ),
            Self::Version {
                path,
                format,
                creator,
            } => write!(
                f,
                "{} has format {format:?}, written by {creator}, which this version does not know; it \
                 was left as it is, use that version, or name another folder with --datadir",
                path.display()
            ),
            Self::Full { path } => write!(
                f,
                "there is no room for {}: free some space on its disk, or raise the quota",
                path.display()
            ),
            Self::Io { path, text } => {
                write!(f, "{} cannot be read or written: {text}", path.display())
            }
        }
    }
}

impl std::error::Error for StoreError {}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            // What redb says of a file without its magic number.
            io::ErrorKind::InvalidData => Self::Foreign(error.to_string()),
            io::ErrorKind::UnexpectedEof => Self::Torn("it ends too early".to_owned()),
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => error.into(),
            StorageError::Corrupted(text) => Self::Torn(text),
            error => Self::Io(error.to_string()),
        }
    }
}

impl From<DatabaseError> for Trouble {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            DatabaseError::UpgradeRequired(version) => Self::Version {
                format: format!("redb {version}"),
                creator: "a program with another redb".to_owned(),
            },
            DatabaseError::RepairAborted => Self::Torn("it cannot be repaired".to_owned()),
            DatabaseError::Storage(error) => error.into(),
            error => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::Error> for Trouble {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(text) => Self::Torn(text),
            error => Self::Io(error.to_string()),
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ty),*) => {
        $(impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

through_redb_error!(redb::TransactionError, redb::TableError, redb::CommitError);
