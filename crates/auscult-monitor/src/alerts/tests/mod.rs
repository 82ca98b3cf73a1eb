//! Whole servers, and receivers on this host that hear what they are told.

mod alertmanager;
mod peers;
mod sinks;
mod stage;
mod told;
