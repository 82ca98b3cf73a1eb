//! The machine over many targets, at the library's face and in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the kinds of events that it is about"
)]

mod arrivals;
mod changes;
mod drive;
mod mass;
mod memory;
mod random;
mod scenarios;
mod stall;
mod status;
mod told;
mod twin;
