//! What is kept of a target's past, as arithmetic: roll-ups, what a window is made of, what a
//! window says, and what is given up when there is too much.
//!
//! Times here are whole milliseconds since the Unix epoch, in which rows are kept. All sums are of
//! whole numbers, so a roll-up of roll-ups is, to the bit, the roll-up of what they were made of:
//! the order in which time is cut and joined changes nothing.

pub mod availability;
pub mod course;
pub mod cover;
pub mod resolution;
pub mod retention;
pub mod rollup;
#[cfg(test)]
mod tests;

pub use availability::{Availability, Objective};
pub use course::Course;
pub use cover::{Segment, cover, kept_since};
pub use resolution::Resolution;
pub use retention::{Kind, Limits, gives};
pub use rollup::{Figure, ROLLUP_BYTES, Rollup};
