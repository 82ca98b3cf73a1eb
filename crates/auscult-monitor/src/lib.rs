//! The auscult server: checks, pushed heartbeats, verdicts, metrics and REST around
//! `auscult_core::monitor`.

pub mod clock;
pub mod events;
