//! The machine that watches many targets: arrivals in, verdicts with evidence out.
//!
//! # Use
//! 1. Build a [`Monitor`] and say with [`Monitor::apply`] what to watch.
//! 2. Give it what happens with [`Monitor::handle`]: arrivals, failed checks, or only that time
//!    passed.
//! 3. Take what it has to say with [`Monitor::poll_output`] until there is nothing more.
//! 4. Ask [`Monitor::poll_timeout`] when to call again, and do so then with [`Input::Tick`].
//!
//! `now` never goes backwards for the machine: an earlier one counts as the last one seen.

pub mod config;
pub mod event;
pub mod status;
pub mod target;

pub use config::{MonitorConfig, SignalConfig, SignalParams};
pub use event::{Cause, Event, EventKind, Evidence, Output, Rejection};
pub use status::{Failure, Status};
pub use target::{Applied, Change, Labels, Refusal, Signal, Target};
