//! The auscult server: checks, pushed heartbeats, verdicts, metrics and REST around
//! `auscult_core::monitor`.

pub mod check;
pub mod clock;
pub mod events;
