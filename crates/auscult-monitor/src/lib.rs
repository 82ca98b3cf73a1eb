//! The auscult server: checks, pushed heartbeats, verdicts, metrics and REST around
//! `auscult_core::monitor`.

pub mod api;
pub mod check;
pub mod clock;
pub mod events;
pub mod settings;
pub mod store;
