//! Whole servers, and receivers on this host that hear what they are told.

mod alertmanager;
mod ended;
mod group;
mod group_peers;
mod mail;
mod maintenance;
mod patience;
mod peers;
mod pulse;
mod shared;
mod sinks;
mod stage;
mod templates;
mod told;
