//! What must hold in every story: one file for each property.

mod agree;
mod alive;
mod current;
mod forward;
mod kept;
mod once;
mod undone;

use crate::disk::Habit;
use crate::history::History;
use crate::network::Manner;
use crate::world::Mutant;

/// A property, and what is broken where it must not hold.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) check: fn(&History) -> Result<(), String>,
    pub(crate) mutant: Mutant,
}

pub(crate) const CHECKS: [Check; 7] = [
    Check {
        name: "what is acknowledged is kept",
        check: kept::check,
        mutant: Mutant::Disk(Habit::SaysSo),
    },
    Check {
        name: "revisions never go back",
        check: forward::check,
        mutant: Mutant::Disk(Habit::Relapses),
    },
    Check {
        name: "monitors agree",
        check: agree::check,
        mutant: Mutant::Network(Manner::AnswersForOthers),
    },
    Check {
        name: "confirmed reads and changes are linearizable",
        check: current::check,
        mutant: Mutant::SkipsTheBarrier,
    },
    Check {
        name: "nothing is made twice",
        check: once::check,
        mutant: Mutant::ForgetsWhatItAsked,
    },
    Check {
        name: "what is said not to be done is not done",
        check: undone::check,
        mutant: Mutant::SaysNoInDoubt,
    },
    Check {
        name: "a group that is whole comes to rest",
        check: alive::check,
        mutant: Mutant::NeverHeals,
    },
];
