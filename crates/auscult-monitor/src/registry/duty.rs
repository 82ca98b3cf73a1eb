//! Which targets this monitor observes, and which it leaves to the other monitors of its group.
//!
//! What a monitor leaves to others stays known here, with everything that was said of it: only its
//! checks are not made, and its silence is not judged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use auscult_core::id::TargetId;
use auscult_core::monitor::observers::Lineup;
use auscult_core::monitor::{Change, SignalKey};

use super::ready::Ready;
use super::{Origin, Places, Registry};
use crate::observers::{Part, part};
use crate::settings::documents::Inheritance;

/// Whether a target changed hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// This monitor does with it what it did before.
    AsBefore,
    /// It was taken, or let go of.
    Over,
}

impl Registry {
    /// Notes who observes which of the shared targets; nobody else where there is no lineup. For
    /// each target it takes effect when it is [handed](Self::hand).
    pub fn set_lineup(&self, lineup: Option<Lineup>) {
        self.lineup.store(lineup.map(Arc::new));
    }

    /// How many monitors observe each shared target, as the settings say; `usize::MAX` for all.
    #[must_use]
    pub fn observers(&self) -> usize {
        self.observers.load(Ordering::Relaxed)
    }

    pub(super) fn note_observers(&self, inheritance: &Inheritance) {
        let observers = inheritance.observers();
        self.observers.store(observers, Ordering::Relaxed);
    }

    /// Takes a target, or lets go of it, as the lineup says.
    pub fn hand(&self, id: &str) -> Handed {
        let mut places = self.places.lock();
        let Some(watched) = places.watched(id) else {
            places.resting.remove(id);
            return Handed::AsBefore;
        };
        let (spec, keys) = (&watched.spec, self.engine.keys(id));
        let part = self.part(&spec.id, watched.origin);
        if (part == Part::None) == places.resting.contains(id) {
            for key in keys {
                self.set_phase(key, part);
            }
            return Handed::AsBefore;
        }
        match part {
            Part::None => places.resting.insert(spec.id.clone()),
            Part::Alone | Part::Among(_) => places.resting.remove(id),
        };
        match self.ready(Arc::clone(spec)) {
            Ok(ready) => self.set_checks(&ready, &keys, part),
            // It was proven possible when the target came.
            Err(refused) => {
                tracing::error!(%refused, "a target that was taken over is not checked")
            }
        }
        self.judge(&places, &spec.id);
        Handed::Over
    }

    /// What this monitor does with a target.
    pub(super) fn part(&self, id: &str, origin: Origin) -> Part {
        let lineup = self.lineup.load();
        match lineup.as_deref().filter(|_| origin.is_shared()) {
            Some(lineup) => part(lineup, id),
            None => Part::Alone,
        }
    }

    /// Pauses a target, or lets it be judged again, unless it is left to others.
    pub(super) fn judge(&self, places: &Places, id: &TargetId) {
        let change = if places.paused.contains(id) {
            Change::Pause(id.clone())
        } else if places.resting.contains(id) {
            Change::Rest(id.clone())
        } else {
            Change::Resume(id.clone())
        };
        if let Err(error) = self.engine.apply(change) {
            tracing::error!(%error, "a target that is watched is unknown to the machine");
        }
    }

    /// Has a target checked, if that is this monitor's part, or not any more.
    pub(super) fn set_checks(&self, ready: &Ready, keys: &[SignalKey], part: Part) {
        for (check, &key) in ready.checks.iter().zip(keys) {
            match check.as_ref().filter(|_| part != Part::None) {
                Some(check) => {
                    self.checks.take(key, check);
                    self.set_phase(key, part);
                }
                None => self.checks.remove(key),
            }
        }
    }

    fn set_phase(&self, key: SignalKey, part: Part) {
        if let Part::Among(fraction) = part {
            self.checks.set_phase(key, fraction);
        }
    }
}
