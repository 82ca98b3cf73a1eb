//! Signals that somebody else judges: their status is what that one says.

use alloc::sync::Arc;

use super::Monitor;
use super::event::{Cause, Rejection};
use super::input::{SignalKey, Told};
use super::signals::{Standing, Words};
use super::status::Status;
use super::verdict::Why;
use crate::detector::Level;
use crate::time::Instant;

impl Told {
    /// The status that this word gives a signal.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Up => Status::Up,
            Self::Late => Status::Late,
            Self::Down => Status::Down,
            Self::Unknown => Status::Unknown,
        }
    }
}

impl Monitor {
    pub(super) fn take_told(&mut self, key: SignalKey, at: Instant, verdict: Told, why: &str) {
        let Some(slot) = self.signals.resolve(key) else {
            self.reject(Rejection::StaleKey);
            return;
        };
        let why = Arc::from(why);
        self.signals.tell(slot, Words { verdict, why });
        match self.signals.records[slot as usize].standing {
            // What was said counts when it is judged again.
            Standing::Paused | Standing::Resting | Standing::Vacant => {}
            Standing::Told(before) if before == verdict => {}
            Standing::Awaited
            | Standing::Up
            | Standing::Late
            | Standing::Down
            | Standing::Told(_)
            | Standing::Held => {
                let why = Why {
                    at: at.min(self.now),
                    cause: Cause::Told,
                    before: None,
                };
                self.stand(slot, Standing::Told(verdict), why);
            }
        }
    }

    /// The least level that a detector would have for what was said.
    pub(super) fn told_level(&self, slot: u32, verdict: Told) -> Level {
        let config = &self.kind(slot).config;
        match verdict {
            Told::Late => config.late(),
            Told::Down => config.down(),
            Told::Up | Told::Unknown => Level::ZERO,
        }
    }
}
