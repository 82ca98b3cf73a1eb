//! The reports about one target, and what they add up to.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::status::Status;
use super::ME;
use super::verdict::{Held, Ruling, Verdict};
use crate::time::Instant;

/// What an observer sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// How it sees the target.
    pub status: Status,
    /// The level of suspicion when the status changed.
    pub level: f64,
    /// Since when it is so.
    pub since: Instant,
    /// On what evidence, as a sentence.
    pub why: Arc<str>,
}

/// A target.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// This monitor has the target in its settings.
    pub(super) watched: bool,
    /// By the slot of the observer.
    pub(super) reports: Vec<(usize, Seen)>,
    pub(super) ruling: Ruling,
    /// The ruling before, while that one is announced by this monitor and not told.
    pub(super) before: Option<Box<Ruling>>,
    /// Monitors that have the ruling, as bits by slot.
    pub(super) held_by: u64,
    /// What was found and is not told yet because it must last a while, and since when.
    pub(super) candidate: Option<(Verdict, Instant)>,
    /// This monitor owns it.
    pub(super) owned: bool,
}

/// Whether a report calls the target down.
pub(super) fn is_down(seen: Option<&Seen>) -> bool {
    seen.is_some_and(|seen| seen.status == Status::Down)
}

impl Panel {
    pub(super) const fn new(ruling: Ruling) -> Self {
        Self {
            watched: false,
            reports: Vec::new(),
            ruling,
            before: None,
            held_by: 0,
            candidate: None,
            owned: false,
        }
    }

    pub(super) fn report(&self, slot: usize) -> Option<&Seen> {
        let found = self.reports.iter().find(|(who, _)| *who == slot);
        found.map(|(_, seen)| seen)
    }

    /// Whether this monitor has found something about the target, or knows of a ruling.
    pub(super) fn says_something(&self) -> bool {
        let seen = self.report(ME);
        self.ruling.turn.number > 0 || seen.is_some_and(|seen| seen.status != Status::Unknown)
    }

    /// Keeps a report, and gives back the one before.
    pub(super) fn put(&mut self, slot: usize, seen: Option<Seen>) -> Option<Seen> {
        let place = self.reports.iter().position(|(who, _)| *who == slot);
        match (place, seen) {
            (Some(place), Some(seen)) => {
                Some(core::mem::replace(&mut self.reports[place], (slot, seen)).1)
            }
            (Some(place), None) => Some(self.reports.swap_remove(place).1),
            (None, Some(seen)) => {
                self.reports.push((slot, seen));
                None
            }
            (None, None) => None,
        }
    }

    /// Counts what the observers say whose reports are fresh.
    pub(super) fn count(&self, observers: &[usize], fresh: u64) -> Tally {
        let mut tally = Tally {
            of: observers.len(),
            ..Tally::default()
        };
        for &slot in observers {
            let seen = self.report(slot).map(|seen| seen.status);
            let voices = match seen {
                _ if fresh >> slot & 1 == 0 => &mut tally.silent,
                None | Some(Status::Unknown) => &mut tally.unsure,
                Some(Status::Paused) => &mut tally.paused,
                Some(Status::Up) => &mut tally.up,
                Some(Status::Late) => &mut tally.late,
                Some(Status::Down) => &mut tally.down,
            };
            voices.push(slot);
        }
        tally
    }
}

/// The observers of a target, by what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    of: usize,
    /// Those who were not heard lately.
    silent: Vec<usize>,
    /// Those who were heard, and found nothing yet.
    unsure: Vec<usize>,
    paused: Vec<usize>,
    pub(super) up: Vec<usize>,
    pub(super) late: Vec<usize>,
    pub(super) down: Vec<usize>,
}

impl Tally {
    /// How many say something.
    pub(super) fn fresh(&self) -> usize {
        self.of - self.silent.len() - self.unsure.len()
    }

    /// How many do not say what most of them say.
    pub(super) fn dissent(&self) -> usize {
        let voices = [&self.up, &self.late, &self.down, &self.paused];
        self.fresh() - voices.iter().map(|who| who.len()).max().unwrap_or(0)
    }

    /// The majority of the fresh reports; nothing where there is none, or too few of them.
    pub(super) fn find(&self) -> Result<Verdict, Held> {
        let fresh = self.fresh();
        if fresh * 2 <= self.of {
            return Err(Held::TooFew { fresh, of: self.of });
        }
        let most = |count: usize| count * 2 > fresh;
        let (up, late, down) = (self.up.len(), self.late.len(), self.down.len());
        if most(self.paused.len()) {
            Ok(Verdict::Paused)
        } else if most(down) {
            Ok(Verdict::Down)
        } else if most(up) && down > 0 {
            Ok(Verdict::PartiallyReachable)
        } else if most(up) {
            Ok(Verdict::Up)
        } else if most(up + late) && most(late + down) {
            Ok(Verdict::Late)
        } else {
            Err(Held::Tie)
        }
    }

    /// Who says what: `down for 2 of 3; reachable from m2`.
    pub(super) fn describe(&self, verdict: Verdict, name: impl Fn(usize) -> String) -> String {
        let names = |who: &[usize]| {
            let names: Vec<String> = who.iter().map(|&slot| name(slot)).collect();
            names.join(", ")
        };
        let of = self.of;
        let mut text = match verdict {
            Verdict::Down => format!("down for {} of {of}", self.down.len()),
            Verdict::PartiallyReachable => {
                format!(
                    "down for {} of {of}: {}",
                    self.down.len(),
                    names(&self.down)
                )
            }
            Verdict::Up => format!("up for {} of {of}", self.up.len()),
            Verdict::Late => format!("late for {} of {of}", self.late.len()),
            Verdict::Paused => format!("paused for {} of {of}", self.paused.len()),
            Verdict::Unknown | Verdict::ObserverIsolated if self.fresh() == 0 => {
                "nothing found yet".into()
            }
            Verdict::Unknown | Verdict::ObserverIsolated => {
                format!("fresh reports from {} of {of}", self.fresh())
            }
        };
        let named = |text: &mut String, what: &str, who: &[usize]| {
            if !who.is_empty() {
                text.push_str("; ");
                text.push_str(what);
                text.push(' ');
                text.push_str(&names(who));
            }
        };
        if verdict != Verdict::Up {
            named(&mut text, "reachable from", &self.up);
        }
        if verdict != Verdict::Late {
            named(&mut text, "late for", &self.late);
        }
        if !matches!(verdict, Verdict::Down | Verdict::PartiallyReachable) {
            named(&mut text, "down for", &self.down);
        }
        named(&mut text, "unknown to", &self.unsure);
        named(&mut text, "nothing fresh from", &self.silent);
        text
    }
}
