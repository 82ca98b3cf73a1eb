//! Which intervals a detector learns that has no status to tell it of outages.

use super::Learn;

/// How many intervals in a row ended an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outages {
    pub(super) in_a_row: u8,
}

impl Outages {
    pub(super) const NONE: Self = Self { in_a_row: 0 };

    /// Counts an interval and says whether it is a sample. `outage`: the level had reached the
    /// outage level.
    pub(super) const fn judge(&mut self, outage: bool) -> Learn {
        if outage {
            self.in_a_row += 1;
            Learn::Skip
        } else {
            self.in_a_row = 0;
            Learn::Interval
        }
    }

    /// Nobody has an outage before every heartbeat: the sender has a new rhythm.
    pub(super) const fn are_a_rhythm(self) -> bool {
        self.in_a_row >= RHYTHM
    }
}

const RHYTHM: u8 = 8;
