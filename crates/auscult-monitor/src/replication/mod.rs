//! The settings that several monitors share, replicated with Raft (openraft) over a log on disk.
//!
//! A monitor alone is a group of one, by the same code. What becomes of a change is decided in
//! `auscult_core::monitor::registry`; here stands what is needed so that every monitor makes the
//! same changes in the same order, and what was acknowledged outlives any process: the log, on the
//! disk before it is acknowledged, and snapshots of the registry that let the log be shortened.
//! The registry itself is in memory; after a restart it is made again from the last snapshot and
//! the log behind it.

mod agreed;
mod answer;
mod ask;
mod beat;
mod campaign;
mod coming;
mod contact;
pub mod http;
mod identity;
mod join;
mod journal;
mod large;
mod letters;
mod log;
mod machine;
mod node;
mod peers;
mod recent;
mod records;
mod repair;
mod roster;
mod rpc;
mod status;

use std::io::Cursor;

pub use crate::shared::Monitor;

pub use identity::{BEGIN_AFTER, NoGroup};
pub use join::{Founding, JoinError};
pub use journal::{FILE_NAME, Journal};
pub use letters::Colleague;
pub use log::Log;
pub use machine::Machine;
pub use node::{Node, NodeConfig, StartError, Timing};
pub use records::{Answer, Command, Malformed};
pub(crate) use records::{registry_from_json, registry_to_json};
pub use roster::MONITORS_MAX;
pub use rpc::{Ask, CallError, Callee, Canvass, Network, Nobody, Reply, Request};

openraft::declare_raft_types!(
    /// What is replicated, and among whom.
    pub Group:
        D = Command,
        R = Answer,
        NodeId = u64,
        Node = Monitor,
        SnapshotData = Cursor<Vec<u8>>,
);

#[cfg(test)]
mod tests;
