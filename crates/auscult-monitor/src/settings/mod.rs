//! The user's view of what is watched and how: read from a YAML file and from JSON bodies by one schema.

mod problem;
mod target;

use auscult_core::monitor::MonitorConfig;
use std::path::PathBuf;

pub use problem::{Problem, Problems, Span};
pub use target::{
    Connection, HttpCheck, HttpVersion, Pattern, SignalSpec, SourceSpec, StatusRanges, TargetSpec,
    TcpCheck, TlsSpec,
};

/// Everything that a settings file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The targets, in the order of the file.
    pub targets: Vec<TargetSpec>,
    /// What happens to heartbeats that are sent to us.
    pub heartbeats: HeartbeatSettings,
    /// How the observer judges itself.
    pub observer: MonitorConfig,
}

/// What happens to heartbeats that are sent to us.
#[derive(Clone, Debug, PartialEq)]
pub struct HeartbeatSettings {
    /// Whether a heartbeat of an unknown target creates the target.
    pub create: bool,
    /// How many targets are created in that way at most.
    pub targets_max: usize,
    /// A file with the key that datagrams must be signed with.
    pub key_file: Option<PathBuf>,
}
