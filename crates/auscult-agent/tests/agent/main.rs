//! Agents with real sockets on loopback.
#![expect(
    clippy::unwrap_used,
    reason = "what a harness does not find is a failed test"
)]

mod blocked;
mod corpus;
mod harness;
mod hostile;
mod keys;
mod links;
mod membership;
mod rejects;
mod restart;
mod roles;
mod stall;
