//! Properties that hold whatever happens, each checked while a world runs.

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

/// Every checker, as new.
#[must_use]
pub fn all() -> Vec<Box<dyn Checker>> {
    Vec::new()
}
