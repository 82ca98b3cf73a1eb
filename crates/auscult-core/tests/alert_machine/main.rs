//! The machine that tells people, at the library's face and in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod delivery;
mod drive;
mod episodes;
mod group;
mod group_world;
mod mutants;
mod suppression;
mod twin;
mod world;
