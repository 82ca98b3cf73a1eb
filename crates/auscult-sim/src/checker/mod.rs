//! Properties that hold whatever happens, each checked while a world runs, one file each. Beside
//! each stands a machine that was broken on purpose, and a test that it is noticed.
//!
//! | property | file |
//! |---|---|
//! | who was convicted, or left, comes back with a greater incarnation only | [`no_resurrection`] |
//! | incarnations never fall, and only the member itself raises its own | [`incarnations`] |
//! | after the last fault all agree, in a time that follows from the parameters | [`agreement`] |
//! | nobody convicts a member that ran and was reachable | [`no_false_conviction`] |
//! | nothing grows without a bound | [`bounded_memory`] |
//! | nobody sends more than its parameters allow | [`bounded_messages`] |
//! | nobody says goodbye for another, and events follow each other as they can | [`life_story`] |

pub mod agreement;
pub mod bounded_memory;
pub mod bounded_messages;
mod ground;
pub mod incarnations;
pub mod life_story;
pub mod no_false_conviction;
pub mod no_resurrection;

pub mod seeds;

#[cfg(test)]
mod mutants;

use crate::observation::{Interest, Observation};
use crate::world::World;
use auscult_core::time::Instant;

/// Watches a world for one property.
pub trait Checker {
    /// The name of the property.
    fn name(&self) -> &'static str;
    /// What it wants to see.
    fn interest(&self) -> Interest;
    /// Sees something, right after it happened.
    fn observe(&mut self, world: &World, observation: &Observation);
    /// What it found, once the world has ended.
    fn finish(&mut self, world: &World) -> Vec<Finding>;
}

/// A case in which a property did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the property.
    pub property: &'static str,
    /// When it was seen.
    pub at: Instant,
    /// Who did what, in a sentence.
    pub text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.at, self.property, self.text)
    }
}

/// Every checker, as new.
#[must_use]
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(no_resurrection::NoResurrection::default()),
        Box::new(incarnations::Incarnations::default()),
        Box::new(agreement::Agreement::default()),
        Box::new(no_false_conviction::NoFalseConviction::default()),
        Box::new(bounded_memory::BoundedMemory::default()),
        Box::new(bounded_messages::BoundedMessages::default()),
        Box::new(life_story::LifeStory::default()),
    ]
}

/// What a checker found so far: the first cases are told, the others are counted.
#[derive(Debug, Default)]
struct Findings {
    told: Vec<Finding>,
    more: usize,
}

impl Findings {
    fn add(&mut self, property: &'static str, at: Instant, text: String) {
        if self.told.len() < TOLD_MAX {
            self.told.push(Finding { property, at, text });
        } else {
            self.more += 1;
        }
    }

    fn take(&mut self) -> Vec<Finding> {
        let mut told = std::mem::take(&mut self.told);
        if let Some(last) = told.last_mut()
            && self.more > 0
        {
            last.text = format!("{} (and {} more)", last.text, self.more);
        }
        told
    }
}

/// Beyond some cases a bug is no clearer.
const TOLD_MAX: usize = 5;
