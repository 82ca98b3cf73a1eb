//! Groups of members in virtual time: what must hold for all of them together.
#![expect(
    clippy::unwrap_used,
    reason = "what a harness does not find is a failed test"
)]

mod cluster;
mod faults;
mod figures;
mod hybrid;
mod links;
mod membership;
mod metadata;
