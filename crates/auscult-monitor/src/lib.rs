//! The auscult server: checks, pushed heartbeats, verdicts, metrics and REST around
//! `auscult_core::monitor`.

pub mod alerts;
pub mod api;
mod base64;
pub mod check;
pub mod engine;
pub mod etcd;
pub mod events;
pub mod history;
pub mod ingest;
pub mod membership;
pub mod metrics;
pub mod observers;
pub mod peer_metrics;
pub mod registry;
pub mod replication;
pub mod serve;
pub mod settings;
pub mod shared;
pub mod store;
pub mod template;
mod tls;
pub mod trace;

pub use auscult_agent::clock;
