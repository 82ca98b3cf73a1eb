//! The real binary, as people and scripts use it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent;
mod alerts;
mod client;
mod command_line;
mod demo;
mod etcd;
mod etcd_alerts;
mod group;
mod history;
mod history_disk;
mod http;
mod https;
mod lab;
mod members;
mod metric;
mod namesake;
mod node;
mod observers;
mod process;
mod pulser;
mod remote_write;
mod serve;
mod settings;
mod sim;
mod stall;
mod watch;
