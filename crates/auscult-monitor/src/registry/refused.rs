//! Why what is watched was not changed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auscult_core::id::{SignalName, TargetId};
use auscult_core::monitor::Refusal;
use auscult_core::monitor::registry::{Key, Refusal as SharedRefusal, Revision};

use crate::check::InvalidCheck;
use crate::ingest::KeyError;
use crate::settings::{LoadError, Problems};
use crate::shared::ChangeError;
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
    Changed(String),
    /// The shared settings forbid it.
    Shared(SharedRefusal),
    /// A document makes no sense, by itself or with what it inherits.
    Document {
        /// Which one; nothing where its name is not known.
        key: Option<Key>,
        /// What is wrong with it.
        problems: Problems,
    },
    /// A setting stands in the change twice.
    NamedTwice(Key),
    /// The settings have changed since they were looked at.
    Moved {
        /// The last change that was seen.
        expected: Revision,
        /// The last change.
        found: Revision,
    },
    /// No token would be left that may change tokens.
    NoAdmin,
    /// It was decided, and cannot be used on this monitor.
    Unusable {
        /// Which setting.
        key: Key,
        /// Why not.
        why: Arc<str>,
    },
    /// No monitor decides now.
    NoLeader {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// This monitor is in no group any more.
    Outside,
    /// No answer came in time. State: the change may have been made, or may be made yet.
    Unclear,
    /// The system has no random numbers.
    NoRandomness,
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
            Self::Shared(refusal) => refusal.fmt(f),
            Self::Document { key, problems } => match key {
                Some(key) => write!(f, "{key}: {}", problems.to_string().trim_end()),
                None => f.write_str(problems.to_string().trim_end()),
            },
            Self::NamedTwice(key) => write!(f, "{key} stands there twice"),
            Self::Moved { expected, found } => write!(
                f,
                "the settings are at revision {found}, not {expected}: they have changed meanwhile"
            ),
            Self::NoAdmin => f.write_str(
                "no token with the role admin would be left to change the tokens that are left",
            ),
            Self::Unusable { key, why } => {
                write!(
                    f,
                    "{key} is among the settings, but cannot be used here: {why}"
                )
            }
            Self::NoLeader { .. } => {
                f.write_str("the monitors have no leader now; nothing was changed")
            }
            Self::Outside => ChangeError::Outside.fmt(f),
            Self::Unclear => f.write_str(
                "no answer came in time; the change may have been made, or may be made yet",
            ),
            Self::NoRandomness => f.write_str("the system gave no random numbers"),
            Self::Machine(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl Refused {
    pub(super) const fn of_document(key: Option<Key>, problems: Problems) -> Self {
        Self::Document { key, problems }
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => Self::Shared(refusal),
            ChangeError::NoLeader { retry_after } => Self::NoLeader { retry_after },
            ChangeError::Outside => Self::Outside,
            ChangeError::Unclear => Self::Unclear,
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

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
