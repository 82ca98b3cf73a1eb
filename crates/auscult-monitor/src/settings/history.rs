//! How much of the past is kept.

use std::time::Duration;

use auscult_core::history::Resolution;

use super::section::Section;

/// `history`: how much of the past is kept in the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// Whether anything is.
    pub enabled: bool,
    /// For how long.
    pub age: Duration,
    /// How long the file may become, in MiB.
    pub size_mib: u64,
    /// The shortest roll-ups.
    pub finest: Resolution,
}

impl HistorySettings {
    pub(super) fn read(section: &Section) -> Option<Self> {
        Some(Self {
            enabled: section.flag("enabled"),
            age: section.duration("age")?,
            size_mib: section.count("size_mib")?,
            finest: Resolution::from_name(section.word("finest"))?,
        })
    }
}
