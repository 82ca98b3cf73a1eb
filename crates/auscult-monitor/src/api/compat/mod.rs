//! The routes that the seeds describe, over the same machinery: thin, and only here.

pub(super) mod cluster;
pub(super) mod config;
pub(super) mod keys;
pub(super) mod peer_monitor;
pub(super) mod status;
