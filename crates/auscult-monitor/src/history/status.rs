//! How the history is doing: counted by the recorder, read by metrics and health.

use auscult_core::history::Kind;
use parking_lot::Mutex;

use super::tap::Tap;

/// Whether it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The file is being opened.
    #[default]
    Opening,
    /// What happens is written.
    Writing,
    /// What happens is written, and the disk takes long for it.
    Slow,
    /// The disk takes nothing; what happens waits, and is lost when it waits for too long.
    Failing,
    /// The settings say that nothing is to be kept.
    Off,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Opening,
        Self::Writing,
        Self::Slow,
        Self::Failing,
        Self::Off,
    ];

    /// The name used in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Writing => "writing",
            Self::Slow => "slow",
            Self::Failing => "failing",
            Self::Off => "off",
        }
    }
}

/// How it is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryStatus {
    /// Whether it is kept.
    pub state: State,
    /// What keeps it from being written, and what to do about it.
    pub problem: Option<String>,
    /// Events that wait for the recorder.
    pub waiting: u64,
    /// Changes that are lost, as the disk was too slow or full.
    pub changes_lost: u64,
    /// Roll-ups of the finest length that are lost for that reason.
    pub rollups_lost: u64,
    /// Roll-ups that were not written because their time was kept already: the wall clock went
    /// back.
    pub rollups_overlapped: u64,
    /// Targets of which nothing is kept, as there are too many.
    pub targets_over_limit: u64,
    /// Changes written.
    pub changes_written: u64,
    /// Roll-ups written, of all lengths.
    pub rollups_written: u64,
    /// Times that something was written.
    pub commits: u64,
    /// The sum of the times that took.
    pub commit_seconds: f64,
    /// Times that something could not be written.
    pub failures: u64,
    /// Times that a damaged file was put aside, and a new one begun.
    pub put_aside: u64,
    /// Rows given up, as there was too much or they were too old.
    pub rows_discarded: u64,
    /// The length of the file.
    pub file_bytes: u64,
    /// Rows of each kind, in the order of [`Kind::ALL`].
    pub rows: [u64; Kind::ALL.len()],
    /// Since when each kind is kept, in milliseconds since the epoch; `None` without a row.
    pub oldest_ms: [Option<u64>; Kind::ALL.len()],
}

/// Where the recorder writes how it is doing.
#[derive(Debug, Default)]
pub(super) struct Board {
    told: Mutex<HistoryStatus>,
}

impl Board {
    pub(super) fn update(&self, write: impl FnOnce(&mut HistoryStatus)) {
        write(&mut self.told.lock());
    }

    pub(super) fn read(&self, tap: &Tap) -> HistoryStatus {
        let mut status = self.told.lock().clone();
        status.waiting = tap.waiting() as u64;
        status.changes_lost += tap.dropped();
        status
    }
}
