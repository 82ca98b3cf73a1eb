//! Failure detectors and the machine that watches many targets with them.
//!
//! The crate has no clock, no socket, no thread and no randomness of its own: whoever drives it
//! passes the time in, and reads what happened from one ordered queue. The same code therefore runs
//! in the server, in a simulator, in a replay and in tests, with the same bytes out for the same
//! inputs.
//!
//! - [`alert`]: what people are told of it: once, and again when it is over.
//! - [`detector`]: from the arrivals of one signal to a [`Level`](detector::Level) of suspicion,
//!   and the [`Instant`](time::Instant) at which that level will cross a threshold if nothing more
//!   arrives.
//! - [`history`]: what is kept of a target's past: roll-ups, and what a window of them says.
//! - [`monitor`]: many targets with named signals, their status, and the events of its changes.
//! - [`peer_metric`]: the metrics that peers publish, each with a time to live.
//! - [`swim`]: a member of a group of processes that watch each other, and the events of its
//!   changes.
//! - [`wire`]: what travels between processes, as bounded bytes.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod alert;
pub mod bounds;
pub mod detector;
pub mod history;
pub mod id;
pub mod monitor;
pub mod peer_metric;
pub mod rng;
pub mod swim;
pub mod time;
pub mod wire;
