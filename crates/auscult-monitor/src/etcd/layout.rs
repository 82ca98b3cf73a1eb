//! Which keys there are, and what stands in them.

use serde::{Deserialize, Serialize};

use super::gateway::{Range, Values};
use crate::replication::Command;
use crate::shared::{Monitor, MonitorId};

/// The version of what is written here.
pub(super) const FORMAT: u32 = 1;

/// Bytes of a change that stands in the log itself; a larger one stands in pieces beside it.
pub(super) const INLINE_BYTES_MAX: usize = 128 << 10;

/// Bytes of one piece: etcd takes requests of 1.5 MiB.
pub(super) const PIECE_BYTES: usize = 512 << 10;

/// Entries of the log that are read at a time: 8 MiB when all of them are as long as they may be.
pub(super) const ENTRIES_PER_PAGE: u32 = 64;

/// Pieces that are read at a time.
pub(super) const PIECES_PER_PAGE: u32 = 8;

/// What everything begins with: changed with every change, and by it compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    /// The group's name, given by chance when it began.
    pub(super) group: String,
    /// The last entry of the log.
    pub(super) last: u64,
    /// The last entry that the snapshot covers; the log begins behind it.
    pub(super) base: u64,
    /// The snapshot; none as long as `base` is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<Pieces>,
}

/// A long value in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pieces {
    pub(super) name: String,
    pub(super) count: u32,
}

/// An entry of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A change.
    Change(Command),
    /// One that stands in pieces.
    Pieces(Pieces),
}

/// A monitor that uses the settings, under a key that goes when it does not come back to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Present {
    pub(super) monitor: Monitor,
    /// The last entry that is applied there.
    pub(super) applied: u64,
    /// It ends, in an orderly way.
    #[serde(default)]
    pub(super) leaving: bool,
}

/// The keys of one group of monitors.
#[derive(Clone, Debug)]
pub(super) struct Keys(String);

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self(prefix.to_owned())
    }

    pub(super) fn head(&self) -> String {
        format!("{}/head", self.0)
    }

    /// Sorted as the entries are.
    pub(super) fn entry(&self, index: u64) -> String {
        format!("{}/log/{index:020}", self.0)
    }

    /// What stands in the key of an entry.
    pub(super) fn index_of(&self, key: &str) -> Option<u64> {
        let rest = key.strip_prefix(self.0.as_str())?;
        rest.strip_prefix("/log/")?.parse().ok()
    }

    pub(super) fn piece(&self, name: &str, number: u32) -> String {
        format!("{}/pieces/{name}/{number:06}", self.0)
    }

    /// All pieces of one value: from the first key to the one behind the last.
    pub(super) fn pieces(&self, name: &str) -> (String, String) {
        let folder = format!("{}/pieces/{name}", self.0);
        (format!("{folder}/"), format!("{folder}0"))
    }

    pub(super) fn all_pieces(&self) -> (String, String) {
        (format!("{}/pieces/", self.0), format!("{}/pieces0", self.0))
    }

    /// Of which value a piece is one.
    pub(super) fn name_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        let rest = key
            .strip_prefix(self.0.as_str())?
            .strip_prefix("/pieces/")?;
        Some(rest.split_once('/')?.0)
    }

    pub(super) fn monitor(&self, id: MonitorId) -> String {
        format!("{}/monitors/{id}", self.0)
    }

    pub(super) fn monitors(&self) -> Range {
        Range {
            from: format!("{}/monitors/", self.0),
            to: Some(format!("{}/monitors0", self.0)),
            limit: 0,
            revision: 0,
            values: Values::With,
        }
    }

    /// Which monitor stands under a key.
    pub(super) fn id_of(&self, key: &str) -> Option<MonitorId> {
        let rest = key
            .strip_prefix(self.0.as_str())?
            .strip_prefix("/monitors/")?;
        u64::from_str_radix(rest, 16).ok().map(MonitorId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_entries_do_and_are_told_apart() {
        let keys = Keys::new("/auscult");
        assert!(keys.entry(9) < keys.entry(10));
        assert_eq!(keys.index_of(&keys.entry(10)), Some(10));
        assert_eq!(keys.index_of(&keys.head()), None);
        let piece = keys.piece("change-7", 999_999);
        let (from, to) = keys.pieces("change-7");
        assert!(from <= piece && piece < to);
        let (from, to) = keys.all_pieces();
        assert!(from <= piece && piece < to);
        assert_eq!(keys.name_of(&piece), Some("change-7"));
        let monitor = keys.monitor(MonitorId(77));
        assert_eq!(keys.id_of(&monitor), Some(MonitorId(77)));
    }
}
