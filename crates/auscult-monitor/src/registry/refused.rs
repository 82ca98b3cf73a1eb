//! Why what is watched was not changed.

use std::fmt;
use std::path::PathBuf;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::Refusal;

use crate::check::InvalidCheck;
use crate::ingest::KeyError;
use crate::settings::LoadError;
use crate::store::StoreError;

/// Why a request was refused. State: unchanged.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refused {
    /// No target has that name.
    NotFound(String),
    /// A target has that name already.
    Exists(TargetId),
    /// The target stands in the settings file, which only people change.
    DefinedInFile {
        /// The target.
        id: TargetId,
        /// The file.
        path: Option<PathBuf>,
        /// Where it stands in it.
        line: Option<usize>,
    },
    /// The target is a member of the group that this monitor belongs to.
    IsMember(TargetId),
    /// The target is not as the caller believed.
    Changed(TargetId),
    /// One of its checks cannot be made.
    Check {
        /// The target.
        id: TargetId,
        /// The signal.
        signal: SignalName,
        /// Why not.
        error: InvalidCheck,
    },
    /// As many targets as allowed are watched.
    Full {
        /// How many those are.
        limit: usize,
    },
    /// The store did not take it.
    Store(StoreError),
    /// It cannot be written as JSON.
    Json(serde_json::Error),
    /// The machine did not take it.
    Machine(Refusal),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(id) => write!(f, "there is no target named {id:?}"),
            Self::Exists(id) => write!(f, "there is a target named {id} already"),
            Self::DefinedInFile { id, path, line } => {
                write!(f, "{id} is defined in the settings file")?;
                if let Some(path) = path {
                    write!(f, " {}", path.display())?;
                }
                if let Some(line) = line {
                    write!(f, ", line {line}")?;
                }
                write!(f, ": change it there and reload")
            }
            Self::IsMember(id) => write!(f, "{id} is a member of the group, which judges it"),
            Self::Changed(id) => write!(f, "{id} has changed meanwhile"),
            Self::Check { id, signal, error } => write!(f, "{id}, signal {signal}: {error}"),
            Self::Full { limit } => write!(f, "at most {limit} targets are watched"),
            Self::Store(error) => error.fmt(f),
            Self::Json(error) => write!(f, "the target cannot be written as JSON: {error}"),
            Self::Machine(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Machine(refusal)
    }
}

/// Why settings were not taken. State: those before are in force.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// The settings file cannot be read, or is wrong.
    Settings(LoadError),
    /// The key for heartbeats cannot be used.
    Key(KeyError),
    /// What it says cannot be watched.
    Refused(Refused),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for ReloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Settings(error) => error.source(),
            Self::Key(error) => error.source(),
            Self::Refused(_) => None,
        }
    }
}

impl From<Refused> for ReloadError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
