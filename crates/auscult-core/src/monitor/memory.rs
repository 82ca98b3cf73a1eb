//! What a signal remembers, to go on with it elsewhere: a recording that is judged again begins
//! where the machine was.

use alloc::vec::Vec;

use super::Monitor;
use super::arrivals::OUTAGES_OF_A_NEW_RHYTHM;
use super::signals::Standing;
use super::view::SignalView;
use crate::detector::DetectorState;
use crate::time::Instant;

/// What a signal remembers. Moments are those of the machine that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalMemory {
    /// What it waited for.
    pub waits: Waits,
    /// When its next verdict was due; `None` if there was none to come.
    pub due: Option<Instant>,
    /// Arrivals in a row while it was down.
    pub streak: u8,
    /// Intervals in a row that were outages.
    pub outages: u8,
    /// What its detector had learnt, as [`DetectorState::words`] says it.
    pub learnt: Vec<u64>,
}

/// What a signal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// For its first arrival, within its grace.
    First,
    /// For the next one, in time.
    Next,
    /// For the next one, which is late.
    Late,
    /// For enough of them in a row, as it is down.
    Enough,
    /// It is not judged by its arrivals: paused, left to others, or held back.
    Elsewhere,
}

impl Waits {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::First,
        Self::Next,
        Self::Late,
        Self::Enough,
        Self::Elsewhere,
    ];

    /// The stable code used in the API and in recordings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Next => "next",
            Self::Late => "late",
            Self::Enough => "enough",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl SignalView<'_> {
    /// What it remembers.
    #[must_use]
    pub fn memory(&self) -> SignalMemory {
        let record = self.record();
        SignalMemory {
            waits: match record.standing {
                Standing::Awaited => Waits::First,
                Standing::Up => Waits::Next,
                Standing::Late => Waits::Late,
                Standing::Down => Waits::Enough,
                Standing::Held
                | Standing::Told(_)
                | Standing::Paused
                | Standing::Resting
                | Standing::Vacant => Waits::Elsewhere,
            },
            due: self.deadline(),
            streak: record.streak,
            outages: record.outages,
            learnt: record.state.words(),
        }
    }
}

impl Monitor {
    /// Has a signal go on where another machine left it, without a word; its target must have been
    /// added, with the same configuration. Says whether it could be: nothing changes where there is
    /// no such signal, or its memory is that of another detector or of the future. A verdict that
    /// was due by now falls at once: nobody was late here.
    ///
    /// What the machine itself went through is not carried: times in which it did not listen, and
    /// how often the target's status changed before.
    pub fn recall(&mut self, target: &str, signal: &str, memory: &SignalMemory) -> bool {
        let Some(slot) = self.signal(target, signal).map(|key| key.slot) else {
            return false;
        };
        let detector = self.kind(slot).config.detector();
        let Some(state) = DetectorState::from_words(detector, &memory.learnt) else {
            return false;
        };
        if state.last_arrival().is_some_and(|last| last > self.now) {
            return false;
        }
        // What is up or late was heard.
        let is_heard = matches!(memory.waits, Waits::Next | Waits::Late);
        if is_heard && state.last_arrival().is_none() {
            return false;
        }
        let standing = match memory.waits {
            Waits::First | Waits::Elsewhere => Standing::Awaited,
            Waits::Next => Standing::Up,
            Waits::Late => Standing::Late,
            Waits::Enough => Standing::Down,
        };
        let record = &mut self.signals.records[slot as usize];
        record.state = state;
        record.standing = standing;
        record.streak = memory.streak;
        record.outages = memory.outages.min(OUTAGES_OF_A_NEW_RHYTHM - 1);
        let due = match (memory.waits, memory.due) {
            (Waits::First, Some(due)) => due,
            (Waits::Elsewhere, _) => self.now.after(self.kind(slot).config.grace()),
            (Waits::First | Waits::Next | Waits::Late | Waits::Enough, _) => self.due_of(slot),
        };
        self.set_due(slot, due);
        let owner = self.signals.target(slot);
        let worst = self.worst(owner);
        if let Some((head, _)) = self.targets.get_mut(owner) {
            head.status = worst;
        }
        self.end();
        true
    }
}
