//! The settings that several monitors share, replicated with Raft (openraft) over a log on disk.
//!
//! A monitor alone is a group of one, by the same code. What becomes of a change is decided in
//! `auscult_core::monitor::registry`; here stands what is needed so that every monitor makes the
//! same changes in the same order, and what was acknowledged outlives any process: the log, on the
//! disk before it is acknowledged, and snapshots of the registry that let the log be shortened.
//! The registry itself is in memory; after a restart it is made again from the last snapshot and
//! the log behind it.

mod journal;
mod log;
mod machine;
mod records;

use std::io::Cursor;

use serde::{Deserialize, Serialize};

pub use journal::{FILE_NAME, Journal};
pub use log::Log;
pub use machine::Machine;
pub use records::{Answer, Command, Malformed};

openraft::declare_raft_types!(
    /// What is replicated, and among whom.
    pub Group:
        D = Command,
        R = Answer,
        NodeId = u64,
        Node = Monitor,
        SnapshotData = Cursor<Vec<u8>>,
);

/// A monitor as the others know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitor {
    /// Its name, unique in the group.
    pub name: String,
    /// Where the others reach its part of the group, as host and port.
    pub raft: String,
    /// Where clients reach it, as host and port.
    pub http: String,
}

#[cfg(test)]
mod tests;
